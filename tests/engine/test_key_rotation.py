"""A new key for everything stored: whole at every moment, also with a server at work."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bucketvault.config import DATABASE_NAME
from bucketvault.engine import key_rotation, settings
from bucketvault.engine.catalogue import providers
from bucketvault.engine.key_rotation import ciphertexts
from bucketvault.errors import BucketvaultError, VaultError
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, Provider, Setting
from bucketvault.store.secrets import Vault
from tests.conftest import NewBucket
from tests.store_fixtures import KEY_ID, SECRET, provider_input
from tests.support.program import Program, objects
from tests.support.servers import RcloneS3

MAIL = {
    "smtp_host": "mail.example",
    "smtp_user": "me",
    "smtp_password": "mail-secret-0001",
    "mail_from": "a@example.com",
    "mail_to": "b@example.com",
}
SECRETS = sorted([KEY_ID, SECRET, KEY_ID, SECRET, MAIL["smtp_password"]])


@pytest.fixture
def full(open_store: Path, vault: Vault) -> Vault:
    """A vault, and one of everything that is encrypted."""
    providers.create(provider_input(name="One"), vault)
    providers.create(provider_input(name="Other"), vault)
    settings.change(MAIL, vault)
    return vault


def opened(vault: Vault) -> list[str]:
    """Every stored secret, as a program that has just started opens them."""
    fresh = Vault(vault.key_file)
    return sorted(fresh.decrypt(getattr(c.row, c.column), c.place) for c in ciphertexts())


def test_everything_opens_with_the_new_key_and_nothing_with_the_old(full: Vault) -> None:
    old = full.key_file.read_text()
    changed_at = [row.updated_at for row in Provider.select()]

    count, (aside,) = key_rotation.rotate(full)

    assert count == 5 and aside.stat().st_mode & 0o777 == 0o600
    assert opened(full) == SECRETS
    assert len(full.key_file.read_text().split()) == 1 and full.key_file.read_text() != old
    assert full.key_file.stat().st_mode & 0o777 == 0o600
    assert [row.updated_at for row in Provider.select()] == changed_at  # nobody changed them
    full.key_file.write_text(old)
    assert len(key_rotation.unreadable(Vault(full.key_file))) == 3


def test_what_another_folder_or_an_older_copy_holds_opens_with_the_key_put_aside(
    full: Vault,
) -> None:
    found = next(every := ciphertexts())
    every.close()
    elsewhere, where = getattr(found.row, found.column), found.place

    _, (aside,) = key_rotation.rotate(full)
    with pytest.raises(VaultError):
        Vault(full.key_file).decrypt(elsewhere, where)
    with full.key_file.open("a") as file:
        file.write(aside.read_text())

    assert Vault(full.key_file).decrypt(elsewhere, where) == KEY_ID
    assert opened(full) == SECRETS


def test_a_vault_that_is_open_elsewhere_goes_on_with_the_new_key(full: Vault) -> None:
    serving = Vault(full.key_file)
    providers.create(provider_input(name="Third"), serving)

    key_rotation.rotate(full)
    providers.create(provider_input(name="Fourth"), serving)

    assert opened(serving) == sorted([*SECRETS, KEY_ID, SECRET, KEY_ID, SECRET])
    assert len(full.key_ids()) == 1


def test_what_was_cut_short_is_finished_with_the_key_it_had_made(full: Vault) -> None:
    full.add_key()
    made = full.key_ids()[0]

    key_rotation.rotate(full)

    assert full.key_ids() == (made,) and opened(full) == SECRETS


@pytest.mark.usefixtures("open_store")
def test_before_the_first_secret_nothing_is_said_to_be_lost(vault: Vault) -> None:
    with pytest.raises(VaultError, match="There is no key yet"):
        key_rotation.rotate(vault)

    assert not vault.key_file.exists()


def test_with_something_that_does_not_decrypt_nothing_changes(full: Vault) -> None:
    with writing():
        one, other = Provider.select().order_by(Provider.id)
        other.access_key_id = one.access_key_id  # swapped by a program that may write the database
        other.save()
    before = full.key_file.read_text(), [c.row.__data__ for c in ciphertexts()]

    with pytest.raises(VaultError, match='the provider "Other"'):
        key_rotation.rotate(full)

    assert before == (full.key_file.read_text(), [c.row.__data__ for c in ciphertexts()])


def test_what_was_given_another_address_is_named_and_nothing_changes(full: Vault) -> None:
    """A new key must not make a moved ciphertext good for where it was moved to."""
    with writing():
        Provider.update(endpoint="https://evil.example").where(Provider.name == "One").execute()
        Setting.insert(key="smtp_port", value="2525").on_conflict_replace().execute()

    with pytest.raises(VaultError, match='the provider "One", the mail server\'s password'):
        key_rotation.rotate(full)

    assert len(full.key_ids()) == 1


def test_a_ciphertext_that_stands_where_nobody_knows_keeps_the_old_key(full: Vault) -> None:
    forgotten = ciphertexts()
    envelope = getattr((found := next(forgotten)).row, found.column)
    forgotten.close()
    with writing():
        Backup._meta.database.execute_sql("CREATE TABLE later (sealed TEXT)")
        Backup._meta.database.execute_sql("INSERT INTO later VALUES (?)", (envelope,))

    with pytest.raises(VaultError, match=r"later\.sealed"):
        key_rotation.rotate(full)

    assert Vault(full.key_file).decrypt(envelope, found.place) == KEY_ID
    assert opened(full) == SECRETS


def test_every_place_of_a_ciphertext_is_known(full: Vault, open_store: Path) -> None:
    with connection():
        known = {getattr(c.row, c.column) for c in ciphertexts()}

    with closing(sqlite3.connect(open_store)) as plain:
        stored = {
            value
            for (table,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for row in plain.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            for value in row
            if isinstance(value, str) and value.startswith(f"v1.{full.key_ids()[0]}.")
        }

    assert stored == known and len(stored) == 5


# killed at any line of it

KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
from bucketvault.config import DATABASE_NAME
from bucketvault.engine import key_rotation
from bucketvault.engine.key_rotation import ciphertexts
from bucketvault.store import database, private_files, secrets as encryption
from bucketvault.store.secrets import Vault

folder, secrets = Path(sys.argv[1]), json.loads(sys.argv[2])
watched = {module.__file__ for module in (key_rotation, encryption, private_files)}
database.OF_A_CONNECTION = (("synchronous", "off"), ("foreign_keys", "on"))

def in_a_child(work):
    child = os.fork()
    if not child:
        code = 70
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def rotate(here, line):
    left = line
    def step(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename not in watched:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return step
    database.open_database(here / "data" / DATABASE_NAME)
    sys.settrace(step)
    key_rotation.rotate(Vault(here / "secret.key"))

def whole(here):
    database.open_database(here / "data" / DATABASE_NAME)
    fresh = Vault(here / "secret.key")
    with database.connection():
        found = [fresh.decrypt(getattr(c.row, c.column), c.place) for c in ciphertexts()]
    return 0 if sorted(found) == secrets else 1

line, wrong = 0, []
while True:
    line += 5
    here = folder / str(line)
    shutil.copytree(folder / "begun", here)
    code = in_a_child(lambda: rotate(here, line))
    if in_a_child(lambda: whole(here)):
        wrong.append(f"{line}: not whole")
    if in_a_child(lambda: rotate(here, -1)) or in_a_child(lambda: whole(here)):
        wrong.append(f"{line}: not finished later")
    if len((here / "secret.key").read_text().split()) != 1:
        wrong.append(f"{line}: an old key was left")
    shutil.rmtree(here)
    if code != -signal.SIGKILL:
        break
print(json.dumps({"line": line, "code": code, "wrong": wrong}))
"""


