"""Backups that would overwrite each other are refused when saved, and again when they start."""

import contextlib
from collections.abc import Iterator

import pytest

from bucketvault.store.database import writing
from bucketvault.store.models import Backup, Provider, Storage
from bucketvault.vocabulary import UsageType
from tests.conftest import NewBucket
from tests.support.program import Program
from tests.support.servers import RcloneS3

# A place is written as `provider/bucket/path`; `here` and `also` are one server by two names.
Way = tuple[str, str]

REFUSED: dict[str, tuple[list[Way], str]] = {
    "itself": ([("here/a", "here/a")], "the same place"),
    "itself by another name": ([("here/a", "also/a")], "the same place"),
    "a path of itself by another name": ([("here/a/p", "also/a/p/")], "the same place"),
    "inside its source": ([("here/a", "also/a/copies")], "inside the source"),
    "around its source": ([("here/a/photos", "also/a")], "inside the destination"),
    "where another copies to": ([("here/a", "here/z"), ("here/b", "also/z")], '"One" copies'),
    "inside another's copy": ([("here/a", "here/z"), ("here/b", "also/z/sub")], '"One" copies'),
    "around another's copy": ([("here/a", "here/z/sub"), ("here/b", "also/z")], '"One" copies'),
    "back, a circle of two": ([("here/a", "here/b"), ("also/b", "also/a")], "copy back to where"),
    "a circle of two by a path": (
        [("here/a/x", "here/b"), ("also/b/deep", "also/a/x/y")],
        "copy back to where",
    ),
    "a circle of three": (
        [("here/a", "here/b"), ("also/b", "here/c"), ("here/c", "also/a")],
        "copy back to where",
    ),
}

FINE: dict[str, list[Way]] = {
    "side by side in one bucket": [("here/a", "here/z/a"), ("here/b", "also/z/b")],
    "names that only begin alike": [("here/a", "here/z/copy"), ("here/b", "also/z/copy-2")],
    "two paths of one bucket": [("here/a/from", "also/a/to")],
    "one source to two places": [("here/a", "here/y"), ("here/a", "also/z")],
    "a chain": [("here/a", "here/b"), ("also/b", "here/c"), ("here/c", "also/z")],
}

NAMES = ("One", "Two", "Three")


@pytest.fixture
def buckets(here: RcloneS3, new_bucket: NewBucket) -> dict[str, str]:
    """Fresh buckets with an object each, by the letter that the cases call them by."""
    return {letter: new_bucket(here, {"x/y/z": b"z"}).name for letter in "abcyz"}


def setup(here: RcloneS3, buckets: dict[str, str], ways: list[Way]) -> str:
    """A whole `setup.toml` with these backups."""

    def end(place: str) -> str:
        provider, letter, *path = place.split("/", 2)
        found = f'{{provider = "{provider}", bucket = "{buckets[letter]}"'
        return found + f', path = "{path[0] if path else ""}"}}'

    text = ""
    for provider, host in (("here", "127.0.0.1"), ("also", "localhost")):
        text += f"""
[[provider]]
name = "{provider}"
provider_type = "amazon_s3"
endpoint = "http://{host}:{here.port}"
access_key_id = "{here.access_key_id}"
secret_access_key = "{here.secret_access_key}"
"""
        for bucket in buckets.values():
            text += f'[[storage]]\nprovider = "{provider}"\nbucket_name = "{bucket}"\n'
    for name, (source, destination) in zip(NAMES, ways, strict=False):
        text += f"""
[[backup]]
name = "{name}"
source = {end(source)}
destination = {end(destination)}
schedule = "daily"
at = "03:15"
"""
    return text


@pytest.mark.parametrize("case", REFUSED)
def test_backups_that_would_overwrite_each_other_are_not_saved(
    bucketvault: Program, here: RcloneS3, buckets: dict[str, str], case: str
) -> None:
    ways, words = REFUSED[case]

    done = bucketvault.apply(setup(here, buckets, ways))

    assert done.code == 1 and words in done.err, done
    assert bucketvault.status()["backups"] == []


