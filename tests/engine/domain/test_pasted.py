"""Pasted addresses and keys are put right once, at the edge, and the change is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.domain.fields import ProviderFields, checked
from bucketvault.engine.domain.pasted import WrongEndpoint, address
from bucketvault.engine.domain.rules import (
    InvalidValue,
    meant_path,
    path_rule,
    region_rule,
    secret_key_rule,
    typed_path,
)
from bucketvault.vocabulary import ProviderType

S3, B2, R2 = ProviderType.AMAZON_S3, ProviderType.BACKBLAZE_B2, ProviderType.CLOUDFLARE_R2
ACCOUNT = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("kind", "pasted", "endpoint", "region", "note"),
    [
        (S3, "https://photos.s3.eu-central-1.amazonaws.com", "", "eu-central-1", "photos is a"),
        (S3, "https://s3.eu-central-1.amazonaws.com/photos/a", "", "eu-central-1", "photos is a"),
        (S3, "s3-eu-west-1.amazonaws.com", "", "eu-west-1", "only the region is kept"),
        (
            S3,
            "https://my.dotted.name.s3.us-east-1.amazonaws.com",
            "",
            "us-east-1",
            "my.dotted.name",
        ),
        (
            S3,
            "https://s3.dualstack.eu-west-1.amazonaws.com",
            "https://s3.dualstack.eu-west-1.amazonaws.com",
            "",
            "",
        ),
        (
            S3,
            "photos.fsn1.your-objectstorage.com",
            "https://fsn1.your-objectstorage.com",
            "",
            "photos",
        ),
        (S3, " https://s3.fr-par.scw.cloud/ ", "https://s3.fr-par.scw.cloud", "", ""),
        (
            S3,
            "https://s3.wasabisys.com/photos",
            "https://s3.wasabisys.com",
            "",
            "photos is a bucket",
        ),
        (
            B2,
            "s3.us-west-004.backblazeb2.com",
            "https://s3.us-west-004.backblazeb2.com",
            "",
            "Saved",
        ),
        (
            B2,
            "https://photos.s3.us-west-004.backblazeb2.com",
            "https://s3.us-west-004.backblazeb2.com",
            "",
            "photos is a bucket",
        ),
        (
            R2,
            f"https://{ACCOUNT}.r2.cloudflarestorage.com/photos",
            f"https://{ACCOUNT}.r2.cloudflarestorage.com",
            "",
            "photos is a bucket",
        ),
        (
            R2,
            f"https://photos.{ACCOUNT}.eu.r2.cloudflarestorage.com",
            f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com",
            "",
            "photos is a bucket",
        ),
    ],
)
def test_an_address_with_a_bucket_in_it_is_put_right_and_told(
    kind: ProviderType, pasted: str, endpoint: str, region: str, note: str
) -> None:
    meant = address(kind, pasted, "")

    assert (meant.endpoint, meant.region) == (endpoint, region)
    assert note in meant.note and bool(note) == bool(meant.note)
    again = address(kind, meant.endpoint, meant.region)
    assert (again.endpoint, again.region, again.note) == (endpoint, region, "")
    values, problems = checked(ProviderFields("Mine", kind, pasted, "", "", "id", "secret"))
    assert problems == [] and values.endpoint == endpoint


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        ("s3://photos", "names a bucket, not a server"),
        ("b2://photos/2024", "names a bucket, not a server"),
        ("https://f004.backblazeb2.com/file/photos", "Its region ends with -004."),
        ("https://api.backblazeb2.com", "open Buckets: each shows its Endpoint"),
        ("https://pub-0123.r2.dev", "S3 API shows https://ACCOUNT.r2"),
    ],
)
def test_another_door_is_refused_with_the_way_to_the_right_one(pasted: str, told: str) -> None:
    _, problems = checked(ProviderFields("Mine", B2, pasted, "", "", "id", "secret"))

    assert [(each.field, told in each.message) for each in problems] == [("endpoint", True)]


def test_another_door_of_backblaze_is_no_hurdle_where_the_region_is_known() -> None:
    meant = address(B2, "https://f004.backblazeb2.com", "us-west-004")

    assert meant.endpoint == "https://s3.us-west-004.backblazeb2.com" and meant.note


@pytest.mark.parametrize(
    "pasted",
    [
        "https://s3.example.com/photos",
        "http://minio.lan:9000",
        "https://a:b@s3.fr-par.scw.cloud",
        "http://[",
    ],
)
def test_what_nobody_knows_is_left_to_the_rule_for_endpoints(pasted: str) -> None:
    meant = address(S3, pasted, "x")

    assert (meant.endpoint, meant.region, meant.note) == (pasted, "x", "")


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for kind in ProviderType:
        try:
            address(kind, text, "")
        except WrongEndpoint as refusal:
            assert str(refusal).endswith(".")
        checked(ProviderFields("Mine", kind, text, "", "", text, text))


def test_blanks_around_what_was_pasted_are_left_out() -> None:
    assert secret_key_rule("\u00a0 K7/MDENG/ \n\ufeff") == "K7/MDENG/"
    assert path_rule(" /photos/2024/\n") == "photos/2024"
    assert path_rule(" / ") == ""
    assert region_rule(" EU-Central-1 ") == "eu-central-1"
    assert region_rule("Europe (Frankfurt) eu-central-1") == "eu-central-1"
    for wrong in ("a b", "eu_central", "europe (frankfurt)"):
        with pytest.raises(InvalidValue):
            region_rule(wrong)


@given(st.text(" ab/\u00a0", max_size=8).filter(lambda path: path == path.strip("/")))
def test_a_stored_path_is_read_back_as_it_is(path: str) -> None:
    assert meant_path(typed_path(path)) == path
