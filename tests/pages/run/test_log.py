"""The log's addresses, and what a follower is told over the websocket."""

import asyncio
import gc
import time
import tracemalloc
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from nicegui.testing import User

from bucketvault.vocabulary import log_topic, run_topic
from tests.pages import sample_logs, scenes
from tests.pages.fake_engine import FakeEngine
from tests.pages.waiting import becomes


@pytest.fixture
def shown() -> FakeEngine:
    return FakeEngine()


class Ask:
    """Asks the addresses, without a server."""

    def __init__(self, engine: FakeEngine) -> None:
        from bucketvault.pages.run.log import log_api

        app = FastAPI()
        app.include_router(log_api(engine))
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str, params: dict[str, Any] | None = None) -> httpx.Response:
        async def get() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://test") as c:
                return await c.get(path, params=params)

        return asyncio.run(get())


@pytest.fixture
def ask(shown: FakeEngine) -> Ask:
    return Ask(shown)


def rows(ask: Ask, query: str = "", run: int = 8) -> dict[str, Any]:
    answer = ask.get(f"/api/runs/{run}/log{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.slow  # takes seconds
def test_a_range_comes_with_the_length_of_the_log(ask: Ask) -> None:
    told = rows(ask, "?start=50000&count=3")

    assert (told["start"], told["total"], told["lines"]) == (50_000, 99_000, 100_000)
    assert len(told["rows"]) == 3
    assert set(told["rows"][0]) == {"number", "time", "kind", "object", "text"}
    assert told["rows"][0]["kind"] == "new"


def test_progress_lines_are_rows_only_when_asked_for(ask: Ask) -> None:
    with_progress = rows(ask, "?start=99&count=1&progress=1")

    assert with_progress["total"] == 100_000
    assert with_progress["rows"][0]["kind"] == "progress"
    assert rows(ask, "?start=99&count=1")["rows"][0]["kind"] == "new"


def test_a_range_beyond_the_end_is_empty(ask: Ask) -> None:
    assert rows(ask, "?start=5000000&count=10")["rows"] == []


@pytest.mark.parametrize("query", ["?count=1001", "?start=-1", "?start=x", "?count=-1"])
def test_a_range_that_makes_no_sense_is_refused(ask: Ask, query: str) -> None:
    assert ask.get(f"/api/runs/8/log{query}").status_code == 422


@pytest.mark.parametrize(
    "path",
    ["", "/raw", "/text", "/find?q=a", "/matches?q=a", "/row?number=0", "/first-error"],
)
@pytest.mark.parametrize(("run", "status"), [("99", 404), ("0", 422), ("x", 422), ("9" * 30, 422)])
def test_a_run_that_is_not_there_is_not_found(ask: Ask, path: str, run: str, status: int) -> None:
    assert ask.get(f"/api/runs/{run}/log{path}").status_code == status


def test_long_lines_are_cut_until_they_are_opened(ask: Ask) -> None:
    cut = rows(ask, "?start=3&count=1", run=10)["rows"][0]["text"]
    whole = rows(ask, "?start=3&count=5&whole=1", run=10)["rows"]

    assert len(cut) == 4_000 and cut.endswith("…")
    assert len(whole) == 1 and len(whole[0]["text"]) > 20_000


@pytest.mark.slow  # takes seconds
def test_search_goes_both_ways(ask: Ask) -> None:
    def find(query: str) -> int | None:
        row: int | None = ask.get(f"/api/runs/8/log/find?{query}").json()["row"]
        return row

    first = find("q=c000150")
    assert first == 149
    assert find(f"q=C0001&start={first + 1}") == 150
    assert find(f"q=C0001&start={first}&back=1") == 148
    assert find("q=is+nowhere") is None
    assert find("q=C000150&progress=1") == 150


def test_search_finds_quotes_as_people_type_them(ask: Ask, shown: FakeEngine) -> None:
    shown.logs[3] = [sample_logs.log_line(1, object='say "hello"\\now'), b'plain "hello"']

    found = ask.get("/api/runs/3/log/find", params={"q": '"hello"'}).json()
    later = ask.get("/api/runs/3/log/find", params={"q": '"hello"', "start": 1}).json()

    assert (found["row"], later["row"]) == (0, 1)


def test_an_empty_search_is_refused(ask: Ask) -> None:
    assert ask.get("/api/runs/8/log/find?q=").status_code == 422


def test_the_first_error_is_one_that_people_read_as_an_error(ask: Ask, shown: FakeEngine) -> None:
    shown.logs[3] = [
        sample_logs.log_line(1, "Attempt 2/3 succeeded", "error"),
        sample_logs.log_line(2, "not deleting files as there were IO errors", "error"),
        sample_logs.log_line(3, object='"level":"error"'),
        sample_logs.log_line(4, "Failed to sync: no", "notice"),
        sample_logs.log_line(5, "Failed to copy", "error", object="a"),
    ]

    assert ask.get("/api/runs/3/log/first-error").json() == {"row": 3}
    assert ask.get("/api/runs/8/log/first-error").json() == {"row": 69_300}
    assert ask.get("/api/runs/1/log/first-error").json() == {"row": None}


def test_the_raw_log_is_downloaded_byte_for_byte(ask: Ask, shown: FakeEngine) -> None:
    answer = ask.get("/api/runs/10/log/raw")

    assert answer.content == b"".join(line + b"\n" for line in sample_logs.HOSTILE_LINES)
    assert (
        answer.headers["content-disposition"] == 'attachment; filename="bucketvault-run-10.jsonl"'
    )
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_text_is_what_people_read(ask: Ask, shown: FakeEngine) -> None:
    text = ask.get("/api/runs/2/log/text").text.splitlines()

    assert text[0] == "01:30:08  Pass 1: keeping the old versions of 2 objects"
    assert text[4] == "01:30:09  base/2026-11-22/base.tar.zst  copied (new), 1.9 GB"
    assert len(text) == 19  # 21 lines, two of them progress
    assert len(ask.get("/api/runs/2/log/text?progress=1").text.splitlines()) == 21


def test_matches_are_what_people_read_and_nothing_else(ask: Ask) -> None:
    def matches(query: str) -> dict[str, Any]:
        told: dict[str, Any] = ask.get(f"/api/runs/2/log/matches?{query}").json()
        return told

    assert matches("q=COPYING") == {"rows": [3], "next": 19, "done": True}
    assert matches("q=weekly&only=errors") == {"rows": [3], "next": 6, "done": True}
    assert matches("q=weekly&start=3")["rows"] == [14]
    assert matches("q=server-side copy")["rows"] == []  # as rclone put it: not what is shown
    assert matches("q=operations/copy.go")["rows"] == []
    assert ask.get("/api/runs/2/log/matches", params={"q": "x" * 1001}).status_code == 422


def test_rows_are_asked_for_by_their_numbers(ask: Ask) -> None:
    everything = rows(ask, run=2)["rows"]

    assert rows(ask, "?at=14&at=2&at=99", run=2)["rows"] == [everything[2], everything[14]]
    assert ask.get("/api/runs/2/log?" + "at=1&" * 301).status_code == 422


def test_a_line_has_one_number_whatever_else_is_shown(ask: Ask) -> None:
    with_progress = rows(ask, "?progress=1", run=2)["rows"]

    numbers = [row["number"] for row in with_progress]
    assert [number for number in numbers if number is not None] == [*range(19)]
    assert numbers.count(None) == 2
    for number in range(19):
        row = ask.get(f"/api/runs/2/log/row?number={number}&progress=1").json()["row"]
        assert numbers[row] == number


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("number=18", 18),
        ("number=19", None),
        ("number=9007199254740990", None),
        ("number=14&only=errors", 3),
        ("number=0&only=errors", 0),
        ("number=13&only=replaced", None),
        ("number=4&only=steps", 2),
    ],
)
def test_the_row_of_a_line_is_its_own_or_the_next_one_shown(
    ask: Ask, query: str, row: int | None
) -> None:
    assert ask.get(f"/api/runs/2/log/row?{query}").json() == {"row": row}


