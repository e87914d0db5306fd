"""Services are known by the host of their endpoint, and rclone is told what each needs."""

import configparser
from dataclasses import replace

import pytest

from bucketvault.engine.domain.rules import endpoint_rule
from bucketvault.engine.domain.services import OTHER, SERVICES, Service, service_at, service_of
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.call import call
from bucketvault.engine.rclone.remotes import Remote, listing_place, section
from bucketvault.vocabulary import ProviderType
from tests.engine.listing.test_bucket import service as serving
from tests.engine.listing.test_page import answer, row
from tests.support.servers import rclone_path

KNOWN = [service for service in SERVICES if service is not OTHER]


def remote(service: Service, region: str = "") -> Remote:
    return Remote(
        service.name,
        ProviderType.AMAZON_S3,
        service.endpoint_example,
        region,
        "AKIAEXAMPLE000000001",
        "example-secret-0001",
    )


def settings(of: Remote) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(section("source", of))
    return dict(parser["source"])


@pytest.mark.parametrize("service", KNOWN, ids=lambda each: each.slug)
def test_each_service_is_known_by_its_own_example(service: Service) -> None:
    example = service.endpoint_example

    assert endpoint_rule(example) == example.lower()
    assert service_at(example) is service
    assert service_at(example.removeprefix("https://").upper() + "/") is service
    if service.slug not in ("minio", "garage"):  # these are servers of anybody's own
        assert service_at(f"{example}.evil.example") is OTHER
    assert settings(remote(service)).items() >= dict(service.rclone).items()
    assert service.keys_url == "" or service.keys_url.startswith("https://")


@pytest.mark.parametrize(
    ("endpoint", "slug", "region"),
    [
        ("https://s3.wasabisys.com", "wasabi", "us-east-1"),
        ("https://s3.ap-northeast-1.wasabisys.com", "wasabi", "ap-northeast-1"),
        ("https://hel1.your-objectstorage.com", "hetzner", "hel1"),
        ("https://s3.nl-ams.scw.cloud", "scaleway", "nl-ams"),
        ("https://ams3.digitaloceanspaces.com", "digitalocean", ""),
        ("https://s3.eu-west-par.io.cloud.ovh.net", "ovh", "eu-west-par"),
        ("https://s3.us-east-va.io.cloud.ovh.us", "ovh", "us-east-va"),
        ("https://l4g4.ch11.idrivee2-2.com", "idrive", ""),
        ("https://gateway.storjshare.io", "storj", ""),
        ("https://t3.storage.dev", "tigris", "auto"),
        ("https://us-iad-10.linodeobjects.com", "linode", "us-iad-10"),
        ("https://s3.eu-central-1.ionoscloud.com", "ionos", "de"),
        ("https://s3.eu-south-2.ionoscloud.com", "ionos", "eu-south-2"),
        ("https://storage.googleapis.com", "google", ""),
        ("https://oss-cn-hangzhou.aliyuncs.com", "alibaba", ""),
        ("http://minio.lan:9000", "minio", ""),
        ("http://garage:3900", "garage", "garage"),
        ("https://s3.dualstack.eu-west-1.amazonaws.com", "aws", "eu-west-1"),
        ("https://s3-fips.us-gov-west-1.amazonaws.com", "aws", "us-gov-west-1"),
        ("https://bucket.vpce-1a-2b.s3.eu-west-1.vpce.amazonaws.com", "aws", "eu-west-1"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "aws", "cn-north-1"),
        ("https://s3.amazonaws.com", "aws", ""),
        ("https://abc.eu.r2.cloudflarestorage.com", "r2", "auto"),
        ("https://s3.us-west-004.backblazeb2.com", "b2", "us-west-004"),
        ("http://192.168.1.10:9000", "other", ""),
        ("https://s3.example.com", "other", ""),
        ("https://evil-wasabisys.com", "other", ""),
        ("http://[", "other", ""),
    ],
)
def test_a_host_tells_service_and_region(endpoint: str, slug: str, region: str) -> None:
    service = service_of(ProviderType.AMAZON_S3, endpoint)

    assert (service.slug, service.region_of(endpoint)) == (slug, region)


def test_the_region_that_was_entered_is_taken_before_that_of_the_host() -> None:
    hetzner = next(service for service in SERVICES if service.slug == "hetzner")

    assert listing_place(remote(hetzner)) == ("https://fsn1.your-objectstorage.com", "fsn1")
    assert listing_place(remote(hetzner, "eu"))[1] == "eu"
    assert settings(remote(hetzner))["region"] == "`fsn1`"


def test_the_kind_of_a_provider_comes_before_its_host() -> None:
    assert service_of(ProviderType.BACKBLAZE_B2, "http://127.0.0.1:1").slug == "b2"
    assert service_of(ProviderType.CLOUDFLARE_R2, "").slug == "r2"
    assert service_of(ProviderType.AMAZON_S3, "").slug == "aws"


NAMES = ["%41.txt", "100%.txt", "a+b.txt"]


@pytest.mark.slow
def test_rclone_takes_every_setting_and_reads_plain_names_where_they_are_plain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that asks for encoding and is not given it misreads all three: that is the reason."""
    special = [
        each
        for each in KNOWN
        if len(each.rclone) > 2 or ("list_url_encode", "false") in each.rclone
    ]
    assert {each.slug for each in special} >= {"scaleway", "storj", "google", "ionos"}
    read = {}
    never_encoded = answer(*map(row, NAMES), encoded=False)
    with serving(lambda path, number: (200, never_encoded)) as endpoint:
        for service in special:
            here = replace(service, hosts=(r"127\.0\.0\.1",), endpoint_example=endpoint)
            monkeypatch.setattr("bucketvault.engine.domain.services.SERVICES", (here, OTHER))
            listing = ["lsf", "source:photos/", "--retries", "1"]
            binary = find_binary(rclone_path())
            done = call(binary, listing, {"source": remote(here)}, stall_s=30)
            assert done.exit_code == 0, [line.message for line in done.transcript.errors]
            read[service.slug] = done.stdout.decode().splitlines()

    wrong = ["A.txt", "a b.txt"]
    plain = {"digitalocean", "ionos"}
    assert read == {slug: NAMES if slug in plain else wrong for slug in read}
