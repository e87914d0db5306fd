"""A copy with a past, to find things in: three days, old versions, deleted and odd names."""

import datetime as dt
import tempfile
from pathlib import Path

from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.listing import ledger
from bucketvault.engine.runs.restore_listing import event, write_events
from bucketvault.engine.runs.restoring import KEPT, MADE, Cut, Day, History, Pass, Reach
from bucketvault.vocabulary import ComparisonMode, ProviderType
from tests.pages.scenes import now

HOSTILE = b"<img src=x onerror=alert(1)>\xe2\x80\xae/it's $(rm -rf ~) \x01.txt"
COPY = {
    b"2026/invoice-1.pdf": 120_000,
    b"2026/invoice-2.pdf": 1_400_000,
    b"2026/notes.txt": 900,
    HOSTILE: 12,
    b"README.md": 4_000,
}
EVENTS = (
    (b"2026/invoice-1.pdf", 1, KEPT, 118_000),
    (b"2026/invoice-1.pdf", 2, KEPT, 119_000),
    (b"2026/invoice-2.pdf", 2, MADE, 0),
    (b"2026/invoice-3.pdf", 1, MADE, 0),
    (b"2026/invoice-3.pdf", 2, KEPT, 2_000),
)


def history() -> History:
    """Return it whole, as if its kept versions had just been listed."""
    folder = Path(tempfile.mkdtemp(prefix="history-"))
    with ledger.writing(folder / "ledger.gz", "2026-11-22") as writer:
        for key, size in sorted(COPY.items()):
            writer.add(ledger.Record(key, size, "a", "", "a", ""))
    events = tempfile.TemporaryFile()  # noqa: SIM115  closed with the history
    write_events((event(*each) for each in EVENTS), events)
    times = [now() - dt.timedelta(days=days) for days in (20, 9, 1)]
    passes = [Pass(n + 1, f"{at:%Y%m%dT%H%M%SZ}", at) for n, at in enumerate(times)]
    end = EndSpec("Backblaze EU", ProviderType.BACKBLAZE_B2, "acme-pg-dumps-copy", region="eu-1")
    spec = RunSpec(end, end, ComparisonMode.CHECKSUM, 30, 50, "postgres-dumps-1a2b3c")
    made = History(spec, folder / "ledger.gz", passes, events)
    made.days = [Day(n + 1, times[n], n + 1) for n in (2, 1, 0)]
    made.reach = Reach(Cut.VERSIONS, 1, times[0], 12)
    made.folders = frozenset(each.stamp for each in passes)
    return made
