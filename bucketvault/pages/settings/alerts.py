"""The section Alerts of the settings: targets besides email, each with its last result."""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from bucketvault.engine.alerts.targets import Target, TargetFields
from bucketvault.engine.domain.alert_urls import EVENT_WORDS, EXAMPLES
from bucketvault.engine.mail.mail_views import Letter, Trial
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError
from bucketvault.pages.parts.actions import ask, attempt, complain, in_thread, press, tell_user
from bucketvault.pages.parts.fields import Checks, Field
from bucketvault.pages.parts.form import Form
from bucketvault.pages.parts.widgets import (
    Part,
    button,
    card,
    confirm,
    element,
    glyph,
    key_values,
)
from bucketvault.pages.settings import words
from bucketvault.sanitize import clean
from bucketvault.vocabulary import AlertEvent

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

UNCHANGED = "unchanged"
URL_HINT = "A URL of the service. Stored encrypted, never shown again."


class AlertActions(NamedTuple):
    """Actions of the section. All raise BucketvaultError, but the last two."""

    create: Callable[[TargetFields], Awaitable[object]]
    change: Callable[[int, TargetFields], Awaitable[object]]
    delete: Callable[[int], Awaitable[object]]
    send_test: Callable[[int], Awaitable[Trial]]
    try_again: Callable[[int], Awaitable[object]]
    dismiss: Callable[[int], Awaitable[object]]


def alert_actions(engine: "Engine") -> AlertActions:
    """Return what the section does, with `engine`; what asks a service waits in its own threads."""
    alerts = engine.alerts

    async def create(given: TargetFields) -> None:
        await ask(engine.providers, alerts.create, given)

    async def change(target_id: int, given: TargetFields) -> None:
        await ask(engine.providers, alerts.change, target_id, given)

    async def delete(target_id: int) -> None:
        await in_thread(alerts.delete, target_id)

    async def send_test(target_id: int) -> Trial:
        return await ask(engine.providers, alerts.send_test, target_id)

    return AlertActions(
        create,
        change,
        delete,
        send_test,
        partial(press, alerts.try_again),
        partial(press, engine.mail.dismiss),
    )


class AlertsCard:
    """The section on one open page."""

    def __init__(self, zone: ZoneInfo, actions: AlertActions) -> None:
        self._zone, self._actions = zone, actions
        self._targets: Sequence[Target] = ()
        self._testing: set[int] = set()
        note = "to a phone, a chat or a program, besides email"
        with card("Alerts", note), element("div", "stack spaced"):
            self._list = Part("targets")
            self._dead = Part("stack spaced")
            with element("div", "actions") as self._add:
                button("Add target", "plus", mark="add-target", on_click=lambda: self._open(None))
            self._form = element("div", "target-box")
            self._questions = element("div")

    def show(self, targets: Sequence[Target], dead: Sequence[Letter], now: dt.datetime) -> None:
        """Show the targets as they are at `now`; a form that is open stays as it is."""
        self._targets = targets
        self._draw_list(now)
        if self._dead.is_new(tuple(dead)):
            with self._dead:
                for letter in dead:
                    acts = self._actions.try_again, self._actions.dismiss
                    draw_dead(letter, self._zone, now, *acts)

    def _draw(self, target: Target, now: dt.datetime) -> None:
        tone, result = words.result_line(target, self._zone, now)
        if target.id in self._testing:
            tone, result = Tone.RUN, "Sending a test alert …"
        name = clean(target.name)
        with element("div", "target"):
            glyph(tone)
            with element("div", "stack"):
                with element("span", "line wraps"):
                    element("span", "strong", name)
                    element("span", "t13 ink3", clean(target.shown))
                element("span", "t13 ink2", words.events_words(target))
                element("span", "t13 ink2 wrap", clean(result), role="status")
            with element("div", "line acts"):
                for label, act in (
                    ("Send test", self._test),
                    ("Edit", self._edit),
                    ("Delete", self._ask_to_delete),
                ):
                    mark = f"{label.lower().replace(' ', '-')}-target-{target.id}"
                    button(
                        label,
                        kind="small",
                        label=f"{label}: {name}",
                        mark=mark,
                        on_click=partial(act, target),
                    )

    async def _test(self, target: Target) -> None:
        if target.id in self._testing:
            return
        self._testing.add(target.id)
        self._redraw()
        try:
            trial = await self._actions.send_test(target.id)
        except BucketvaultError as error:
            complain(error)
        else:
            if trial.sent:
                tell_user(f"{clean(target.name)} accepted the test alert.")
            else:
                complain(BucketvaultError(trial.answer, trial.hint))
        finally:
            self._testing.discard(target.id)
            self._redraw()

    def _redraw(self) -> None:
        if not self._list.is_deleted:
            self._draw_list(dt.datetime.now(dt.UTC))

    def _draw_list(self, now: dt.datetime) -> None:
        if not self._list.is_new(tuple(self._targets), frozenset(self._testing)):
            return
        with self._list:
            if not self._targets:
                element("p", "t13 ink2", "No target yet.")
            for target in self._targets:
                self._draw(target, now)

    def _edit(self, target: Target) -> None:
        self._open(target)

    def _open(self, target: Target | None) -> None:
        self._form.clear()
        self._add.set_visibility(False)
        with self._form:
            form = TargetForm(target, self._actions, self._close)
        form.fields["url" if target is None else "name"].focus()

    def _close(self) -> None:
        self._form.clear()
        self._add.set_visibility(True)

    def _ask_to_delete(self, target: Target) -> None:
        async def delete() -> None:
            await attempt(self._actions.delete(target.id), f"{clean(target.name)} was deleted.")

        confirm(
            self._questions,
            f"Delete the target {clean(target.name)}?",
            "It gets no more alerts, and waiting alerts are not sent.",
            words="Delete target",
            act=delete,
            icon="close",
        )


