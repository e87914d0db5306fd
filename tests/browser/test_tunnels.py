"""Through a real sshd, as people reach it: `ssh -L` to the port, and to the socket."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.support.program import Program, until
from tests.support.ssh import Sshd

pytestmark = [pytest.mark.browser, pytest.mark.sshd]


@pytest.fixture
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


def opens_through(browser: Browser, port: int, *links: str) -> None:
    """The pages open, live, at the tunnel's near end, whatever port the link names."""
    for name, link in zip(("localhost", "127.0.0.1"), links, strict=True):
        context = browser.new_context()
        page = context.new_page()
        parts = urlsplit(link)
        page.goto(f"http://{name}:{port}{parts.path}?{parts.query}")
        expect(page.get_by_role("heading", name="Backups")).to_be_visible()
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        assert page.url.startswith(f"http://127.0.0.1:{port}/b-")
        context.close()


def test_the_pages_open_live_through_a_tunnel_to_the_port(
    bucketvault: Program, browser: Browser, sshd: Sshd
) -> None:
    served = bucketvault.serve()

    opens_through(browser, sshd.tunnel(f"127.0.0.1:{served.port}"), served.link, served.link)


def test_the_pages_open_live_through_a_tunnel_to_the_socket(
    bucketvault: Program, browser: Browser, sshd: Sshd, tmp_path: Path
) -> None:
    path = tmp_path / "door" / "bv.sock"
    process = bucketvault.start("serve", "--socket", str(path))
    until("it answers", lambda: process.poll() is not None or not bucketvault.cli("url").code)
    links = [bucketvault.cli("url").out.strip() for _ in range(2)]

    opens_through(browser, sshd.tunnel(str(path)), *links)
