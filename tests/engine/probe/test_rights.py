"""Rights of a key, one by one: real servers, and rights that are refused one by one."""

from collections.abc import Callable, Iterable

import pytest

from bucketvault.engine.probe.halt import Halt
from bucketvault.engine.probe.results import (
    About,
    Finding,
    Found,
    Result,
    Right,
    RightResult,
    TrialResult,
    Untried,
)
from bucketvault.engine.probe.service import End, try_service
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.remotes import Remote
from tests.engine.probe.test_account import LIST_BUCKETS, XHTML
from tests.engine.probe.test_contents import remote
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import MotoServer, RcloneS3, rclone_path
from tests.support.wrong_answers import Lie, LyingProxy, said

Refuse = tuple[Rule, Right]


def tried(
    at: Remote,
    bucket: str,
    write: bool = True,
    *,
    halt: Halt | None = None,
    paths: Iterable[str] = (),
    watch: Callable[[Result], None] = lambda _: None,
) -> tuple[list[Result], End]:
    """Return all results of a test, in the order in which they were told, and how it ended."""
    found: list[Result] = []

    def tell(result: Result) -> None:
        found.append(result)
        watch(result)

    binary = find_binary(rclone_path())
    end = try_service(binary, at, bucket, write, tell, halt=halt or Halt(60), paths=paths)
    return found, end


def rights(results: Iterable[Result]) -> dict[Right, RightResult]:
    return {each.right: each for each in results if isinstance(each, RightResult)}


def outcomes(results: Iterable[Result]) -> dict[Right, TrialResult]:
    return {right: each.outcome for right, each in rights(results).items()}


def of(results: Iterable[Result], about: About) -> Finding:
    """Return the newest finding about something."""
    return [each for each in results if isinstance(each, Finding) and each.about is about][-1]


