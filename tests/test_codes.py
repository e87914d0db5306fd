"""No code reads back a sentence that was made for people: what decides are codes and numbers."""

import ast
from pathlib import Path

import pytest

import bucketvault

PACKAGE = Path(bucketvault.__file__).parent
# What our own sentences are called. rclone's and a mail server's words, which must be read, are
# `message`, `text` or `line`.
PROSE = {
    *("explanation", "cause", "hint", "detail", "summary", "sentence", "sentences", "title"),
    *("warning", "why", "copy", "note"),
}
READS = {
    *("startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition"),
    *("split", "rsplit", "replace", "find", "index", "count"),
}
SEARCHES = {"match", "search", "fullmatch", "findall", "split"}


def is_prose(node: ast.expr) -> bool:
    """True for `run.hint`, `hint`, `row["hint"]`, and what is made of one by a method."""
    if isinstance(node, ast.Attribute):
        return node.attr in PROSE
    if isinstance(node, ast.Name):
        return node.id in PROSE
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in PROSE
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("lower", "casefold", "strip") and is_prose(node.func.value)
    return False


def is_text(node: ast.expr) -> bool:
    """True for text: written here, a constant's name, or another's part such as a name."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value != ""
    return isinstance(node, ast.JoinedStr | ast.Name | ast.Attribute | ast.Subscript)


def reads_prose(node: ast.AST) -> bool:
    """True if this looks into a sentence, or compares one with text."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
            if isinstance(operator, ast.In | ast.NotIn) and (is_prose(right) or is_prose(left)):
                return True
            if isinstance(operator, ast.Eq | ast.NotEq) and (
                (is_prose(left) and is_text(right)) or (is_prose(right) and is_text(left))
            ):
                return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in READS and is_prose(node.func.value):
            return True
        return node.func.attr in SEARCHES and any(is_prose(each) for each in node.args)
    return False


def readers(source: str) -> list[str]:
    """Return the lines of this source that read prose: `line: code`."""
    nodes = (node for node in ast.walk(ast.parse(source)) if reads_prose(node))
    return [f"{node.lineno}: {ast.unparse(node)}" for node in nodes]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "planted",
    [
        'if "on the provider\'s page" in view.hint: pass',
        "found = [name for name in names if name in run.explanation]",
        "gaps = any(AT_LEAST in warning for warning in run.warnings)",
        'why = run.explanation.removeprefix("Held: ")',
        'is_held = row["explanation"].lower().startswith("held")',
        "if view.sentence == UNTOUCHED: pass",
        're.match("Held", why)',
        'hint = told.hint.replace("run the backup again", "try again")',
    ],
)
def test_a_reader_of_sentences_is_found(planted: str) -> None:
    assert len(readers(planted)) == 1


@pytest.mark.parametrize(
    "allowed", ['if run.hint and run.hint != "": pass', "a = code in (Reason.STOPPED,)"]
)
def test_whether_there_is_a_sentence_may_be_asked(allowed: str) -> None:
    assert readers(allowed) == []


def test_no_code_reads_a_sentence_back() -> None:
    found = {
        str(path.relative_to(PACKAGE)): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if (lines := readers(path.read_text("utf-8")))
    }

    assert found == {}
