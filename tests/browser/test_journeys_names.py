"""Names and messages that try to be more than text, on every page and in the mail."""

import re
import sqlite3

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browsing import RUN_MS, Visit
from tests.conftest import NewBucket
from tests.support.mailbox import Mailbox
from tests.support.program import Program, until
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MARKUP = "<img src=x data-injected onerror=\"document.title='owned'\">{{ 7*7 }}"
HOSTILE = f"{MARKUP}\u202egnp.exe\x07" + "x" * 850  # more than any form takes
UNSEEN = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\u202e]")
NAMELESS = ("/backups/new", "/health", "/settings")  # pages that name nothing, as things are here
PAGES = (
    "/",
    "/backups/1",
    "/backups/1/edit",
    "/run/1",
    "/run/2",
    "/providers",
    "/providers/1",
    "/providers/1/edit",
    "/storages",
    *NAMELESS,
)
SCREENS = ({"width": 390, "height": 844}, {"width": 1440, "height": 900})
FITS = "document.documentElement.scrollWidth <= innerWidth"


def looks_right(page: Page, *, named: bool = True) -> None:
    """No name has become more than text, and none pushes anything out of the page."""
    text = page.locator("body").inner_text()
    assert "<img src=x data-injected" in text or not named
    assert not UNSEEN.search(text.replace("\t", " ") + page.title())
    assert page.title().endswith("bucketvault")
    assert page.locator("[data-injected]").count() == 0
    page.wait_for_function(FITS)  # nothing is wider than the screen, once the frame has moved


def test_names_are_text_on_every_page_and_in_the_mail(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket, visit: Visit
) -> None:
    # moto: after a second `rclone serve s3` lists a control character as its picture
    keys = (MARKUP, "invoice-\u202egnp.exe", "bell\x07.txt", "/".join(["x" * 220] * 4))
    source = new_bucket(moto, dict.fromkeys(keys, b"x"))
    refusal = Rule("GET", "list-type=2", 403, "AccessDenied", f"{MARKUP}\u202e" + "y" * 850)
    mailbox = Mailbox()
    with RefusingProxy(moto.endpoint) as proxy, mailbox.up():
        bucketvault.apply(mailbox.settings)
        bucketvault.backup(source, new_bucket(moto), source_endpoint=proxy.endpoint)
        with sqlite3.connect(bucketvault.data_dir / "bucketvault.sqlite3") as database:
            # past the forms, which take no such names, as in a database from elsewhere
            database.execute("UPDATE backup SET name = ?", (HOSTILE,))
            database.execute("UPDATE provider SET name = name || ?", (HOSTILE,))
            database.execute("UPDATE storage SET display_name = ?", (HOSTILE,))
        assert bucketvault.run(HOSTILE)["counts"]["copied"] == len(keys)
        proxy.rules.append(refusal)
        assert bucketvault.run(HOSTILE)["status"] == "failed"
        tab = visit(bucketvault.serve()).tab()
        page = tab.page

        for address in PAGES:
            page.goto(address)
            expect(page.get_by_text("Connected", exact=True)).to_be_visible()
            if address == "/run/1":
                tab.settle()
            for screen in SCREENS:
                page.set_viewport_size(screen)
                looks_right(page, named=address not in NAMELESS)

        # in a dialog, too
        page.goto("backups/1")
        tab.press("Delete this backup")
        expect(page.get_by_role("dialog")).to_contain_text("<img src=x data-injected")
        looks_right(page)

        # and in what is mailed of the failure
        until("the failure is mailed", lambda: len(mailbox.raw) == 1, timeout_s=RUN_MS / 1000)
        (mail,) = mailbox.mails
        said = f"{mail['Subject']}\n{mail.get_content()}"
        assert mail.get_content_type() == "text/plain"
        assert "<img src=x data-injected" in said and not UNSEEN.search(said)
