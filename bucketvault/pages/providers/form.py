"""The form of a provider, new or to change: it asks in the provider's words, and tries the key.

A stored key never comes here: on editing its fields are empty, and empty means unchanged.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nicegui import run, ui

from bucketvault.engine.domain.fields import ProviderInput
from bucketvault.engine.rclone.buckets import (
    DiscoveryError,
    KeyRefusedError,
    UnreachableError,
    WrongRegionError,
    WrongSecretError,
)
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import (
    BucketvaultError,
    ChangedMeanwhileError,
    InvalidInputError,
    NotFoundError,
    Problem,
    RcloneMissingError,
)
from bucketvault.humanize import many
from bucketvault.pages.parts.asking import ask
from bucketvault.pages.parts.fields import Choice, Choices, Field
from bucketvault.pages.parts.frame import frame, heading, page_at
from bucketvault.pages.parts.widgets import NAME_CHARACTERS, button, card, element, key_values
from bucketvault.pages.parts.widgets import verdict as draw_verdict
from bucketvault.pages.providers.kinds import COMPATIBLE, KINDS, R2, Asked, kind_of
from bucketvault.pages.providers.page import draw_absent
from bucketvault.pages.run.log import LARGEST_NUMBER
from bucketvault.sanitize import clean
from bucketvault.vocabulary import ProviderType

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven")

KEYS = ("access_key_id", "secret_access_key")

# Takes the form's content and whether to try the key first; raises what is wrong.
Save = Callable[[ProviderInput, bool], Awaitable[None]]
# Gives what is stored now; whoever saves then has seen it.
LookAgain = Callable[[], Awaitable[ProviderInput]]


class Start(NamedTuple):
    """What a form begins with. `name` of an existing provider; empty: a new one."""

    kind: str
    values: dict[str, str]
    name: str = ""
    cancel: str = "/providers"


def register(engine: "Engine") -> None:
    """Serve the forms for a new provider and for a change."""

    @page_at("/providers/new", "New provider")
    async def new_page(kind: str = R2.key) -> None:
        """An empty form; `kind` chooses what it asks for."""

        async def save(given: ProviderInput, check: bool) -> None:
            made = await ask(engine.providers, engine.providers.create, given, check=check)
            ui.navigate.to(f"/providers/{made:d}")

        await _show(engine, Start(kind if kind in KINDS else R2.key, {}), save)

    @page_at("/providers/{provider_id:number}/edit", "Edit provider")
    async def edit_page(provider_id: int) -> None:
        """A form with all that is stored but for the keys."""
        try:
            if not 0 < provider_id <= LARGEST_NUMBER:
                raise NotFoundError("There is no such provider.")
            stored = await run.io_bound(engine.providers.stored, provider_id)
        except NotFoundError as error:
            answer = await run.io_bound(engine.answer)
            if answer is not None:
                draw_absent(error, engine.zone, answer)
            return
        if stored is None:  # shutting down
            return

        seen = stored

        async def save(given: ProviderInput, check: bool) -> None:
            change = engine.providers.change
            await ask(engine.providers, change, provider_id, given, seen, check=check)
            ui.navigate.to(f"/providers/{provider_id:d}")

        async def look_again() -> ProviderInput:
            nonlocal seen
            found = await run.io_bound(engine.providers.stored, provider_id)
            seen = found or seen
            return seen.given

        start = start_of(stored.given, f"/providers/{provider_id:d}")
        await _show(engine, start, save, look_again)


async def _show(
    engine: "Engine", start: Start, save: Save, look_again: LookAgain | None = None
) -> None:
    answer = await run.io_bound(engine.answer)
    if answer is None:  # shutting down
        return
    with frame("Providers", engine.zone, answer) as around:
        draw(start, save, look_again)

    around.follow(engine)


def start_of(stored: ProviderInput, cancel: str) -> Start:
    """A form to change what is stored."""
    provider_type = ProviderType(str(stored.provider_type))
    kind = kind_of(provider_type, bool(stored.endpoint))
    values = {
        "name": str(stored.name),
        "endpoint": str(stored.endpoint),
        "region": str(stored.region),
    }
    return Start(kind.key, values, str(stored.name), cancel)


def draw(start: Start, save: Save, look_again: LookAgain | None = None) -> "ProviderForm":
    """Draw the form from plain values; `save` gets what was entered."""
    name = clean(start.name, limit=NAME_CHARACTERS)
    crumbs = [("Providers", "/providers")] + ([(name, start.cancel)] if name else [])
    with heading(f"Edit {name}" if name else "New provider", tuple(crumbs)):
        pass
    return ProviderForm(start, save, look_again)


class ProviderForm:
    """The fields, what is wrong with them, and the words beside them."""

    def __init__(self, start: Start, save: Save, look_again: LookAgain | None) -> None:
        self._save, self._look_again = save, look_again
        self._is_new = not start.name
        self._kind = KINDS[start.kind]
        self._typed = dict(start.values)  # also of fields that this kind does not have
        self._address: dict[str, Field] = {}
        self._buttons: list[ui.element] = []
        self._top = element("div", "part")
        with element("div", "split"):
            with element("div", "part"):
                if self._is_new:
                    with card("What kind"):
                        kinds = [Choice(k.key, k.title, k.note) for k in KINDS.values()]
                        Choices("What kind", kinds, self._kind.key, self._choose)
                with card("Where it is"), element("div", "fields"):
                    self._name = Field(
                        "name",
                        "Name",
                        value=self._typed.get("name", ""),
                        placeholder=self._kind.name_example,
                        hint="What these pages and mails call it.",
                    )
                    self._address_place = element("div", "fields")
                note = "stored encrypted, never shown again"
                with card("Its key", note), element("div", "two"):
                    self._key_id = self._key_field(self._kind.key_id)
                    self._key_secret = self._key_field(self._kind.secret)
            with element("div"):
                with element("div", "part") as self._beside:
                    pass
                with element("div", "actions"):
                    self._button("Save", "primary", "save", lambda: self._press(True))
                    button("Cancel", kind="ghost", href=start.cancel)
        self._draw_kind()

    def _key_field(self, asked: Asked) -> Field:
        placeholder = "" if self._is_new else "unchanged"
        hint = "" if self._is_new else "Leave it empty to keep the stored one."
        secret = asked.name == "secret_access_key"  # the id is no secret: seeing it finds slips
        return Field(asked.name, asked.label, placeholder=placeholder, hint=hint, secret=secret)

    def _choose(self, key: str) -> None:
        self._kind = KINDS[key]
        self._top.clear()
        for field in (self._key_id, self._key_secret):
            field.show(())
        self._draw_kind()

    def _draw_kind(self) -> None:
        kind = self._kind
        hint = "" if self._is_new else "Leave it empty to keep the stored one."
        self._key_id.say(kind.key_id.label, hint)
        self._key_secret.say(kind.secret.label, hint)
        self._address_place.clear()
        self._address = {}
        with self._address_place:
            for asked in kind.address:
                self._address[asked.name] = self._address_field(asked)
        self._beside.clear()
        with self._beside:
            with card("Where to find them"), element("ol", "numbered"):
                for step in kind.where:
                    with element("li"):
                        element("span", text=step)
            with card("Which rights the key needs"):
                key_values(kind.rights)

    def _address_field(self, asked: Asked) -> Field:
        def typed(value: str) -> None:
            self._typed[asked.name] = value

        return Field(
            asked.name,
            asked.label,
            value=self._typed.get(asked.name, ""),
            placeholder=asked.placeholder,
            hint=asked.hint,
            on_change=typed,
        )

    def _button(
        self, words: str, kind: str, mark: str, on_click: Callable[[], Awaitable[None]]
    ) -> None:
        self._buttons.append(button(words, kind=kind, mark=mark, on_click=on_click))

    # saving

    def given(self) -> ProviderInput:
        """What is entered; only the fields that this kind has."""
        address = {name: field.value for name, field in self._address.items()}
        if self._kind is COMPATIBLE:  # without one it would be taken for Amazon
            address["endpoint"] = address["endpoint"].strip() or "missing"
        # a form cannot say "no key": on editing, empty is unchanged
        unchanged = None if not self._is_new else ""
        return ProviderInput(
            name=self._name.value,
            provider_type=str(self._kind.provider_type),
            access_key_id=self._key_id.value or unchanged,
            secret_access_key=self._key_secret.value or unchanged,
            **address,
        )

    async def _press(self, check: bool) -> None:
        given = self.given()
        self._clear()
        self._busy(True)
        try:
            if check:
                with self._top:
                    words = "Asking whether the key works"
                    with draw_verdict(Tone.RUN, f"{words} …", "It takes a few seconds."):
                        pass
            await self._save(given, check)
        except InvalidInputError as error:
            self._clear()
            self._refuse(error.problems)
        except DiscoveryError as error:
            self._clear()
            self._refuse_key(error)
        except ChangedMeanwhileError as error:
            self._clear()
            await self._tell_changed(error.fields, given)
        except BucketvaultError as error:
            self._clear()
            anyway = isinstance(error, RcloneMissingError)
            self._say(error.summary, error.hint, anyway=anyway)
            self._go_to(None)
        finally:
            self._busy(False)

    def _clear(self) -> None:
        self._top.clear()
        for field in self._fields().values():
            field.show(())

    def _fields(self) -> dict[str, Field]:
        fields = (self._name, *self._address.values(), self._key_id, self._key_secret)
        return {field.name: field for field in fields}

    def _refuse(self, problems: Sequence[Problem]) -> None:
        """Each problem at its field; what has none stands on top. The first one gets the focus."""
        fields = self._fields()
        elsewhere = [problem for problem in problems if problem.field not in fields]
        for name, field in fields.items():
            field.show([problem.message for problem in problems if problem.field == name])
        number = len(problems)
        count = NUMBERS[number] if number < len(NUMBERS) else str(number)
        things = many(number, "thing").partition(" ")[2]
        detail = " ".join(problem.message for problem in elsewhere)
        marked = f"{'It is' if number == 1 else 'They are'} marked below." if not elsewhere else ""
        self._say(
            f"{count} {things} to mend before it can be saved.",
            f"{detail} {marked} Nothing you typed is lost.".strip(),
        )
        wrong = {problem.field for problem in problems}
        self._go_to(next((field for name, field in fields.items() if name in wrong), None))

    def _refuse_key(self, error: DiscoveryError) -> None:
        """What the provider said, at the field that it means."""
        field = self._fields().get(self._meant(error))
        if field is not None:
            said = f" ({error.code})" if error.code else ""
            field.show([f"{error.summary}{said}"])
        detail = "Nothing was saved yet, and nothing you typed is lost."
        hint = error.hint
        if isinstance(error, WrongSecretError):
            kind = self._kind
            hint = f"Copy {kind.secret.label} again: it belongs to this {kind.key_id.label}."
        self._say(error.summary, f"{hint} {detail}", anyway=True)
        self._go_to(field)

    def _go_to(self, field: Field | None) -> None:
        """To what is to be mended, else to the words on top: on a phone Save is far below both."""
        if field is None:
            self._top.run_method("scrollIntoView", {"block": "center"})
        else:
            field.focus()

    def _meant(self, error: DiscoveryError) -> str:
        if isinstance(error, WrongSecretError):
            return "secret_access_key"
        if isinstance(error, KeyRefusedError):
            return "access_key_id"
        if isinstance(error, WrongRegionError) and "region" in self._address:
            return "region"
        if isinstance(error, UnreachableError | WrongRegionError):
            filled = [name for name, field in self._address.items() if field.value]
            return "endpoint" if "endpoint" in filled else next(iter(filled), "")
        return ""

    async def _tell_changed(self, names: tuple[str, ...], given: ProviderInput) -> None:
        """Two tabs, one provider: say what is stored now; both ways are open."""
        assert self._look_again is not None  # noqa: S101  a new provider is nobody else's
        try:
            stored = await self._look_again()
        except BucketvaultError as error:
            self._say(error.summary, f"{error.hint} Nothing you typed is lost.")
            return
        fields = self._fields()
        sentence = "This provider was changed meanwhile, in another tab or by a command."
        detail = "Nothing was saved yet, and nothing you typed is lost."
        with self._top, draw_verdict(Tone.WARN, sentence, detail) as (actions, lines):
            for name in names:
                with lines, element("div", "need changed"):
                    label = fields[name].label if name in fields else name.replace("_", " ")
                    here, there = getattr(given, name), getattr(stored, name)
                    if name in KEYS:  # neither is ever shown
                        here, there = "nothing typed" if here is None else "typed", "another one"
                    element("span", "strong", label)
                    for place, value in (("stored now", there), ("here", here)):
                        shown = clean(str(value or "nothing"), limit=NAME_CHARACTERS)
                        element("span", "t13 ink2", f"{place}: {shown}")
            with actions:
                self._button("Save mine over it", "", "overwrite", lambda: self._press(True))
                button("Load what is stored", mark="load-stored", on_click=ui.navigate.reload)

    def _say(self, sentence: str, detail: str, *, anyway: bool = False) -> None:
        self._top.clear()
        with self._top, draw_verdict(Tone.BAD, clean(sentence), clean(detail)) as (actions, _):
            if anyway:
                with actions:
                    self._button("Save anyway", "", "save-anyway", lambda: self._press(False))

    def _busy(self, busy: bool) -> None:
        self._buttons = [each for each in self._buttons if not each.is_deleted]
        for each in self._buttons:
            each.props["disabled"] = busy
