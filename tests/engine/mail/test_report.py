"""The weekly report in words: plain, as HTML, and in short."""

from html.parser import HTMLParser

from bucketvault.engine.domain.reading import Coverage
from bucketvault.engine.mail import report
from bucketvault.engine.mail.week import Mark, Need, Runs
from tests.engine.mail.reports import HOME, a_backup_week, a_week

NASTY = '<img src="https://example.com/x" onerror=alert(1)>\u202egnp'


class Read(HTMLParser):
    """The elements, their attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_good_week_is_told_in_full() -> None:
    told = report.weekly(a_week(a_backup_week()), HOME)

    assert told.subject == "Weekly report of backup-box: all good"
    assert told.body == (
        "All good. Photos is up to date.\n\n"
        "Mon 23 Nov 2026, 08:00 to Mon 30 Nov 2026, 08:00\n"
        "Times are in Europe/Berlin.\n\n"
        "Photos: Succeeded\n"
        "Newest proof: Mon 30 Nov 2026, 03:20, 1,204 of 1,204 objects\n"
        "Runs:         6 succeeded, 1 failed\n"
        "Transferred:  4.2 GB; 1,204 copied, 2 removed\n"
        "Size:         402 GB, 3.0 GB more than a week ago\n"
        "Oldest read:  Sat 3 Oct 2026, 58 days ago\n"
        "Cost:         $0.37\n\n"
        "Now, on the server:\n"
        "  bucketvault status\n\n"
        "-- \nbucketvault on backup-box\n"
    )


def test_what_is_not_known_is_said_and_never_counted_as_nothing() -> None:
    new = a_backup_week(
        name="New",
        state="Never run",
        mark=Mark.QUIET,
        proof=None,
        runs=Runs(),
        size=None,
        size_before=None,
        coverage=None,
        cost=None,
    )
    unread = a_backup_week(coverage=Coverage(1204, 10**9, 0, 0, 200, 0, None))

    body = report.weekly(a_week(new, unread), HOME).body

    assert "Newest proof: never\nRuns:         none\n" in body
    assert "Size:         not measured yet\nOldest read:  nothing is proven yet\n" in body
    assert "Cost:         no requests counted\n" in body
    assert "Oldest read:  200 of 1,204 objects never read byte by byte\n" in body
    assert "Backups:     2\nRuns:        6 succeeded, 1 failed\n" in body


def test_a_phone_gets_what_needs_attention_and_the_sums() -> None:
    needs = tuple(Need(f"Backup {number}", "The key is wrong.") for number in range(8))

    told = report.weekly(a_week(a_backup_week(), needs=needs), HOME)

    assert told.brief.splitlines() == [
        "Photos failed.",
        *(f"Backup {number}: The key is wrong." for number in range(5)),
        "3 more: see the pages, or bucketvault status.",
        "The last 7 days:",
        "Runs: 6 succeeded, 1 failed",
        "Transferred: 4.2 GB",
        "Size: 402 GB, 3.0 GB more than a week ago",
        "Cost: $0.37",
        "bucketvault on backup-box",
    ]
    assert "- Backup 7: The key is wrong." in told.body


def test_html_says_the_same_loads_nothing_and_names_are_only_text() -> None:
    needs = (Need(NASTY, NASTY),)

    told = report.weekly(a_week(a_backup_week(name=NASTY), needs=needs), HOME)

    page = Read(told.rich)
    assert page.tags.isdisjoint({"img", "a", "script", "link", "style", "svg", "form"})
    assert page.attributes == {"charset", "content", "lang", "name", "scope", "style"}
    assert "url(" not in told.rich and "\u202e" not in told.rich
    words = " ".join("".join(page.words).split())
    assert words.count('<img src="https://example.com/x" onerror=alert(1)>') == 3
    for line in ("402 GB, 3.0 GB more than a week ago", "Sat 3 Oct 2026, 58 days ago", "$0.37"):
        assert line in words
