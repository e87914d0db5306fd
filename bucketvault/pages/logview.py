"""A run's log in the browser: the windowed viewer, and the addresses it reads lines from.

New lines travel over the page's websocket to those who follow, at most ten messages a second; who
scrolls back fetches ranges over HTTP. No line is ever markup: the viewer sets text nodes only.
"""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import fastapi
from fastapi.responses import JSONResponse, StreamingResponse
from nicegui import events, run, ui

from bucketvault.engine import live
from bucketvault.errors import NotFoundError
from bucketvault.pages import assets
from bucketvault.pages.following import show_on
from bucketvault.pages.formatting import SHOWN_CHARACTERS, WHOLE_CHARACTERS, describe_log_line, size

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

MOST_ROWS_PUSHED = 60  # with one message to a follower
MOST_ROWS_FETCHED = 1000  # with one request
BLOCK_BYTES = 64 * 1024
LARGEST_NUMBER = 2**53 - 1  # what JavaScript counts exactly

RunId = Annotated[int, fastapi.Path(ge=1, le=LARGEST_NUMBER)]
RowNumber = Annotated[int, fastapi.Query(ge=0, le=LARGEST_NUMBER)]


class LogView(ui.element, component=assets.folder() / "logview.js"):
    """The viewer element. `first` is the news it starts with (see `RunLog`)."""

    def __init__(self, run_id: int, first: dict[str, Any], *, looked: bool) -> None:
        super().__init__()
        self.looked(looked)
        self.props["url"] = f"/api/runs/{run_id:d}/log"
        self.props["first"] = first

    def looked(self, looked: bool) -> None:
        """Whether the lines tell what would change, and not what did."""
        self.props["looked"] = looked

    def grew(self, news: dict[str, Any]) -> None:
        """Tell the browser; returns at once."""
        self.run_method("grew", news)


async def open_log(
    engine: "Engine", run_id: int, *, growing: bool, looked: bool = False
) -> "RunLog":
    """The log of a run with its newest lines, ready to be drawn."""
    log = RunLog(engine, run_id, growing=growing, looked=looked)
    await log.open()
    return log


class RunLog:
    """One open page's view of a log: what it was told, and whether it follows."""

    def __init__(
        self, engine: "Engine", run_id: int, *, growing: bool, looked: bool = False
    ) -> None:
        self._engine = engine
        self._run_id = run_id
        self._growing = growing
        self._looked = looked
        self._following = True  # both as the viewer starts, until it says otherwise
        self._progress = False
        self._rows = MOST_ROWS_PUSHED
        self._told = (0, 0, 0)  # lines, shown, bytes
        self._told_growing: bool | None = None
        self._first: dict[str, Any] = {}
        self._view: LogView | None = None
        self._look: Callable[[], None] | None = None

    async def open(self) -> None:
        """Read what the viewer starts with."""
        self._first = await run.io_bound(self.read) or {}

    def draw(self, place: ui.element) -> None:
        """Draw the viewer in `place`."""
        with place:
            first = self._first or self._message(0, [], again=False)
            self._view = LogView(self._run_id, first, looked=self._looked)
            self._view.on("state", self._on_state)

    def follow(self) -> None:
        """Tell the viewer whenever the log grows, as long as the page is open."""

        def show(news: dict[str, Any]) -> None:
            if news and self._view is not None:
                self._view.grew(news)

        self._look = show_on(self._engine.live, live.log_topic(self._run_id), self.read, show)

    def growing(self, growing: bool) -> None:
        """Say whether more may come."""
        if growing != self._growing:
            self._growing = growing
            if self._look is not None:
                self._look()

    def looked(self, looked: bool) -> None:
        """Say whether it tells what would change, and not what did."""
        if looked != self._looked and self._view is not None:
            self._looked = looked
            self._view.looked(looked)

    def read(self) -> dict[str, Any]:
        """What is new since the last call, for the viewer; empty when nothing is. Blocks."""
        found = self._engine.log_size(self._run_id)
        lines, shown, size_bytes = self._told
        length = (found.lines, found.shown, found.bytes)
        if (length, self._growing) == (self._told, self._told_growing):
            return {}
        again = found.lines < lines or found.bytes < size_bytes
        before, total = (lines, found.lines) if self._progress else (shown, found.shown)
        self._told, self._told_growing = length, self._growing
        rows: list[dict[str, str]] = []
        start = max(0, total - min(self._rows, MOST_ROWS_PUSHED))
        if not again:
            start = max(start, before - 1)  # the last line told may have been half a line
        if self._following and total:
            zone = self._engine.zone
            read = self._engine.log_rows(self._run_id, start, total - start, self._progress)
            rows = [_shown(row.line, zone) for row in read]
        return self._message(start, rows, again=again)

    def _message(self, start: int, rows: list[dict[str, str]], *, again: bool) -> dict[str, Any]:
        lines, shown, size_bytes = self._told
        return {
            "lines": lines,
            "shown": shown,
            "size": size(size_bytes),
            "growing": self._growing,
            "progress": self._progress,
            "again": again,  # what was told before holds no more
            "start": start,
            "rows": rows,
        }

    def _on_state(self, event: events.GenericEventArguments) -> None:
        state = event.args if isinstance(event.args, dict) else {}
        self._following = bool(state.get("following"))
        self._progress = bool(state.get("progress"))
        rows = state.get("rows")
        self._rows = rows if isinstance(rows, int) and rows > 0 else MOST_ROWS_PUSHED


