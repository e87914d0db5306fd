"""Style sheet, drawings and components: where they are, and how pages load them."""

import hashlib
from functools import cache
from pathlib import Path

from nicegui import ui

URL = "/assets"


@cache
def folder() -> Path:
    """Return the assets folder: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    for candidate in (package / "assets", package.parent / "assets"):
        if (candidate / "bucketvault.css").is_file():
            return candidate
    raise FileNotFoundError(f"bucketvault's assets are neither in {package} nor beside it")


def own(path: str) -> str:
    """Return `path` of a page or file of ours as the browser of the page that is drawn asks for it.

    Pages are below a path that is this installation's own: docs/decisions/access.md.
    """
    return f"{ui.context.client.request.scope.get('root_path', '')}{path}"


def url(name: str) -> str:
    """Return the address of one asset; it changes with the content, so browsers may keep it."""
    return own(f"{URL}/{name}?v={_version(name)}")


@cache
def _version(name: str) -> str:
    return hashlib.sha256((folder() / name).read_bytes()).hexdigest()[:12]
