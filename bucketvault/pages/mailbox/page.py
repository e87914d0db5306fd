"""The emails that a demo has sent, which its own mail server keeps instead of passing them on."""

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nicegui import run, ui

from bucketvault.engine.mail.mail_views import Received
from bucketvault.humanize import day_and_time, exact, many
from bucketvault.pages.parts.frame import MAILBOX, frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.widgets import element, icon, text
from bucketvault.sanitize import clean, clean_to_copy
from bucketvault.vocabulary import Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

SUBJECT_CHARACTERS = 200
BODY_CHARACTERS = 20_000


def register(engine: "Engine", received: Callable[[], tuple[Received, ...]]) -> None:
    """Serve the page; `received` gives the emails, newest first."""

    @page_at("/mailbox", "Mailbox")
    async def mailbox_page() -> None:
        """Draw what is there, and what comes while the page is open."""
        answer = await run.io_bound(engine.answer)
        if answer is None:  # shutting down
            return
        with frame(MAILBOX, engine.zone, answer) as around:
            screen = MailboxScreen(engine.zone, received())
        show_on(engine.live, Topic.MAIL, received, screen.show)
        around.follow(engine)


class MailboxScreen:
    """The page: an email is a line that opens; what comes later is put above."""

    def __init__(self, zone: ZoneInfo, found: tuple[Received, ...]) -> None:
        self._zone = zone
        self._shown: tuple[Received, ...] = ()
        with heading("Mailbox"):
            self._count = text("span", "t13 ink3 num")
        told = (
            "What bucketvault emailed you in the last 30 days. In the demo, emails are shown here "
            "instead of being sent. Try one: Settings, Send test email."
        )
        element("p", "ink2 mailbox-told", told)
        self._list = element("div", "card mailbox", aria_live="polite")
        self.show(found)

    def show(self, found: tuple[Received, ...]) -> None:
        """Show these emails, newest first."""
        self._count.text = many(len(found), "email")
        known = {each.number for each in self._shown}
        now = dt.datetime.now(dt.UTC)
        for place, each in enumerate(found):
            if each.number not in known:
                with self._list:
                    self._draw(each, now).move(target_index=place)
        self._shown = found

    def _draw(self, each: Received, now: dt.datetime) -> ui.element:
        with element("details", "mail") as made:
            with element("summary"):
                icon("mailbox")
                element("span", "strong clip", clean(each.subject, limit=SUBJECT_CHARACTERS))
                when = day_and_time(each.at, self._zone, now)
                element("time", "t13 ink3 num", when, title=exact(each.at, self._zone))
            with element("div", "mail-body"):
                with element("dl", "t13"):
                    for name, value in (("From", each.sender), ("To", each.recipient)):
                        element("dt", "ink3", name)
                        element("dd", "", clean(value, limit=SUBJECT_CHARACTERS))
                element("pre", "", clean_to_copy(each.body[:BODY_CHARACTERS]))
        return made
