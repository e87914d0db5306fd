"""`make release` refuses what is not ready to be released."""

from pathlib import Path

import pytest

from bucketvault import __version__
from tests import release


def test_a_clean_tree_with_its_changelog_is_ready() -> None:
    release.refuse_what_is_not_ready("", release.changelog())

    assert release.changelog()[0].split(" ")[0] == __version__


@pytest.mark.parametrize(
    ("changes", "chapters", "said"),
    [
        (" M README.md\n?? new.py\n", [__version__], "README.md"),
        ("", ["Unreleased", __version__], "'Unreleased'"),
        ("", [f"{__version__}.1"], f"says {__version__}"),
        ("", [], "nothing"),
    ],
)
def test_changes_and_an_unwritten_changelog_are_refused(
    changes: str, chapters: list[str], said: str
) -> None:
    with pytest.raises(release.NotReadyError, match=said):
        release.refuse_what_is_not_ready(changes, chapters)


def test_packages_that_differ_are_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(tree: Path, folder: Path, epoch: str, umask: int) -> list[Path]:
        folder.mkdir()
        (folder / "a.whl").write_bytes(folder.name.encode())
        return [folder / "a.whl"]

    monkeypatch.setattr(release, "built", built)

    with pytest.raises(release.NotReadyError, match=r"a\.whl differs"):
        release.built_twice(tmp_path, tmp_path, "0")


def test_a_wheel_that_does_not_install_is_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(folder: Path, *, with_pip: bool) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/pip").write_text("#!/bin/sh\necho no such package >&2\nexit 3\n")
        (folder / "bin/pip").chmod(0o755)

    monkeypatch.setattr(release.venv, "create", create)

    with pytest.raises(release.NotReadyError, match="ended with 3:\nno such package"):
        release.tried(tmp_path / "a.whl", tmp_path / "lock", tmp_path)
