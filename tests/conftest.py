"""Things of the field for every test: servers, buckets, the program."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.store_fixtures import data_folder, ends, new_database, open_store, told, vault
from tests.support.gate import PausingS3
from tests.support.program import Bucket, Program, until
from tests.support.servers import MotoServer, RcloneS3, ServerProcess
from tests.support.services import B2, R2, Amazon, StandIn

__all__ = ["data_folder", "ends", "new_database", "open_store", "told", "vault"]  # fixtures

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy one takes its time
hypothesis.settings.load_profile("any machine")

_numbers = itertools.count(1)

FEW = 300  # more are put on the server's disk: thousands of objects in no time

NewBucket = Callable[..., Bucket]

STARTED = frozenset(  # fixtures
    {"bucketvault", "served", "browser", "here", "elsewhere", "slow", "pausing", "behind"}
)


# of more than twenty seconds, the longest first
LONGEST = ("test_many_days.py", "test_the_setting_of_a_minute", "test_differential.py")


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out those of a mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of many seconds first; and each that starts a server or the program is slow, too.

    Begun at the end, one of a minute would keep everybody waiting.
    """
    items.sort(
        key=lambda item: (
            not any(name in item.nodeid for name in LONGEST),
            item.get_closest_marker("slow") is None,
        )
    )
    for item in items:
        if STARTED.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    """An S3 server of rclone, for sources."""
    with RcloneS3(tmp_path_factory.mktemp("here"), "AKIAHEREEXAMPLE0001", "here-secret-0001") as s:
        yield s


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    """Another one, for destinations."""
    root = tmp_path_factory.mktemp("elsewhere")
    with RcloneS3(root, "AKIAELSEWHERE000001", "elsewhere-secret-0001") as server:
        yield server


@pytest.fixture
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    """A source that sends 60 kB a second, so that a run can be met in its middle.

    A fresh one for each test: rclone saves up what an idle server did not send.
    """
    root = tmp_path_factory.mktemp("slow")
    limited = ("--bwlimit", "60k")
    key = ("AKIASLOWEXAMPLE0001", "slow-secret-0001")
    with RcloneS3(root, *key, extra_args=limited) as server:
        yield server


@pytest.fixture
def pausing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PausingS3]:
    """A source that hands out a few objects and waits for `thaw`: a run stays in its middle."""
    with PausingS3(tmp_path_factory.mktemp("pausing"), "AKIAPAUSINGEXAMPLE1", "pausing-0001") as s3:
        yield s3


@pytest.fixture(scope="session")
def behind() -> Iterator[MotoServer]:
    """The server behind the stand-ins."""
    with MotoServer() as server:
        yield server


@pytest.fixture(scope="session")
def moto(behind: MotoServer) -> Iterator[MotoServer | StandIn]:
    """A second implementation of S3; with `TESTS_SERVICE=b2` as that service answers."""
    kind = {"r2": R2, "b2": B2, "amazon": Amazon}.get(os.environ.get("TESTS_SERVICE", ""))
    if kind is None:
        yield behind
        return
    with kind(behind) as service:
        yield service


@pytest.fixture
def r2(behind: MotoServer) -> Iterator[R2]:
    """Cloudflare R2 as it answers; `tests.support.services` says how to choose more of it."""
    with R2(behind) as service:
        yield service


@pytest.fixture
def b2(behind: MotoServer) -> Iterator[B2]:
    """Backblaze B2 as it answers."""
    with B2(behind) as service:
        yield service


@pytest.fixture
def amazon(behind: MotoServer) -> Iterator[Amazon]:
    """Amazon S3 as it answers."""
    with Amazon(behind) as service:
        yield service


@pytest.fixture
def new_bucket() -> NewBucket:
    """Makes a fresh bucket at a server and fills it: `new_bucket(server, {"key": b"body"})`."""

    def make(server: ServerProcess | StandIn, contents: dict[str, bytes] | None = None) -> Bucket:
        bucket = Bucket(server, f"bucket-{next(_numbers):04}")
        contents = contents or {}
        client = server.client()
        if isinstance(server, RcloneS3) and len(contents) > FEW:
            for key, body in contents.items():
                path = server.root / bucket.name / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            until("the server sees the files", lambda: bucket.is_there())
            return bucket
        client.create_bucket(Bucket=bucket.name)
        for key, body in contents.items():
            client.put_object(Bucket=bucket.name, Key=key, Body=body)
        return bucket

    return make


@pytest.fixture
def bucketvault(tmp_path: Path) -> Iterator[Program]:
    """The real program on a data folder of its own; whatever it started is ended with the test."""
    program = Program(tmp_path)
    yield program
    program.end()
