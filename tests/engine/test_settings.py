"""The settings of the installation: what may be entered, and where the mail password may go."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from bucketvault.engine import settings
from bucketvault.engine.key_rotation import ciphertexts
from bucketvault.engine.settings import MailServer, Settings
from bucketvault.engine.setup import applying
from bucketvault.errors import InvalidInputError, MovedSecretError, VaultError
from bucketvault.store.database import writing
from bucketvault.store.models import Setting
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import MailSecurity
from tests.store_fixtures import a_provider

PASSWORD = "open sesame, for tests"
MAIL = {
    "smtp_host": "smtp.example.com",
    "smtp_user": "me",
    "smtp_password": PASSWORD,
    "mail_from": "backup@example.com",
    "mail_to": "me@example.org",
}

pytestmark = pytest.mark.usefixtures("open_store")


def problems(vault: Vault, **given: Any) -> dict[str, str]:
    before = settings.load()
    with pytest.raises(InvalidInputError) as caught:
        settings.change(given, vault)
    assert settings.load() == before
    return {problem.field: problem.message for problem in caught.value.problems}


def test_without_a_word_from_anybody_there_is_no_mail(vault: Vault) -> None:
    assert settings.load() == Settings()
    assert not settings.load().mail_is_set_up
    assert settings.mail_server(vault) is None


def test_mail_is_set_up_with_the_usual_port_and_verified_tls(vault: Vault) -> None:
    changed = settings.change(MAIL, vault)

    assert changed == ("smtp_host", "smtp_user", "mail_from", "mail_to", "smtp_password")
    assert settings.load().mail_is_set_up
    assert settings.mail_server(vault) == MailServer(
        host="smtp.example.com",
        port=587,
        security=MailSecurity.STARTTLS,
        user="me",
        password=PASSWORD,
        sender="backup@example.com",
        recipient="me@example.org",
    )
    assert settings.change(MAIL, vault) == ()


def test_the_password_is_stored_encrypted_and_never_read_back(
    vault: Vault, open_store: Path
) -> None:
    settings.change(MAIL, vault)

    shown = f"{settings.load()} {settings.mail_server(vault)}"
    files = b"".join(file.read_bytes() for file in open_store.parent.glob("*sqlite3*"))

    assert settings.load().has_smtp_password
    assert PASSWORD not in shown
    assert PASSWORD.encode() not in files


def test_a_password_left_alone_stays_and_an_empty_one_is_removed(vault: Vault) -> None:
    settings.change(MAIL, vault)

    settings.change({"mail_to": "other@example.org", "smtp_password": None}, vault)
    kept = settings.mail_server(vault)
    settings.change({"smtp_user": "", "smtp_password": ""}, vault)

    assert kept is not None
    assert kept.password == PASSWORD
    assert not settings.load().has_smtp_password


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"smtp_host": "evil.example"},
        {"smtp_port": 2525},
        {"smtp_user": "other"},
        {"smtp_security": "tls", "smtp_port": 587},
    ],
)
def test_a_stored_password_never_goes_to_another_server_or_user(
    vault: Vault, elsewhere: dict[str, object]
) -> None:
    settings.change(MAIL, vault)

    told = problems(vault, **elsewhere)
    with pytest.raises(InvalidInputError):  # nor on trial
        settings.mail_server(vault, elsewhere)

    assert "again" in told["smtp_password"]
    settings.change(elsewhere | {"smtp_password": PASSWORD}, vault)
    assert settings.load().has_smtp_password


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("smtp_host", "127.0.0.1"),
        ("smtp_port", "2525"),
        ("smtp_user", "other"),
        ("smtp_security", "tls"),
    ],
)
def test_a_password_is_not_read_for_what_another_program_wrote_beside_it(
    vault: Vault, key: str, value: str
) -> None:
    settings.change(MAIL, vault)
    with writing():
        Setting.insert(key=key, value=value).on_conflict_replace().execute()

    with pytest.raises(MovedSecretError, match="changed outside bucketvault") as caught:
        settings.mail_server(vault)
    settings.change({"smtp_password": PASSWORD}, vault)  # entered for what is there now

    assert "enter the password again" in caught.value.hint
    assert settings.mail_server(vault).password == PASSWORD


def test_the_usual_port_written_out_is_the_same_place(vault: Vault) -> None:
    settings.change(MAIL, vault)

    settings.change({"smtp_port": 587}, vault)

    assert settings.mail_server(vault).password == PASSWORD


def test_a_password_whose_server_was_removed_is_forgotten(vault: Vault) -> None:
    settings.change(MAIL, vault)

    settings.change({"smtp_host": "", "mail_from": "", "mail_to": ""}, vault)

    assert not settings.load().has_smtp_password
    assert not Setting.select().where(Setting.key == "smtp_password").exists()


def test_the_port_follows_the_kind_of_protection(vault: Vault) -> None:
    settings.change(
        {"smtp_host": "::1", "smtp_security": "none"}
        | dict.fromkeys(("mail_from", "mail_to"), "root@localhost"),
        vault,
    )

    assert settings.load().mail_port == 25
    settings.change({"smtp_security": "tls"}, vault)
    assert settings.load().mail_port == 465
    settings.change({"smtp_port": "2465"}, vault)
    assert settings.load().mail_port == 2465
    settings.change({"smtp_port": ""}, vault)
    assert settings.load().smtp_port is None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("smtp_host", "https://smtp.example.com", "only the server"),
        ("smtp_host", "smtp.example.com:587", "port in its own field"),
        ("smtp_host", "smtp example", "host name"),
        ("smtp_host", "169.254.169.254", "Link-local"),
        ("smtp_host", "2852039166", "host name"),
        ("smtp_host", "[::ffff:a9fe:a9fe]", "Link-local"),
        ("smtp_host", "smtp.example.com\r\nEHLO", "host name"),
        ("smtp_port", 0, "1 to 65535"),
        ("smtp_port", "65536", "1 to 65535"),
        ("smtp_port", True, "1 to 65535"),
        ("smtp_security", "ssl", "tls"),
        ("smtp_user", "a\nb", "invisible"),
        ("smtp_password", "a\r\nb", "invisible"),
        ("mail_to", "Me <me@example.org>", "a single address"),
        ("mail_to", "a@b.example, c@d.example", "a single address"),
        ("mail_to", "a@b.example\nBcc: x@y.example", "a single address"),
        ("mail_to", '"a b"@b.example', "a single address"),
        ("mail_to", "me", "a single address"),
        ("mail_from", "ä@example.org", "a single address"),
        ("mail_from", f"{'a' * 65}@example.org", "a single address"),
        ("ping_url", "ftp://example.org", "https://"),
        ("ping_url", "http://example.org/x", "https://"),
        ("ping_url", "https://user:pass@example.org", "user and password"),
        ("ping_url", "https://example.org/#x", "#"),
        ("ping_url", "https://[fe80::1]/", "Link-local"),
        ("ping_url", "https://0xA9FEA9FE/x", "no valid host"),
        ("ping_url", "https://169.254.43518/x", "no valid host"),
        ("ping_url", "http://[64:ff9b::a9fe:a9fe]/x", "Link-local"),
        ("ping_url", "https://exa mple.org/", "space"),
        ("ping_url", "https://x.example/\r\nHost: y", "space"),
        ("ping_url", 3, "text"),
        ("log_retention_days", -1, "from 0"),
        ("stall_minutes", "soon", "whole number"),
        ("bandwidth_mb_s", "20 MB/s", "a number of MB/s"),
        ("bandwidth_mb_s", "0.01", "from 0.1 to 100,000"),
        ("bandwidth_mb_s", float("nan"), "a number of MB/s"),
        ("bandwidth_mb_s", True, "a number of MB/s"),
        ("bandwidth_from", "8:00", "HH:MM"),
        ("bandwidth_to", dt.time(8), "HH:MM"),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field(
    vault: Vault, field: str, value: object, said: str
) -> None:
    settings.change(MAIL, vault)

    assert said in problems(vault, **{field: value})[field]


@pytest.mark.parametrize(
    ("start", "end", "field", "said"),
    [
        ("08:00", "", "bandwidth_to", "when the limit ends"),
        ("", "22:00", "bandwidth_from", "when the limit begins"),
        ("08:00", "08:00", "bandwidth_to", "the same"),
    ],
)
def test_hours_of_a_limit_that_make_no_sense_are_said_at_the_field_that_is_wrong(
    vault: Vault, start: str, end: str, field: str, said: str
) -> None:
    told = problems(vault, bandwidth_mb_s=20, bandwidth_from=start, bandwidth_to=end)

    assert list(told) == [field] and said in told[field]


@pytest.mark.parametrize(
    ("entered", "bytes_s"),
    [("20", 10_000_000), (" 1,25 ", 625_000), (0.1, 50_000), ("", 0), (0, 0), (None, 0)],
)
def test_each_of_the_runs_at_the_same_time_gets_its_share_of_the_bandwidth(
    vault: Vault, entered: object, bytes_s: int
) -> None:
    settings.change({"max_parallel_runs": 2, "bandwidth_mb_s": entered}, vault)

    assert settings.load().bandwidth.bytes_s == bytes_s


def test_every_problem_is_told_at_once(vault: Vault) -> None:
    told = problems(vault, mail_to="me", stall_minutes=0, smtp_password=PASSWORD)

    assert set(told) == {"mail_to", "stall_minutes", "smtp_host", "smtp_user", "mail_from"}


def test_mail_in_clear_text_stays_on_this_machine(vault: Vault) -> None:
    there = problems(vault, **(MAIL | {"smtp_security": "none"}))
    settings.change(MAIL | {"smtp_security": "none", "smtp_host": "127.0.0.1"}, vault)

    assert "a server on this machine" in there["smtp_security"]
    assert settings.load().smtp_security is MailSecurity.NONE


@pytest.mark.parametrize(
    "url",
    ["https://hc-ping.com/0a1b2c", "http://127.0.0.1:8000/ping/x?y=1", "http://192.168.1.5/x", ""],
)
def test_a_ping_goes_out_encrypted_or_stays_near(vault: Vault, url: str) -> None:
    settings.change({"ping_url": url}, vault)

    assert settings.load().ping_url == url


def test_a_mail_password_counts_as_a_secret_no_new_key_may_strand(
    vault: Vault, tmp_path: Path
) -> None:
    settings.change(MAIL, vault)
    vault.key_file.unlink()
    lost = Vault(vault.key_file)

    with pytest.raises(VaultError):
        settings.change({"smtp_password": "another one"}, lost)

    assert not vault.key_file.exists()


def test_whoever_changes_the_key_finds_every_secret(vault: Vault) -> None:
    settings.change(MAIL, vault)
    a_provider("One")

    found = list(ciphertexts())

    assert [(type(f.row).__name__, f.column) for f in found] == [
        ("Provider", "access_key_id"),
        ("Provider", "secret_access_key"),
        ("Setting", "value"),
    ]
    assert vault.decrypt(getattr(found[2].row, found[2].column), found[2].place) == PASSWORD


def test_the_same_is_said_in_a_file(vault: Vault, tmp_path: Path) -> None:
    file = tmp_path / "setup.toml"
    file.write_text(
        """
[settings]
smtp_host = "smtp.example.com"
smtp_port = 465
smtp_security = "tls"
smtp_user = "me"
smtp_password = {env = "MAIL_PASSWORD"}
mail_from = "backup@example.com"
mail_to = "me@example.org"
log_retention_days = 0
ping_url = "https://hc-ping.com/0a1b2c"
"""
    )

    first = applying.apply(file, vault, {"MAIL_PASSWORD": PASSWORD})
    again = applying.apply(file, vault, {"MAIL_PASSWORD": PASSWORD})
    with pytest.raises(InvalidInputError) as caught:
        applying.apply(file, vault, {})

    assert "smtp_password" in first[0]
    assert again == ["unchanged"]
    assert [p.field for p in caught.value.problems] == ["settings: smtp_password"]
    server = settings.mail_server(vault)
    assert server is not None
    assert server.password == PASSWORD
    assert PASSWORD not in str(first)
