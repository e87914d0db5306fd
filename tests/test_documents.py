"""Documents name files and tests that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bucketvault import config
from bucketvault.cli.parser import build
from bucketvault.engine import price_list
from bucketvault.engine.setup import applying
from bucketvault.engine.setup.tables import TABLES
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import Reason

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
PLACES = [ROOT / place for place in ("", "bucketvault", "tests")]  # names may leave these out
NAMED = re.compile(
    r"`([\w./-]+\.(?:css|js|md|py|service|svg)\b|[\w.-]+/[\w./-]*)(?:::(\w+))?[^`\s]*`"
)
LINK = re.compile(r"\]\(([^):#]+)\)")
GUIDES = (
    "how-it-behaves",
    "operations",
    "access",
    "alerts",
    "restore",
    "commands",
    "setup-file",
    "moving",
)
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


def fenced(page: str, language: str = "") -> Iterator[str]:
    """Yield the blocks of code of a page: indented ones, or fenced ones of a language."""
    text = (ROOT / page).read_text("utf-8")
    if language:
        yield from re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    else:
        yield from re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE)


def test_documents_name_every_command_setting_reason_and_variable() -> None:
    commands = (ROOT / "docs/commands.md").read_text("utf-8")
    file = (ROOT / "docs/setup-file.md").read_text("utf-8")
    places = (ROOT / "docs/operations.md").read_text("utf-8")
    topics = build().parse_args(["help"]).topics
    fields = [each.key.split(".")[-1] for of in TABLES.values() for each in of.values()]
    prices = set(price_list.RULES)

    assert not [name for name in topics if f"`{name}" not in commands]
    assert not [reason for reason in Reason if f"| `{reason}` |" not in commands]
    assert not [name for name in {*fields} - prices if not re.search(rf"\b{name}\b", file)]
    assert not [name for name in config.NAMES if f"`BUCKETVAULT_{name}`" not in places]


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in GUIDES)])
def test_every_command_that_is_shown_is_read(page: str) -> None:
    lines = [line.strip() for block in fenced(page) for line in block.splitlines()]
    for line in lines:
        if line.startswith("bucketvault "):
            words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
            assert build().parse_args(words).command is not None, line


def test_the_setup_file_that_is_shown_is_taken(
    open_store: Path, vault: Vault, tmp_path: Path
) -> None:
    (shown,) = fenced("docs/setup-file.md", "toml")
    (tmp_path / "setup.toml").write_text(shown, "utf-8")
    for name in ("smtp.secret", "b2.secret"):
        (tmp_path / name).write_text("a-secret-of-forty-characters-000000000000\n", "utf-8")
        (tmp_path / name).chmod(0o600)
    names = re.findall(r'env = "(\w+)"', shown)
    environ = {name: f"{name}-0123456789abcdef0123456789abcdef".lower() for name in names}

    environ["PHOTOS_PING_URL"] = "https://hc-ping.com/0a1b"
    environ["NTFY_URL"] = "https://example.com/hook"

    first, second = (applying.apply(tmp_path / "setup.toml", vault, environ) for _ in range(2))

    assert len(first) > 5 and second == [applying.UNCHANGED]
