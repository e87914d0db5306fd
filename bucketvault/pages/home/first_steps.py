"""First steps where nothing is backed up yet; each ticks itself off."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.home import FirstSteps
from bucketvault.engine.views.situation import Tone
from bucketvault.pages.parts.widgets import NAME_CHARACTERS, button, card, code, element, glyph
from bucketvault.pages.parts.words import KINDS
from bucketvault.sanitize import clean

NAMED = 3  # names in one line
EXAMPLE = """\
[[provider]]
name = "Backblaze EU"
provider_type = "backblaze_b2"
region = "eu-central-003"
access_key_id = "003a8c1e0f71c0000000001"
secret_access_key = { env = "B2_SECRET" }

[[storage]]
provider = "Backblaze EU"
bucket_name = "photos"

[[storage]]
provider = "Backblaze EU"
bucket_name = "photos-copy"

[[backup]]
name = "Photos"
source = { provider = "Backblaze EU", bucket = "photos" }
destination = { provider = "Backblaze EU", bucket = "photos-copy" }
schedule = "daily"
at = "01:30"
"""


class Step(NamedTuple):
    """One step: what it is, what there is of it, and where it is done."""

    title: str
    done: str  # what is there; empty: nothing yet
    note: str  # shown until then
    act: str
    href: str = ""
    choices: Mapping[str, str] = MappingProxyType({})  # instead of one: addresses by their words
    more: str = ""  # once it is done: what else, at `href`
    run_backup: int | None = None  # instead of an address: run this one


PROVIDERS = "A service with your buckets, and a key for it. Add two to copy between them."
BACKUP = "Choose a bucket to copy from, a bucket to copy to, and a time."
FIRST_RUN = "The first run copies everything. It can start at once; scheduled runs follow."


def steps_of(steps: FirstSteps, rows: Sequence[BackupRow]) -> tuple[Step, ...]:
    """Return the three steps to a first copy, in the order in which they are done."""
    providers, made = _names(steps.providers), _names([row.name for row in rows])
    kinds = {title: f"/providers/new?kind={key}" for key, title in KINDS.items()}
    last = Step("Run it once", "", FIRST_RUN, "Run now", run_backup=rows[0].id if rows else None)
    active = next((row.active_run for row in rows if row.active_run is not None), None)
    failed = next((row.last_run for row in rows if row.last_run is not None), None)
    if active is not None:
        note = "The first run is in progress."
        last = Step(last.title, "", note, "View progress", f"/run/{active.id:d}")
    elif failed is not None:
        note = "No run has succeeded yet. See the reason above."
        last = Step(last.title, "", note, "View run", f"/run/{failed.id:d}")
    return (
        Step(
            "Connect a provider", providers, PROVIDERS, "", "/providers/new", kinds, "Add another"
        ),
        Step("Create the first backup", made, BACKUP, "New backup", "/backups/new"),
        last,
    )


def draw_first_steps(
    steps: FirstSteps, rows: Sequence[BackupRow], on_run: Callable[[int], Awaitable[None]]
) -> None:
    """Draw the steps, the next one as the page's primary button."""
    with card("First steps", body=False):
        waits = False  # a step before is open
        with element("ol", "first-steps"):
            for step in steps_of(steps, rows):
                _draw(step, on_run, is_next=not waits and not step.done)
                waits = waits or not step.done
            with element("li", "first-step"):
                glyph(Tone.OK if steps.mail_is_set_up else Tone.WARN)
                with element("div", "stack"):
                    element("span", "strong", "Get an alert when a backup fails")
                    note = (
                        "Set up."
                        if steps.mail_is_set_up
                        else "Until then, problems show only on this page."
                    )
                    element("span", "t13 ink3", note)
                if steps.mail_is_set_up:
                    element("span", "t13 ink3", "Done")
                else:
                    button("Set up alerts", href="/settings")
        if not steps.providers:
            with element("details", "from-file"):
                element("summary", text="Or set up everything from a file")
                element(
                    "p",
                    "t13 ink2",
                    "Describe a provider, two of its buckets and a backup in a file, then apply "
                    "it. Secrets can stay in environment variables or separate files.",
                )
                code(EXAMPLE)
                code("bucketvault apply setup.toml")


def _draw(step: Step, on_run: Callable[[int], Awaitable[None]], *, is_next: bool) -> None:
    with element("li", "first-step"):
        glyph(Tone.OK if step.done else Tone.WAIT)
        with element("div", "stack"):
            element("span", "strong", step.title)
            element("span", "t13 ink3", step.done or step.note)
            if is_next and step.choices:
                with element("div", "line wrap kinds"):
                    for words, href in step.choices.items():
                        button(words, kind="small", href=href, mark="next")
        backup_id = step.run_backup
        if step.done and step.more:
            button(step.more, "plus", "ghost small", href=step.href)
        elif step.done:
            element("span", "t13 ink3", "Done")
        elif is_next and backup_id is not None:
            button(step.act, kind="primary", mark="next", on_click=lambda: on_run(backup_id))
        elif is_next and step.act and step.href:
            button(step.act, kind="primary", mark="next", href=step.href)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name, limit=NAME_CHARACTERS) for name in names[:NAMED])
    more = len(names) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown
