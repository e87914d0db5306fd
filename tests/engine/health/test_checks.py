"""Where a figure of this machine turns from good to worth a look to bad, and what is said then."""

import datetime as dt
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.engine import maintenance, settings
from bucketvault.engine.catalogue import providers
from bucketvault.engine.health import checks, key_file
from bucketvault.engine.health.checks import GB, MB
from bucketvault.engine.health.conclusion import conclusion
from bucketvault.engine.health.readings import Context, Reading
from bucketvault.engine.maintenance import SelfBackup
from bucketvault.engine.views.situation import Part, Tone
from bucketvault.errors import VaultError
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Provider, Setting
from bucketvault.store.restoring import Restored
from bucketvault.store.secrets import Vault
from tests.store_fixtures import SECRET, provider_input

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
OK, WARN, BAD, NONE = Tone.OK, Tone.WARN, Tone.BAD, Tone.NONE


def copy(age: dt.timedelta) -> SelfBackup:
    return SelfBackup(Path("/copy"), (NOW - age).date(), NOW - age, 9 * MB)


TABLE = [
    (checks.disk(99 * MB, 20 * GB, None, "/data"), BAD, "Full"),
    (checks.disk(100 * MB, 20 * GB, None, "/data"), WARN, "Nearly full"),
    (checks.disk(GB - 1, 20 * GB, 0.0, "/data"), WARN, "Nearly full"),
    (checks.disk(GB, 20 * GB, None, "/data"), OK, "Enough for the logs of many runs."),
    (checks.disk(2 * GB, 20 * GB, 200 * MB, "/data"), WARN, "Full in 10 days"),
    (checks.disk(2 * GB, 20 * GB, 100 * MB, "/data"), OK, "Enough for 20 days"),
    (checks.disk(9 * GB, 20 * GB, 20 * MB, "/data"), OK, "Enough for 15 months"),
    (checks.disk(9 * GB, 20 * GB, MB, "/data"), OK, "Enough for years"),
    (checks.disk(9 * GB, 20 * GB, -5 * MB, "/data"), OK, "Enough for years"),
    (checks.memory(2 * GB, 99 * MB), BAD, "may kill a run"),
    (checks.memory(2 * GB, 299 * MB), WARN, "not for many"),
    (checks.memory(2 * GB, 300 * MB), OK, "several runs"),
    (checks.swap(0, 0), OK, "No swap"),
    (checks.swap(2 * GB, GB), OK, "Little"),
    (checks.swap(2 * GB, GB + 1), WARN, "short of memory"),
    (checks.processor(None, 0.5, 2), OK, "load 0.50 on 2 cores"),
    (checks.processor(99.9, 8.0, 2), OK, "99 %, load 8.00 on 2 cores"),
    (checks.processor(99.9, 8.1, 2), WARN, "slow"),
    (checks.processor(50.0, 1.0, 1), OK, "on 1 core"),
    (checks.scheduler(True, NOW - 5 * MINUTE, NOW), OK, "every few seconds"),
    (checks.scheduler(False, None, NOW), BAD, "do not start"),
    (checks.rclone("1.75.2", "/usr/bin/rclone"), OK, "1.75.2"),
    (checks.rclone("", "", "rclone is missing."), BAD, "rclone is missing."),
    (checks.database(312 * MB, 90), OK, "kept 90 days"),
    (checks.database(312 * MB, 0), OK, "every log is kept"),
    (checks.database(11 * GB, 90), WARN, "Large"),
    (
        checks.database(MB, 90, Restored(NOW - DAY, "2026-11-20")),
        WARN,
        "No kept version is deleted",
    ),
    (checks.copy_of_database(copy(47 * HOUR), None, NOW), OK, "Intact"),
    (checks.copy_of_database(copy(HOUR), None, NOW, copy(3 * DAY)), BAD, "are not deleted"),
    (checks.copy_of_database(copy(49 * HOUR), None, NOW), BAD, "newer than this copy is lost"),
    (checks.copy_of_database(None, None, NOW), NONE, "within a day"),
    (checks.copy_of_database(None, NOW - DAY, NOW), NONE, "within a day"),
    (checks.copy_of_database(None, NOW - 3 * DAY, NOW), BAD, "history are lost."),
    (checks.clock(NOW, NOW + 4 * MINUTE, "Europe/Berlin"), OK, "11:00"),
    (checks.clock(NOW, NOW + 6 * MINUTE, "UTC"), WARN, "6 min in the future"),
    (checks.clock(NOW - 365 * DAY, None, "UTC"), BAD, "before this version"),
    (checks.mail(False, 0, None, NOW), WARN, "You won't be told"),
    (checks.mail(True, 0, None, NOW), Tone.NONE, "No alert was sent yet."),
    (
        checks.mail(True, 0, NOW, NOW, waiting=1, refusal="530 5.7.57 Client not authenticated."),
        WARN,
        "1 not sent 1 email could not be sent yet: 530 5.7.57 Client not authenticated.",
    ),
    (key_file.key(2), OK, "found It decrypts 2 stored secrets."),
    (key_file.key(0), Tone.NONE, "No secret is stored."),
    (key_file.key(2, "The key file /k is empty.", "Put it back."), BAD, "is empty"),
    (checks.mail(True, 0, NOW - 3 * HOUR, NOW), OK, "The last was accepted 3 h ago."),
    (checks.mail(True, 2, NOW - 3 * HOUR, NOW), BAD, "2 emails could not be delivered"),
]


@pytest.mark.parametrize(("reading", "tone", "words"), TABLE)
def test_a_figure_is_judged_in_words(reading: Reading, tone: Tone, words: str) -> None:
    assert reading.tone is tone and words in f"{reading.value} {reading.words}"
    assert bool(reading.todo) == (tone in (WARN, BAD)) or reading.name == "rclone"


WELL = (
    checks.scheduler(True, NOW, NOW),
    checks.disk(9 * GB, 20 * GB, None, "/data"),
    checks.mail(True, 0, None, NOW),
)


def test_the_answer_is_that_of_the_worst_reading() -> None:
    stands, no_room = checks.scheduler(False, None, NOW), checks.disk(MB, GB, None, "/data")
    no_mail, dead = checks.mail(False, 0, None, NOW), checks.mail(True, 1, None, NOW)

    said = [
        conclusion(found).sentence
        for found in (WELL, (*WELL, no_mail), (*WELL, dead), (stands, dead), (stands, no_room))
    ]

    assert said == [
        "This server is healthy. Nothing here stops tonight's runs.",
        "Nothing here stops tonight's runs. Mail is worth a look.",
        "Nothing here stops tonight's runs, but Mail needs attention.",
        "Scheduler puts tonight's runs at risk.",
        "Scheduler and disk of the data folder put tonight's runs at risk.",
    ]


def test_what_was_never_measured_is_not_called_growth(tmp_path: Path) -> None:
    there, nowhere = (
        checks.look_at_disk(Context(load_config({}, data_dir=str(folder)), NOW))
        for folder in (tmp_path, tmp_path / "nowhere")
    )

    assert there.words == "Enough for the logs of many runs." and there.issue is None
    assert nowhere.issue is not None and "cannot be checked" in nowhere.issue.why


def test_a_folder_of_copies_that_cannot_be_read_is_an_issue_and_no_crash(open_store: Path) -> None:
    config = load_config({}, data_dir=str(open_store.parent))
    config.backups.symlink_to("x" * 300)  # refused to root, too: the name is too long

    (issue,) = [i for i in checks.installation_issues(config) if i.part is Part.DATABASE]

    assert f"{config.backups} cannot be read: File name too long. No copy is made" in issue.why
    assert maintenance.growth_a_day(config.backups, NOW) is None


def test_secrets_whose_address_was_changed_outside_are_an_issue_before_the_next_run(
    open_store: Path, tmp_path: Path
) -> None:
    vault = Vault(tmp_path / "secret.key")
    config = load_config(
        {"BUCKETVAULT_KEY_FILE": str(vault.key_file)}, data_dir=str(open_store.parent)
    )
    providers.create(provider_input(), vault)
    with writing():
        Provider.update(endpoint="https://evil.example").execute()

    (issue,) = checks.issues([checks.look_at_key(Context(config, NOW))])

    assert issue.is_bad and 'secrets cannot be read (the provider "Local"): they' in issue.why
    assert "changed outside bucketvault" in issue.why and "enter them again" in issue.why


@pytest.mark.parametrize("is_lost", [False, True], ids=["moved", "lost"])
def test_a_mail_password_that_does_not_decrypt_stops_no_run(
    open_store: Path, tmp_path: Path, is_lost: bool
) -> None:
    file = tmp_path / "secret.key"
    config = load_config({"BUCKETVAULT_KEY_FILE": str(file)}, data_dir=str(open_store.parent))
    given = {"smtp_host": "mail.example.com", "smtp_user": "me", "smtp_password": SECRET}
    settings.change(given | {"mail_from": "a@example.com", "mail_to": "b@example.com"}, Vault(file))
    if is_lost:
        file.unlink()
        Vault(file).create_key()
    else:
        with writing():
            Setting.update(value="evil.example").where(Setting.key == "smtp_host").execute()

    found = checks.look_at_key(Context(config, NOW))

    assert found.issue is not None and not found.issue.is_bad
    assert is_lost or "cannot be read (the mail server's password): they" in found.words
    sentence = conclusion((*WELL, found)).sentence
    assert sentence == "Nothing here stops tonight's runs, but Key file needs attention."


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "is empty"),
        (b"not a key\n", "does not contain a key"),
        (b"A" * 43 + b"=\n", "2 stored secrets cannot be decrypted"),
        (None, "is missing"),
    ],
)
def test_a_key_file_that_went_while_a_server_runs_is_noticed_and_nothing_made_over_it(
    open_store: Path, tmp_path: Path, contents: bytes | None, words: str
) -> None:
    file, vault = tmp_path / "secret.key", Vault(tmp_path / "secret.key")
    config = load_config({"BUCKETVAULT_KEY_FILE": str(file)}, data_dir=str(open_store.parent))
    assert checks.look_at_key(Context(config, NOW)).tone is Tone.NONE
    provider = providers.create(provider_input(), vault)
    good = checks.look_at_key(Context(config, NOW))

    file.unlink() if contents is None else file.write_bytes(contents)
    (issue,) = checks.issues([checks.look_at_key(Context(config, NOW))])

    assert good.tone is OK and good.issue is None
    assert issue.is_bad and words in issue.why
    is_another = words == "2 stored secrets cannot be decrypted"
    assert ("keeps using the key" in issue.why) is not is_another
    with connection():
        row = Provider.get_by_id(provider)
    if is_another:  # a valid key file is taken at once: runs fail until the right one is back
        with pytest.raises(VaultError, match="another key file"):
            providers.decrypted_keys(row, vault)
        return
    # runs of the server that has read it continue; nothing new is stored under another key
    assert providers.decrypted_keys(row, vault)[1] == SECRET
    with pytest.raises(VaultError, match="key file"):
        providers.create(provider_input(name="Other"), vault)
    assert (file.read_bytes() if file.exists() else None) == contents


def test_a_full_disk_is_told_with_what_to_do() -> None:
    (issue,) = checks.issues((*WELL, checks.disk(MB, 20 * GB, None, "/data")))

    assert issue.why.startswith("1.0 MB of 20 GB free. Full") and issue.is_bad
    assert "Free some space on the disk of /data" in issue.why and not checks.issues(WELL)
