"""The weekly report as HTML: one file, styles in its elements, nothing from elsewhere. Pure.

Text and background are the mail program's own, so that light and dark are both right; only the
state of a backup has a colour, behind white letters that can be read on it in both. All words
are escaped here, and nothing is a link.
"""

from collections.abc import Iterable, Sequence
from html import escape

from bucketvault.engine.mail.texts import Home
from bucketvault.engine.mail.week import (
    WHY_CHARACTERS,
    BackupWeek,
    Mark,
    Need,
    Week,
    facts,
    period,
    totals,
)
from bucketvault.humanize import times_in
from bucketvault.sanitize import clean

# white on each: a contrast of at least 4.5 to 1
_COLOURS = {Mark.GOOD: "#1a7f4b", Mark.LOOK: "#8a5a00", Mark.BAD: "#c0322b", Mark.QUIET: "#5f6b76"}
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_LINE = "1px solid rgba(127,127,127,.35)"
_CELL = "padding:3px 0;vertical-align:top;text-align:left;font-weight:normal"


def page(week: Week, home: Home) -> str:
    """Return the whole document."""
    parts = [
        _sentence(week),
        _quiet(f"{period(week, home)}. {times_in(home.zone)}"),
        _needs(week.needs),
        *(_backup(each, week, home) for each in week.backups),
        _card("All backups", "", _table(totals(week))) if len(week.backups) > 1 else "",
        _quiet(f"bucketvault on {home.machine}. Now, on the server: {home.command} status"),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        "<title>Weekly report</title></head>\n"
        f'<body style="margin:0;padding:16px;color-scheme:light dark;{_FONT};'
        'font-size:15px;line-height:1.5"><div style="max-width:600px;margin:0 auto">\n'
        f"{chr(10).join(part for part in parts if part)}\n</div></body></html>\n"
    )


def _sentence(week: Week) -> str:
    style = (
        "margin:8px 0 12px;padding-left:12px;font-size:20px;line-height:1.35;font-weight:600;"
        f"border-left:4px solid {_COLOURS[week.mark]}"
    )
    return f'<h1 style="{style}">{_words(week.sentence)}</h1>'


def _quiet(words: str) -> str:
    return f'<p style="margin:0 0 16px;font-size:13px;opacity:.75">{_words(words)}</p>'


def _needs(needs: Sequence[Need]) -> str:
    if not needs:
        return ""
    items = "\n".join(
        f'<p style="margin:0 0 8px"><b>{_words(need.name)}</b><br>'
        f"{_words(need.why, WHY_CHARACTERS)}</p>"
        for need in needs
    )
    return _card("Needs attention", "", items, edge=_COLOURS[Mark.BAD])


def _backup(each: BackupWeek, week: Week, home: Home) -> str:
    return _card(each.name, _badge(each.state, each.mark), _table(facts(each, week, home)))


def _card(title: str, badge: str, inside: str, edge: str = "") -> str:
    box = f"border:{_LINE};border-radius:10px;padding:14px 16px 10px;margin:0 0 14px"
    box += f";border-left:4px solid {edge}" if edge else ""
    name = "display:inline;font-size:16px;font-weight:600;overflow-wrap:anywhere"
    head = f'<h2 style="{name}">{_words(title)}</h2> {badge}'
    return f'<div style="{box}"><div style="margin:0 0 8px">{head}</div>\n{inside}\n</div>'


def _badge(state: str, mark: Mark) -> str:
    style = (
        "display:inline-block;padding:1px 9px;border-radius:10px;font-size:12px;"
        f"font-weight:600;color:#ffffff;background-color:{_COLOURS[mark]}"
    )
    return f'<span style="{style}">{_words(state)}</span>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    told = "\n".join(
        f'<tr><th scope="row" style="{_CELL};width:112px;padding-right:12px;opacity:.75">'
        f'{_words(label)}</th><td style="{_CELL};overflow-wrap:anywhere">{_words(value)}</td></tr>'
        for label, value in rows
    )
    style = "width:100%;border-collapse:collapse;font-size:14px"
    return f'<table style="{style}">\n{told}\n</table>'


def _words(text: str, limit: int = 2000) -> str:
    return escape(clean(text, limit=limit))
