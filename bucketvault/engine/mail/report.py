"""The weekly report as an email, and in short for a phone. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from bucketvault.engine.mail import report_html
from bucketvault.engine.mail.texts import Home, Text, fact_lines, paragraph, whole, wrapped
from bucketvault.engine.mail.week import (
    WHY_CHARACTERS,
    BackupWeek,
    Need,
    Week,
    facts,
    period,
    totals,
)
from bucketvault.humanize import count, times_in
from bucketvault.sanitize import clean

BRIEF_NEEDS = 5


def weekly(week: Week, home: Home) -> Text:
    """Return the report as an email and, in short, for a phone."""
    machine = clean(home.machine, limit=60)
    subject = f"Weekly report of {machine}: {week.short[:1].lower()}{week.short[1:]}"
    body = [
        paragraph(week.sentence),
        f"{period(week, home)}\n{times_in(home.zone)}",
        _needs(week.needs),
        *(_backup(each, week, home) for each in week.backups),
        fact_lines(totals(week)) if len(week.backups) > 1 else "",
        f"Now, on the server:\n  {home.command} status",
    ]
    text = whole(subject, body, home)
    return replace(text, brief=_brief(week, home), rich=report_html.page(week, home))


def _needs(needs: Sequence[Need]) -> str:
    lines = [
        wrapped(clean(f"{need.name}: {need.why}", limit=WHY_CHARACTERS), first="- ", rest="  ")
        for need in needs
    ]
    return "\n".join(["Needs attention:", *lines]) if lines else ""


def _backup(each: BackupWeek, week: Week, home: Home) -> str:
    return f"{clean(each.name)}: {each.state}\n{fact_lines(facts(each, week, home))}"


def _brief(week: Week, home: Home) -> str:
    needs = [
        clean(f"{need.name}: {need.why}", limit=WHY_CHARACTERS) for need in week.needs[:BRIEF_NEEDS]
    ]
    more = len(week.needs) - len(needs)
    sums = [f"{label}: {value}" for label, value in totals(week)[1:]] if week.backups else []
    lines = [
        clean(week.sentence),
        *needs,
        f"{count(more)} more: see the pages, or bucketvault status." if more else "",
        *(["The last 7 days:", *sums] if sums else []),
        f"bucketvault on {clean(home.machine, limit=100)}",
    ]
    return "\n".join(line for line in lines if line)
