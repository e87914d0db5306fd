"""A slow service is listed in several ranges at a time, and found to hold the same as in one."""

import bisect
import re
import threading
import time
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bucketvault.engine.listing import bucket as asking
from bucketvault.engine.listing import ranges
from bucketvault.engine.listing.bucket import Lister, ListingError
from bucketvault.engine.listing.order import OrderError
from tests.engine.listing.test_bucket import at, service
from tests.engine.listing.test_page import HTML, answer, row
from tests.support.program import until

NUMBERED = [f"photos/img_{number:06}.jpg" for number in range(1_000)]
NESTED = [f"d{number // 30:03}/{number % 30}/x" for number in range(1_000)]
ON_GUESSES = [str(number) for number in range(1_000)]  # what is guessed is itself a key
WITH_GAPS = [f"{folder}/{number:05}" for folder in "amz" for number in range(400)]
ODD = ["%41", "a b+c&d=e", "a//b", "a/~", "dot/../y", "~", "\x7f", "ü/ä", "日本/語", "🎉", "🎉/🎉"]
PAGE = 20


@pytest.fixture(autouse=True)
def _small_pages_are_many_and_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "SLOW_S", 0.0)
    monkeypatch.setattr(ranges, "FEW", 2)
    monkeypatch.setattr(ranges, "HEAD_KEYS", 5)
    monkeypatch.setattr(ranges, "PAGE_KEYS", PAGE)
    monkeypatch.setattr(ranges, "WORTH_PAGES", 2.0)
    monkeypatch.setattr(asking, "LONGEST_PAUSE_S", 0.05)


