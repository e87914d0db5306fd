"""A real browser for the tests that need one."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.browser.browsing import Visit, Visitor
from tests.browser.visiting import Gallery
from tests.conftest import NewBucket
from tests.pages.fake_engine import FakeEngine
from tests.pages.gallery import CHROMIUM_ARGS, fresh, serving
from tests.support.capabilities import chromium
from tests.support.gate import Gate
from tests.support.program import Bucket, Program, Served, until
from tests.support.servers import RcloneS3

SCREEN = {"width": 1440, "height": 900}

SetUp = Callable[..., tuple[Bucket, Bucket]]

expect.set_options(timeout=20_000)  # what is there ends a wait at once; a busy machine takes long


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The starter of browsers."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, without a window."""
    browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def gallery_server(browser: Browser) -> Iterator[Gallery]:
    """The pages over a made-up engine; in the end none of those that are gone may listen still."""
    with contextlib.ExitStack() as stack:
        with patch.dict(os.environ):
            del os.environ["PYTEST_CURRENT_TEST"]  # NiceGUI leaves out what it does for a server
            address, engine = stack.enter_context(serving(FakeEngine()))
        yield Gallery(browser, address, engine)
        subscribers = engine.live._subscribers
        # a socket that was cut without a word is missed after 45 s (engine.io's ping and its wait)
        until("no page listens that is gone", lambda: not subscribers, timeout_s=120)


@pytest.fixture
def gallery(gallery_server: Gallery) -> Gallery:
    """The pages over a made-up engine, which is as it was at the start."""
    fresh(gallery_server.engine)
    return gallery_server


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Sign a user in; afterwards no page may have met an error or asked another host."""
    visitors: list[Visitor] = []

    def come(served: Served) -> Visitor:
        context = browser.new_context(base_url=f"{served.home}/", viewport=SCREEN)
        visitors.append(Visitor(context, served))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.context.close()
    assert not [wrong for visitor in visitors for wrong in visitor.wrong]


@pytest.fixture
def gate(here: RcloneS3) -> Iterator[Gate]:
    """A source in a test's hand."""
    with Gate(here.endpoint) as gate:
        yield gate


@pytest.fixture
def set_up(
    bucketvault: Program, gate: Gate, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> SetUp:
    """Makes a backup whose source is behind the gate; gives both buckets."""

    def make(contents: dict[str, bytes], **more: Any) -> tuple[Bucket, Bucket]:
        source, destination = new_bucket(here, contents), new_bucket(elsewhere)
        bucketvault.backup(source, destination, source_endpoint=gate.endpoint, **more)
        return source, destination

    return make