@pytest.mark.parametrize("case", FINE)
def test_backups_that_only_meet_are_saved(
    bucketvault: Program, here: RcloneS3, buckets: dict[str, str], case: str
) -> None:
    done = bucketvault.apply(setup(here, buckets, FINE[case]))

    assert done.code == 0, done


@contextlib.contextmanager
def past_the_catalogue(program: Program) -> Iterator[None]:
    """The database, for changes that no form and no file would be allowed."""
    with program.database(), writing():
        yield


def contents(here: RcloneS3, buckets: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Every object of every bucket with its checksum."""
    client = here.client()
    return {
        name: [
            (entry["Key"], entry["ETag"])
            for entry in client.list_objects_v2(Bucket=name).get("Contents", ())
        ]
        for name in buckets.values()
    }


def refused(program: Program, name: str, words: str) -> None:
    done = program.cli("run", name, "--wait")
    run = program.last_run(name)
    assert (done.code, run["reason"]) == (1, "refused"), (done, run)
    assert words in done.err and "Nothing was changed" in done.err
    assert run["copy_state"] == "The copy was not changed."


AT_CLAIM = [
    "itself by another name",
    "inside its source",
    "around its source",
    "inside another's copy",
    "a circle of two by a path",
    "a circle of three",
]


@pytest.mark.parametrize("case", AT_CLAIM)
@pytest.mark.slow
def test_what_came_into_the_database_some_other_way_is_refused_when_it_starts(
    bucketvault: Program, here: RcloneS3, buckets: dict[str, str], case: str
) -> None:
    ways, words = REFUSED[case]
    harmless = [(f"here/{letter}", f"here/z/{letter}") for letter in "abc"][: len(ways)]
    assert bucketvault.apply(setup(here, buckets, harmless)).code == 0
    before = contents(here, buckets)

    def storage(place: str) -> tuple[Storage, str]:
        provider, letter, *path = place.split("/", 2)
        found = Storage.get(
            Storage.provider == Provider.get(Provider.name == provider),
            Storage.bucket_name == buckets[letter],
        )
        return found, path[0].strip("/") if path else ""

    with past_the_catalogue(bucketvault):
        for name, way in zip(NAMES, ways, strict=False):
            (source, source_path), (destination, destination_path) = map(storage, way)
            Backup.update(
                source_storage=source,
                source_path=source_path,
                destination_storage=destination,
                destination_path=destination_path,
            ).where(Backup.name == name).execute()

    refused(bucketvault, NAMES[len(ways) - 1], words)

    assert contents(here, buckets) == before


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.slow
def test_a_bucket_that_is_kept_for_the_other_use_is_refused_when_the_run_starts(
    bucketvault: Program, here: RcloneS3, buckets: dict[str, str], side: str
) -> None:
    assert bucketvault.apply(setup(here, buckets, [("here/a", "here/z")])).code == 0
    before = contents(here, buckets)
    use, bucket = {
        "source": (UsageType.DESTINATION_ONLY, buckets["a"]),
        "destination": (UsageType.SOURCE_ONLY, buckets["z"]),
    }[side]
    with past_the_catalogue(bucketvault):
        Storage.update(usage_type=use).where(Storage.bucket_name == bucket).execute()

    refused(bucketvault, "One", "only: choose another")

    assert contents(here, buckets) == before


@pytest.mark.slow
def test_a_chain_runs_and_copies_on_without_kept_versions(
    bucketvault: Program, here: RcloneS3, new_bucket: NewBucket, buckets: dict[str, str]
) -> None:
    empty = {letter: new_bucket(here).name for letter in "bc"}
    found = buckets | empty
    chain = [("here/a", "here/b"), ("also/b", "here/c")]
    assert bucketvault.apply(setup(here, found, chain)).code == 0
    for name in ("One", "Two"):
        assert bucketvault.run(name)["status"] == "success"

    first, second = (
        {key for key, _ in contents(here, found)[empty[letter]] if not key.endswith("RESTORE.txt")}
        for letter in "bc"
    )

    assert first == second == {"x/y/z"}
