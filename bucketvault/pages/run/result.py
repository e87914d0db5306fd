"""Result of a run, drawn: the verdict, the state of the copy, what rclone said, the decision."""

import datetime as dt
from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

from nicegui import ui

from bucketvault.engine.domain.state_words import describe_warning
from bucketvault.engine.views.backups import RunPage
from bucketvault.engine.views.log_text import removed_log
from bucketvault.engine.views.situation import Tone, tone_of_run
from bucketvault.humanize import many
from bucketvault.pages.parts.widgets import (
    CLASSES,
    NAME_CHARACTERS,
    button,
    card,
    confirm,
    draw_verdict,
    element,
    glyph,
)
from bucketvault.pages.run import approval as would_words
from bucketvault.pages.run import words as run_words
from bucketvault.sanitize import clean

LOG_PLACE = "log"  # the anchor of the log's card

Press = Callable[[], Awaitable[None]]


def draw_result(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> None:
    """Draw the result in words and what to do next; then the state of the copy."""
    told = run_words.result(page, zone, now)
    shown = draw_verdict(
        told.tone, clean(told.sentence), clean(told.detail), map(describe_warning, told.warnings)
    )
    with shown as (actions, _), actions:
        for provider_id, name in run_words.providers_to_mend(page):
            href = f"/providers/{provider_id:d}"
            button(f"Open {clean(name, limit=80)}", href=href, mark="open-provider")
    words = run_words.copy_words(page, zone, now)
    if words is not None:
        _draw_copy(words, page)
    if page.run.detail:
        with card(*run_words.detail_title(page.run)):
            element("pre", "code", "\n".join(map(clean, page.run.detail.splitlines())))


def _draw_copy(words: run_words.CopyWords, page: RunPage) -> None:
    where = f"in {clean(page.settings.destination.place)}, after this run" if page.settings else ""
    with card("State of the copy", where), element("div", "stack spaced"):
        if words.sentence:
            element("p", "strong", clean(words.sentence))
        if len(words.parts) > 1 and words.parts[0][0] == Tone.OK:
            said = ", ".join(part[2] for part in words.parts)
            with element("div", "bar parts", role="img", aria_label=said):
                for tone, share, _ in words.parts:
                    # a number we made, never text from elsewhere
                    element("i", CLASSES[tone]).style["flex"] = f"{int(share)} 0 0"
        if words.parts:
            with element("div", "keys"):
                for tone, _, said in words.parts:
                    with element("span"):
                        glyph(tone)
                        element("span", text=said)
        element("p", "t13 ink2", f"{words.last_good} Nothing at the source was changed.")


def draw_removed_log(page: RunPage, zone: ZoneInfo, now: dt.datetime) -> None:
    """Draw what is in place of a log that was removed for its age."""
    if (removed_at := page.run.log_removed_at) is None:
        return
    had = f"It had {many(page.run.log_lines, 'line')}."
    with card("Log"), element("div", "stack spaced"):
        words = removed_log(removed_at, page.log_retention_days, zone, now)
        element("p", "ink2", f"{words} {had}").mark("log-removed")


def draw_decision(
    page: RunPage, zone: ZoneInfo, now: dt.datetime, approve: Press, questions: ui.element
) -> None:
    """Ask below a held run's numbers whether it shall do so; nothing where nobody can say yes."""
    view = page.run
    if tone_of_run(view) != Tone.HELD or view.preview or view.findings is None:
        return
    with card("Your decision"), element("div", "stack spaced"):
        if not view.can_be_approved:
            element("p", "ink2", "This run can no longer be approved: there is a newer one.")
            with element("div", "actions"):
                if page.next_id is not None:
                    button("Next run", "chev", href=f"/run/{page.next_id:d}", mark="newer")
                button("Review", "eye", href=f"#{LOG_PLACE}", mark="review")
            return
        name = clean(view.backup_name, limit=NAME_CHARACTERS)
        words = would_words.approval(page, name, zone, now)
        for term in words.terms:
            element("p", "ink2", clean(term))

        def ask() -> None:  # perhaps hours later: the times it tells count from then
            asked = would_words.approval(page, name, zone, dt.datetime.now(dt.UTC))
            title = f"{name}: {asked.question[0].lower()}{asked.question[1:]}"
            lines = map(clean, asked.answers)
            yes = "Approve and run"
            confirm(
                questions,
                clean(title),
                *lines,
                words=yes,
                act=approve,
                icon="check",
                kind="primary",
            )

        with element("div", "actions"):
            button("Review", "eye", href=f"#{LOG_PLACE}", mark="review")
            button("Approve this run", "check", "primary", mark="approve", on_click=ask)
        waits = "Until you decide, the copy stays as it is: new objects are not copied either."
        element("p", "t13 ink3", waits)
