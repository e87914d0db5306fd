"""`python -m tests.map [CHECKOUT]`: rooms, lines, imports between rooms, `Any`, of any checkout.

A room is a folder of the package; a file that is loose in `bucketvault/`, `engine/` or `pages/`
is a room of its own. The same figures come from an older checkout, so that two can be compared.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "bucketvault"


@cache
def modules(root: Path) -> dict[str, ast.Module]:
    """Every module of the package below `root`, parsed, by its dotted name."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text("utf-8")
        )
        for path in sorted((root / PACKAGE).rglob("*.py"))
    }


def imported(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Every module that is imported: one of `known` where it is ours, else its dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield whole if whole in known else node.module


def room(module: str, rooms: set[str]) -> str:
    """Return the room of a module: `engine/runs`, `store`, or the module itself where it is loose.

    `rooms` are the dotted names of the package's folders.
    """
    parts = module.split(".")
    if len(parts) > 2 and (parts[1] not in ("engine", "pages")):
        return parts[1]
    depth = 3 if len(parts) > 2 and ".".join(parts[:2]) in rooms else 2
    return "/".join(parts[1:depth]) or PACKAGE


def folders(root: Path) -> set[str]:
    """The dotted names of the package's folders."""
    package = root / PACKAGE
    found = {path.parent for path in package.rglob("*.py")}
    return {".".join(path.relative_to(root).parts) for path in found}


def arrows(root: Path) -> Counter[tuple[str, str]]:
    """How many imports lead from one room to another."""
    trees, rooms = modules(root), folders(root)
    return Counter(
        (here, there)
        for name, tree in trees.items()
        for other in imported(tree, set(trees))
        if other.partition(".")[0] == PACKAGE
        for here, there in [(room(name, rooms), room(other, rooms))]
        if here != there
    )


def main() -> None:
    """Print the figures of a checkout, this one by default."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent
    rooms, package = folders(root), root / PACKAGE
    files, lines, anys = Counter[str](), Counter[str](), 0
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text("utf-8")
        files[room(name, rooms)] += 1
        lines[room(name, rooms)] += len(text.splitlines())
        anys += sum(
            isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(ast.parse(text))
        )
    for name in sorted(files):
        print(f"{name:32} {files[name]:4} modules {lines[name]:7,} lines")
    found = arrows(root)
    print(
        f"{len(files)} rooms, {files.total()} modules, {lines.total():,} lines of Python; "
        f"{len(found)} arrows between rooms, {found.total()} imports; Any {anys} times"
    )


if __name__ == "__main__":
    main()