class TargetForm(Form[Target | None]):
    """A new target, or one that is changed."""

    thing = "This target"

    def __init__(
        self, target: Target | None, actions: AlertActions, close: Callable[[], None]
    ) -> None:
        super().__init__(target)
        self._actions, self._close = actions, close
        with element("div", "fields"):
            self.url = Field(
                "url",
                "URL",
                placeholder=UNCHANGED if target is not None else EXAMPLES[0].example,
                hint=URL_HINT,
                secret=True,
                on_change=self._recognise,
            )
            with element("details", "fold"):
                element("summary", text="Examples")
                key_values((each.name, each.example) for each in EXAMPLES)
                element(
                    "p",
                    "t13 ink2",
                    "Other services of Apprise work too: enter a URL as described in its "
                    "documentation. "
                    "Any other https:// address gets JSON by POST.",
                )
            self.name = Field(
                "name",
                "Name (optional)" if target is None else "Name",
                value=target.name if target is not None else "",
                placeholder="Phone",
                hint="Shown on these pages.",
            )
            self.events = Checks(
                "events",
                "Events",
                {str(event): f"{text[0].upper()}{text[1:]}" for event, text in EVENT_WORDS.items()},
                [str(event) for event in (target.events if target is not None else AlertEvent)],
            )
            self.fields = {"url": self.url, "name": self.name}  # safe: names of fields
            self.fields["events"] = self.events
            with element("div", "actions"):
                verb = "Add target" if target is None else "Save target"
                self.button(verb, "primary", "save-target", self.press)
                button("Cancel", mark="cancel-target", on_click=close)

    def _recognise(self, typed: str) -> None:
        self.url.hint(words.recognised(typed) or URL_HINT)

    async def save(self) -> None:
        """Store it; Apprise reads its URL first, which takes a second."""
        url = self.url.value or None
        given = TargetFields(
            self.name.value, url, tuple(AlertEvent(event) for event in self.events.value)
        )
        if self.seen is None:
            await self._actions.create(TargetFields(given.name, url or "", given.events))
            tell_user("The target was added. Send a test.")
        else:
            await self._actions.change(self.seen.id, given)
            tell_user("Saved.")
        self._close()

    async def stored(self) -> Target | None:
        """Return what it was opened with: there is no other to compare with."""
        return self.seen


def draw_dead(
    letter: Letter,
    zone: ZoneInfo,
    now: dt.datetime,
    try_again: Callable[[int], Awaitable[object]],
    dismiss: Callable[[int], Awaitable[object]],
) -> None:
    """Draw an alert that was given up, with what can be done."""
    to = f"To {letter.to}: " if letter.to else ""
    with element("div", "line top"):
        glyph(Tone.BAD)
        with element("div", "stack"):
            element("span", "strong", clean(f"{to}{letter.subject}"))
            element("span", "t13 ink2 wrap", clean(words.dead_words(letter, zone, now)))
            with element("div", "line"):
                for label, act in (("Try again", try_again), ("Dismiss", dismiss)):
                    mark = f"{label.lower().replace(' ', '-')}-{letter.id}"
                    button(label, "", "small", mark=mark, on_click=partial(act, letter.id))
