"""The curves of a soak as a picture in the documents, in the colours of the pages."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.pages.gallery import CHROMIUM_ARGS
from tests.soak.judging import WARM_UP_S, Sample
from tests.support.capabilities import chromium

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 560, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 26
STYLE = """
body { background: var(--bg); color: var(--ink); font: 14px var(--sans); margin: 24px; }
main { display: grid; grid-template-columns: repeat(2, 560px); gap: 16px; width: 1136px; }
figure { background: var(--card); border: 1px solid var(--line); border-radius: var(--r);
  margin: 0; padding: 16px 0 8px; }
figcaption { padding: 0 16px 8px; font-weight: 600; }
figcaption span { color: var(--ink3); font-weight: 400; }
h1 { font-size: 20px; margin: 0 0 4px; } p { color: var(--ink2); margin: 0 0 16px; }
svg { display: block; } text { fill: var(--ink3); font: 12px var(--sans); }
.grid { stroke: var(--line); } .warm { fill: var(--sunk); }
polyline { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
.steady { stroke: var(--accent); } .killed { stroke: var(--plot); }
b { font-weight: 600; } b.steady { color: var(--accent); } b.killed { color: var(--plot); }
"""
PLOTS: tuple[tuple[str, str, Callable[[Sample], float]], ...] = (
    ("Memory", "MB", lambda sample: sample.memory_bytes / 1e6),
    ("Database and its log", "MB", lambda sample: sample.database_bytes / 1e6),
    ("Descriptors", "", lambda sample: float(sample.descriptors)),
    ("Threads", "", lambda sample: float(sample.threads)),
)


def draw(courses: Mapping[str, Sequence[Sample]], minutes: int, folder: Path = FOLDER) -> None:
    """Write `soak-light.png` and `soak-dark.png`; `courses` by the names of the installations."""
    style = (ROOT / "assets" / "bucketvault.css").read_text("utf-8") + STYLE
    figures = "".join(_figure(*plot, courses) for plot in PLOTS)
    with (
        sync_playwright() as playwright,
        tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as file,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1184, "height": 640})
        for way in ("light", "dark"):
            file.seek(0)
            file.truncate()
            file.write(
                f"<!doctype html><meta charset=utf-8><style>{style}</style>"
                f'<body class="{"body--dark" if way == "dark" else ""}">'
                f"<h1>A soak of {minutes} minutes</h1><p>A run every twenty seconds, one of three "
                "fails, and the mail server comes and goes. <b class=steady>Left alone</b>, with "
                "five tabs; <b class=killed>killed every minute</b>, with two.</p>"
                f"<main>{figures}</main>"
            )
            file.flush()
            page.goto(f"file://{file.name}")
            page.screenshot(path=folder / f"soak-{way}.png", full_page=True)
        browser.close()


def _figure(
    title: str,
    unit: str,
    what: Callable[[Sample], float],
    courses: Mapping[str, Sequence[Sample]],
) -> str:
    end_s = max(sample.at_s for samples in courses.values() for sample in samples)
    highest = max(what(sample) for samples in courses.values() for sample in samples)
    step = _step(highest)
    top = step * -(-highest // step)

    def x(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / end_s

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    parts = []
    if end_s > WARM_UP_S:
        parts.append(
            f'<rect class="warm" x="{LEFT}" y="{TOP}" width="{x(WARM_UP_S) - LEFT:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/>'
        )
    for tick in _steps(step, top):
        at = f"{y(tick):.1f}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>')
        words = f"{tick:g}"
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{words}</text>')
    every = 1 if end_s < 600 else 5 if end_s < 2400 else 10
    parts += [
        f'<text x="{x(60 * minute):.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{minute}{' min' if not minute else ''}</text>"
        for minute in range(0, int(end_s / 60) + 1, every)
    ]
    # what is drawn last is on top
    for name in sorted(courses):
        points = " ".join(f"{x(s.at_s):.1f},{y(what(s)):.1f}" for s in courses[name])
        parts.append(f'<polyline class="{name}" points="{points}"/>')
    caption = f"{title} <span>{unit}</span>"
    return (
        f"<figure><figcaption>{caption}</figcaption>"
        f'<svg width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg></figure>'
    )


def _step(highest: float) -> float:
    """Return a round distance between lines that gives three to six of them."""
    step = 10.0**-3
    while True:
        for factor in (1, 2, 5):
            if highest / (step * factor) <= 5:
                return step * factor
        step *= 10


def _steps(step: float, top: float) -> Iterator[float]:
    count = round(top / step)
    yield from (step * number for number in range(count + 1))
