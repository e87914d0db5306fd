"""`make real-services`, against the stand-ins: what it does, what it leaves, what it refuses."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from tests import real_services
from tests.support.services import StandIn, true_names
from tests.support.wrong_answers import Lie


def keys_file(folder: Path, *services: StandIn, mode: int = 0o600) -> Path:
    tables = [
        {
            "name": type(service).__name__,
            "provider_type": service.provider_type.value,
            "endpoint": service.endpoint,
            "region": service.region,
            "access_key_id": service.access_key_id,
            "secret_access_key": service.secret_access_key,
        }
        for service in services
    ]
    lines = [
        "\n".join(["[[service]]", *(f'{key} = "{value}"' for key, value in table.items())])
        for table in tables
    ]
    file = folder / "keys.toml"
    file.write_text("\n".join(lines))
    file.chmod(mode)
    return file


def names(service: StandIn) -> set[str]:
    return {bucket["Name"] for bucket in service.client().list_buckets()["Buckets"]}


@pytest.mark.slow
def test_real_services_walks_between_two_and_leaves_every_other_bucket_alone(
    r2: StandIn, b2: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # its own: others test this, too
    r2.client().create_bucket(Bucket="somebody-elses")
    before = names(r2)
    told: list[str] = []
    file = keys_file(tmp_path, r2, b2)

    assert real_services.main([str(file)], told.append) == 0
    assert told[-1].startswith("Nothing was done.") and not r2.operations

    code = real_services.main([str(file), "--yes", "--only", "R2:B2"], told.append)

    text = "\n".join(told)
    assert code == 0, text
    assert "restore by RESTORE.txt" in text and "1 of 1 good" in text
    assert text.count("removed bucketvault-real-services-") == 2
    assert names(r2) == before
    assert "ListBuckets" not in r2.operations + b2.operations
    most = real_services.REQUESTS_OF_A_WALK
    assert most / 2 < (r2.operations + b2.operations).total() <= most
    for service in (r2, b2):
        assert service.secret_access_key not in text and service.access_key_id not in text
    assert not list(tmp_path.glob(f"{real_services.PREFIX}*"))


@pytest.mark.slow
@pytest.mark.mounts
def test_real_services_walks_between_the_services_own_names(tmp_path: Path) -> None:
    """Only so rclone takes its own way to Amazon: no endpoint, host style, TLS."""
    assert true_names.outside(tmp_path, "Amazon:R2") == 0


@pytest.mark.slow
def test_real_services_removes_its_buckets_after_a_failure_and_says_what_it_could_not(
    r2: StandIn, b2: StandIn, tmp_path: Path
) -> None:
    before = names(r2)
    told: list[str] = []
    file = keys_file(tmp_path, r2, b2)
    b2.lies = [Lie("PUT", r"-copy/", 403, "AccessDenied"), Lie("DELETE", "", 500, "InternalError")]

    code = real_services.main([str(file), "--yes", "--only", "R2:B2"], told.append)

    text = "\n".join(told)
    assert code == 1 and "FAILED" in text and "0 of 1 good" in text
    (left,) = names(r2) - before
    assert left.endswith("-copy") and f"NOT REMOVED: {left} at B2" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[service]]\nname = 'a'", "service 1: provider_type is missing."),
        ("[[service]]\nnmae = 'a'", "service 1: nmae is not known."),
        ("[[service]]\nname = 1", "service 1: name has to be text."),
        ("secret_access_key = 'hidden", "is not TOML"),
        ("secret_access_key = 'hidden'", "has to hold [[service]] tables, and nothing else"),
    ],
)
def test_real_services_says_what_is_wrong_with_the_keys_and_repeats_none(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    file.chmod(0o600)
    told: list[str] = []

    assert real_services.main([str(file), "--yes"], told.append) == 2
    assert said in told[-1] and "hidden" not in told[-1]


def test_real_services_refuses_keys_that_others_can_read(tmp_path: Path) -> None:
    file = keys_file(tmp_path, mode=0o640)
    told: list[str] = []

    assert real_services.main([str(file), "--yes"], told.append) == 2
    assert told == [f"{file} can be read by others. Run: chmod 600 {file}"]


def test_the_example_of_keys_names_what_is_missing(tmp_path: Path) -> None:
    example = Path(__file__).parent.parent / "packaging/real-services.example.toml"
    file = tmp_path / "keys.toml"
    file.write_bytes(example.read_bytes())
    file.chmod(0o600)
    told: list[str] = []
    assert real_services.main([str(file)], told.append) == 2
    assert told == ["service 1: access_key_id is missing."]

    file.write_text(example.read_text().replace('= ""', '= "0123456789abcdef"'))

    assert real_services.main([str(file)], told.append) == 0
    assert told[1].startswith("9 pairs, each in two new buckets")


@pytest.mark.slow
def test_real_services_removes_its_buckets_when_it_is_stopped_however_often(
    r2: StandIn, b2: StandIn, tmp_path: Path
) -> None:
    before = names(r2)
    told: list[str] = []

    def stopping(line: str) -> None:
        told.append(line)
        if "-copy at" in line or "removed" in line:
            os.kill(os.getpid(), signal.SIGTERM)

    assert real_services.main([str(keys_file(tmp_path, r2, b2)), "--yes"], stopping) == 1

    assert names(r2) == before
    assert sum("removed" in line for line in told) == 2 and "0 of 4 good" in told[-1]
