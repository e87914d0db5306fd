"""The pictures in the documents: `python -m tests.screenshots [FOLDER [NAME]]`.

FOLDER is docs/pictures by default; NAME begins the names of those that are taken.

The main pages are those of a `bucketvault demo`, with its story, as it is today. Pages in a state
that the demo has not are the real ones over the gallery's made-up engine, always in the same night:
the same names, sizes, states and times each time. A page that meets an error ends this with 1.
"""

import base64
import datetime as dt
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import time_machine
from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bucketvault.access.sessions import Sessions
from bucketvault.access.signin import sign_in_routes
from bucketvault.demo import today
from bucketvault.engine.views.backups import BackupRow
from tests.demo.running import Demo, running_demo
from tests.pages import (
    fake_engine,
    scenes,
    scenes_catalogue,
    scenes_service,
    scenes_settings,
)
from tests.pages.gallery import CHROMIUM, CHROMIUM_ARGS, serving
from tests.pages.scenes_catalogue import FakeProviders

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
NIGHT = dt.datetime(2026, 11, 22, 1, 14, 5, tzinfo=dt.UTC)  # 02:14 in Berlin
ZONE = "Europe/Berlin"
DESK = {"viewport": {"width": 1440, "height": 900}, "timezone_id": ZONE}
WAYS: dict[str, dict[str, Any]] = {
    "light": {**DESK, "color_scheme": "light"},
    "dark": {**DESK, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "device_scale_factor": 1.5,
        "has_touch": True,
        "is_mobile": True,
        "timezone_id": ZONE,
    },
}
TALLEST = {"light": 1120, "dark": 1120, "phone": 1700}  # a picture ends there
LOST = ("ERR_INTERNET_DISCONNECTED", "WebSocket connection")  # what a browser says offline


class Scene(NamedTuple):
    """One picture: the page, what the engine has to tell there, and what is done before it."""

    name: str
    path: str
    prepare: Callable[[fake_engine.FakeEngine], None] = lambda _: None
    act: Callable[[Page], None] = lambda _: None


class Told(NamedTuple):
    """One picture of the demo: the address there, and what is done before it."""

    name: str
    path: Callable[[Demo], str]
    act: Callable[[Page], None] = lambda _: None


def main() -> None:
    """Take every picture again."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    folder.mkdir(parents=True, exist_ok=True)
    with time_machine.travel(NIGHT.timestamp(), tick=True):
        take_scenes(folder, only)
    if told := [each for each in STORY if each.name.startswith(only)]:
        with running_demo(ZONE) as demo:
            take_story(folder, told, demo)


def take_story(folder: Path, story: list[Told], demo: Demo) -> None:
    """Take pictures of the demo's pages, each when no run is left of the one before."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page()
        page.goto(demo.link)
        expect(page.locator(".greeted .page")).to_be_attached()
        home, signed_in = page.url.rstrip("/"), page.context.storage_state()
        page.context.close()
        is_at_rest = False
        for each in story:
            for way, options in WAYS.items():
                if not is_at_rest or each.act is run_now:
                    demo.at_rest()
                is_at_rest = each.act is not run_now
                file = folder / f"{each.name}-{way}.png"
                address = home + each.path(demo)
                with tab(browser, address, {**options, "storage_state": signed_in}) as page:
                    each.act(page)
                    take(page, file, TALLEST[way])
                print(file, f"{file.stat().st_size // 1000} kB")
        browser.close()


def take_scenes(folder: Path, only: str) -> None:
    """Take pictures of pages in states that the demo has not."""
    engine = fake_engine.FakeEngine()
    with serving(engine) as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        without_odd_names(engine.providers)
        for scene in SCENES:
            if not scene.name.startswith(only):
                continue
            engine.reset()
            engine.rows = one_failed_among_good_ones()
            engine.preferences.shown = scenes_settings.good()
            scene.prepare(engine)
            for way, options in WAYS.items():
                file = folder / f"{scene.name}-{way}.png"
                with tab(browser, address + scene.path, options) as page:
                    scene.act(page)
                    take(page, file, TALLEST[way])
                print(file, f"{file.stat().st_size // 1000} kB")
        for way, options in WAYS.items() if not only else ():
            take_sign_in(browser, folder / f"sign-in-{way}.png", options)
        browser.close()


