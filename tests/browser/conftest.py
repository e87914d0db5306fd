"""A real browser for the tests that need one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.browser.browsing import Visit, Visitor
from tests.conftest import NewBucket
from tests.support.capabilities import chromium
from tests.support.gate import Gate
from tests.support.program import Bucket, Program, Served
from tests.support.servers import RcloneS3

SCREEN = {"width": 1440, "height": 900}

SetUp = Callable[..., tuple[Bucket, Bucket]]

expect.set_options(timeout=20_000)  # what is there ends a wait at once; a busy machine takes long

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What starts browsers."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, without a window."""
    browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Signs somebody in; afterwards no page may have met an error or asked another host."""
    visitors: list[Visitor] = []

    def come(served: Served) -> Visitor:
        context = browser.new_context(base_url=served.base, viewport=SCREEN)
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