@pytest.mark.slow  # takes seconds
def test_no_long_line_stays_in_memory(ask: Ask, shown: FakeEngine) -> None:
    shown.logs[3] = [
        sample_logs.log_line(number, f"Failed: {number} " + "x" * 400_000, "error")
        for number in range(40)
    ]
    shown.log_counts(3)
    tracemalloc.start()

    ask.get("/api/runs/3/log/text")
    ask.get("/api/runs/3/log/find", params={"q": "nowhere"})
    ask.get("/api/runs/3/log")
    for number in range(40):
        ask.get("/api/runs/3/log", params={"start": number, "whole": 1})

    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4_000_000


@pytest.mark.parametrize(
    ("only", "kinds"),
    [
        ("changes", {"new", "replaced", "kept"}),
        ("warnings", {"warning"}),
        ("errors", {"error"}),
        ("new", {"new"}),
        ("replaced", {"replaced"}),
        ("kept", {"kept"}),
        ("removed", set()),
        ("moved", {"new", "replaced"}),
        ("steps", {"step"}),
    ],
)
def test_a_filter_leaves_its_lines_with_their_numbers_among_all(
    ask: Ask, only: str, kinds: set[str]
) -> None:
    everything = rows(ask, run=2)["rows"]

    told = rows(ask, f"?only={only}", run=2)

    assert told["rows"] == [row for row in everything if row["kind"] in kinds]
    assert told["total"] == told["totals"][only] == len(told["rows"])


