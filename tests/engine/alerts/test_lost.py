"""The mail about a lost database: what it cannot do never hides that the database is lost."""

import logging
from pathlib import Path

import pytest

from bucketvault.cli import main
from bucketvault.config import load_config
from bucketvault.engine import maintenance
from bucketvault.engine.alerts import lost, targets
from bucketvault.engine.alerts.targets import TargetFields
from bucketvault.errors import BrokenDatabaseError
from bucketvault.store.database import close_database
from bucketvault.store.models import utcnow
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import AlertEvent
from tests.support.listener import Listener


def test_a_folder_of_copies_that_cannot_be_read_is_logged_and_hides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config({}, data_dir=str(tmp_path))
    config.backups.symlink_to("x" * 300)  # refused to root, too: the name is too long

    with caplog.at_level(logging.WARNING, "bucketvault"):
        lost.tell(config, BrokenDatabaseError("The database is missing."))

    assert "no mail about the database could be sent" in caplog.text
    assert not (tmp_path / lost.TOLD).exists()


def test_every_target_that_wants_news_of_the_program_hears_of_it_once(
    open_store: Path, vault: Vault
) -> None:
    key = {"BUCKETVAULT_KEY_FILE": str(vault.key_file)}
    config = load_config(key, data_dir=str(open_store.parent))
    vault.create_key()
    with Listener().up() as phone, Listener().up() as other:
        targets.create(TargetFields("Phone", phone.url("hook")), vault)
        targets.create(TargetFields("Other", other.url("hook"), (AlertEvent.FAILED,)), vault)
        maintenance.copy_database(config.backups, utcnow())
        close_database()

        for _ in range(2):
            lost.tell(config, BrokenDatabaseError("The database is missing."))

    (request,) = phone.requests
    assert request.json["event"] == "program" and not other.requests
    assert "The database is missing." in request.json["text"]


def test_the_error_is_said_before_the_mail_which_may_take_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledgers").mkdir()
    (tmp_path / "ledgers" / "photos.0.gz").touch()
    said: list[str] = []
    monkeypatch.setattr(lost, "tell", lambda *_: said.append(capsys.readouterr().err))

    assert main(["--data-dir", str(tmp_path), "serve"]) == 2

    assert len(said) == 1 and "is missing, but this folder was in use" in said[0]
