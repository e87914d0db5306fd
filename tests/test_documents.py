"""Documents name files and tests that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
PLACES = [ROOT / place for place in ("", "bucketvault", "tests")]  # names may leave these out
NAMED = re.compile(
    r"`([\w./-]+\.(?:css|js|md|py|service|svg)\b|[\w.-]+/[\w./-]*)(?:::(\w+))?[^`\s]*`"
)
LINK = re.compile(r"\]\(([^):#]+)\)")
OURS = {place.name for root in PLACES for place in root.iterdir()}


def lacking(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8")
    for target in LINK.findall(text):
        if not (page.parent / target).exists():
            yield target
    for name, test in NAMED.findall(text):
        if name.startswith("/") or ("/" in name and name.partition("/")[0] not in OURS):
            continue  # of another machine, or an address
        found = [place / name for place in PLACES if (place / name).exists()]
        if not found and "/" not in name:
            found = list(ROOT.glob(f"[!.]*/**/{name}"))
        if not found or (test and f"def {test}" not in found[0].read_text("utf-8")):
            yield f"{name}::{test}" if test else name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documents_name_files_and_tests_that_exist(page: Path) -> None:
    assert not list(lacking(page))


def test_code_names_files_that_exist() -> None:
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "bucketvault").rglob("*.py"))
    named = set(
        re.findall(r"(?<![\w/.])((?:docs|assets|tests|engine|pages|store)/[\w./]+\.\w+)", text)
    )

    assert any(name.startswith("docs/decisions/") for name in named)
    assert not [name for name in named if not any((place / name).exists() for place in PLACES)]


def test_every_decision_page_is_linked() -> None:
    linked = LINK.findall((ROOT / "docs/architecture.md").read_text("utf-8"))

    assert {f"decisions/{page.name}" for page in ROOT.glob("docs/decisions/*.md")} <= set(linked)


def test_contributing_names_the_targets_of_make() -> None:
    targets = set(
        re.findall(r"^([\w-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    named = set(re.findall(r"\bmake ([\w-]+)  ", (ROOT / "CONTRIBUTING.md").read_text("utf-8")))

    assert named | {"help", "demo", "clean"} == targets


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    begins = re.compile(r'^\s*r?"""(?:What|Whether)\b')
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("bucketvault", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if begins.match(line)
    ]

    assert not wrong