def test_an_object_is_replaced_whatever_rclone_calls_it(ask: Ask) -> None:
    (told,) = rows(ask, "?only=replaced", run=2)["rows"]

    assert (told["object"], told["text"]) == ("latest.json", "replaced, 1.1 kB")


def test_an_unknown_filter_is_refused(ask: Ask) -> None:
    assert ask.get("/api/runs/8/log?only=everything").status_code == 422


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("q=replaced", 10),
        ("q=COPIED (new)", 4),
        ("q=6.1 MB", 6),
        ("q=(new), 6.1", 6),
        ("q=01:39:11", 11),
        ("q=ended with 4 errors", 16),
        ("q=replaced&only=errors", None),
        ("q=weekly&only=errors", 3),
        ("q=progress", None),
        ("q=about 5 min left", None),
        ("q=about 5 min left&progress=1", 6),
    ],
)
def test_search_finds_what_people_read(ask: Ask, query: str, row: int | None) -> None:
    assert ask.get(f"/api/runs/2/log/find?{query}").json()["row"] == row


class Told:
    """Messages to the viewer of one open page."""

    def __init__(self, user: User) -> None:
        from bucketvault.pages.run.log import LogView

        (self.view,) = user.find(LogView).elements
        self.news: list[dict[str, Any]] = []
        self.view.grew = self.news.append  # type: ignore[method-assign]

    def state(self, **state: object) -> None:
        (listener,) = self.view._event_listeners.values()
        self.view._handle_event({"listener_id": listener.id, "args": state})


def grow(engine: FakeEngine, *names: str) -> None:
    engine.logs[1] += [sample_logs.log_line(9, object=name, size=1) for name in names]
    engine.live.publish(log_topic(1))


async def test_the_page_comes_with_the_last_lines(user: User, engine: FakeEngine) -> None:
    await user.open("/run/1")

    first = Told(user).view.props["first"]

    assert (first["lines"], first["growing"]) == (40, True)
    assert first["rows"][-1]["object"].endswith("C039.mov")


async def test_a_follower_is_told_the_new_lines(user: User, engine: FakeEngine) -> None:
    await user.open("/run/1")
    told = Told(user)

    grow(engine, "new/one", "new/two")
    await becomes(lambda: told.news)

    (news,) = told.news
    assert (news["lines"], news["totals"][""], news["again"]) == (42, 42, False)
    assert [row["object"] for row in news["rows"]][-2:] == ["new/one", "new/two"]
    assert news["start"] + len(news["rows"]) == 42


async def test_who_scrolled_back_is_told_the_length_only(user: User, engine: FakeEngine) -> None:
    await user.open("/run/1")
    told = Told(user)
    told.state(following=False, progress=False, rows=20)

    grow(engine, "new/one")
    await becomes(lambda: told.news)

    assert (told.news[0]["lines"], told.news[0]["rows"]) == (41, [])


