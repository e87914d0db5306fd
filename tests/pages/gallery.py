"""Every page in every state, to look at: `python -m tests.pages.gallery --shots DIR`.

A real NiceGUI server over a made-up engine, with the headers the real one sends. Without --shots
it serves until interrupted: / (after /scene/good, bad, empty, running, hostile or previewed),
/run/1 to /run/24, /backups/1 to /backups/8.
`--grow N` lets run 1 write N log lines a second.
"""

import argparse
import asyncio
import os
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("NICEGUI_STORAGE_PATH", tempfile.mkdtemp(prefix="gallery-"))

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from tests.pages import fake_engine, scenes, scenes_proof, scenes_service, scenes_verify
from tests.pages.scenes_catalogue import FakeProviders
from tests.pages.scenes_health import LOOKS
from tests.pages.scenes_settings import SETTINGS_PAGES, FakePreferences
from tests.support.capabilities import chromium

CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
SCENES = {
    "good": scenes.good_rows,
    "bad": scenes.bad_rows,
    "empty": list,
    "running": scenes.running_rows,
    "hostile": scenes.hostile_rows,
    "previewed": scenes.previewed_rows,
    "started": list,
    "first-run": scenes.first_rows,
    "no-mail": scenes.good_rows,
    "broken": scenes.bad_rows,
    "old-proof": scenes_proof.old_rows,
    "damaged": scenes_verify.damaged_rows,
}
STEPS = {
    "empty": scenes.steps(),
    "started": scenes.started(),
    "first-run": replace(scenes.started(), mail_is_set_up=True),
}
NO_MAIL = replace(scenes.GOOD_INSTALLATION, mail_is_set_up=False)
INSTALLATIONS = {
    "empty": NO_MAIL,
    "started": NO_MAIL,
    "no-mail": NO_MAIL,
    "broken": replace(NO_MAIL, scheduler_beats=False, rclone_problem=scenes.NO_RCLONE),
}
CHROMIUM = chromium()
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RUNS = {
    1: "run-live",
    2: "run-failed",
    3: "run-success",
    4: "run-stopped",
    5: "run-pending",
    6: "run-held",
    7: "run-warned",
    8: "run-long",
    9: "run-not-started",
    10: "run-hostile",
    11: "run-empty",
    12: "run-held-too-late",
    13: "run-preview",
    14: "run-previewing",
    15: "run-checking",
    16: "run-incomplete",
    17: "run-looking",
    18: "run-keeping",
    19: "run-proving",
    20: "run-refused-later",
    21: "run-odd-names",
    22: "run-verified",
    23: "run-damaged",
    24: "run-reading",
}
BACKUPS = {  # name -> scene, backup
    "backup-good": ("good", 1),
    "backup-running": ("good", 7),
    "backup-off": ("good", 6),
    "backup-failed": ("bad", 4),
    "backup-held": ("bad", 5),
    "backup-missed": ("bad", 2),
    "backup-new": ("running", 2),
    "backup-old-proof": ("old-proof", 1),
    "backup-hostile": ("hostile", 1),
    "backup-previewing": ("previewed", 5),
    "backup-damaged": ("damaged", 1),
    "backup-reading": ("damaged", 2),
    "backup-absent": ("good", 99),
}


CATALOGUE = {  # name -> path
    "providers": "/providers",
    "provider-refused": "/providers/1",
    "provider-first-time": "/providers/2",
    "provider-unreadable": "/providers/3",
    "provider-hostile": "/providers/4",
    "provider-new": "/providers/new",
    "provider-new-b2": "/providers/new?kind=backblaze_b2",
    "provider-edit": "/providers/1/edit",
    "provider-absent": "/providers/99",
    "storages": "/storages",
    "copies": "/copies",
    "backup-form-new": "/backups/new",
    "backup-form-errors": "/backups/new",
    "backup-form-edit": "/backups/7/edit",
    "backup-form-absent": "/backups/99/edit",
}


PRESSED = {"backup-form-errors": "Save"}  # name -> the button to press before looking


def fresh(engine: Any) -> None:
    """Let it be as it was at the start."""
    engine.reset()
    engine.health.scene = "good"
    engine.providers = FakeProviders(engine.live)
    engine.preferences = FakePreferences(engine.live)


