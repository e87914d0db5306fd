"""Connection tests of four services, for pictures: examples in the manner of their answers.

Names at SeaweedFS are as 4.48 answered; rules of lifecycle, encryption and all names are made up.
"""

from dataclasses import replace

from bucketvault.engine.probe.names import ODD
from bucketvault.engine.probe.results import (
    About,
    Finding,
    Found,
    NameFinding,
    NameResult,
    Right,
    RightResult,
    TrialResult,
)
from bucketvault.engine.providers import ConnectionTest
from bucketvault.engine.views.catalogue import ProviderRow, StorageRow
from bucketvault.vocabulary import ProviderType, UsageType
from tests.pages import scenes_catalogue as scenes

YES, NO = Found.YES, Found.NO
_USUAL = (
    Finding(About.CLOCK, YES),
    Finding(About.ENCODED, YES),
    Finding(About.COPIES, YES),
    Finding(About.MD5, YES),
    Finding(About.STORAGE_CLASS, YES, text="STANDARD"),
    Finding(About.DECODES, NO),
    Finding(About.PARTS, YES),
    Finding(About.ORDERED, YES),
    Finding(About.LEFT, NO),
)
_R2 = (
    Finding(About.VERSIONING, Found.NOT_THERE, code="NotImplemented"),
    Finding(About.LOCK, Found.NOT_THERE, code="NotImplemented"),
    Finding(About.ENCRYPTION, YES, text="AES256"),
    Finding(About.LIFECYCLE, YES, 1),
    Finding(About.UNFINISHED, YES, 7),
)
_B2 = (
    Finding(About.VERSIONING, YES, text="Enabled"),
    Finding(About.LOCK, NO),
    Finding(About.ENCRYPTION, NO),
    Finding(About.LIFECYCLE, NO),
    Finding(About.OLD_VERSIONS, NO),
    Finding(About.UNFINISHED, NO),
)
_AMAZON = (
    Finding(About.VERSIONING, NO),
    Finding(About.LOCK, NO),
    Finding(About.ENCRYPTION, YES, text="aws:kms"),
    Finding(About.LIFECYCLE, YES, 2),
    Finding(About.EXPIRES, YES, 30, "logs/"),
    Finding(About.MOVES, YES, 90, "STANDARD_IA"),
    Finding(About.UNFINISHED, NO),
    Finding(About.MD5, NO),
)
_WEED = (
    Finding(About.VERSIONING, NO),
    Finding(About.LOCK, NO),
    Finding(About.ENCRYPTION, NO),
    Finding(About.LIFECYCLE, NO),
    Finding(About.UNFINISHED, NO),
    Finding(About.ORDERED, NO),
)
_WEED_NAMES = (
    NameFinding("double_slash", NameResult.RENAMED, "d/x"),
    NameFinding("dots", NameResult.REFUSED, code="400 InvalidRequest"),
    NameFinding("backslash", NameResult.RENAMED, "b/x"),
    NameFinding("trailing_slash", NameResult.ALTERED),
    NameFinding("long", NameResult.REFUSED, code="400 KeyTooLongError"),
)


def _tested(
    bucket: str,
    findings: tuple[Finding, ...],
    names: tuple[NameFinding, ...] = (),
    *refused: RightResult,
) -> ConnectionTest:
    """Return a test with writing, in which all works but what is said."""
    test = ConnectionTest(bucket, True, (), scenes.now() - 2 * scenes.MINUTE, 8.0)
    rights = {each.right: each for each in scenes.rights(True)} | {r.right: r for r in refused}
    rights[Right.LIST_OBJECTS] = replace(rights[Right.LIST_OBJECTS], note=bucket)
    kept = tuple(NameFinding(name, NameResult.KEPT) for name in ODD)
    order = list(About)
    said = {each.about: each for each in (*_USUAL, *findings)}
    found = sorted(said.values(), key=lambda each: order.index(each.about))
    for result in (*rights.values(), *found, *kept, *names):
        test = test.with_result(result)
    return test


def services() -> dict[str, tuple[ProviderRow, StorageRow, ConnectionTest]]:
    """Return four providers with a bucket and the result of its test each."""
    listing = RightResult(Right.LIST_BUCKETS, TrialResult.REFUSED, "", "", "403 AccessDenied")
    made = {
        "r2": (
            "Cloudflare main",
            ProviderType.CLOUDFLARE_R2,
            "a1b2c3d4e5f6.r2.cloudflarestorage.com",
        ),
        "b2": ("Backblaze EU", ProviderType.BACKBLAZE_B2, "s3.eu-central-003.backblazeb2.com"),
        "amazon": ("Amazon Frankfurt", ProviderType.AMAZON_S3, "s3.eu-central-1.amazonaws.com"),
        "seaweedfs": ("Office NAS", ProviderType.AMAZON_S3, "nas.home:8333"),
    }
    tests = {
        "r2": _tested("photos", _R2, (), listing),
        "b2": _tested("acme-archive", _B2),
        "amazon": _tested("acme-copies", _AMAZON),
        "seaweedfs": _tested("copies", _WEED, _WEED_NAMES),
    }
    found = {}
    for number, (key, (name, kind, address)) in enumerate(made.items(), start=41):
        row = scenes.provider(
            number,
            name=name,
            provider_type=kind,
            compatible=key == "seaweedfs",
            address=address,
            region="eu-central-1" if key == "amazon" else "",
            storages=1,
        )
        bucket = scenes.storage(
            number,
            tests[key].bucket,
            provider_id=number,
            provider_name=name,
            provider_type=kind,
            usage_type=UsageType.DESTINATION_ONLY,
        )
        found[key] = (row, bucket, tests[key])
    return found


def running() -> ConnectionTest:
    """Return a test in its middle."""
    test = services()["b2"][2]
    return replace(test, rights=test.rights[:6], findings=test.findings[:4], names=(), end=None)


def known_to(providers: scenes.FakeProviders) -> None:
    """Add the four to what a page is shown."""
    for row, bucket, test in services().values():
        providers.all[row.id] = row
        providers.all_storages[bucket.id] = bucket
        providers.tests[row.id] = test
        providers.listings[row.id] = scenes.Listing(
            (scenes.Bucket(test.bucket, None),), scenes.now() - 3 * scenes.MINUTE
        )
