"""Whole journeys of a user who has read no manual: by what the pages say, and nothing else."""

import re
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import RUN_MS, Tab, Visit
from tests.conftest import NewBucket
from tests.support.mailbox import Mailbox
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

pytestmark = [pytest.mark.browser, pytest.mark.slow]


MOST_ACTIONS, MOST_PAGES = 15, 3  # to a first green run


class Hands:
    """A user whose actions are counted: a click, a field filled and a key pressed are one each.

    Counted are also the pages they lead to, each once however often it is opened.
    """

    def __init__(self, tab: Tab) -> None:
        self.tab, self.actions = tab, 0
        self.pages: set[str] = set()
        tab.page.on("framenavigated", lambda frame: self.pages.add(urlsplit(frame.url).path))

    def click(self, role: Literal["link", "button", "option", "combobox"], name: str) -> None:
        self.actions += 1
        self.tab.page.get_by_role(role, name=name, exact=True).click()

    def fill(self, label: str, value: str) -> None:
        self.actions += 1
        self.tab.field(label).fill(value)

    def enter(self, server: RcloneS3) -> None:
        """Fill the form of a provider, as far as it must be."""
        self.fill("Endpoint", server.endpoint)
        self.fill("Access key ID", server.access_key_id)
        self.fill("Secret access key", server.secret_access_key)

    def choose(self, label: str, bucket: str) -> None:
        self.click("combobox", label)
        self.click("option", bucket)


def test_a_first_green_run_takes_fifteen_actions_and_three_pages(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    visit: Visit,
) -> None:
    source, destination = new_bucket(here, objects(12)), new_bucket(elsewhere)
    tab = visit(bucketvault.serve()).tab()
    user = Hands(tab)

    # two providers; their names are their addresses
    user.click("link", "S3-compatible")
    user.enter(here)
    user.click("button", "Save and add another")
    expect(tab.verdict).to_contain_text("is saved.", timeout=RUN_MS)
    user.enter(elsewhere)
    user.click("button", "Save and create a backup")

    # a backup between two of their buckets: the form lists them, and says what is there
    expect(tab.title).to_have_text("New backup", timeout=RUN_MS)
    user.choose("Copy from", source.name)
    user.choose("Copy to", destination.name)
    expect(tab.page.get_by_text("There are 7 objects and folders")).to_be_visible()
    expect(tab.page.get_by_text("Empty: ready for a first copy.")).to_be_visible()
    expect(tab.page.get_by_text("The next three runs")).to_be_visible()
    user.click("button", "Save and run now")

    # green
    expect(tab.verdict).to_contain_text("Succeeded: 12 copied.", timeout=RUN_MS)
    assert destination.copy() == source.objects()
    assert user.actions <= MOST_ACTIONS, user.actions
    assert len(user.pages) <= MOST_PAGES, user.pages

    # both buckets are storages now, each for its use
    tab.menu("Storages")
    for bucket, use in ((source, "copy from"), (destination, "copy to")):
        named = tab.page.locator(".c-name", has_text=bucket.name)
        expect(tab.page.locator("tr.entry").filter(has=named)).to_contain_text(use)

    # nobody would hear of a failure: home says so, and leads to where it is mended
    tab.menu("Backups")
    expect(tab.verdict).to_contain_text("Alerts are off")
    expect(tab.verdict).to_contain_text("All good")
    tab.verdict.get_by_role("link", name="Set up alerts").click()
    with Mailbox().up() as mailbox:
        tab.field("To").fill("me@example.org")
        tab.field("From").fill("backup@example.com")
        tab.field("Mail server").fill("127.0.0.1")
        tab.field("Port (optional)").fill(str(mailbox.port))
        tab.choose("Protection", "none, on this machine only (usual port 25)")
        tab.press("Send test email")
        expect(tab.page.get_by_text("The mail server accepted the test email.")).to_be_visible()
        assert len(mailbox.raw) == 1
        tab.press("Save")
        expect(tab.page.get_by_text("Saved.")).to_be_visible()

        tab.menu("Backups")
        expect(tab.verdict).to_contain_text("All good")


