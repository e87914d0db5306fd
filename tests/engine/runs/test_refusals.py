"""Runs that must not be green: each failed with its reason, in words, and nothing touched."""

from pathlib import Path

import pytest

from tests.conftest import NewBucket
from tests.support.program import Bucket, Program, objects
from tests.support.servers import MotoServer, RcloneS3, free_port, rclone_path


@pytest.fixture
def both(here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket) -> tuple[Bucket, Bucket]:
    """A source with objects, and a destination that holds an older copy and more."""
    return new_bucket(here, objects(10)), new_bucket(
        elsewhere, {"old.txt": b"old", "b/c.txt": b"c"}
    )


def failed(program: Program, destination: Bucket, before: dict[str, bytes]) -> dict[str, str]:
    done = program.cli("run", "Photos", "--wait")
    run = program.last_run()
    assert done.code == 1 and run["status"] == "failed"
    assert run["explanation"] in done.err and "Traceback" not in done.err
    assert destination.objects() == before
    return run


def test_a_wrong_secret_is_named_with_its_provider(
    bucketvault: Program, both: tuple[Bucket, Bucket]
) -> None:
    bucketvault.backup(*both, source_secret="a-wrong-secret-0001")

    run = failed(bucketvault, both[1], both[1].objects())

    assert run["reason"] == "credentials" and "secret" in run["explanation"]
    assert "Source" in run["explanation"] and "a-wrong-secret" not in str(run)


def test_a_missing_source_bucket_fails_and_touches_nothing(
    bucketvault: Program, both: tuple[Bucket, Bucket]
) -> None:
    bucketvault.backup(Bucket(both[0].server, "no-such-bucket"), both[1])

    run = failed(bucketvault, both[1], both[1].objects())

    assert run["reason"] == "source_missing" and "no-such-bucket" in run["explanation"]


