"""Whatever one request of a pass is answered, no version is lost and no other object waits for it.

All requests of a pass are answered wrongly at once, each for keys of its own. With
`TESTS_MORE=1` also one request after another, each in runs of its own.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import NewBucket
from tests.engine.runs.scene import Scene, scene_between
from tests.support.program import Program
from tests.support.servers import RcloneS3
from tests.support.truth import account
from tests.support.wrong_answers import HTML, REFUSED, Lie, done_but, said

pytestmark = pytest.mark.slow

UNDER = r"^/[^/]+/"  # a key of the copy itself, or of the source
KEPT = r"/\.bucketvault-archive/.*/"


@dataclass(frozen=True)
class Request:
    """One kind of request of a pass: where it is sent, and how it is known."""

    end: str
    method: str
    below: str = UNDER
    header: str = ""
    without_header: str = ""

    def lie(self, name: str, **more: object) -> Lie:
        path = f"{self.below}{name}"
        known = {"header": self.header, "without_header": self.without_header}
        return Lie(self.method, path, **known, **more)  # type: ignore[arg-type]


COPIED = "x-amz-copy-source"
REQUESTS = {
    "head-source": Request("source", "HEAD"),
    "get": Request("source", "GET"),
    "head-copy": Request("destination", "HEAD"),
    "head-kept": Request("destination", "HEAD", KEPT),
    "keep": Request("destination", "PUT", KEPT, header=COPIED),
    "put": Request("destination", "PUT", without_header=COPIED),
    "delete": Request("destination", "DELETE"),
}
ANSWERS = {
    "400": {"status": 400, "code": "InvalidArgument"},
    "403": {"status": 403, "code": "AccessDenied"},
    "404": {"status": 404, "code": "NoSuchKey"},
    "500": {"status": 500, "code": "InternalError"},
    "a page with 200": {"answer": said(HTML, kind="text/html")},
    "done, and called refused": {"answer": done_but(said(REFUSED, 400))},
}
FATES = ("changed", "removed", "new")
OTHERS = [f"other-{fate}" for fate in FATES]
MORE = bool(os.environ.get("TESTS_MORE"))


@pytest.fixture
def scene(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> Iterator[Scene]:
    with scene_between(bucketvault, new_bucket, here, elsewhere) as made:
        yield made


def changes(names: list[str], word: str) -> dict[str, bytes | None]:
    bodies = {"changed": f"{word} {{}}", "removed": None, "new": f"{word} {{}}"}
    return {
        name: body.format(name).encode() if (body := bodies[name.rpartition("-")[2]]) else None
        for name in names
    }


def lie_about(scene: Scene, requests: Collection[str], answer: str, times: int | None) -> None:
    for end, proxy in (("source", scene.at_source), ("destination", scene.at_destination)):
        proxy.lies = [
            REQUESTS[request].lie(f"{request}-{fate}", times=times, **ANSWERS[answer])
            for request in requests
            for fate in FATES
            if REQUESTS[request].end == end
        ]


def is_kept_through(
    scene: Scene, requests: Collection[str], answer: str, times: int | None
) -> None:
    """A night that is answered wrongly, perhaps another, and one that is not."""
    concerned = [f"{request}-{fate}" for request in requests for fate in FATES]
    stay = {f"stays-{number}": b"as it is" for number in range(5)}
    former = {name: f"former {name}".encode() for name in [*concerned, *OTHERS]}
    scene.copied(stay | {name: body for name, body in former.items() if "new" not in name})

    scene.change(changes([*concerned, *OTHERS], "changed"))
    lie_about(scene, requests, answer, times)
    scene.run(but=tuple(concerned))
    if MORE:
        scene.change({"other-changed": b"once more", "other-new": None, "stays-0": None})
        lie_about(scene, requests, answer, times)
        scene.run(but=tuple(concerned))
    lie_about(scene, (), answer, times)
    assert scene.run(but=())["status"] == "success"


ALL = tuple(REQUESTS)
CASES = [
    *((ALL, "404", 1), (ALL, "500", 1), (ALL, "403", None), (ALL, "404", None)),
    *((ALL, "a page with 200", None), (ALL, "done, and called refused", None)),
]
if MORE:
    CASES = [
        (requests, answer, times)
        for requests in (ALL, *((each,) for each in REQUESTS))
        for answer in ANSWERS
        for times in (1, None)
    ]


@pytest.mark.parametrize(("requests", "answer", "times"), CASES)
@pytest.mark.timeout(1800 if MORE else 600)  # more: dozens of runs, each tried again for a while
def test_wrong_answers_to_any_request_lose_no_version_and_keep_no_other_object_back(
    scene: Scene, requests: tuple[str, ...], answer: str, times: int | None
) -> None:
    is_kept_through(scene, requests, answer, times)


FLAT = r"list-type=2(&.*)?&prefix=(&|$)"  # a listing of the whole bucket
OF_KEPT = r"list-type=2.*prefix=\.bucketvault-archive%2F[^&]*%2F[^&]*Z%2F"
BAD_LISTINGS = {
    "403": {"status": 403, "code": "AccessDenied"},
    "404": {"status": 404, "code": "NoSuchBucket"},
    "a web page": {"answer": said(HTML, kind="text/html")},
    "500 once": {"status": 500, "code": "InternalError", "times": 1},
}


ENDS = [
    *(("source", answer) for answer in BAD_LISTINGS if MORE or answer != "404"),
    *(("destination", answer) for answer in BAD_LISTINGS if MORE or answer == "404"),
]


def change_all(scene: Scene) -> None:
    scene.copied({"changed": b"former", "removed": b"former", "stays": b"stays"})
    scene.change({"changed": b"changed", "removed": None, "new": b"new"})


@pytest.mark.parametrize("answer", BAD_LISTINGS if MORE else ["403", "500 once"])
def test_what_cannot_be_proven_to_be_kept_is_not_replaced(scene: Scene, answer: str) -> None:
    change_all(scene)
    proxy = scene.at_destination
    proxy.lies = [Lie("GET", OF_KEPT, **BAD_LISTINGS[answer])]  # type: ignore[arg-type]

    run = scene.run(but=("changed",))

    assert run["status"] == ("success" if "once" in answer else "failed"), run
    proxy.lies = []
    assert scene.run(but=())["status"] == "success"


@pytest.mark.parametrize(("end", "answer"), ENDS)
def test_a_run_that_cannot_prove_its_copy_is_not_green(scene: Scene, end: str, answer: str) -> None:
    change_all(scene)
    proxy = scene.at_source if end == "source" else scene.at_destination
    proxy.lies = [Lie("GET", FLAT, skip=1, **BAD_LISTINGS[answer])]  # type: ignore[arg-type]

    run = scene.run(but=())

    assert proxy.told.is_set()
    assert run["status"] == ("success" if "once" in answer else "failed"), run
    if "once" not in answer:
        assert "could not be proven" in run["explanation"], account(scene.program, run)
    proxy.lies = []
    assert scene.run(but=())["status"] == "success"


@pytest.mark.parametrize(("end", "answer"), ENDS)
def test_a_run_that_cannot_look_touches_nothing(scene: Scene, end: str, answer: str) -> None:
    change_all(scene)
    before = scene.state()
    proxy = scene.at_source if end == "source" else scene.at_destination
    proxy.lies = [Lie("GET", "list-type=2", **BAD_LISTINGS[answer])]  # type: ignore[arg-type]

    run = scene.run()

    if "once" in answer:
        assert run["status"] == "success" and scene.state().is_complete
    else:
        assert run["status"] == "failed" and scene.state() == before
        assert "list" in run["explanation"] or "bucket" in run["explanation"]