def _shown(line: bytes, zone: ZoneInfo, *, whole: bool = False) -> dict[str, str]:
    limit = WHOLE_CHARACTERS if whole else SHOWN_CHARACTERS
    told = describe_log_line(line, zone, limit=limit)
    return {"time": told.time, "kind": told.kind, "object": told.object, "text": told.text}


# ------------------------------------------------------------------ addresses


def log_api(engine: "Engine") -> fastapi.APIRouter:
    """Where the viewer and downloads read a run's log; each answer is made in a thread."""
    router = fastapi.APIRouter(prefix="/api/runs/{run_id}/log", include_in_schema=False)

    @router.get("")
    def rows(
        run_id: RunId,
        start: RowNumber = 0,
        count: Annotated[int, fastapi.Query(ge=0, le=MOST_ROWS_FETCHED)] = 200,
        progress: bool = False,
        whole: bool = False,
    ) -> JSONResponse:
        """Rows `start` and on, and how many there are. `whole`: one row with its whole text."""
        found = engine.log_size(run_id)
        if not found.lines:
            _found(engine, run_id)
        count = min(count, 1) if whole else count
        read = engine.log_rows(run_id, start, count, progress) if count else []
        return JSONResponse(
            {
                "start": start,
                "total": found.lines if progress else found.shown,
                "all": found.lines,
                "shown": found.shown,
                "lines": [_shown(row.line, engine.zone, whole=whole) for row in read],
            }
        )

    @router.get("/find")
    def find(
        run_id: RunId,
        q: Annotated[str, fastapi.Query(min_length=1, max_length=1000)],
        start: RowNumber = 0,
        back: bool = False,
        progress: bool = False,
    ) -> JSONResponse:
        """The next row from `start` on (with `back`: before it) that holds `q`, or null."""
        asked = [
            engine.log_find(run_id, needle, start, back, progress)
            for needle in dict.fromkeys((_as_logged(q), q))
        ]
        hits = [row for row in asked if row is not None]
        return JSONResponse({"row": (max(hits) if back else min(hits)) if hits else None})

    @router.get("/first-error")
    def first_error(run_id: RunId, progress: bool = False) -> JSONResponse:
        """The first row that people read as an error, or null."""
        return JSONResponse({"row": _first_error(engine, run_id, progress)})

    @router.get("/raw")
    def raw(run_id: RunId) -> StreamingResponse:
        """rclone's own log, byte for byte."""
        _found(engine, run_id)
        return _download(engine.log_raw(run_id), f"bucketvault-run-{run_id:d}.jsonl")

    @router.get("/text")
    def text(run_id: RunId, progress: bool = False) -> StreamingResponse:
        """The log as people read it, a line each."""
        _found(engine, run_id)
        lines = _as_text(engine.log_raw(run_id), engine.zone, progress=progress)
        return _download(lines, f"bucketvault-run-{run_id:d}.txt")

    return router


def _found(engine: "Engine", run_id: int) -> None:
    """Whether there is such a run: a log without lines may be one of a run without a log."""
    try:
        engine.overview_run(run_id)
    except NotFoundError as error:
        raise fastapi.HTTPException(404, error.summary) from error


def _as_logged(needle: str) -> str:
    """As rclone writes it inside a JSON string: quotes and backslashes are escaped there."""
    return json.dumps(needle, ensure_ascii=False)[1:-1]


def _first_error(engine: "Engine", run_id: int, progress: bool) -> int | None:
    found = None
    for needle in ('"level":"error"', '"level":"critical"', '"msg":"Failed to '):
        start = 0
        while (row := engine.log_find(run_id, needle, start, False, progress)) is not None:
            if found is not None and row >= found:
                break
            line = engine.log_rows(run_id, row, 1, progress)
            # rclone logs "Attempt 2/3 succeeded" as an error, too
            if line and describe_log_line(line[0].line, engine.zone).kind == "error":
                found = row
                break
            start = row + 1
    return found


def _as_text(chunks: Iterator[bytes], zone: ZoneInfo, *, progress: bool) -> Iterator[bytes]:
    block = bytearray()
    for line in _lines(chunks):
        told = describe_log_line(line, zone, limit=WHOLE_CHARACTERS)
        if told.kind == "progress" and not progress:
            continue
        block += told.as_line().encode() + b"\n"
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _download(content: Iterator[bytes], name: str) -> StreamingResponse:
    return StreamingResponse(
        content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',  # our words and a number
            "X-Content-Type-Options": "nosniff",
        },
    )
