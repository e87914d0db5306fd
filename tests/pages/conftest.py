"""Pages over a made-up engine, in NiceGUI's simulated browser."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nicegui.testing import User

from tests.pages import scenes


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
