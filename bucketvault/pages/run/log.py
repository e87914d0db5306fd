"""A run's log in the browser: the windowed viewer, and the addresses it reads lines from.

New lines travel over the page's websocket to those who follow, at most ten messages a second; who
scrolls back fetches ranges over HTTP. No line is ever markup: the viewer sets text nodes only.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import fastapi
from fastapi.responses import JSONResponse, StreamingResponse
from nicegui import events, run, ui

from bucketvault.engine.views.log_text import WHOLE_CHARACTERS, describe_log_line
from bucketvault.errors import NotFoundError
from bucketvault.humanize import size
from bucketvault.pages.parts import assets
from bucketvault.pages.parts.frame import LARGEST_NUMBER
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.table import Row
from bucketvault.pages.run.log_rows import (
    FILTERS,
    MOST_ROWS_PUSHED,
    Filter,
    RowCounts,
    Tail,
    read_size,
    row_of_line,
    viewer_row,
    wanted_lines,
)
from bucketvault.pages.run.log_search import Shown
from bucketvault.vocabulary import LineKind, log_topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

MOST_ROWS_FETCHED = 1000  # with one request
MOST_ROWS_PICKED = 300  # by their numbers, which may be in as many chunks
MOST_MATCHES = 1000  # with one request
SEARCH_S = 0.25  # of one request: whoever types on does not wait for more
BLOCK_BYTES = 64 * 1024


RunId = Annotated[int, fastapi.Path(ge=1, le=LARGEST_NUMBER)]
RowNumber = Annotated[int, fastapi.Query(ge=0, le=LARGEST_NUMBER)]
SoughtText = Annotated[str, fastapi.Query(min_length=1, max_length=1000)]


class LogView(
    ui.element,
    component=assets.folder() / "logview.js",
    esm={"bucketvault-log": str(assets.folder() / "log")},
):
    """The viewer element. `first` is the news it starts with (see `RunLog`)."""

    def __init__(self, run_id: int, first: Row, *, shows_plan: bool) -> None:
        super().__init__()
        self.set_shows_plan(shows_plan)
        self.props["url"] = assets.own(f"/api/runs/{run_id:d}/log")
        self.props["first"] = first

    def set_shows_plan(self, shows_plan: bool) -> None:
        """Say whether the lines tell what would change, and not what did."""
        self.props["showsPlan"] = shows_plan

    def grew(self, news: Row) -> None:
        """Tell the browser; returns at once."""
        self.run_method("grew", news)

    def show_only(self, only: Filter) -> None:
        """Show only these lines, and come into view; returns at once."""
        self.run_method("showOnly", only.value)


class RunLog:
    """One open page's view of a log: what it was told, and whether it follows."""

    def __init__(
        self, engine: "Engine", run_id: int, *, growing: bool, shows_plan: bool = False
    ) -> None:
        self._engine = engine
        self._run_id = run_id
        self._growing = growing
        self._shows_plan = shows_plan
        self._following = True  # these as the viewer starts, until it says otherwise
        self._progress = False
        self._filter = Filter.ALL
        self._rows = MOST_ROWS_PUSHED
        self._told = RowCounts()
        self._told_growing: bool | None = None
        self._first: Row = {}
        self._view: LogView | None = None
        self._look: Callable[[], None] | None = None
        self._tail: Tail | None = None
        self.on_filter: Callable[[str], None] | None = None  # which lines are shown from now on

    async def open(self) -> None:
        """Read what the viewer starts with."""
        self._first = await run.io_bound(self.read) or {}

    def draw(self, place: ui.element) -> None:
        """Draw the viewer in `place`."""
        with place:
            first = self._first or self._message(0, [], again=False)
            self._view = LogView(self._run_id, first, shows_plan=self._shows_plan)
            self._view.on("state", self._on_state)

    def follow(self) -> None:
        """Tell the viewer whenever the log grows, as long as the page is open."""

        def show(news: Row) -> None:
            if news and self._view is not None:
                self._view.grew(news)

        self._tail = Tail.of(self._engine, self._run_id)  # first: it must hear of news before us
        self._look = show_on(self._engine.live, log_topic(self._run_id), self.read, show)
        ui.context.client.on_delete(self._tail.leave)

    def leave(self) -> None:
        """Tell the viewer nothing any more: something else is in its place."""
        self._view = None

    def pick(self, only: str) -> None:
        """Let the viewer show only the lines of the filter of this name; empty: all."""
        if self._view is not None:
            self._view.show_only(Filter(only))

    def growing(self, growing: bool) -> None:
        """Say whether more may come."""
        if growing != self._growing:
            self._growing = growing
            if self._look is not None:
                self._look()

    def set_shows_plan(self, shows_plan: bool) -> None:
        """Say whether it tells what would change, and not what did."""
        if shows_plan != self._shows_plan and self._view is not None:
            self._shows_plan = shows_plan
            self._view.set_shows_plan(shows_plan)

    def read(self) -> Row:
        """Return what is new since the last call, for the viewer; empty when nothing is. Blocks."""
        tail = self._tail or Tail(self._engine, self._run_id)
        found = tail.size()
        told = self._told
        growing = self._growing
        if (found, growing) == (told, self._told_growing):
            return {}
        again = found.lines < told.lines or found.bytes < told.bytes
        filtered, progress = self._filter, self._progress
        before, total = told.rows(filtered, progress), found.rows(filtered, progress)
        rows: list[Row] = []
        start = max(0, total - min(self._rows, MOST_ROWS_PUSHED))
        if not again:
            start = max(start, before - 1)  # the last line told may have been half a line
        if self._following and start < total:
            rows = tail.rows(start, total, wanted_lines(filtered, progress))
        self._told, self._told_growing = found, growing  # now: who could not read tells it later
        return self._message(start, rows, again=again)

    def _message(self, start: int, rows: list[Row], *, again: bool) -> Row:
        return {
            "lines": self._told.lines,
            "totals": self._told.totals,
            "size": size(self._told.bytes),
            "growing": self._growing,
            "progress": self._progress,
            "only": self._filter.value,
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
        only = str(state.get("only"))
        filtered = next((known for known in Filter if known.value == only), Filter.ALL)
        if filtered is not self._filter:
            self._filter = filtered
            if self.on_filter is not None:
                self.on_filter(filtered)


# ------------------------------------------------------------------ addresses


def log_api(engine: "Engine") -> fastapi.APIRouter:
    """Return the addresses of a run's log; each answer is made in a thread."""
    router = fastapi.APIRouter(prefix="/api/runs/{run_id}/log", include_in_schema=False)

    @router.get("")
    def rows(
        run_id: RunId,
        start: RowNumber = 0,
        count: Annotated[int, fastapi.Query(ge=0, le=MOST_ROWS_FETCHED)] = 200,
        only: Filter = Filter.ALL,
        progress: bool = False,
        whole: bool = False,
        at: Annotated[list[RowNumber] | None, fastapi.Query(max_length=MOST_ROWS_PICKED)] = None,
    ) -> JSONResponse:
        """Answer with rows from `start` on, and their number. `whole`: one row, its whole text.

        `at`: the rows of these numbers instead.
        """
        found = read_size(engine, run_id)
        if not found.lines:
            _found(engine, run_id)
        count = min(count, 1) if whole else count
        wanted = wanted_lines(only, progress)
        if at is not None:
            read = engine.log_rows_at(run_id, at, wanted)
        else:
            read = engine.log_rows(run_id, start, count, wanted) if count else []
        zone = engine.zone_of_run(run_id)
        return JSONResponse(
            {
                "start": start,
                "total": found.rows(only, progress),
                "lines": found.lines,
                "totals": found.totals,
                "rows": [viewer_row(row, zone, whole=whole) for row in read],
            }
        )

    @router.get("/find")
    def find(
        run_id: RunId,
        q: SoughtText,
        start: RowNumber = 0,
        back: bool = False,
        only: Filter = Filter.ALL,
        progress: bool = False,
    ) -> JSONResponse:
        """Answer with the next row from `start` on (`back`: before it) that holds `q`, or null."""
        wanted = wanted_lines(only, progress)
        sought = Shown(q, engine.zone_of_run(run_id), progress=LineKind.PROGRESS in wanted)
        row = engine.log_find(run_id, sought, start, back, wanted)
        if row is None:
            _found(engine, run_id)
        return JSONResponse({"row": row})

    @router.get("/matches")
    def matches(
        run_id: RunId,
        q: SoughtText,
        start: RowNumber = 0,
        only: Filter = Filter.ALL,
        progress: bool = False,
    ) -> JSONResponse:
        """Answer with the rows from `start` on that hold `q`, as far as one look sees.

        `next`: where the next look begins; `done`: the log has no more rows.
        """
        wanted = wanted_lines(only, progress)
        sought = Shown(q, engine.zone_of_run(run_id), progress=LineKind.PROGRESS in wanted)
        found = engine.log_matches(
            run_id, sought, start, wanted, most=MOST_MATCHES, within_s=SEARCH_S
        )
        if found.done and not found.rows:
            _found(engine, run_id)
        return JSONResponse({"rows": found.rows, "next": found.next, "done": found.done})

    @router.get("/row")
    def row(
        run_id: RunId, number: RowNumber, only: Filter = Filter.ALL, progress: bool = False
    ) -> JSONResponse:
        """Answer with the row of the line of this number, or of the next line shown, or null."""
        found = row_of_line(engine, run_id, number, wanted_lines(only, progress))
        if found is None:
            _found(engine, run_id)
        return JSONResponse({"row": found})

    @router.get("/first-error")
    def first_error(run_id: RunId, progress: bool = False) -> JSONResponse:
        """Answer with the first row among all that people read as an error, or null."""
        found = engine.log_rows(run_id, 0, 1, FILTERS[Filter.ERRORS])
        if not found:
            _found(engine, run_id)
        numbers = [row.line_number if progress else row.shown_number for row in found]
        return JSONResponse({"row": numbers[0] if numbers else None})

    @router.get("/raw")
    def raw(run_id: RunId) -> StreamingResponse:
        """Answer with rclone's own log, byte for byte."""
        _found(engine, run_id)
        return _download(engine.log_raw(run_id), f"bucketvault-run-{run_id:d}.jsonl")

    @router.get("/text")
    def text(run_id: RunId, progress: bool = False) -> StreamingResponse:
        """Answer with the log as people read it, a line each."""
        _found(engine, run_id)
        zone = engine.zone_of_run(run_id)
        lines = _as_text(engine.log_lines(run_id), zone, progress=progress)
        return _download(lines, f"bucketvault-run-{run_id:d}.txt")

    return router


def _found(engine: "Engine", run_id: int) -> None:
    """Answer 404 where there is no such run: one that is there may have no lines."""
    try:
        engine.overview_run(run_id)
    except NotFoundError as error:
        raise fastapi.HTTPException(404, error.summary) from error


def _as_text(
    lines: Iterator[tuple[bytes, LineKind]], zone: ZoneInfo, *, progress: bool
) -> Iterator[bytes]:
    block = bytearray()
    for line, kind in lines:
        told = describe_log_line(line, zone, kind, limit=WHOLE_CHARACTERS)
        if told.kind is LineKind.PROGRESS and not progress:
            continue
        block += told.as_line().encode() + b"\n"
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _download(content: Iterator[bytes], name: str) -> StreamingResponse:
    return StreamingResponse(
        content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',  # our words and a number
            "X-Content-Type-Options": "nosniff",
        },
    )