@pytest.mark.slow
def test_killed_at_any_moment_everything_still_decrypts_and_the_next_try_finishes(
    full: Vault, open_store: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "kills" / "begun"
    (begun / "data").mkdir(parents=True)
    with closing(sqlite3.connect(open_store)) as plain:
        plain.execute("VACUUM INTO ?", (str(begun / "data" / DATABASE_NAME),))
    (begun / "secret.key").write_bytes(full.key_file.read_bytes())

    command = [sys.executable, "-c", KILLED, str(begun.parent), json.dumps(SECRETS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == [] and told["code"] == 0
    assert told["line"] > 200


# the program, and a key that is lost


def test_the_program_rotates_while_a_server_runs_which_goes_on_with_the_new_key(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    bucketvault.backup(new_bucket(here, objects(2)), new_bucket(elsewhere))
    bucketvault.serve()
    assert bucketvault.run()["status"] == "success"
    old = bucketvault.key_file.read_text()

    told = bucketvault.shell("rotate-key")

    assert told.code == 0 and "4 secrets" in told.out and "The old key is stored in" in told.out
    assert old not in bucketvault.key_file.read_text()
    assert bucketvault.run()["status"] == "success"


def test_a_lost_key_leaves_history_and_ciphertexts_and_is_replaced_only_when_told_to(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(2)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    assert bucketvault.run()["status"] == "success"
    lost = bucketvault.key_file.with_name("lost.key")
    bucketvault.key_file.rename(lost)
    before = ciphertexts_of(bucketvault)

    run = bucketvault.run()
    assert run["reason"] == "credentials" and "key file" in run["explanation"]
    assert bucketvault.cli("log", "1").code == 0
    refused = bucketvault.cli("rotate-key")
    assert refused.code == 1 and "--new-key-file" in refused.err
    assert not bucketvault.key_file.exists() and ciphertexts_of(bucketvault) == before

    made = bucketvault.cli("rotate-key", "--new-key-file")
    assert made.code == 0 and 'Enter again: the provider "Source"' in made.out
    assert ciphertexts_of(bucketvault) == before  # the old key, found again, would still open them
    assert bucketvault.run()["reason"] == "credentials"

    bucketvault.backup(source, destination)  # enters both keys again
    assert bucketvault.run()["status"] == "success"
    again = bucketvault.cli("rotate-key", "--new-key-file")
    assert again.code == 1 and "already" in again.err


def ciphertexts_of(program: Program) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(program.data_dir / DATABASE_NAME)) as plain:
        query = "SELECT access_key_id, secret_access_key FROM provider ORDER BY id"
        return plain.execute(query).fetchall()


def test_a_key_file_that_is_there_is_not_replaced(full: Vault) -> None:
    before = full.key_file.read_bytes()

    with pytest.raises(BucketvaultError, match="already"):
        key_rotation.new_key_file(full)

    assert full.key_file.read_bytes() == before


def test_while_the_key_file_is_away_nothing_new_is_encrypted(full: Vault) -> None:
    full.key_file.rename(full.key_file.with_name("away"))

    with pytest.raises(VaultError, match="missing"):
        providers.create(provider_input(name="Third"), full)

    assert key_rotation.unreadable(full) == []  # what was read before still opens the rest
