"""Properties of services, as the connection test finds them: real servers and stand-ins."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from email.utils import format_datetime
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

import pytest

from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.probe.names import ODD
from bucketvault.engine.probe.results import (
    About,
    Finding,
    Found,
    NameFinding,
    NameResult,
    Result,
    Right,
    TrialResult,
    traits_of,
)
from bucketvault.engine.rclone.remotes import Remote
from tests.engine.probe.test_rights import of, outcomes, rights, tried
from tests.support.proxies import Rule
from tests.support.servers import SeaweedFS
from tests.support.services import (
    B2,
    R2,
    Amazon,
    Answer,
    Asked,
    ObjectLock,
    OnlyBelow,
    Quirk,
    SseKms,
    StandIn,
)
from tests.support.wrong_answers import Lie, LyingHandler


def at(service: StandIn) -> Remote:
    keys = service.access_key_id, service.secret_access_key
    return Remote("Here", service.provider_type, service.endpoint, service.region, *keys)


@pytest.fixture
def few_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them take a second or two."""
    few = {name: ODD[name] for name in ("plus", "percent", "blanks")}
    monkeypatch.setattr("bucketvault.engine.probe.names.ODD", few)


def names(results: Iterable[Result]) -> dict[str, NameResult]:
    """Return what became of each odd name; the newest word about it."""
    return {each.name: each.result for each in results if isinstance(each, NameFinding)}


def findings(results: Iterable[Result]) -> list[Finding]:
    return [each for each in results if isinstance(each, Finding)]


def test_r2_has_no_versions_and_no_locks_and_keeps_every_name(r2: R2, new_bucket) -> None:
    bucket = new_bucket(r2, {"one.txt": b"hello"})

    results, _ = tried(at(r2), bucket.name)

    assert of(results, About.VERSIONING).found is of(results, About.LOCK).found is Found.NOT_THERE
    assert names(results) == dict.fromkeys(ODD, NameResult.KEPT)
    assert of(results, About.DECODES).found is Found.NO
    assert of(results, About.PARTS).found is of(results, About.ORDERED).found is Found.YES
    assert traits_of(findings(results)) == Traits(
        kms=False,
        decodes=False,
        listing_encoded=True,
        listing_ordered=True,
        etag_is_md5=True,
        copies_inside=True,
    )
    assert bucket.keys() == ["one.txt"]


def test_b2_keeps_what_is_hidden_until_a_rule_ends_it_and_the_test_leaves_none(
    b2: B2, new_bucket, few_names
) -> None:
    bucket = new_bucket(b2, {"one.txt": b"hello"})

    results, _ = tried(at(b2), bucket.name)

    assert of(results, About.VERSIONING).found is Found.YES
    assert of(results, About.OLD_VERSIONS).found is Found.NO
    assert of(results, About.LEFT).found is Found.NO
    told = b2.client().list_object_versions(Bucket=bucket.name)
    assert [each["Key"] for each in told["Versions"]] == ["one.txt"]
    assert "DeleteMarkers" not in told


def test_versions_that_may_not_be_removed_are_counted_and_named(
    b2: B2, new_bucket, few_names
) -> None:
    bucket = new_bucket(b2, {"one.txt": b"hello"})
    b2.lies = [Rule("DELETE", "versionId=", 403, "AccessDenied")]

    results, _ = tried(at(b2), bucket.name)

    left = of(results, About.LEFT)
    told = b2.client().list_object_versions(Bucket=bucket.name, Prefix=".bucketvault-archive/")
    assert left.found is Found.YES
    assert left.number == sum(each["Size"] for each in told["Versions"])
    assert all(f"/{each['Key']}" in left.text for each in told["Versions"])
    assert bucket.keys() == ["one.txt"]


def test_a_key_that_is_limited_to_a_folder_is_told_by_the_folder_of_a_backup(
    b2: B2, new_bucket
) -> None:
    bucket = new_bucket(b2, {"backups/one.txt": b"hello"})
    b2.quirks.insert(0, OnlyBelow("backups/"))

    results, _ = tried(at(b2), bucket.name, paths=["elsewhere", "backups"])

    assert outcomes(results)[Right.LIST_OBJECTS] is TrialResult.REFUSED
    assert of(results, About.PREFIX_ONLY).text == "backups/"
    assert outcomes(results)[Right.WRITE] is TrialResult.REFUSED
    assert rights(results)[Right.WRITE].code == "403 AccessDenied"


def test_amazon_with_kms_has_hashes_that_are_no_md5(amazon: Amazon, new_bucket, few_names) -> None:
    bucket = new_bucket(amazon, {"one.txt": b"hello"})
    amazon.quirks.insert(0, SseKms())

    results, _ = tried(at(amazon), bucket.name)

    assert of(results, About.MD5).found is Found.NO
    assert of(results, About.ENCRYPTION).text == "aws:kms"
    assert of(results, About.PARTS).found is Found.YES
    assert traits_of(findings(results)).kms is True
    assert set(names(results).values()) == {NameResult.KEPT}


def test_a_default_retention_is_found_before_more_is_written_than_the_rights_need(
    amazon: Amazon,
) -> None:
    amazon.client().create_bucket(Bucket="locked-for-days", ObjectLockEnabledForBucket=True)
    kept = {"Mode": "GOVERNANCE", "Days": 14}
    amazon.client().put_object_lock_configuration(
        Bucket="locked-for-days",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": kept},
        },
    )
    amazon.quirks.insert(0, ObjectLock(bucket="locked-for-days"))

    results, _ = tried(at(amazon), "locked-for-days")

    found = of(results, About.LOCK)
    assert (found.found, found.number, found.text) == (Found.YES, 14, "GOVERNANCE")
    assert not names(results)
    assert outcomes(results)[Right.WRITE] is TrialResult.WORKS
    assert of(results, About.LEFT).found is Found.YES and of(results, About.LEFT).number > 0


