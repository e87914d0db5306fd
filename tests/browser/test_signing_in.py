"""Signing in and out, in a real browser."""

import re
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.program import CLEAN_STOP_S, Program, Served, until
from tests.support.servers import free_port
from tests.support.tunnel import Tunnel

# a tab may be led there twice, by its own script and by the server: one of the two is aborted
SIGN_IN = re.compile(r"/login$")

pytestmark = pytest.mark.browser


class Watched:
    """A browser of its own, and everything in it that a person should never see."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self.context = browser.new_context(base_url=f"{served.home}/")
        self.wrong: list[str] = []
        self._own = (served.base, served.base.replace("http", "ws"), "data:", "blob:")

    def page(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        page.on("request", lambda asked: self._look(asked.url))
        page.on("websocket", lambda opened: self._look(opened.url))
        return page

    def _look(self, address: str) -> None:
        if not address.startswith(self._own):
            self.wrong.append(f"asked for {address}")


def test_the_link_opens_the_home_page_and_signing_out_closes_every_tab(
    bucketvault: Program, browser: Browser
) -> None:
    served = bucketvault.serve()
    here, elsewhere = Watched(browser, served), Watched(browser, served)
    page, second, other = here.page(), here.page(), elsewhere.page()

    page.goto(served.link)
    expect(page.get_by_role("heading", name="Backups")).to_be_visible()
    assert page.url == f"{served.home}/"
    other.goto(served.link)
    second.goto(served.link)  # once more in the same browser: both tabs have one session
    for tab in (second, other):
        expect(tab.get_by_text("Connected", exact=True)).to_be_visible()
    assert not here.wrong and not elsewhere.wrong

    # not waited for: the page may be led away before its own script has the answer
    page.evaluate("void fetch('logout', {method: 'POST'})")

    for tab in (page, second):
        expect(tab).to_have_url(SIGN_IN)
        expect(tab.get_by_text("bucketvault url")).to_be_visible()
    other.wait_for_timeout(1500)  # longer than the server waits before it cuts a socket
    assert other.url == f"{served.home}/" and not elsewhere.wrong
    here.context.close()
    elsewhere.context.close()


def test_a_visitor_is_led_to_the_sign_in_page_and_then_where_they_wanted(
    bucketvault: Program, browser: Browser
) -> None:
    served = bucketvault.serve()
    watched = Watched(browser, served)
    page = watched.page()

    page.goto("?from=mail")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Or paste the link").fill(served.link)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Backups")).to_be_visible()
    assert page.url == f"{served.home}/?from=mail"
    assert not watched.wrong
    watched.context.close()


def test_open_starts_the_server_and_a_browser_that_is_signed_in_without_a_token_in_its_arguments(
    bucketvault: Program, browser: Browser, tmp_path: Path
) -> None:
    started, port = tmp_path / "arguments", free_port()
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$@" > {started}\n')
    script.chmod(0o755)
    environment = {"BROWSER": str(script), "BUCKETVAULT_PORT": str(port)}

    try:
        for _ in range(2):  # the second time there is a server
            opening = bucketvault.start("open", **environment)
            shown = until(
                "the browser was started", lambda: started.exists() and started.read_text()
            )
            assert shown.startswith("file://") and "token" not in shown
            page = browser.new_context().new_page()
            page.goto(shown.strip())
            expect(page.get_by_role("heading", name="Backups")).to_be_visible()
            page.context.close()
            assert opening.wait(60) == 0, opening.communicate()
            started.unlink()
            assert not (bucketvault.data_dir / "open.html").exists()
    finally:
        ours = [
            process
            for process in psutil.process_iter(["cmdline"])
            if {"serve", str(bucketvault.data_dir)} <= set(process.info["cmdline"] or ())
        ]
        for server in ours:
            server.terminate()
        psutil.wait_procs(ours, timeout=30)
    assert len(ours) == 1


def test_a_tab_whose_link_was_replaced_shows_the_sign_in_page(
    bucketvault: Program, browser: Browser
) -> None:
    served = bucketvault.serve()
    watched = Watched(browser, served)
    page = watched.page()
    page.goto(served.link)
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()

    bucketvault.cli("url", "--new")

    expect(page).to_have_url(SIGN_IN)
    watched.context.close()


def test_a_tab_that_was_cut_off_when_its_session_ended_says_so_and_leads_to_signing_in(
    bucketvault: Program, browser: Browser
) -> None:
    served = bucketvault.serve()
    served.sign_in()  # another session, which ends with all others
    with Tunnel(served.port) as tunnel:
        through = replace(served, port=tunnel.port)
        watched = Watched(browser, through)
        page = watched.page()
        page.goto(through.link)
        page.goto("providers/new?kind=backblaze_b2")
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        page.get_by_label("Name", exact=True).fill("Second copy")
        # a browser that is told to be offline may still open websockets: this cut is a real one
        tunnel.cut()
        expect(page.get_by_text("Not connected. Trying again.")).to_be_visible()

        before = served.path  # the new one would be refused before the server has it, too
        link = bucketvault.cli("url", "--new").out.split()[-1]
        until("the server knows it, too", lambda: served.ask(f"{before}/").status == 401)
        tunnel.mend()

        expect(page.get_by_text("You are signed out.")).to_be_visible()
        expect(page.get_by_label("Name", exact=True)).to_have_value("Second copy")
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("Or paste the link").fill(link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{through.home}/providers/new?kind=backblaze_b2")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        watched.context.close()


def test_the_server_ends_while_pages_are_open(bucketvault: Program, browser: Browser) -> None:
    served = bucketvault.serve()
    watched = Watched(browser, served)
    page = watched.page()
    page.goto(served.link)
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()

    code = served.end(within_s=CLEAN_STOP_S)

    assert code == 0
    expect(page.get_by_text("Not connected", exact=True)).to_be_visible()
    watched.context.close()
