"""The arrows between the rooms of the program stay true (docs/architecture.md draws them)."""

import ast
import sys
from pathlib import Path

import pytest

import bucketvault
from tests import map as house

PACKAGE = Path(bucketvault.__file__).parent
ROOT = PACKAGE.parent

# From the ground up: a room imports only from floors below its own.
FLOORS = (
    {"vocabulary", "humanize", "sanitize", "bucketvault"},
    {"errors"},
    {"config", "logging_setup"},
    {"store"},
    {"access"},
    {"engine/domain", "engine/events"},
    {"engine/peers"},
    {"engine/rclone"},
    {"engine/settings", "engine/listing", "engine/price_list"},
    {"engine/catalogue", "engine/probe"},
    {"engine/mail"},
    {"engine/runs", "engine/alerts"},
    {"engine/views", "engine/orphans", "engine/setup", "engine/key_rotation", "engine/heartbeat"},
    {
        "engine/schedule",
        "engine/maintenance",
        "engine/folder_lock",
        "engine/providers",
        "engine/serve_note",
    },
    {"engine/health", "engine/about", "engine/busy", "engine/shared"},
    {"engine/engine"},
    {"pages/parts"},
    {
        "pages/run",
        "pages/providers",
        "pages/storages",
        "pages/copies",
        "pages/settings",
        "pages/health",
        "pages/mailbox",
    },
    {"pages/home", "pages/backup"},
    {"pages/site"},
    {"server"},
    {"demo"},
    {"cli"},
    {"__main__"},
)
# folders of pages
SHARE_PARTS_ONLY = {"providers", "storages", "copies", "settings", "health", "mailbox"}
NEVER = {  # room -> what it does not import although it is on a floor below, or is a library
    "store": {"nicegui"},
    "engine": {"nicegui", "bucketvault.access"},
    "engine/domain": {"peewee", "psutil", "subprocess", "bucketvault.store", "bucketvault.config"},
    "engine/rclone": {"peewee", "bucketvault.store"},
    "engine/mail": {"bucketvault.engine.catalogue", "bucketvault.engine.rclone"},
    "pages": {"peewee", "psutil", "subprocess", "bucketvault.store", "bucketvault.access"},
    "pages/backup": {f"bucketvault.pages.{room}" for room in SHARE_PARTS_ONLY | {"home"}},
    "pages/home": {f"bucketvault.pages.{room}" for room in SHARE_PARTS_ONLY | {"backup"}},
    "demo": {"nicegui", "bucketvault.pages"},
    "cli": {"nicegui", "bucketvault.pages"},
}
PURE = ("vocabulary", "sanitize", "humanize")  # import nothing of the package
ALONE = ("engine/rclone/runner.py", "engine/rclone/tether.py")  # the standard library only


def test_every_room_stands_on_a_floor() -> None:
    floors = [name for floor in FLOORS for name in floor]
    rooms = folder_rooms()

    assert len(floors) == len(set(floors))
    assert rooms <= set(floors)
    assert set(floors) <= rooms


def folder_rooms() -> set[str]:
    """Every room that holds a line of code."""
    known = house.folders(ROOT)
    return {
        house.room(name, known) for name, tree in house.modules(ROOT).items() if len(tree.body) > 1
    }


def test_imports_point_down() -> None:
    floor_of = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    wrong = [
        f"{here} imports {there}"
        for here, there in house.arrows(ROOT)
        if here in floor_of and floor_of.get(there, 99) >= floor_of[here]
    ]

    assert not wrong


@pytest.mark.parametrize("who", NEVER)
def test_a_room_knows_nothing_of_what_is_not_its_business(who: str) -> None:
    trees = house.modules(ROOT)
    begin = f"bucketvault.{who.replace('/', '.')}"
    wrong = [
        (name, other)
        for name, tree in trees.items()
        if name == begin or name.startswith(f"{begin}.")
        for other in house.imported(tree, set(trees))
        if any(other == ban or other.startswith(f"{ban}.") for ban in NEVER[who])
    ]

    assert not wrong


def test_words_and_numbers_for_people_know_nothing_of_the_program() -> None:
    trees = house.modules(ROOT)

    for name in PURE:
        others = house.imported(trees[f"bucketvault.{name}"], set(trees))
        assert not [other for other in others if other.startswith("bucketvault")]


@pytest.mark.parametrize("name", ALONE)
def test_what_runs_beside_rclone_needs_the_standard_library_only(name: str) -> None:
    others = house.imported(ast.parse((PACKAGE / name).read_text("utf-8")), set())

    assert {module.partition(".")[0] for module in others} <= sys.stdlib_module_names


def test_nothing_is_imported_to_be_imported_from_here() -> None:
    found = [
        f"{name}: {alias.name}"
        for name, tree in house.modules(ROOT).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]

    assert not found


def test_no_file_has_grown_past_holding_one_thing() -> None:
    long = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if len(path.read_text("utf-8").splitlines()) > 450
    ]

    assert not long
