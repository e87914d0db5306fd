"""`apply` and `export` as commands: what they print, and what they refuse."""

import os
from pathlib import Path

import pytest

from tests.support.program import Program

SETUP = """
[[provider]]
name = "Home"
provider_type = "amazon_s3"
endpoint = "http://127.0.0.1:9000"
access_key_id = "home-key"
secret_access_key = "home-secret-0001"
"""
PASSPHRASE = "correct horse battery"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path)
    assert made.apply(SETUP).code == 0
    return made


def test_an_export_is_the_file_alone_and_names_its_variables_beside_it(program: Program) -> None:
    done = program.cli("export")

    assert done.code == 0 and done.out.startswith("# ") and "home-secret-0001" not in done.out
    assert program.apply(done.out).code == 1  # none of them is set
    assert done.err.splitlines()[1:] == ["  HOME_ACCESS_KEY_ID", "  HOME_SECRET_ACCESS_KEY"]


def test_an_export_that_could_not_be_written_whole_fails(program: Program) -> None:
    with open("/dev/full", "wb") as full:
        process = program.start("export", stdout=full.fileno())
        _, said = process.communicate(timeout=60)

    assert (process.returncode, said.count("\n")) == (1, 1) and "No space left" in said


def test_secrets_go_into_a_new_file_for_its_owner_alone(program: Program, tmp_path: Path) -> None:
    passphrase, file = tmp_path / "passphrase", tmp_path / "moving.setup"
    passphrase.write_text(f"{PASSPHRASE}\n")
    export = ("export", "--with-secrets", str(file), "--passphrase-file", str(passphrase))

    first, again = program.cli(*export), program.cli(*export)
    applied = program.cli("apply", str(file), "--passphrase-file", str(passphrase), "--dry-run")

    assert first.code == 0 and not file.stat().st_mode & 0o077
    assert again.code == 1 and "already exists" in again.err
    assert (applied.code, applied.out) == (0, "unchanged\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--passphrase-file", "x"), 2, "nothing is encrypted"),
        (("--with-secrets", "new", "--passphrase-file", "short"), 1, "The passphrase has 5"),
        (("--with-secrets", "new", "--passphrase-file", "none"), 1, "cannot be read from none"),
        (("--with-secrets", "new"), 2, "Without one, give --passphrase-file"),
    ],
)
def test_what_cannot_be_encrypted_writes_nothing(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    program: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("short\n")

    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        done = program.cli("export", *arguments)

    assert done.code == code and said in done.err, done
    assert not (tmp_path / "new").exists()