def without_odd_names(providers: FakeProviders) -> None:
    """The names that the gallery tries its pages with are nothing for a document."""
    for known in (providers.all, providers.all_storages):
        for key in [key for key, row in known.items() if scenes_catalogue.NASTY[:9] in str(row)]:
            del known[key]


def take_sign_in(browser: Browser, file: Path, options: dict[str, Any]) -> None:
    """The sign-in page: it has no script, and needs no engine."""
    app = FastAPI()
    app.include_router(sign_in_routes(cast(Sessions, WithPassword())))
    context = browser.new_context(**{**options, "viewport": {"width": 390, "height": 420}})
    page = context.new_page()
    page.set_content(TestClient(app).get("/login").text)
    save(page, file)
    context.close()
    print(file, f"{file.stat().st_size // 1000} kB")


class WithPassword:
    """All that the form asks."""

    def has_password(self) -> bool:
        return True


def empty(engine: fake_engine.FakeEngine) -> None:
    engine.rows, engine.steps = [], scenes.steps()
    engine.installation = replace(scenes.GOOD_INSTALLATION, mail_is_set_up=False)


def all_good(engine: fake_engine.FakeEngine) -> None:
    engine.rows = [with_next(row) for row in scenes.good_rows() if row.active_run is None]


def all_running(engine: fake_engine.FakeEngine) -> None:
    engine.rows = [with_next(row) for row in scenes.running_rows()]


def bad_settings(engine: fake_engine.FakeEngine) -> None:
    shown = scenes_settings.bad()
    refused = "535 5.7.8 Error: authentication failed."
    dead = replace(shown.mail.dead[0], last_error=refused)
    engine.preferences.shown = replace(shown, mail=replace(shown.mail, dead=(dead,)))


def with_services(engine: fake_engine.FakeEngine) -> None:
    scenes_service.known_to(engine.providers)


def go_offline(page: Page) -> None:
    page.wait_for_function("window.did_handshake && window.socket.connected")
    page.context.set_offline(True)
    page.evaluate("window.socket.io.engine.close()")
    page.locator("#offline").wait_for()


def press_save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector(".verdict.st-bad")
    page.evaluate("scrollTo(0, 0)")


def run_now(page: Page) -> None:
    page.get_by_role("button", name="Run now").click()
    expect(page.locator(".say")).to_have_text(re.compile(r"Copying: [3-9]\d"), timeout=60_000)


def open_newest(page: Page) -> None:
    page.locator(".mail > summary").first.click()


def at(path: str) -> Callable[[Demo], str]:
    return lambda _: path


def newest_run_of(name: str) -> Callable[[Demo], str]:
    return lambda demo: f"/run/{demo.backup(name)['last_run']['id']}"


STORY = (
    Told("run-live", at("/backups/1"), run_now),  # the first of the setup file
    Told("home", at("/")),
    Told("run-failed", newest_run_of(today.FAILED)),
    Told("run-held", newest_run_of(today.HELD)),
    Told("backup", at("/backups/1")),
    Told("backup-form", at("/backups/1/edit")),
    Told("mailbox", at("/mailbox"), open_newest),
    Told("providers", at("/providers")),
    Told("provider", at("/providers/3")),
    Told("storages", at("/storages")),
    Told("health", at("/health")),
    Told("settings", at("/settings")),
)
SCENES = (
    Scene("home-empty", "/", empty),
    Scene("home-good", "/", all_good),
    Scene("home-running", "/", all_running),
    Scene("offline", "/", act=go_offline),
    Scene("backup-form-errors", "/backups/new", act=press_save),
    *(
        Scene(f"service-{name}", f"/providers/{row.id}", with_services)
        for name, (row, _, _) in scenes_service.services().items()
    ),
    Scene("settings-mail-refused", "/settings", bad_settings),
)


