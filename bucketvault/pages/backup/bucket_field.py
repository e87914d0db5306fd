"""The field that takes a bucket: found by typing among those of every provider, or typed whole."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nicegui import events
from nicegui.elements.mixins.value_element import ValueElement

from bucketvault.engine.domain.places import BucketAt
from bucketvault.engine.domain.rules import LONGEST_NAME
from bucketvault.pages.parts import assets
from bucketvault.pages.parts.fields import Labelled

Typed = BucketAt | str | None  # a text: nobody has said yet at which provider it is
LONGEST_TYPED = 10 * LONGEST_NAME


class Group(NamedTuple):
    """The buckets of one provider, by name and by what people call them."""

    provider_id: int
    name: str
    note: str  # what else is to be said of them
    buckets: tuple[tuple[str, str], ...]


class BucketInput(ValueElement[Typed], component=assets.folder() / "bucketpick.js"):
    """The combobox in the browser; see there for its keys. It chooses at the providers it has."""

    def __init__(self, label: str, groups: Sequence[Group], value: Typed) -> None:
        self._groups: Sequence[Group] = ()
        super().__init__(value=value)
        self.props["label"], self.props["placeholder"] = label, "Choose a bucket, or type its name"
        self.offer(groups)

    @property
    def groups(self) -> Sequence[Group]:
        """The groups that are offered."""
        return self._groups

    def offer(self, groups: Sequence[Group]) -> None:
        """Offer these; nothing is sent when they are the same."""
        if groups != self._groups:
            self._groups = groups
            self.props["groups"] = [
                {"id": each.provider_id, "name": each.name, "note": each.note}
                | {"buckets": each.buckets}
                for each in groups
            ]

    def _value_to_model_value(self, value: Typed) -> list[int | str] | str | None:
        return list(value) if isinstance(value, BucketAt) else value

    def _event_args_to_value(self, e: events.GenericEventArguments) -> Typed:
        match e.args:
            case str(typed):
                return typed[:LONGEST_TYPED]
            case [int(provider_id), str(name)] if any(
                each.provider_id == provider_id for each in self._groups
            ):
                return BucketAt(provider_id, name[:LONGEST_TYPED])
        return None


class BucketField(Labelled):
    """The same with its label, a hint, and what is wrong with it."""

    def __init__(
        self,
        name: str,
        label: str,
        groups: Sequence[Group],
        value: Typed,
        on_change: Callable[[events.ValueChangeEventArguments[Typed]], object],
    ) -> None:
        with self._around(name, label, ""):
            self.input: BucketInput = BucketInput(label, groups, value)
        self.input.on_value_change(on_change)

    @property
    def value(self) -> Typed:
        """The bucket that is chosen, or the text that is typed."""
        value: Typed = self.input.value
        return value
