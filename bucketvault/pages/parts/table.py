"""A table of rows that are plain values; its rows stay where they are while these change.

Decisions: docs/decisions/pages.md.
"""

from collections.abc import Sequence
from typing import NamedTuple

from nicegui import ui

from bucketvault.pages.parts import assets

Row = dict[str, object]


class Column(NamedTuple):
    """A column's head: its name, and whether its figures are at the right."""

    label: str
    right: bool = False
    classes: str = ""


class Table(ui.element, component=assets.folder() / "table.js"):
    """Each row is drawn by `row`, a constant template that knows it as `props.row`; `props.home` is
    the start of all addresses of ours.

    A row's `id` says which one it is. What the template says by `$parent.$emit` comes by `on`.
    """

    def __init__(
        self, columns: Sequence[Column], rows: list[Row], row: str, classes: str = ""
    ) -> None:
        super().__init__()
        self._props["columns"] = [
            {
                "name": str(place),
                "label": column.label,
                "classes": f"text-{'right' if column.right else 'left'} {column.classes}".strip(),
            }
            for place, column in enumerate(columns)
        ]
        self._props["row"], self._props["home"] = row, assets.own("")
        self._props["rows"] = self.rows = rows
        self.classes(f"table {classes}".strip())  # safe: a class can only choose among our own

    def show(self, rows: list[Row]) -> None:
        """Show these; nothing is sent when they are the same."""
        if rows != self.rows:
            self._props["rows"] = self.rows = rows
            self.update()
