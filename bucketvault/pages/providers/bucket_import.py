"""Importing a bucket: one of a list, or one whose name is typed because no list has it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from bucketvault.engine.rclone.buckets import ListingDeniedError
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.pages.parts.actions import ask, complain, tell_user
from bucketvault.pages.parts.fields import Field
from bucketvault.pages.parts.widgets import button, element, glyph
from bucketvault.sanitize import clean
from bucketvault.vocabulary import UsageType

if TYPE_CHECKING:
    from bucketvault.engine.providers import Providers


class BucketImport:
    """The line to type a name in, and what became of the last import."""

    def __init__(
        self,
        providers: "Providers",
        on_typed: Callable[[str], Awaitable[None] | None],
        placeholder: str = "",
    ) -> None:
        self._providers, self._on_typed = providers, on_typed
        with element("div", "line"):
            label = "Bucket not in the list?"
            self._typed = Field("bucket", label, placeholder=placeholder)
            button("Add bucket", "plus", mark="import-typed", on_click=self._press)
        self._below = element("div", "line")

    def _press(self) -> Awaitable[None] | None:
        name = self._typed.value.strip()
        self._below.clear()
        self._typed.show(() if name else ["Enter the bucket's name."])
        return self._on_typed(name) if name else None

    async def bring(
        self,
        provider_id: int,
        name: str,
        use: UsageType | None,
        then: Callable[[int], Awaitable[None]] | None = None,
        *,
        check: bool = True,
        listed: bool = False,
    ) -> None:
        """Import it, unchecked without `check`; `then` gets the new storage's id.

        A refusal is told at the line, with a way to import it anyway; of a bucket that is `listed`
        elsewhere on the page it is a notice.
        """
        said = clean(name, limit=80)
        self._typed.show(())
        self._below.clear()
        if check and not listed:
            with self._below:
                element("span", "t13 ink2", f"Looking for {said} …")
        try:
            act = self._providers.import_bucket
            made = await ask(self._providers, act, provider_id, name, use, check=check)
        except BucketvaultError as error:
            if listed:
                complain(error)
            elif not self._below.is_deleted:
                anyway = partial(self.bring, provider_id, name, use, then, check=False)
                self._refuse(error, anyway if check else None)
            return
        if not self._below.is_deleted:
            self._below.clear()
            if not listed:
                self._typed.input.value = ""
        tell_user(f"{said} was added.")
        if then is not None:
            await then(made)

    def _refuse(
        self, error: BucketvaultError, anyway: Callable[[], Awaitable[None]] | None
    ) -> None:
        self._below.clear()
        if isinstance(error, InvalidInputError):  # the name is none, or is taken
            self._typed.show([error.problems[0].message])
            return
        self._typed.show([str(error)])
        if anyway is not None:
            with self._below:
                button("Add anyway", kind="small", mark="import-anyway", on_click=anyway)
                element("span", "t13 ink2", "It will be marked as not checked.")


def draw_no_listing(error: BucketvaultError, kind: str, code: str = "") -> ui.element:
    """Say why there is no list of buckets, in a line of this `kind`; return the place of words."""
    denied = isinstance(error, ListingDeniedError)
    with element("div", kind):
        glyph(Tone.WARN if denied else Tone.BAD)
        with element("div", "stack") as place:
            said = f"{error.summary} ({code})" if code else error.summary
            element("span", "strong ink1", clean(said))
            hint = "Type the bucket's name below." if denied else error.hint
            element("span", "t13 ink2", clean(hint))
    return place
