"""A bar that stays in sight while a page holds changes that are not saved.

It names the sections they are in, saves or drops them, and has the browser ask before it leaves.
"""

from typing import Protocol

from nicegui import ui

from bucketvault.pages.parts.form import ASK_BEFORE_LEAVING, LEAVE_FREELY
from bucketvault.pages.parts.widgets import button, element, text


class Section(Protocol):
    """A part of a page that is saved by itself."""

    title: str

    def is_touched(self) -> bool:
        """True if something here is not stored."""

    async def press(self) -> None:
        """Save it, or show at its fields what forbids that."""

    def drop(self) -> None:
        """Show what is stored again."""


class SaveBar:
    """The bar of one page; each section says by `look` that something was typed or stored."""

    def __init__(self) -> None:
        self._sections: list[Section] = []
        self._client = ui.context.client
        self._asks = self._saving = False
        bar = element("section", "save-bar", aria_label="Unsaved changes")
        with bar, element("p", "said", role="status"):
            element("b", "strong", "Not saved: ")
            self._names = text("span")
        with bar, element("div", "actions"):
            self._buttons = (
                button("Discard", mark="discard", on_click=self._drop),
                button("Save", kind="primary", mark="save", on_click=self._save),
            )
        bar.set_visibility(False)
        self._bar = bar

    def watch(self, section: Section) -> None:
        """Speak of this section, too, once it holds something."""
        self._sections.append(section)

    def look(self) -> None:
        """Show what is not saved; nothing: the bar goes."""
        touched = self._touched()
        self._names.text = ", ".join(section.title for section in touched)
        self._bar.set_visibility(bool(touched))
        if not self._saving:
            self._ask(bool(touched))

    def _ask(self, asks: bool) -> None:
        if asks != self._asks:
            self._asks = asks
            # safe: constants; nothing from elsewhere becomes part of a script
            self._client.run_javascript(ASK_BEFORE_LEAVING if asks else LEAVE_FREELY)

    def _touched(self) -> list[Section]:
        return [section for section in self._sections if section.is_touched()]

    async def _save(self) -> None:
        self._saving = True
        self._ask(False)  # before "Saved." is shown
        for each in self._buttons:
            each.props["disabled"] = True
        try:
            # the first one last: what it refuses is where the reader is led to
            for section in reversed(self._touched()):
                await section.press()
        finally:
            for each in self._buttons:
                each.props.pop("disabled", None)
            self._saving = False
            self.look()

    def _drop(self) -> None:
        for section in self._touched():
            section.drop()
        self.look()
