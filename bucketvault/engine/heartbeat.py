"""The ping out: a call to an address of the user's, once a minute while all is well.

Who is called notices when nobody calls any more: a server that is off cannot send a mail. So none
goes out while a backup needs attention, the schedule stopped, or the database does not answer.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bucketvault.engine import settings
from bucketvault.engine.alerts.pinging import call, note_program
from bucketvault.engine.events import Live
from bucketvault.engine.mail.mail_views import PingState
from bucketvault.store.models import utcnow
from bucketvault.vocabulary import Topic

log = logging.getLogger(__name__)

LEAVE_S = 0.5


@dataclass(frozen=True, slots=True)
class PingPace:
    """How often to call, and how long to wait."""

    every_s: float = 60.0
    answer_s: float = 10.0


class Ping:
    """Started once, stopped once. `why_not` says what is not well; empty: all is."""

    def __init__(self, why_not: Callable[[], str], live: Live, pace: PingPace = PingPace()) -> None:
        self._why_not = why_not
        self._live = live
        self._pace = pace
        self._ending = threading.Event()
        self._last = PingState(set_up=False)
        self._thread = threading.Thread(target=self._work, name="ping", daemon=True)

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def stop(self) -> None:
        """Call no more."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_S)

    def state(self) -> PingState:
        """How the last call went, or why there is none."""
        return self._last

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                self._turn()
            except Exception:  # the edge of a thread: it must not die; a busy database is not well
                log.exception("the heartbeat failed unexpectedly")
            self._ending.wait(self._pace.every_s)

    def _turn(self) -> None:
        url = settings.load().ping_url
        before = self._last
        if not url:
            self._last = PingState(set_up=False)
            note_program("", heard=None)
        elif held_back := self._why_not():
            self._last = PingState(True, before.at, before.good, before.answer, held_back)
        else:
            good, answer = call(url, self._pace.answer_s)
            self._last = PingState(True, utcnow(), good, answer)
            note_program(answer, heard=good)
            if not good:  # without the address: it is a secret
                log.warning("heartbeat not accepted", extra={"answer": answer})
        if self._last != before:
            self._live.publish(Topic.MAIL)
