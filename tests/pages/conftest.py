"""Pages over a made-up engine, in NiceGUI's simulated browser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nicegui.testing import User

from tests.pages import scenes


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Left alone without NiceGUI's plugin: this folder is a suite of its own (pytest.ini)."""
    if config.pluginmanager.hasplugin("nicegui.testing.user_plugin"):
        return None
    return collection_path.name.startswith("test_")


@pytest.fixture
async def engine(user: User) -> AsyncIterator[scenes.FakeEngine]:
    """An engine whose pages are served to `user`."""
    from bucketvault.pages import backups, layout, run

    made = scenes.FakeEngine()
    made.live.attach(asyncio.get_running_loop())
    layout.install()
    backups.register(made)
    run.register(made)
    yield made
    made.live.attach(None)
