"""A terminal of the tests' own, as a shell sees one (pty(7))."""

import contextlib
import os
import re
import select
import time


def shown_until(terminal: int, pattern: bytes, seconds: float = 15.0) -> bytes:
    """Return what a terminal shows until it shows this, or goes with its shell."""
    shown, end = b"", time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while not re.search(pattern, shown, re.DOTALL) and time.monotonic() < end:
            if select.select([terminal], [], [], 0.5)[0]:
                shown += os.read(terminal, 4096)
    return shown
