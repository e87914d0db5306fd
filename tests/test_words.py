"""All that people read is plain English: CONTRIBUTING.md has the list of words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")]
# Right column of the list in CONTRIBUTING.md, as patterns.
DIALECT = re.compile(
    r"\b(mend(s|ed|ing)?|needs? you|let go|lies? (in|inside|on)|anew"
    r"|bring(s|ing)? (it |this copy )?back|(runs?|it) by itself|on the clocks"
    r"|former versions?|speaks? up|sign of life"
    r"|asks? (you|me) first|under way|goes on|go on|of ours|whoever|nobody|somebody|has a slip"
    r"|switche[sd] (on|off)|stands? still|given up|planned|time-?outs? of"
    r"|is the most|cannot be seen|not there any more|met a fault|looked after|make room"
    r"|nothing was touched|put aside|wait for its end|as it should)\b",
    re.IGNORECASE,
)


def shown(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each text of a module that may be read by people: of several words, no docstring."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_code = "CREATE TABLE" in node.value or "<td" in node.value or "\\b" in node.value
            if " " in node.value.strip() and id(node) not in documented and not is_code:
                yield node.lineno, node.value


@pytest.mark.parametrize("folder", ["cli", "engine", "pages", "server", "store", "access", "."])
def test_no_text_that_is_shown_speaks_the_old_dialect(folder: str) -> None:
    root = ROOT / "bucketvault" / folder
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in (root.glob("*.py") if folder == "." else root.rglob("*.py"))
        for line, text in shown(path)
        if DIALECT.search(text)
    ]

    assert not found


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_no_guide_speaks_the_old_dialect(page: Path) -> None:
    lines = enumerate(page.read_text("utf-8").splitlines(), 1)

    assert not [f"{number}: {line}" for number, line in lines if DIALECT.search(line)]
