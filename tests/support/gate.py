"""A source that waits for a test, so that a run can be met in its middle."""

import threading
from typing import Any
from urllib.parse import urlsplit

from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import RcloneS3, s3_client


class Gate(RefusingProxy):
    """A source that hands out objects only when a test lets them through: a run stops in between.

    `listing` is set; cleared, it holds back listings too, and a run stays in its checks.
    """

    def __init__(self, upstream_endpoint: str) -> None:
        super().__init__(upstream_endpoint)
        self.listing = threading.Event()
        self.listing.set()
        self._may_pass = threading.Semaphore(0)
        self._passed: set[str] = set()  # asked for once more, an object needs no second permission

    def let(self, count: int) -> None:
        """Let so many more objects through."""
        self._may_pass.release(count)

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        """Refuses nothing, but takes its time."""
        if method == "GET":
            name = urlsplit(path).path.lstrip("/")
            wait = self._may_pass.acquire if "/" in name else self.listing.wait
            while name not in self._passed and not self.stopping.is_set():
                if wait(timeout=0.05):
                    break
            if "/" in name:
                self._passed.add(name)
        return super().refusal(method, path, headers)


class PausingS3(RcloneS3):
    """A source that hands out `FIRST` objects and keeps the rest until `thaw`.

    A run from it stays in its middle, however fast or slow the machine is.
    """

    FIRST = 5

    def start(self) -> None:
        super().start()
        self._gate = Gate(super().endpoint)
        self._gate.__enter__()
        self._gate.let(self.FIRST)

    def stop(self) -> None:
        self._gate.__exit__(None, None, None)
        super().stop()

    @property
    def endpoint(self) -> str:
        """Where a backup finds it; tests themselves read and write past the gate."""
        return self._gate.endpoint if hasattr(self, "_gate") else super().endpoint

    def client(self) -> Any:
        return s3_client(super().endpoint, self.access_key_id, self.secret_access_key)

    def hold_listings(self) -> None:
        """Answer no listing until `thaw`: a run stays in its checks."""
        self._gate.listing.clear()

    def thaw(self) -> None:
        """Hand out everything from now on, also when it was frozen meanwhile."""
        super().thaw()
        self.hand_out()

    def hand_out(self) -> None:
        """Let every question through from now on, to a frozen server too."""
        self._gate.listing.set()
        self._gate.let(1_000_000)
