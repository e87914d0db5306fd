"""The form of a provider, new or to change: it asks in the provider's words, and tries the key.

A stored key never comes here: on editing its fields are empty, and empty means unchanged.
"""

from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from bucketvault.engine.catalogue.providers import StoredProvider
from bucketvault.engine.domain.fields import KEYS, ProviderFields
from bucketvault.engine.domain.rules import InvalidValue, free_name, region_rule
from bucketvault.engine.domain.services import OTHER
from bucketvault.engine.rclone.buckets import (
    DiscoveryError,
    KeyRefusedError,
    UnreachableError,
    WrongRegionError,
    WrongSecretError,
)
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, RcloneMissingError
from bucketvault.pages.parts.actions import ask, in_thread
from bucketvault.pages.parts.fields import Choice, Choices, Field, Labelled
from bucketvault.pages.parts.form import NOT_SAVED, Difference, Form
from bucketvault.pages.parts.frame import fetch_page, frame, heading, page_at
from bucketvault.pages.parts.widgets import (
    NAME_CHARACTERS,
    button,
    card,
    element,
    key_values,
)
from bucketvault.pages.providers.kinds import COMPATIBLE, KINDS, R2, FieldWords, kind_of
from bucketvault.pages.providers.recognised import name_of, recognise
from bucketvault.sanitize import clean
from bucketvault.vocabulary import ProviderType

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine


class Then(Enum):
    """Where a button leads once a provider is saved, by its words."""

    ITS_PAGE = "Save"
    ANOTHER = "Save and add another"
    BACKUP = "Save and create a backup"


def register(engine: "Engine") -> None:
    """Serve the forms for a new provider and for a change."""

    @page_at("/providers/new", "New provider")
    async def new_page(kind: str = R2.key, saved: str = "") -> None:
        """Show an empty form; `kind` chooses what it asks for, `saved` is what was entered before.

        Both come from links; `saved` is an id.
        """
        await _show(engine, kind if kind in KINDS else R2.key, saved=saved)

    @page_at("/providers/{provider_id:number}/edit", "Edit provider")
    async def edit_page(provider_id: int, region: str = "") -> None:
        """Show a form with all that is stored but for the keys; `region` is filled in, not saved.

        Links bring it where a service refused the stored one and named another.
        """
        found = await fetch_page(
            engine, lambda: engine.providers.stored(provider_id), "Providers", "provider"
        )
        if found is None:
            return
        stored = found[1]
        given = stored.given
        kind = kind_of(ProviderType(str(given.provider_type)), bool(given.endpoint))
        await _show(engine, kind.key, provider_id, stored, region)


async def _show(
    engine: "Engine",
    kind: str,
    provider_id: int = 0,
    stored: StoredProvider | None = None,
    region: str = "",
    saved: str = "",
) -> None:
    found = await fetch_page(engine, engine.providers.rows)
    if found is None:  # shutting down
        return
    answer, rows = found
    with frame("Providers", engine.zone, answer) as around:
        form = ProviderForm(engine, kind, provider_id, stored, [row.name for row in rows])
        form.offer_region(region)
        form.say_saved(next((row.name for row in rows if str(row.id) == saved), ""))
    around.follow(engine)


