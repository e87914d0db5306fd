"""Pages over a made-up engine, in NiceGUI's simulated browser."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from nicegui import background_tasks
from nicegui.testing import User
from nicegui.testing import user as simulated

from tests.pages import fake_engine
from tests.pages.waiting import PATIENCE_S, PAUSE_S, becomes


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Left alone without NiceGUI's plugin: this folder is a suite of its own (pytest.ini)."""
    if config.pluginmanager.hasplugin("nicegui.testing.user_plugin"):
        return None
    return collection_path.name.startswith("test_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: begun at the end, one of a minute would keep everybody waiting."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Leave all that is there by now out of what is looked through for garbage.

    NiceGUI's simulation has it looked through twice a test, and that was half of their time.
    """
    from bucketvault.pages import site  # noqa: F401  what every test brings along

    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def frozen() -> None:
    """Take what earlier tests left for good: NiceGUI's plugin collects garbage after each test."""
    gc.freeze()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages fetch in threads and draw by timers: what should be seen has the time that takes."""
    for look in (User.should_see, User.should_not_see):
        monkeypatch.setitem(look.__kwdefaults__, "retries", round(PATIENCE_S / PAUSE_S))
    # these two alone wait by it, for two to five times as long between two looks
    quick = SimpleNamespace(**vars(asyncio) | {"sleep": lambda _: asyncio.sleep(PAUSE_S)})
    monkeypatch.setattr(simulated, "asyncio", quick)


@pytest.fixture
async def engine(user: User) -> AsyncIterator[fake_engine.FakeEngine]:
    """An engine whose pages are served to `user`."""
    from bucketvault.pages import site

    made = fake_engine.FakeEngine()
    made.live.attach(asyncio.get_running_loop())
    site.register(made)
    yield made
    # A page on its way must be there first: ended before its first step, it would warn.
    await becomes(lambda: not any(map(_is_navigation, background_tasks.running_tasks)))
    made.live.attach(None)


def _is_navigation(task: "asyncio.Task[object]") -> bool:
    return task.get_name().startswith("navigate ")
