"""From a port that was taken to the first answer there."""

from pathlib import Path

import pytest

from bucketvault.access import links
from bucketvault.access.sessions import Sessions
from bucketvault.config import Config, load_config
from bucketvault.server.address import door_of
from bucketvault.server.listener import Listener
from bucketvault.server.process import _opened


@pytest.fixture
def config(open_store: Path) -> Config:
    """The settings of a data folder whose database is open."""
    return load_config({}, data_dir=str(open_store.parent))


@pytest.fixture
def listener(config: Config) -> Listener:
    """As it is when another user had the port."""
    made = Listener(door_of(config))
    made.is_strange = True
    return made


async def test_no_session_is_left_before_the_first_answer_when_another_user_had_the_port(
    config: Config, listener: Listener
) -> None:
    sessions = Sessions(config.address, config.password)
    sessions.load()
    path = sessions.path
    session = await sessions.begin(links.make())
    assert session is not None and sessions.is_valid(session)

    _opened(config, sessions, listener, with_link=False)

    assert not sessions.is_valid(session) and sessions.path != path
