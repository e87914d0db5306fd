"""Style sheet, drawings and components: where they are, and how pages load them."""

import hashlib
from functools import cache
from pathlib import Path

URL = "/assets"


@cache
def folder() -> Path:
    """Return the assets folder: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    for candidate in (package / "assets", package.parent / "assets"):
        if (candidate / "bucketvault.css").is_file():
            return candidate
    raise FileNotFoundError(f"bucketvault's assets are neither in {package} nor beside it")


@cache
def url(name: str) -> str:
    """Return the address of one asset; it changes with the content, so browsers may keep it."""
    content = (folder() / name).read_bytes()
    return f"{URL}/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