@pytest.mark.parametrize("stays", [True, False])
def test_a_lock_that_the_key_may_not_ask_for_is_found_by_a_version_that_stays(
    stays: bool, amazon: Amazon, new_bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    more: list[str] = []
    monkeypatch.setattr(
        "bucketvault.engine.probe.service._Test._write_more", lambda _, folder: more.append(folder)
    )
    bucket = new_bucket(amazon)
    amazon.client().put_bucket_versioning(
        Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    amazon.lies = [Rule("GET", r"\?(object-lock|versioning)", 403, "AccessDenied")]
    if stays:
        amazon.quirks.insert(0, ObjectLock(bucket=bucket.name))

    results, _ = tried(at(amazon), bucket.name)

    assert of(results, About.LOCK).found is of(results, About.VERSIONING).found is Found.REFUSED
    assert outcomes(results)[Right.DELETE] is TrialResult.WORKS
    assert bool(more) is not stays
    assert of(results, About.LEFT).found is (Found.YES if stays else Found.NO)
    told = amazon.client().list_object_versions(Bucket=bucket.name)
    assert ("Versions" in told) is stays


@pytest.fixture
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with SeaweedFS(tmp_path_factory.mktemp("weed")) as server:
        yield server


def test_seaweedfs_folds_names_and_lists_by_folder(weed: SeaweedFS, new_bucket) -> None:
    bucket = new_bucket(weed, {"one.txt": b"hello"})
    keys = weed.access_key_id, weed.secret_access_key
    here = Remote("Here", "amazon_s3", weed.endpoint, "us-east-1", *keys)  # type: ignore[arg-type]

    results, _ = tried(here, bucket.name)

    found = names(results)
    assert {name for name in found if found[name] is NameResult.KEPT} == {
        *("plus", "percent", "ampersand", "blanks", "unicode", "case", "control"),
        "folder_and_object",
    }
    assert found["double_slash"] is found["backslash"] is NameResult.RENAMED
    assert found["dots"] is found["long"] is NameResult.REFUSED
    assert found["trailing_slash"] is NameResult.ALTERED
    assert of(results, About.ORDERED).found is Found.NO
    assert bucket.keys() == ["one.txt"]


def test_rclone_is_told_of_a_server_that_ignores_the_encoding(amazon: Amazon, new_bucket) -> None:
    bucket = new_bucket(amazon)
    amazon.quirks.insert(0, Plain())

    results, _ = tried(at(amazon), bucket.name)

    assert of(results, About.ENCODED).found is Found.NO
    found = names(results)
    assert found["plus"] is found["percent"] is found["blanks"] is NameResult.KEPT
    assert traits_of(findings(results)).listing_encoded is False


class Plain(Quirk):
    """Ignores `encoding-type`, as DigitalOcean and others do by rclone's table of providers."""

    def changes(self, asked: Asked, answer: Answer) -> None:
        if asked.operation != "ListObjectsV2" or b"<EncodingType>url" not in answer.body:
            return

        def plain(found: re.Match[bytes]) -> bytes:
            key = unquote_to_bytes(found[1].replace(b"+", b" ")).decode()
            told = escape(key).replace("\x01", "&#1;").replace("\r", "&#13;")
            return f"<Key>{told}</Key>".encode()

        body = answer.body.replace(b"<EncodingType>url</EncodingType>", b"")
        answer.body = re.sub(rb"<Key>([^<]*)</Key>", plain, body)


RULES = [
    {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}},
    {"ID": "b", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
    {
        "ID": "c",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
    },
    {
        "ID": "d",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": "temporary", "Value": "yes"}},
        "Expiration": {"Days": 2},
    },
]


def test_lifecycle_rules_are_read_for_what_they_do_to_a_copy(b2: B2, new_bucket) -> None:
    bucket = new_bucket(b2)
    b2.client().put_bucket_lifecycle_configuration(
        Bucket=bucket.name, LifecycleConfiguration={"Rules": RULES}
    )

    results, _ = tried(at(b2), bucket.name, write=False)

    expires = [each for each in findings(results) if each.about is About.EXPIRES]
    assert [(each.number, each.text) for each in expires] == [(30, "logs/")]
    assert (of(results, About.MOVES).number, of(results, About.MOVES).text) == (90, "GLACIER")
    assert of(results, About.OLD_VERSIONS).number == 7
    assert of(results, About.UNFINISHED).number == 3


def an_hour_ahead(handler: LyingHandler) -> None:
    _, body = handler.ask()
    then = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    handler.send_response_only(200)
    handler.send_header("Date", format_datetime(then, usegmt=True))
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_the_clocks_are_held_against_each_other(amazon: Amazon) -> None:
    right, _ = tried(at(amazon), "")
    amazon.lies = [Lie("GET", "^/$", answer=an_hour_ahead)]
    wrong, _ = tried(at(amazon), "")

    assert of(right, About.CLOCK).found is Found.YES
    assert of(wrong, About.CLOCK).found is Found.NO
    assert 3590 <= of(wrong, About.CLOCK).number <= 3610