@pytest.fixture
def only_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd names have tests of their own; they take a second each time."""
    monkeypatch.setattr("bucketvault.engine.probe.service._Test._write_more", lambda *_: None)


def test_a_good_key_may_do_everything_and_nothing_is_left_behind(
    moto: MotoServer, new_bucket, only_rights
) -> None:
    bucket = new_bucket(moto, {"folder/one.txt": b"hello", "two.txt": b""})

    results, end = tried(remote(moto), bucket.name)

    assert end is End.DONE
    assert set(outcomes(results)) == set(Right)
    assert set(outcomes(results).values()) == {TrialResult.WORKS}
    assert rights(results)[Right.READ].note == "folder/one.txt"
    assert of(results, About.LEFT).found is Found.NO
    assert bucket.keys() == ["folder/one.txt", "two.txt"]


def test_nothing_is_written_unless_asked_for(here: RcloneS3, new_bucket) -> None:
    bucket = new_bucket(here, {"one.txt": b"hello"})

    with RefusingProxy(here.endpoint) as proxy:
        results, _ = tried(remote(here, proxy.endpoint), bucket.name, write=False)

    assert set(proxy.requests) <= {"GET", "HEAD"}
    assert outcomes(results)[Right.READ] is TrialResult.WORKS
    assert rights(results)[Right.WRITE].untried is Untried.NOT_ASKED


REFUSALS: dict[str, Callable[[str], Refuse]] = {
    "list buckets": lambda _: (Rule("GET", LIST_BUCKETS, 403, "AccessDenied"), Right.LIST_BUCKETS),
    "list objects": lambda bucket: (
        Rule("GET", rf"{bucket}/?\?.*prefix=$", 403, "AccessDenied"),
        Right.LIST_OBJECTS,
    ),
    "read": lambda _: (Rule("GET", r"one\.txt", 403, "AccessDenied"), Right.READ),
    "write": lambda _: (Rule("PUT", ".", 403, "AccessDenied"), Right.WRITE),
    "copy": lambda _: (
        Rule("PUT", ".", 403, "AccessDenied", header="x-amz-copy-source"),
        Right.SET_ASIDE,
    ),
    "delete": lambda _: (Rule("DELETE", ".", 403, "AccessDenied"), Right.DELETE),
}


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_refused_right_is_named_with_the_providers_code(
    refused: str, here: RcloneS3, new_bucket, only_rights
) -> None:
    bucket = new_bucket(here, {"one.txt": b"hello"})
    rule, right = REFUSALS[refused](bucket.name)

    with RefusingProxy(here.endpoint, [rule]) as proxy:
        results, _ = tried(remote(here, proxy.endpoint), bucket.name)

    wrong = [
        (each.right, each.outcome, each.code)
        for each in rights(results).values()
        if each.outcome in (TrialResult.REFUSED, TrialResult.FAILED)
    ]
    assert wrong == [(right, TrialResult.REFUSED, "403 AccessDenied")]
    left = sorted(set(bucket.keys()) - {"one.txt"})
    if right is Right.DELETE:
        named = of(results, About.LEFT)
        assert len(left) == 2 and named.text.split("\n") == [f"{bucket.name}/{key}" for key in left]
        assert named.number == sum(len(bucket.objects()[key]) for key in left)
    else:
        assert not left


def test_what_was_written_goes_also_when_looking_at_it_is_refused(
    here: RcloneS3, new_bucket, only_rights
) -> None:
    bucket = new_bucket(here)

    with RefusingProxy(here.endpoint, [Rule("HEAD", ".", 403, "AccessDenied")]) as proxy:
        results, _ = tried(remote(here, proxy.endpoint), bucket.name)

    assert outcomes(results)[Right.WRITE] is TrialResult.FAILED
    assert bucket.keys() == []


def test_after_a_refused_key_nothing_more_is_tried(here: RcloneS3, new_bucket) -> None:
    results, _ = tried(remote(here, secret="another-secret-0001"), new_bucket(here).name)

    found = outcomes(results)
    assert found.pop(Right.CONNECT) is TrialResult.WORKS
    assert found.pop(Right.KEYS) is TrialResult.REFUSED
    assert set(found.values()) == {TrialResult.NOT_TRIED}


def test_a_bucket_that_is_not_there_is_not_written_to(here: RcloneS3) -> None:
    results, _ = tried(remote(here), "no-such-bucket")

    assert outcomes(results)[Right.LIST_OBJECTS] is TrialResult.FAILED
    assert outcomes(results)[Right.WRITE] is TrialResult.NOT_TRIED


def test_a_web_page_is_neither_a_key_that_works_nor_an_empty_bucket(
    here: RcloneS3, new_bucket
) -> None:
    bucket = new_bucket(here, {"one.txt": b"hello"})

    with LyingProxy(here.endpoint) as proxy:
        proxy.lies = [Lie("GET", rf"{bucket.name}/?\?", answer=said(XHTML, kind="text/html"))]
        inside, _ = tried(remote(here, proxy.endpoint), bucket.name)
        proxy.lies = [Lie("GET", ".", answer=said(XHTML, kind="text/html"))]
        outside, _ = tried(remote(here, proxy.endpoint), bucket.name)

    assert outcomes(inside)[Right.LIST_OBJECTS] is TrialResult.FAILED
    assert outcomes(inside)[Right.WRITE] is TrialResult.NOT_TRIED
    assert outcomes(outside)[Right.CONNECT] is TrialResult.FAILED
    assert "not an S3 service" in rights(outside)[Right.CONNECT].note


def test_a_stop_ends_a_test_and_removes_what_it_wrote(moto: MotoServer, new_bucket) -> None:
    bucket = new_bucket(moto, {"one.txt": b"hello"})
    halt = Halt(60)

    def stop(result: Result) -> None:
        if isinstance(result, Finding) and result.about is About.MD5:
            halt.set()

    results, end = tried(remote(moto), bucket.name, halt=halt, watch=stop)

    assert end is End.STOPPED
    assert of(results, About.LEFT).found is Found.NO
    assert bucket.keys() == ["one.txt"]


def test_a_test_that_takes_too_long_says_so(moto: MotoServer, new_bucket) -> None:
    results, end = tried(remote(moto), new_bucket(moto).name, halt=Halt(0))

    assert end is End.NO_TIME
    assert {each.untried for each in rights(results).values()} == {Untried.NO_TIME}