def test_a_wrong_secret_is_found_understood_and_mended(
    bucketvault: Program,
    here: RcloneS3,
    new_bucket: NewBucket,
    visit: Visit,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    mailbox = Mailbox()
    root = tmp_path_factory.mktemp("changing")
    with RcloneS3(root, secret_access_key="the-first-secret-0001") as changing, mailbox.up():
        source, destination = new_bucket(here, objects(12)), new_bucket(changing)
        bucketvault.apply(mailbox.settings)
        bucketvault.backup(source, destination)
        assert bucketvault.run()["status"] == "success"
        changing.stop()
        changing.secret_access_key = "another-secret-0002"  # at the provider, behind our back
        changing.start()
        source.put("new.txt", b"new")
        tab = visit(bucketvault.serve()).tab()
        tab.run_now().click()

        # home says what is wrong, with whom, and where to look
        expect(tab.verdict).to_contain_text("Photos", timeout=RUN_MS)
        expect(tab.verdict).to_contain_text("Destination rejected the secret access key.")
        tab.page.get_by_role("link", name="View run: Photos").first.click()
        expect(tab.verdict).to_contain_text("Failed: Destination rejected the secret access key.")
        assert changing.secret_access_key not in tab.page.content()
        until("the failure is mailed", lambda: len(mailbox.raw) == 1)

        # mended where the key is entered; the stored one is never shown
        tab.go("Open Destination")
        tab.go("Edit")
        expect(tab.field("Secret access key")).to_have_value("")
        tab.field("Secret access key").fill("a-slip-of-the-hand")
        tab.press("Save")
        expect(
            tab.page.get_by_role("alert").filter(has_text="SignatureDoesNotMatch")
        ).to_be_visible(timeout=RUN_MS)
        tab.field("Secret access key").fill(changing.secret_access_key)
        tab.press("Save")
        expect(tab.title).to_have_text("Destination")
        assert changing.secret_access_key not in tab.page.content()

        # and green again, which is mailed, too
        tab.menu("Backups")
        tab.run_now().click()
        expect(tab.verdict).to_have_class(re.compile(r"\bst-ok\b"), timeout=RUN_MS)
        expect(tab.verdict).to_contain_text("All good")
        until("the recovery is mailed", lambda: len(mailbox.raw) == 2)
        assert ["failed" in mailbox.subjects[0], "again" in mailbox.subjects[1]] == [True, True]
        assert destination.copy() == source.objects()


def test_a_held_run_is_reviewed_line_by_line_and_approved(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    visit: Visit,
) -> None:
    source, destination = new_bucket(here, objects(30)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.run()
    before = destination.copy()
    gone = source.keys()[:20]
    for key in gone:
        source.delete(key)
    tab = visit(bucketvault.serve()).tab()
    tab.run_now().click()

    # held, and nothing is touched
    expect(tab.verdict).to_contain_text("Held for your approval", timeout=RUN_MS)
    tab.page.get_by_role("link", name="Review: Photos").first.click()
    expect(tab.verdict).to_contain_text("20 of 30")
    expect(tab.verdict).to_contain_text("Nothing was changed")
    assert destination.copy() == before

    # which objects would go
    tab.go("Review")
    tab.page.get_by_role("button", name=re.compile("would be removed", re.IGNORECASE)).click()
    tab.until(
        "every object that would go",
        lambda: {key for row in tab.rows() for key in gone if key in row} == set(gone),
    )

    # approved by a user who was told what that means
    tab.press("Approve this run")
    expect(tab.page.get_by_role("dialog")).to_contain_text("20")
    assert destination.copy() == before
    tab.press("Approve and run")
    expect(tab.verdict).to_contain_text("Succeeded", timeout=RUN_MS)
    assert destination.copy() == source.objects()

    # what was taken away is kept, and the backup's page lists it
    tab.go("Photos")
    kept = tab.page.get_by_role("region", name="Kept versions")
    expect(kept).to_contain_text("20 objects", timeout=RUN_MS)
    assert {key for folder in destination.kept().values() for key in folder} == set(gone)