def one_failed_among_good_ones() -> list[BackupRow]:
    """The sample's backups: one failed in the night, one runs now."""
    rows = scenes.good_rows()
    failed = scenes.failed_run()
    rows[3] = scenes.backup_row(4, last_run=failed, last_good_at=scenes.now() - scenes.DAY)
    return [with_next(row) for row in rows]


def with_next(row: BackupRow) -> BackupRow:
    """With a next planned time that fits its schedule."""
    return replace(row, next_due_at=row.next_due_at and next_due(row))


def next_due(row: BackupRow) -> dt.datetime:
    """When a backup of the sample runs next, by its own schedule."""
    here = scenes.now().astimezone(scenes.ZONE)
    due = here.replace(hour=int(row.at[:2]), minute=int(row.at[3:]), second=0, microsecond=0)
    while due <= here or (row.weekday is not None and due.weekday() != 0):  # weekly ones: Mondays
        due += scenes.DAY
    return due


@contextmanager
def tab(browser: Browser, address: str, options: dict[str, Any]) -> Iterator[Page]:
    """A tab at that page, once it is connected and all of its log's rows are there."""
    wrong: list[str] = []
    context = browser.new_context(**options)
    page = context.new_page()
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    expect(page.locator(".greeted .page")).to_be_attached()
    page.wait_for_load_state("networkidle")
    expect(page.locator(".log-row.k-absent:not([hidden])")).to_have_count(0)
    yield page
    context.close()
    wrong = [said for said in wrong if not any(sign in said for sign in LOST)]
    if wrong:
        sys.exit(f"{address}: {wrong}")


def take(page: Page, file: Path, tallest: int) -> None:
    """The whole page, down to `tallest` pixels; the window grows, so that nothing in it scrolls."""
    size = page.viewport_size or {"width": 0, "height": 0}
    whole = page.evaluate("document.querySelector('.page').getBoundingClientRect().bottom + 24")
    height = min(tallest, max(size["height"], int(whole)))
    page.set_viewport_size({"width": size["width"], "height": height})
    page.wait_for_timeout(300)  # what moves into place is there
    save(page, file)


# Chromium's pictures have 24 bits a point; these pages need few colours, and 256 of them make
# a file a third as large. Chromium reads the points of its own picture faster than Python could.
POINTS = """async (picture) => {
  const bytes = Uint8Array.from(atob(picture), (one) => one.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const points = new Uint32Array(
    canvas.getImageData(0, 0, image.width, image.height).data.buffer);
  const often = new Map();
  for (const point of points) often.set(point, (often.get(point) || 0) + 1);
  const all = [...often].map(([point, count]) => ({
    point, count, parts: [point & 255, (point >> 8) & 255, (point >> 16) & 255],
    near: 0, far: Infinity }));
  const chosen = [];
  while (chosen.length < 256) { // each time the one whose loss would change the picture most
    const next = all.reduce((a, b) => (b.far * b.count > a.far * a.count ? b : a));
    if (next.far === 0) break;
    for (const one of all) {
      const far = one.parts.reduce((sum, part, at) => sum + (part - next.parts[at]) ** 2, 0);
      if (far < one.far) [one.near, one.far] = [chosen.length, far];
    }
    chosen.push(next.parts);
  }
  const near = new Map(all.map((one) => [one.point, one.near]));
  let text = "";
  for (const point of points) text += String.fromCharCode(near.get(point));
  return [image.width, image.height, chosen.flat(), btoa(text)];
}"""


def save(page: Page, file: Path) -> None:
    """Save the window as a PNG of the 256 colours that matter most in it."""
    whole = base64.b64encode(page.screenshot(animations="disabled")).decode()
    blank = page.context.browser.new_page() if page.context.browser else page
    width, height, colours, points = blank.evaluate(POINTS, whole)
    blank.close()
    indices = base64.b64decode(points)
    rows = (b"\0" + indices[at : at + width] for at in range(0, len(indices), width))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", bytes(colours)))
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(chunk(*part) for part in parts)
        + chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file (https://www.w3.org/TR/png-3/#5Chunk-layout)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
