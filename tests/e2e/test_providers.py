"""From an empty installation to storages that backups can use, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from tests.support.program import Program, Served
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.browser

HOSTILE_NAME = "<img src=x onerror=\"document.title='owned'\">{{ 7*7 }}"
HOSTILE_BUCKET = "<b>{{ 7*7 }}<img src=x onerror=alert(1)>"


class Visitor:
    """A signed-in tab, everything it was sent, and whatever went wrong in it."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self.context = browser.new_context(base_url=served.base)
        self.page: Page = self.context.new_page()
        self.received: list[str] = []
        self.wrong: list[str] = []
        own = (served.base, served.base.replace("http", "ws"), "data:", "blob:")
        page = self.page
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda r: r.url.startswith(own) or self.wrong.append(f"asked {r.url}"))
        page.on("websocket", self._listen)
        page.goto(served.link)

    def _listen(self, socket: WebSocket) -> None:
        def received(data: str | bytes) -> None:
            self.received.append(data if isinstance(data, str) else data.decode(errors="replace"))

        socket.on("framereceived", received)

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()


def test_a_provider_is_entered_mended_tested_and_its_buckets_imported(
    bucketvault: Program, browser: Browser, tmp_path: Path
) -> None:
    root = tmp_path / "served"
    for name in ("copies", "photos", HOSTILE_BUCKET):
        (root / name).mkdir(parents=True)
    (root / "photos" / "one.jpg").write_bytes(b"one")
    with RcloneS3(root, secret_access_key="the-true-secret-0123456789") as server:
        visitor = Visitor(browser, bucketvault.serve())
        page = visitor.page

        # nothing is there yet
        page.get_by_role("link", name="Providers").first.click()
        expect(page.get_by_text("No provider yet.")).to_be_visible()
        page.get_by_role("link", name="S3-compatible").click()

        # a wrong secret: said at its field, and nothing typed is lost
        visitor.field("Name").fill(HOSTILE_NAME)
        visitor.field("Endpoint").fill(server.endpoint)
        visitor.field("Access key ID").fill(server.access_key_id)
        visitor.field("Secret access key").fill("a-wrong-secret-0123456789")
        visitor.press("Save")
        wrong = page.locator(".field", has=page.locator("#field-secret_access_key"))
        expect(wrong.get_by_role("alert")).to_contain_text("403 SignatureDoesNotMatch")
        expect(page.locator(".field.wrong")).to_have_count(1)
        expect(visitor.field("Endpoint")).to_have_value(server.endpoint)

        # mended
        visitor.field("Secret access key").fill(server.secret_access_key)
        visitor.press("Save")
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE_NAME)
        visitor.press("Test connection")
        expect(page.get_by_text("The key works for reading.")).to_be_visible()

        # two buckets, each with one question
        expect(page.get_by_text(HOSTILE_BUCKET, exact=True)).to_be_visible()
        visitor.press("Import photos")
        visitor.press("Copy from it")
        expect(page.get_by_text("photos is imported.")).to_be_visible()
        visitor.press(f"Import {HOSTILE_BUCKET}")
        visitor.press("Copy to it")
        expect(page.locator(".pill", has_text="Imported")).to_have_count(2)

        # editing never brings the secret back
        page.get_by_role("link", name="Edit").click()
        expect(visitor.field("Secret access key")).to_have_value("")
        expect(visitor.field("Secret access key")).to_have_attribute("placeholder", "unchanged")
        visitor.received.clear()
        page.reload()
        expect(visitor.field("Name")).to_have_value(HOSTILE_NAME)
        page.wait_for_function("window.socket?.connected")
        visitor.field("Name").fill("The cellar")
        html = page.content()
        visitor.press("Save")
        expect(page.get_by_role("heading", level=1)).to_have_text("The cellar")
        sent = html + page.content() + "".join(visitor.received)
        assert visitor.received and server.secret_access_key not in sent

        # and the list has them
        page.get_by_role("link", name="Storages").first.click()
        expect(page.locator("tr.entry")).to_have_count(2)
        expect(page.get_by_text(HOSTILE_BUCKET, exact=True)).to_be_visible()
        expect(page.get_by_text("The cellar").first).to_be_visible()
        assert (
            "owned" not in page.title() and page.locator(".page img, .page b:has(*)").count() == 0
        )
        assert not visitor.wrong, visitor.wrong
        visitor.context.close()
