"""The arrows between the parts of the program stay true."""

import ast
import sys
from pathlib import Path

import pytest

import bucketvault

PACKAGE = Path(bucketvault.__file__).parent
ENGINE_UP = {f"bucketvault.{room}" for room in ("engine", "pages", "server", "cli")}
FORBIDDEN = {  # who -> what it never imports
    "store/": {"nicegui", *ENGINE_UP},
    "access/": ENGINE_UP,
    "engine/": {"nicegui", "bucketvault.pages", "bucketvault.cli", "bucketvault.server"},
    "engine/rclone/": {"bucketvault.store", "bucketvault.engine.runs", "peewee"},
    "pages/": {
        "peewee",
        "psutil",
        "subprocess",
        "bucketvault.store",
        "bucketvault.cli",
        "bucketvault.server",
    },
    "cli/": {"nicegui", "bucketvault.pages"},
    "server/": {"bucketvault.cli"},
    "vocabulary.py": {"bucketvault"},
    "sanitize.py": {"bucketvault"},
    "humanize.py": {"bucketvault"},
    "errors.py": {"bucketvault.store", "bucketvault.access", *ENGINE_UP},
}
ALONE = ("engine/runs/runner.py", "engine/rclone/tether.py")  # the standard library only


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("who", FORBIDDEN)
def test_imports_point_one_way(who: str) -> None:
    files = [PACKAGE / who] if who.endswith(".py") else sorted((PACKAGE / who).rglob("*.py"))
    assert files

    wrong = [
        (str(path.relative_to(PACKAGE)), name)
        for path in files
        for name in imports(path)
        if any(name == ban or name.startswith(f"{ban}.") for ban in FORBIDDEN[who])
    ]

    assert not wrong


def test_a_folder_of_pages_knows_the_parts_and_no_other_folder() -> None:
    pages = PACKAGE / "pages"
    folders = {path.name for path in pages.iterdir() if path.is_dir()} - {"parts"}
    wrong = [
        (str(path.relative_to(pages)), name)
        for path in pages.glob("*/*.py")
        for name in imports(path)
        if name.startswith("bucketvault.pages.")
        and name.split(".")[2] in folders - {path.parent.name}
        # a run is shown there as on its own page
        and not (path.parent.name in ("home", "backup") and name.split(".")[2] == "run")
    ]

    assert not wrong


@pytest.mark.parametrize("name", ALONE)
def test_what_runs_beside_rclone_needs_the_standard_library_only(name: str) -> None:
    assert {
        module.partition(".")[0] for module in imports(PACKAGE / name)
    } <= sys.stdlib_module_names


def test_no_file_has_grown_past_holding_one_thing() -> None:
    long = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if len(path.read_text("utf-8").splitlines()) > 450
    ]

    assert not long
