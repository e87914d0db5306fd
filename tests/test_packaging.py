"""What people install: the wheel holds all that the program needs."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from bucketvault import __version__

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_holds_code_migrations_and_assets(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )

    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert __version__ in wheel.name
    assets = {f"bucketvault/{p.relative_to(ROOT)}" for p in (ROOT / "assets").rglob("*.*")}
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "bucketvault").rglob("*.py")}
    assert assets and assets | modules <= names
    assert not any(name.startswith("tests/") for name in names)


def test_the_lock_files_pin_every_package_with_hashes_and_name_no_registry() -> None:
    for name in ("requirements.lock", "requirements-development.lock"):
        text = (ROOT / name).read_text()
        pins = [line for line in text.splitlines() if "==" in line and not line.startswith(" ")]
        assert pins and all(line.rstrip().endswith("\\") for line in pins), name
        assert "index-url" not in text and "find-links" not in text and "file:" not in text


def test_the_lock_file_has_every_package_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text()

    for wanted in project["dependencies"]:
        name = wanted.partition(">")[0].strip()
        assert f"\n{name}==" in f"\n{locked}", name
