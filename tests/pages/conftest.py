"""Pages over a made-up engine, in NiceGUI's simulated browser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nicegui.testing import User

from tests.pages import fake_engine


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Left alone without NiceGUI's plugin: this folder is a suite of its own (pytest.ini)."""
    if config.pluginmanager.hasplugin("nicegui.testing.user_plugin"):
        return None
    return collection_path.name.startswith("test_")


@pytest.fixture
async def engine(user: User) -> AsyncIterator[fake_engine.FakeEngine]:
    """An engine whose pages are served to `user`."""
    from bucketvault.pages import site

    made = fake_engine.FakeEngine()
    made.live.attach(asyncio.get_running_loop())
    site.register(made)
    yield made
    made.live.attach(None)
