"""From an empty installation to storages that backups can use, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import Visit
from tests.support.program import Program
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.browser

HOSTILE_NAME = "<img src=x onerror=\"document.title='owned'\">{{ 7*7 }}"
HOSTILE_BUCKET = "<b>{{ 7*7 }}<img src=x onerror=alert(1)>"


def test_a_provider_is_entered_mended_tested_and_its_buckets_imported(
    bucketvault: Program, visit: Visit, tmp_path: Path
) -> None:
    root = tmp_path / "served"
    for name in ("copies", "photos", HOSTILE_BUCKET):
        (root / name).mkdir(parents=True)
    (root / "photos" / "one.jpg").write_bytes(b"one")
    with RcloneS3(root, secret_access_key="the-true-secret-0123456789") as server:
        tab = visit(bucketvault.serve()).tab()
        page = tab.page

        # nothing is there yet
        page.get_by_role("link", name="Providers").first.click()
        expect(page.get_by_text("No provider yet.")).to_be_visible()
        page.get_by_role("link", name="S3-compatible").click()

        # a wrong secret: said at its field, and nothing typed is lost
        tab.field("Name").fill(HOSTILE_NAME)
        tab.field("Endpoint").fill(server.endpoint)
        tab.field("Access key ID").fill(server.access_key_id)
        tab.field("Secret access key").fill("a-wrong-secret-0123456789")
        tab.press("Save")
        wrong = page.locator(".field", has=page.locator("#field-secret_access_key"))
        expect(wrong.get_by_role("alert")).to_contain_text("403 SignatureDoesNotMatch")
        expect(page.locator(".field.wrong")).to_have_count(1)
        expect(tab.field("Endpoint")).to_have_value(server.endpoint)

        # mended
        tab.field("Secret access key").fill(server.secret_access_key)
        tab.press("Save")
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE_NAME)
        tab.press("Test connection")
        expect(page.get_by_text("The key works for reading.")).to_be_visible()

        # two buckets, each with one question
        expect(page.get_by_text(HOSTILE_BUCKET, exact=True)).to_be_visible()
        tab.press("Add photos")
        tab.press("Copy from it")
        expect(page.get_by_text("photos was added.")).to_be_visible()
        tab.press(f"Add {HOSTILE_BUCKET}")
        tab.press("Copy to it")
        expect(page.locator(".pill", has_text="Added")).to_have_count(2)

        # editing never brings the secret back
        page.get_by_role("link", name="Edit").click()
        expect(tab.field("Secret access key")).to_have_value("")
        expect(tab.field("Secret access key")).to_have_attribute("placeholder", "unchanged")
        tab.frames.clear()
        page.reload()
        expect(tab.field("Name")).to_have_value(HOSTILE_NAME)
        page.wait_for_function("window.socket?.connected")
        tab.field("Name").fill("The cellar")
        html = page.content()
        tab.press("Save")
        expect(page.get_by_role("heading", level=1)).to_have_text("The cellar")
        sent = html + page.content() + "".join(tab.frames)
        assert tab.frames and server.secret_access_key not in sent

        # and the list has them
        page.get_by_role("link", name="Storages").first.click()
        expect(page.locator("tr.entry")).to_have_count(2)
        expect(page.get_by_text(HOSTILE_BUCKET, exact=True)).to_be_visible()
        expect(page.get_by_text("The cellar").first).to_be_visible()
        assert (
            "owned" not in page.title() and page.locator(".page img, .page b:has(*)").count() == 0
        )