class ProviderForm(Form[StoredProvider | None]):
    """The fields, and the words beside them."""

    thing = "This provider"

    def __init__(
        self,
        engine: "Engine",
        kind: str,
        provider_id: int,
        stored: StoredProvider | None,
        taken: Sequence[str],  # names of the providers there are
    ) -> None:
        self._providers, self._id, self._taken = engine.providers, provider_id, taken
        self._then = Then.ITS_PAGE
        self._is_new = stored is None
        self._kind = KINDS[kind]
        self._service = OTHER  # at the endpoint, as far as it is typed
        self._filled = ""  # the region that was taken from the endpoint
        # also of fields that this kind does not have
        self._typed = {} if stored is None else {n: str(v) for n, v in asdict(stored.given).items()}
        cancel, crumbs, title = "/providers", [("Providers", "/providers")], "New provider"
        if stored is not None:
            cancel = f"/providers/{provider_id:d}"
            name = clean(str(stored.given.name), limit=NAME_CHARACTERS)
            crumbs.append((name, cancel))
            title = f"Edit {name}"
        with heading(title, tuple(crumbs)):
            pass
        super().__init__(stored)
        with element("div", "split"):
            with element("div", "part"):
                if self._is_new:
                    with card("Kind"):
                        kinds = [Choice(k.key, k.title, k.note) for k in KINDS.values()]
                        Choices("Kind", kinds, self._kind.key, self._choose)
                with card("Location"), element("div", "fields"):
                    self._name = Field(
                        "name",
                        "Name",
                        value=self._typed.get("name", ""),
                        hint="Shown on these pages and in emails.",
                    )
                    self._address_place = element("div", "fields")
                note = "stored encrypted, never shown again"
                with card("Access key", note), element("div", "two"):
                    self._key_id = self._key_field(self._kind.key_id)
                    self._key_secret = self._key_field(self._kind.secret)
            with element("div"):
                self._beside = element("div", "part")
                with element("div", "actions"):
                    self.button("Save", "primary", "save", partial(self._press, Then.ITS_PAGE))
                    for then in (Then.ANOTHER, Then.BACKUP) if self._is_new else ():
                        act = partial(self._press, then)
                        self.button(then.value, "", f"save-and-{then.name.lower()}", act)
                    button("Cancel", kind="ghost", href=cancel)
        self._draw_kind()

    def _key_field(self, asked: FieldWords) -> Field:
        placeholder = "" if self._is_new else "unchanged"
        secret = asked.name == "secret_access_key"  # the id is no secret: seeing it finds slips
        return Field(asked.name, asked.label, placeholder=placeholder, secret=secret)

    def _choose(self, key: str) -> None:
        self._kind = KINDS[key]
        self.clear()
        self._draw_kind()

    def _draw_kind(self) -> None:
        kind = self._kind
        hint = "" if self._is_new else "Leave empty to keep the stored one."
        self._key_id.say(kind.key_id.label, hint)
        self._key_secret.say(kind.secret.label, hint)
        self._address_place.clear()
        with self._address_place:
            address = [self._address_field(asked) for asked in kind.address]
        fields = (self._name, *address, self._key_id, self._key_secret)
        self.fields = {field.name: field for field in fields}
        self._service = OTHER
        self._draw_beside()
        self._recognise()
        self._suggest()

    def _draw_beside(self) -> None:
        service = self._service
        known = self._kind is COMPATIBLE and bool(service.keys_where)
        self._beside.clear()
        with self._beside:
            with card("Where to find these"), element("ol", "numbered"):
                for step in self._kind.where if not known else (service.keys_where,):
                    with element("li"):
                        element("span", text=step)
                if known:
                    with element("li"), element("span"):
                        element("span", text=f"The endpoint looks like {service.endpoint_example}.")
                if known and service.keys_url:
                    with element("li"), element("span"):
                        words, rel = f"Open {service.name}", "noopener noreferrer"
                        link = element("a", "link", words, target="_blank", rel=rel)
                        # safe: a constant, of the table of services
                        link.props["href"] = service.keys_url
            with card("Permissions the key needs"):
                key_values(self._kind.rights)

    def _address_field(self, asked: FieldWords) -> Field:
        def typed(value: str) -> None:
            self._typed[asked.name] = value
            if asked.name == "endpoint":
                self._recognise()
            self._suggest()

        return Field(
            asked.name,
            asked.label,
            value=self._typed.get(asked.name, ""),
            placeholder=asked.placeholder,
            hint=asked.hint,
            on_change=typed,
        )

    def _recognise(self) -> None:
        """Say whose endpoint it is and what is saved of it; fill in its region."""
        endpoint, region = self.fields.get("endpoint"), self.fields.get("region")
        if not isinstance(endpoint, Field):
            return
        hints = {asked.name: asked.hint for asked in self._kind.address}
        typed = isinstance(region, Field) and region.value != self._filled
        entered = region.value if typed and region is not None else ""
        found = recognise(self._kind.provider_type, endpoint.value, entered)
        endpoint.hint(found.words or hints["endpoint"])
        if self._kind is not COMPATIBLE:
            return
        if isinstance(region, Field) and not typed:
            self._filled = self._typed["region"] = region.input.value = found.region
            region.hint(found.region_words or hints["region"])
        if found.service is not self._service:
            self._service = found.service
            self._draw_beside()

    def _suggest(self) -> None:
        if self._is_new:
            self._name.suggest(self._suggested(), self._kind.name_example)

    def _suggested(self) -> str:
        """Return the name of a new provider that gets none."""
        address = {name: field.value for name, field in self.fields.items()}
        name = name_of(self._kind, address.get("endpoint", ""), address.get("region", ""))
        return free_name(name, self._taken)

    def say_saved(self, name: str) -> None:
        """Say that a provider was saved just now; nothing without its name."""
        if name:
            self.say(Tone.OK, f"{clean(name, limit=80)} is saved.", "Now the next one.")

    def offer_region(self, region: str) -> None:
        """Fill in the region that a service named; nothing is saved until Save is pressed."""
        field = self.fields.get("region")
        try:
            named = region_rule(region)
        except InvalidValue:  # whoever wrote that link
            return
        if not named or not isinstance(field, Field) or field.value == named:
            return
        field.input.value = named
        field.hint(
            f"Reported by the service. Stored: {self._stored_region()}. Save to use the new one."
        )
        self.go_to(field)

    def _stored_region(self) -> str:
        stored = str(self.seen.given.region) if self.seen is not None else ""
        return clean(stored, limit=NAME_CHARACTERS) or "none"

    # saving

    def given(self) -> ProviderFields:
        """Return what is entered; only the fields that this kind has."""
        values = {name: field.value for name, field in self.fields.items()}
        if self._kind is COMPATIBLE:  # without one it would be taken for Amazon
            values["endpoint"] = values["endpoint"].strip() or "missing"
        if self._is_new:
            values["name"] = values["name"].strip() or self._suggested()
        for name in KEYS:  # a form cannot say "no key": on editing, empty is unchanged
            values[name] = values[name] or ("" if self._is_new else None)
        return ProviderFields(provider_type=self._kind.provider_type, **values)

    async def _press(self, then: Then) -> None:
        self._then = then
        await self.press()

    async def save(self, *, check: bool = True) -> None:
        """Store it, once its key has been tried, and go where the button leads."""
        providers, provider_id, given = self._providers, self._id, self.given()
        if check:
            self.say(Tone.RUN, "Testing the key …", "It takes a few seconds.")
        if self._is_new:
            provider_id = await ask(providers, providers.create, given, check=check)
        else:
            await ask(providers, providers.change, provider_id, given, self.seen, check=check)
        places = {
            Then.ITS_PAGE: f"/providers/{provider_id:d}",
            Then.ANOTHER: f"/providers/new?kind={self._kind.key}&saved={provider_id:d}",
            Then.BACKUP: "/backups/new",
        }
        ui.navigate.to(places[self._then])  # safe: constants, a kind's key and a number

    async def stored(self) -> StoredProvider | None:
        """Return what is stored now."""
        return await in_thread(self._providers.stored, self._id) or self.seen

    def differences(self, names: Sequence[str], stored: StoredProvider | None) -> list[Difference]:
        """Return what was changed meanwhile, and what is entered here; never a key."""
        given, found = self.given(), []
        for name in names:
            label = self.fields[name].label if name in self.fields else name.replace("_", " ")
            here, there = getattr(given, name), stored and getattr(stored.given, name)
            if name in KEYS:
                here, there = "unchanged" if here is None else "a new one", "another one"
            shown = (clean(str(each or "nothing"), limit=NAME_CHARACTERS) for each in (there, here))
            found.append(Difference(label, *shown))
        return found

    # telling

    def fail(self, error: BucketvaultError) -> None:
        """Say why nothing was saved; what the provider said, at the field that it means."""
        if not isinstance(error, DiscoveryError):
            self._fail(error, error.hint, anyway=isinstance(error, RcloneMissingError))
            return
        field = self.fields.get(self._meant(error))
        if field is not None:
            said = f" ({error.code})" if error.code else ""
            field.show([f"{error.summary}{said}"])
        hint = error.hint
        if isinstance(error, WrongSecretError):
            kind = self._kind
            hint = f"Copy {kind.secret.label} again: it belongs to this {kind.key_id.label}."
        region = error.region if "region" in self.fields else ""
        if region:  # its button says what to do
            hint = ""
        self._fail(error, f"{hint} {NOT_SAVED}", field, anyway=True, region=region)

    def _fail(
        self,
        error: BucketvaultError,
        detail: str,
        field: Labelled | None = None,
        *,
        anyway: bool,
        region: str = "",
    ) -> None:
        save_anyway = partial(self.attempt, partial(self.save, check=False))

        async def use_region() -> None:
            self.fields["region"].put(region)
            await self.press()

        def buttons() -> None:
            if region:
                self.button(f"Use {region}", "primary", "use-region", use_region)
            if anyway:
                self.button("Save anyway", "", "save-anyway", save_anyway)

        self.say(Tone.BAD, error.summary, detail, buttons=buttons)
        self.go_to(field)

    def _meant(self, error: DiscoveryError) -> str:
        if isinstance(error, WrongSecretError):
            return "secret_access_key"
        if isinstance(error, KeyRefusedError):
            return "access_key_id"
        address = [asked.name for asked in self._kind.address]
        if isinstance(error, WrongRegionError) and "region" in address:
            return "region"
        if isinstance(error, UnreachableError | WrongRegionError):
            filled = [name for name in address if self.fields[name].value]
            return "endpoint" if "endpoint" in filled else next(iter(filled), "")
        return ""
