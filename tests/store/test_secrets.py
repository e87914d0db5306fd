"""Secrets at rest: they open where they were made, with the key they were made with, only there."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bucketvault.errors import MovedSecretError, VaultError
from bucketvault.store.secrets import Vault, place

HERE = place("provider", "secret_access_key", "row-1")
ELSEWHERE = [
    place("provider", "secret_access_key", "row-2"),
    place("provider", "access_key_id", "row-1"),
    place("setting", "secret_access_key", "row-1"),
    place("provider", "secret_access_key", "row-1", "https://evil.example"),
]


@pytest.fixture
def ready(vault: Vault) -> Vault:
    vault.create_key()
    return vault


@given(secret=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_secret_comes_back_as_it_was(ready: Vault, secret: str) -> None:
    assert ready.decrypt(ready.encrypt(secret, HERE), HERE) == secret


def test_the_same_secret_is_encrypted_differently_each_time(ready: Vault) -> None:
    assert ready.encrypt("secret", HERE) != ready.encrypt("secret", HERE)


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_ciphertext_moved_elsewhere_does_not_open(ready: Vault, where: str) -> None:
    envelope = ready.encrypt("secret", HERE)

    with pytest.raises(MovedSecretError):
        ready.decrypt(envelope, where)


def test_no_two_places_have_the_same_text() -> None:
    """Who writes the database chooses the parts, also signs that stand between them."""
    for sign in ('", "', "|", "\\", '"'):
        assert place("a", "b", "c", f"d{sign}e") != place("a", "b", "c", "d", "e")
        assert place("a", f"b{sign}c", "d") != place("a", "b", "c", "d")


def test_a_changed_ciphertext_does_not_open(ready: Vault) -> None:
    version, key_id, nonce, sealed = ready.encrypt("secret", HERE).split(".")
    changed = ("B" if sealed[0] == "A" else "A") + sealed[1:]

    with pytest.raises(VaultError, match="changed outside"):
        ready.decrypt(f"{version}.{key_id}.{nonce}.{changed}", HERE)


@pytest.mark.parametrize(
    "envelope",
    ["", "secret", "v1.a.b", "v2.{id}.{nonce}.{sealed}", "v1.{id}.AA.{sealed}", "v1.{id}.é.AA"],
)
def test_what_is_no_envelope_is_said_to_be_none(ready: Vault, envelope: str) -> None:
    _, key_id, nonce, sealed = ready.encrypt("secret", HERE).split(".")

    with pytest.raises(VaultError):
        ready.decrypt(envelope.format(id=key_id, nonce=nonce, sealed=sealed), HERE)


def test_another_key_is_refused_and_the_right_place_for_the_old_one_is_named(
    ready: Vault, tmp_path: Path
) -> None:
    envelope = ready.encrypt("secret", HERE)
    other = Vault(tmp_path / "other.key")
    other.create_key()

    with pytest.raises(VaultError) as caught:
        other.decrypt(envelope, HERE)

    assert "another key file" in caught.value.summary
    assert str(other.key_file) in caught.value.hint


def test_an_older_key_opens_as_long_as_it_stands_in_the_file(ready: Vault, tmp_path: Path) -> None:
    envelope = ready.encrypt("secret", HERE)
    newer = Vault(tmp_path / "newer.key")
    newer.create_key()
    both = newer.key_file.read_text() + ready.key_file.read_text()
    newer.key_file.write_text(both)

    rotated = Vault(newer.key_file)

    assert rotated.decrypt(envelope, HERE) == "secret"
    assert rotated.encrypt("secret", HERE).split(".")[1] != envelope.split(".")[1]


def test_the_key_file_is_its_owners_alone(ready: Vault) -> None:
    assert stat.S_IMODE(ready.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ready.key_file.parent.stat().st_mode) == 0o700
    assert [file.name for file in ready.key_file.parent.iterdir()] == [ready.key_file.name]


def test_an_existing_key_stays(ready: Vault) -> None:
    before = ready.key_file.read_bytes()

    Vault(ready.key_file).create_key()

    assert ready.key_file.read_bytes() == before


MAKER = """
import sys
from pathlib import Path
from bucketvault.store.secrets import Vault
vault = Vault(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
vault.create_key()
print(vault.encrypt("secret", sys.argv[2]))
"""


@pytest.mark.slow
def test_two_programs_that_make_the_key_at_once_end_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / "config" / "secret.key"
    command = [sys.executable, "-c", MAKER, str(path), HERE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    programs = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for program in programs:
        assert program.stdout.readline() == "ready\n"

    for program in programs:
        program.stdin.write("\n")
        program.stdin.flush()
    sealed = [program.communicate(timeout=30)[0].strip() for program in programs]

    assert len(path.read_text().split()) == 1
    assert [Vault(path).decrypt(envelope, HERE) for envelope in sealed] == ["secret"] * 3


def test_a_missing_key_is_said_to_be_missing_and_none_is_made(vault: Vault) -> None:
    with pytest.raises(VaultError, match="is missing"):
        vault.encrypt("secret", HERE)

    assert not vault.has_key()
    assert not vault.key_file.exists()


def test_a_key_put_back_heals_a_running_program(vault: Vault, tmp_path: Path) -> None:
    assert not vault.has_key()

    Vault(vault.key_file).create_key()

    assert vault.has_key()
    assert vault.decrypt(vault.encrypt("secret", HERE), HERE) == "secret"


@pytest.mark.parametrize(
    "contents", [b"", b"\n", b"not a key\n", b"AAAA\n", b"\xff" * 44, b"A" * 43 + b"=\nAAAA\n"]
)
def test_a_file_that_holds_no_key_is_refused_and_left_alone(
    contents: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(contents)
    vault = Vault(path)

    vault.create_key()

    assert not vault.has_key()
    with pytest.raises(VaultError, match=str(path)):
        vault.encrypt("secret", HERE)
    assert path.read_bytes() == contents


def test_a_key_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(VaultError, match="cannot be written"):
        Vault(tmp_path / "file" / "secret.key").create_key()