async def test_who_filters_is_told_the_new_lines_that_it_leaves(
    user: User, engine: FakeEngine
) -> None:
    await user.open("/run/1")
    told = Told(user)
    told.state(following=True, progress=False, rows=20, only="errors")

    engine.logs[1].append(sample_logs.log_line(9, "Failed to copy: no", "error", object="bad"))
    grow(engine, "new/one")
    await becomes(lambda: told.news)

    (news,) = told.news
    assert (news["only"], news["totals"]["errors"], news["totals"][""]) == ("errors", 1, 42)
    assert [(row["number"], row["object"]) for row in news["rows"]] == [(40, "bad")]


async def test_a_tile_shows_its_lines_and_a_second_press_all(
    user: User, engine: FakeEngine
) -> None:
    from bucketvault.pages.run.log import LogView

    await user.open("/run/2")
    (view,) = user.find(LogView).elements
    asked: list[str] = []
    view.show_only = lambda only: asked.append(only.value)  # type: ignore[method-assign]
    told = Told(user)

    user.find(marker="tile-errors").click()
    told.state(following=False, progress=False, rows=20, only="errors")
    (tile,) = user.find(marker="tile-errors").elements
    await becomes(lambda: tile.props["aria-pressed"] == "true")
    user.find(marker="tile-errors").click()

    await becomes(lambda: asked == ["errors", ""])


async def test_five_viewers_read_each_turn_once(
    user: User, create_user, engine: FakeEngine
) -> None:
    viewers = [user, *(create_user() for _ in range(4))]
    told = []
    for viewer in viewers:
        await viewer.open("/run/1")
        told.append(Told(viewer))
    before = engine.reads

    grow(engine, "new/one")
    await becomes(lambda: all(one.news for one in told))

    assert {one.news[0]["lines"] for one in told} == {41}
    assert engine.reads == before + 1


async def test_many_lines_at_once_are_told_by_their_last_ones(
    user: User, engine: FakeEngine
) -> None:
    await user.open("/run/1")
    told = Told(user)

    grow(engine, *(f"new/{number}" for number in range(5_000)))
    await becomes(lambda: told.news)

    assert len(told.news[0]["rows"]) == 60
    assert told.news[0]["rows"][-1]["object"] == "new/4999"


async def test_a_follower_gets_at_most_ten_messages_a_second(
    user: User, engine: FakeEngine
) -> None:
    await user.open("/run/1")
    told = Told(user)
    began = time.monotonic()

    for number in range(100):
        grow(engine, f"new/{number}")
        await asyncio.sleep(0.01)

    assert 3 <= len(told.news) <= 10 * (time.monotonic() - began) + 3
    await becomes(lambda: told.news[-1]["lines"] == 140)


async def test_a_log_that_is_read_anew_is_said_to_be(user: User, engine: FakeEngine) -> None:
    await user.open("/run/1")
    told = Told(user)

    del engine.logs[1][5:]
    grow(engine)
    await becomes(lambda: told.news)

    assert (told.news[0]["lines"], told.news[0]["again"]) == (5, True)


async def test_the_end_of_a_run_is_told(user: User, engine: FakeEngine) -> None:
    await user.open("/run/1")
    told = Told(user)

    engine.runs[1] = scenes.run_view(id=1)
    engine.live.publish(run_topic(1))
    await becomes(lambda: told.news)

    assert told.news[-1]["growing"] is False


async def test_the_end_is_told_after_lines_that_could_not_be_read(
    user: User,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await user.open("/run/1")
    told = Told(user)

    def fail(*asked: object) -> None:
        raise OSError("no database just now")

    with monkeypatch.context() as broken:
        broken.setattr(engine, "log_rows", fail)
        grow(engine, "new/last")
        await becomes(lambda: "could not be brought up to date" in caplog.text)
    caplog.clear()
    engine.live.publish(log_topic(1))

    await becomes(lambda: told.news)
    assert [row["object"] for row in told.news[0]["rows"]][-1] == "new/last"


async def test_a_log_line_in_the_page_is_data(user: User, engine: FakeEngine) -> None:
    answer = await user.http_client.get("/run/10")

    assert "document.title='owned'" in answer.text
    assert "<script>document.title='owned'" not in answer.text