class Service:
    """Lists keys, a few a page; what a subclass overrides is what is wrong with it."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.begun: list[str] = []  # behind which keys listings were begun
        self.pages = 0

    def __call__(self, path: str, _: int) -> tuple[int, bytes]:
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        prefix, after = asked.get("prefix", ""), asked.get("start-after", "")
        token = asked.get("continuation-token", "")
        self.pages += 1
        if after:
            self.begun.append(after)
        behind = self.behind(after) if after else self.keys
        if token:
            behind = self.keys[self.keys.index(token) + 1 :]
        below = [key for key in behind if key.startswith(prefix)]
        some = below[: min(PAGE, int(asked["max-keys"]))]
        return self.page(prefix, some, more=len(some) < len(below))

    def behind(self, after: str) -> list[str]:
        places = [key.encode() for key in self.keys]
        return self.keys[bisect.bisect_right(places, after.encode()) :]

    def page(self, prefix: str, keys: list[str], *, more: bool) -> tuple[int, bytes]:
        end = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
        if more:
            token = keys[-1].replace("&", "&amp;")
            end += f"<NextContinuationToken>{token}</NextContinuationToken>"
        rows = [row(urllib.parse.quote(key, safe="/")) for key in keys]
        return 200, answer(*rows, prefix=urllib.parse.quote(prefix, safe="/"), end=end)


def asked(endpoint: str, folder: Path, prefix: str = "") -> list[str]:
    seen: list[int] = []
    lister = Lister(at(endpoint), patience_s=0.2)
    found = [entry.key.decode() for entry in ranges.entries(lister, prefix, folder, seen.append)]
    assert sum(seen) == len(found)
    return found


def listed(script: Service, folder: Path, prefix: str = "") -> list[str]:
    with service(script) as endpoint:
        return asked(endpoint, folder, prefix)


@pytest.mark.parametrize(
    "keys",
    [NUMBERED, NESTED, ON_GUESSES, WITH_GAPS],
    ids=["flat", "nested", "on guesses", "with gaps"],
)
def test_several_ranges_hold_what_one_listing_holds_for_a_few_requests_more(
    keys: list[str], tmp_path: Path
) -> None:
    script = Service(keys)

    assert listed(script, tmp_path) == script.keys

    assert len(script.begun) >= ranges.AT_A_TIME
    assert script.pages <= 1.8 * len(keys) / PAGE  # pages of 20 keys: a seam costs one
    assert list(tmp_path.iterdir()) == []


def test_keys_are_those_below_the_folder_also_where_a_range_begins(tmp_path: Path) -> None:
    script = Service([*NUMBERED, "other/x", "zoo/x"])

    assert listed(script, tmp_path, "photos/") == [key.removeprefix("photos/") for key in NUMBERED]

    assert script.begun and all(key.startswith("photos/") for key in script.begun)


@pytest.mark.parametrize("why", ["it is short", "answers are quick"])
def test_there_is_one_range_where_more_would_not_pay(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Service(NUMBERED[: 2 * PAGE] if why == "it is short" else NUMBERED)
    if why == "answers are quick":
        monkeypatch.setattr(ranges, "SLOW_S", 10.0)

    assert listed(script, tmp_path) == script.keys

    assert script.begun == [] and script.pages == len(script.keys) // PAGE


_NAMES = st.one_of(
    st.sampled_from(ODD),
    st.text("ab/0~ü", min_size=1, max_size=4),
    st.builds(lambda *parts: "/".join(parts), st.sampled_from("ab"), st.text("019é", min_size=1)),
)


def test_whatever_the_keys_are_ranges_hold_what_one_listing_holds(tmp_path: Path) -> None:
    script = Service([])

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.sets(_NAMES, max_size=40), st.integers(0, 300), st.sampled_from(["", "a/", "photos/"])
    )
    def check(names: set[str], more: int, prefix: str) -> None:
        script.__init__([*names, *NUMBERED[:more]])  # type: ignore[misc]

        found = asked(endpoint, tmp_path, prefix)

        below = [key.removeprefix(prefix) for key in script.keys if key.startswith(prefix)]
        assert found == below

    with service(script) as endpoint:
        check()


class Ignoring(Service):
    """Some services do not know `start-after`."""

    def behind(self, after: str) -> list[str]:
        return self.keys


class Refusing(Service):
    """Others refuse what they do not know."""

    def __call__(self, path: str, number: int) -> tuple[int, bytes]:
        if "start-after" in path:
            self.begun.append(path)
            return 400, b"<Error><Code>InvalidArgument</Code><Message>No.</Message></Error>"
        return super().__call__(path, number)


@pytest.mark.parametrize("kind", [Ignoring, Refusing])
def test_a_service_that_does_not_know_where_to_begin_is_listed_in_one(
    kind: type[Service], tmp_path: Path
) -> None:
    script = kind(NUMBERED)

    assert listed(script, tmp_path) == NUMBERED

    assert len(script.begun) <= 2  # who was asked at that moment is not asked again


class SkippingFolders(Service):
    """As SeaweedFS: asked for what comes after `b`, it leaves out all of `b/`."""

    def behind(self, after: str) -> list[str]:
        return [key for key in super().behind(after) if not key.startswith(after + "/")]


class Losing(Service):
    """It leaves out the third key from where it was told to begin."""

    def behind(self, after: str) -> list[str]:
        found = super().behind(after)
        return found[:2] + found[3:]


@pytest.mark.parametrize("kind", [SkippingFolders, Losing])
@pytest.mark.parametrize("keys", [NUMBERED, NESTED], ids=["flat", "nested"])
def test_what_a_listing_from_further_on_leaves_out_is_not_lost(
    kind: type[Service], keys: list[str], tmp_path: Path
) -> None:
    script = kind(keys)

    assert listed(script, tmp_path) == script.keys

    assert script.begun


def test_keys_that_come_and_go_meanwhile_where_ranges_meet_do_no_harm(tmp_path: Path) -> None:
    class Changing(Service):
        def behind(self, after: str) -> list[str]:
            found = super().behind(after)
            if found:  # gone, as soon as a range has begun with it
                self.keys = [key for key in self.keys if key != found[0]]
            return found

    script = Changing(NUMBERED)

    found = listed(script, tmp_path)

    assert set(script.keys) <= set(found) and found == sorted(set(found))


def test_a_range_that_is_answered_with_a_web_page_ends_the_whole(tmp_path: Path) -> None:
    class Broken(Service):
        def page(self, prefix: str, keys: list[str], *, more: bool) -> tuple[int, bytes]:
            if keys[0] > NUMBERED[800]:
                return 200, HTML.encode()
            return super().page(prefix, keys, more=more)

    with pytest.raises(ListingError, match="not valid S3"):
        listed(Broken(NUMBERED), tmp_path)


def test_a_range_that_is_refused_ends_the_whole(tmp_path: Path) -> None:
    class Denying(Service):
        def page(self, prefix: str, keys: list[str], *, more: bool) -> tuple[int, bytes]:
            if NUMBERED[600] < keys[0] < NUMBERED[700]:
                return 403, b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
            return super().page(prefix, keys, more=more)

    with pytest.raises(ListingError) as told:
        listed(Denying(NUMBERED), tmp_path)

    assert (told.value.status, told.value.code) == (403, "AccessDenied")


def test_keys_that_do_not_rise_are_told_wherever_they_are(tmp_path: Path) -> None:
    class Unsorted(Service):
        def page(self, prefix: str, keys: list[str], *, more: bool) -> tuple[int, bytes]:
            swapped = [*keys[:-2], keys[-1], keys[-2]] if keys[0] > NUMBERED[900] else keys
            status, body = super().page(prefix, swapped, more=False)
            if more:
                _, whole = super().page(prefix, keys, more=True)
                token = re.search(rb"<NextContinuationToken>.*</NextContinuationToken>", whole)
                assert token is not None
                end = b"<IsTruncated>true</IsTruncated>" + token[0]
                body = body.replace(b"<IsTruncated>false</IsTruncated>", end)
            return status, body

    with pytest.raises(OrderError):
        listed(Unsorted(NUMBERED), tmp_path)


def test_ranges_that_are_far_ahead_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ON_DISK_BYTES", 10_000)  # about five pages
    script = Service(NUMBERED)

    assert listed(script, tmp_path) == NUMBERED


def test_who_stops_reading_ends_every_range(tmp_path: Path) -> None:
    before = threading.active_count()
    script = Service([f"{number:07}" for number in range(20_000)])

    with service(script) as endpoint:
        entries = ranges.entries(Lister(at(endpoint)), "", tmp_path, lambda count: None)
        for _ in range(10 * PAGE):
            next(entries)
        entries.close()
        asked = script.pages
        until("every thread has ended", lambda: threading.active_count() <= before + 1)

    assert script.pages <= asked + ranges.AT_A_TIME
    assert list(tmp_path.iterdir()) == []


def test_a_slow_service_is_asked_for_several_pages_at_a_time(tmp_path: Path) -> None:
    class Slow(Service):
        asked_now, asked_most = 0, 0

        def __call__(self, path: str, number: int) -> tuple[int, bytes]:
            self.asked_now += 1
            self.asked_most = max(self.asked_most, self.asked_now)
            time.sleep(0.03)  # that is what is tried
            self.asked_now -= 1
            return super().__call__(path, number)

    script = Slow([f"{number:05}" for number in range(3_000)])

    assert listed(script, tmp_path) == script.keys

    assert 3 <= script.asked_most <= ranges.AT_A_TIME