def test_a_missing_destination_bucket_fails_and_is_not_created(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source, missing = new_bucket(moto, objects(3)), Bucket(moto, "mistyped-bucket")
    bucketvault.backup(source, missing)

    done = bucketvault.cli("run", "Photos", "--wait")

    assert done.code == 1 and "mistyped-bucket" in done.err
    assert "mistyped-bucket" not in {b["Name"] for b in moto.client().list_buckets()["Buckets"]}


@pytest.mark.parametrize("path", ["", "mistyped/path"])
def test_an_empty_source_or_a_mistyped_path_stops_before_anything_is_touched(
    bucketvault: Program, both: tuple[Bucket, Bucket], new_bucket: NewBucket, path: str
) -> None:
    source = both[0] if path else new_bucket(both[0].server)
    bucketvault.backup(source, both[1], source_path=path)

    run = failed(bucketvault, both[1], both[1].objects())

    assert run["reason"] == "brake" and "empty" in run["explanation"]


def test_a_source_that_does_not_answer_is_called_unreachable(
    bucketvault: Program, both: tuple[Bucket, Bucket]
) -> None:
    bucketvault.backup(*both, source_endpoint=f"http://127.0.0.1:{free_port()}")

    run = failed(bucketvault, both[1], both[1].objects())

    assert run["reason"] == "unreachable"


def test_a_lost_key_file_fails_the_run_and_no_new_key_is_made(
    bucketvault: Program, both: tuple[Bucket, Bucket]
) -> None:
    bucketvault.backup(*both)
    bucketvault.key_file.unlink()

    run = failed(bucketvault, both[1], both[1].objects())

    assert run["reason"] == "credentials" and "key file" in run["explanation"]
    assert not bucketvault.key_file.exists()


VERSION = 'if [ "$1" = version ]; then echo "rclone v1.75.2 fake"; exit 0; fi'
REAL = 'exec {rclone} "$@"'
COPY = 'for word; do [ "$word" = copy ]'
UNCOUNTABLE = """echo '{"level": "info", "stats": {"eta": NaN, "bytes": 1e999}}' >&2"""
FAKES = {
    "missing": (None, "rclone_missing"),
    "too old": ('echo "rclone v1.60.1-DEV "', "rclone_missing"),
    "printing junk": ("echo junk", "rclone_missing"),
    "printing junk without end": ("yes", "rclone_missing"),
    "ending at once with success": (f"{VERSION}\nexit 0", "incomplete"),
    "printing junk with success": (f"{VERSION}\nhead -c 3000 /dev/urandom", "incomplete"),
    "printing numbers nobody can count to": (f"{VERSION}\n{UNCOUNTABLE}", "incomplete"),
    "dying in the copy": (f"{VERSION}\n{COPY} && kill -9 $$; done\n{REAL}", "killed"),
    "complaining about its usage": (
        f'{VERSION}\n{COPY} && set -- "$@" --nonsense; done\n{REAL}',
        "rclone_missing",
    ),
}


@pytest.mark.parametrize("kind", FAKES)
def test_an_rclone_that_cannot_be_trusted_never_makes_a_success(
    bucketvault: Program, both: tuple[Bucket, Bucket], new_bucket: NewBucket, kind: str
) -> None:
    text, reason = FAKES[kind]
    fake = bucketvault.folder / "fake-rclone"
    if text is not None:
        fake.write_text(f"#!/bin/bash\n{text.replace('{rclone}', rclone_path())}\n")
        fake.chmod(0o755)
    source, destination = both[0], new_bucket(both[1].server, dict([*objects(10).items()][:1]))
    bucketvault.backup(source, destination)
    bucketvault.environment["BUCKETVAULT_RCLONE"] = str(fake)

    run = failed(bucketvault, destination, destination.objects())

    assert run["reason"] == reason, run


def test_what_rclone_says_outside_its_log_is_kept_and_shown_as_it_is(
    bucketvault: Program, both: tuple[Bucket, Bucket], new_bucket: NewBucket
) -> None:
    fake = bucketvault.folder / "fake-rclone"
    words = 'echo "on stdout"; echo "{not JSON}" >&2; printf "half a line"; exit 1'
    fake.write_text(f"#!/bin/bash\n{VERSION}\n{words}\n")
    fake.chmod(0o755)
    bucketvault.backup(both[0], new_bucket(both[1].server))
    bucketvault.environment["BUCKETVAULT_RCLONE"] = str(fake)

    run = bucketvault.run()

    raw = bucketvault.raw_log(run["id"]).decode().splitlines()
    said = ["on stdout", "{not JSON}", "half a line"]
    assert [line for line in raw if '"bucketvault"' not in line] == said * 3  # passes
    shown = bucketvault.cli("log", "Photos").out.splitlines()
    assert [line for line in shown if line in said] == said * 3
    assert run["explanation"].endswith("rclone failed: half a line.")


def test_nothing_temporary_is_left_after_runs_that_succeed_and_fail(
    bucketvault: Program, both: tuple[Bucket, Bucket], new_bucket: NewBucket
) -> None:
    bucketvault.backup(*both)
    bucketvault.cli("run", "Photos", "--wait")
    bucketvault.backup(new_bucket(both[0].server), both[1])
    bucketvault.cli("run", "Photos", "--wait")

    left = {str(p.relative_to(bucketvault.data_dir)) for p in bucketvault.data_dir.rglob("*")}

    ledgers = {name for name in left if name.startswith("ledgers/")}
    assert left - ledgers <= {"runs", "ledgers", "app.lock", "bucketvault.sqlite3",
                              "bucketvault.sqlite3-wal", "bucketvault.sqlite3-shm"}  # fmt: skip
    kept = {Path(name).parts[1] for name in ledgers}  # a ledger, and the plan of a held run
    assert all(name.startswith("photos-") and name.endswith((".gz", ".held")) for name in kept)
    assert all(not p.stat().st_mode & 0o077 for p in bucketvault.data_dir.rglob("*"))
