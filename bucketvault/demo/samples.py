"""The bucket of `demo --once`: objects of several kinds, and a week's changes to them."""

import random
from pathlib import Path

ALBUMS = ("Küste", "山の上", "Été à la mer", "family 2025")
LARGE_BYTES = 50 * 1000 * 1000


def make_samples(bucket: Path) -> int:
    """Fill a bucket's folder with objects of several kinds; returns how many."""
    chance = random.Random(2026)  # noqa: S311 - sample data, the same each time
    names = [
        *(f"2026/{month:02}/IMG_{n:04}.jpg" for month in range(1, 13) for n in range(20)),
        *(f"albums/{name}/cover.png" for name in ALBUMS),
        *(f"notes/day-{n:02}.txt" for n in range(1, 31)),
        *(f"web/{name}" for name in ("index.html", "style.css", "data.json", "map.svg")),
    ]
    sizes = {
        name: chance.randrange(50_000, 300_000) if "IMG" in name else chance.randrange(200, 40_000)
        for name in names
    }
    sizes |= {"notes/empty.txt": 0, "video/harbour.mp4": LARGE_BYTES}
    for name, length in sizes.items():
        path = bucket / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(length))
    return len(sizes)


def change_samples(bucket: Path) -> str:
    """New, changed and removed objects, as a week of use would leave them; returns it in words."""
    for n in range(5):
        (bucket / f"2026/12/IMG_9{n:03}.jpg").write_bytes(f"new photo {n}".encode() * 500)
    for n in range(1, 4):
        (bucket / f"notes/day-{n:02}.txt").write_text(f"rewritten, {n}\n", "utf-8")
    for n in range(4):
        (bucket / f"2026/01/IMG_{n:04}.jpg").unlink()
    return "5 new photos, 3 notes rewritten, 4 photos deleted"