def build(engine: Any) -> Any:
    """The application: our pages over `engine`, and the security headers around them."""
    from bucketvault.pages import site
    from bucketvault.pages.run import log as logview

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        engine.live.attach(asyncio.get_running_loop())
        yield
        engine.live.attach(None)

    api = FastAPI(lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)

    @api.get("/scene/{name}")
    def scene(name: str) -> str:
        engine.rows, engine.steps = SCENES[name](), STEPS.get(name)
        engine.installation = INSTALLATIONS.get(name, scenes.GOOD_INSTALLATION)
        engine.live.publish("backups")
        return name

    @api.get("/service-scene/{name}")
    def service_scene(name: str) -> str:
        scenes_service.known_to(engine.providers)
        return name

    @api.get("/health-scene/{name}")
    def health_scene(name: str) -> str:
        engine.health.scene = name
        return name

    api.include_router(logview.log_api(engine))

    @api.get("/settings-scene/{name}")
    def settings_scene(name: str) -> str:
        engine.preferences.shown = SETTINGS_PAGES[name]()
        return name

    fresh(engine)
    site.register(engine)
    ui.run_with(
        api,
        title="bucketvault",
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=10,
        show_welcome_message=False,
    )

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", CSP.encode()),
                ]
            await send(message)

        await api(scope, receive, with_headers)

    return guarded


@contextmanager
def serving(engine: Any, port: int = 0) -> Iterator[tuple[str, Any]]:
    """A server in a thread: its address, and the engine it shows."""
    door = socket.create_server(("127.0.0.1", port))  # handed over open: nobody takes it meanwhile
    port = door.getsockname()[1]
    config = uvicorn.Config(
        build(engine),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        ws="wsproto",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([door],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended before it had started"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}", engine
    finally:
        server.should_exit = True
        thread.join(5)


def pages() -> list[tuple[str, str, str]]:
    """Every page in every state: its name, the address that sets the scene, its own address."""
    return [
        *((f"home-{name}", f"/scene/{name}", "/") for name in SCENES),
        *((name, "", f"/run/{number}") for number, name in RUNS.items()),
        ("run-absent", "", "/run/99"),
        *((name, "", path) for name, path in CATALOGUE.items()),
        *((f"settings-{name}", f"/settings-scene/{name}", "/settings") for name in SETTINGS_PAGES),
        *((f"health-{name}", f"/health-scene/{name}", "/health") for name in LOOKS),
        *(
            (f"service-{name}", f"/service-scene/{name}", f"/providers/{row.id}")
            for name, (row, _, _) in scenes_service.services().items()
        ),
        *(
            (name, f"/scene/{scene}", f"/backups/{number}")
            for name, (scene, number) in BACKUPS.items()
        ),
    ]


def press(page: Any, name: str) -> None:
    """Bring an open page into the state that only a button brings."""
    if name in PRESSED:
        page.get_by_role("button", name=PRESSED[name], exact=True).click()
        page.wait_for_selector(".verdict.st-bad")


def shoot(address: str, folder: Path, only: str = "") -> None:
    """A picture of each page in each state: light, dark and on a phone."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    ways = {
        "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
        "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
        "phone": {
            "viewport": {"width": 390, "height": 844},
            "color_scheme": "light",
            "has_touch": True,
        },
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        for way, options in ways.items():
            context = browser.new_context(**options)
            page = context.new_page()
            page.on("console", lambda said: said.type == "error" and print("console:", said.text))
            page.on("pageerror", lambda error: print("page error:", error))
            page.on(
                "request",
                lambda asked: (
                    asked.url.startswith((address, "data:", "blob:"))
                    or print("foreign:", asked.url)
                ),
            )
            for name, scene, path in pages():
                if only not in f"{name}-{way}":
                    continue
                if scene:
                    urllib.request.urlopen(address + scene).read()
                page.goto(address + path)
                page.wait_for_selector(".greeted .page")
                press(page, name)
                page.wait_for_timeout(700)
                size = page.viewport_size
                whole = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": size["width"], "height": max(whole, 844)})
                page.wait_for_timeout(300)
                page.screenshot(path=str(folder / f"{name}-{way}.png"), full_page=True)
                page.set_viewport_size(size)
            context.close()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--grow", type=int, default=0)
    chosen = parser.parse_args()
    engine, ending = fake_engine.FakeEngine(), threading.Event()
    with serving(engine, chosen.port) as (address, _):
        if chosen.grow:
            threading.Thread(target=engine.grow, args=(chosen.grow, ending), daemon=True).start()
        if chosen.shots:
            shoot(address, chosen.shots, chosen.only)
            return
        print(address, flush=True)
        try:
            ending.wait()
        except KeyboardInterrupt:
            ending.set()


if __name__ == "__main__":
    main()
