"""The audit of packages: red for what can be mended, and never green by not having asked."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.audit import verdict

CI = Path(__file__).parent.parent / ".ci" / "run"

FINE = {"name": "peewee", "version": "4.5.3", "vulns": []}
SKIPPED = {"name": "nicegui", "skip_reason": "not found"}


def bad(*fixed: str) -> dict[str, object]:
    return {"name": "x", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": list(fixed)}]}


def test_an_advisory_that_a_newer_version_mends_is_red_and_named() -> None:
    code, lines = verdict([FINE, bad("2")])

    assert code == 1 and "x 1: CVE-1, mended in 2" in lines


def test_an_advisory_nobody_has_mended_is_told_and_not_red() -> None:
    code, lines = verdict([FINE, bad()])

    assert code == 0 and "no version yet" in lines[0] and "1 advisories" in lines[1]


def test_packages_nobody_was_asked_about_are_said_not_to_be_audited() -> None:
    code, lines = verdict([FINE, SKIPPED])

    assert code == 0 and lines[-1].startswith("Not audited: 1 packages")


@pytest.mark.parametrize("code", [0, 1])
def test_ci_warns_in_its_last_line_where_nobody_could_be_asked(tmp_path: Path, code: int) -> None:
    """Also where a test failed: that is where people look."""
    for name in ("apt-get", "ssh", "systemd-analyze", "chromium-headless-shell", "make"):
        stand_in = tmp_path / name
        stand_in.write_text("#!/bin/sh\n")
        stand_in.chmod(0o755)
    (tmp_path / "make").write_text(
        f"""#!/bin/sh
case $1 in
  audit) echo "Not audited: 71 packages, since the advisories did not answer." ;;
  test) echo "3 passed, 1 failed"; exit {code} ;;
esac
"""
    )

    done = subprocess.run(
        [str(CI)],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == code, done
    assert done.stdout.splitlines()[-1] == (
        "WARNING: not audited: 71 packages, since the advisories did not answer."
    )
