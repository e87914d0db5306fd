"""The config that rclone is given says what was entered, and nothing else."""

import configparser
import json
import os
import string
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.domain.places import b2_endpoint, b2_region, r2_endpoint
from bucketvault.engine.domain.rules import why_refused
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.rclone.remotes import (
    Remote,
    config_text,
    describe_service,
    listing_place,
    section,
)
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import ProviderType, StorageClass
from tests.support.servers import RcloneS3, rclone_path

ODD_SECRETS = (
    " leading",
    "trailing ",
    " both ",
    "`backticks`",
    "`one",
    "in`side",
    "``",
    "`",
    '"quotes"',
    '"""three"""',
    '"',
    "'single'",
    ";semicolon",
    "a ; b # c",
    "#hash",
    "=equals=",
    "a:b",
    "[section]",
    "back\\slash\\n\\",
    "%(x",
    "%s %d 100%",
    "$HOME ${HOME}",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCY==",
    "Ünïcode-密",
    "".join(c for c in string.printable if c.isprintable()),
)


def remote(**changes: str) -> Remote:
    values = {
        "label": "Backblaze EU",
        "provider_type": ProviderType.AMAZON_S3,
        "endpoint": "http://127.0.0.1:9000",
        "region": "",
        "access_key_id": "AKIAEXAMPLE",
        "secret_access_key": "example-secret",
    }
    return Remote(**(values | changes))  # type: ignore[arg-type]


def rclone(config: str, *arguments: str) -> str:
    """Return rclone's output with this config, which it reads from memory as in production."""
    memory = os.memfd_create("config")
    try:
        os.write(memory, config.encode())
        done = subprocess.run(
            [rclone_path(), "--config", f"/proc/self/fd/{memory}", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            pass_fds=[memory],
            env={"PATH": os.defpath, "HOME": os.devnull},
        )
    finally:
        os.close(memory)
    assert done.returncode == 0, done.stderr
    return done.stdout


def parsed(text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    (name,) = parser.sections()
    return {key: value.strip("`") for key, value in parser[name].items()}


@pytest.mark.slow
def test_rclone_reads_every_odd_secret_as_it_was_entered() -> None:
    remotes = {
        f"odd{n}": remote(secret_access_key=secret, access_key_id=secret)
        for n, secret in enumerate(ODD_SECRETS)
    }

    read = json.loads(rclone(config_text(remotes), "config", "dump"))

    for name, entered in remotes.items():
        assert read[name]["secret_access_key"] == entered.secret_access_key
        assert read[name]["access_key_id"] == entered.access_key_id
        assert read[name]["no_check_bucket"] == "true"


@pytest.mark.slow
def test_rclone_reaches_a_server_whose_secret_is_odd(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_bytes(b"a")
    secret = ' `odd` "secret" ;#=%( '
    with RcloneS3(tmp_path, "AKIAEXAMPLE", secret) as server:
        config = config_text({"source": remote(endpoint=server.endpoint, secret_access_key=secret)})

        listed = rclone(config, "lsf", "--retries", "1", "source:photos/")

    assert listed == "a.txt\n"


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_value_can_add_a_line(value: str) -> None:
    try:
        text = section("dest", remote(secret_access_key=value))
    except BucketvaultError as error:
        assert not value.strip() or why_refused(value)
        assert len(value) < 5 or value not in str(error)
    else:
        assert text.splitlines() == [
            line.replace("example-secret", value) for line in section("dest", remote()).splitlines()
        ]


@pytest.mark.parametrize("bad", ["a\nb", "a\r", "\t", "a\x00", "\x1b[0m", "a\u2028", "a\u202eb"])
@pytest.mark.parametrize("name", ["endpoint", "region", "access_key_id", "secret_access_key"])
def test_what_cannot_be_seen_is_refused_and_never_repeated(name: str, bad: str) -> None:
    hidden = f"s3cr3t{bad}[evil]"

    with pytest.raises(BucketvaultError) as caught:
        section("dest", remote(**{name: hidden}))

    message = f"{caught.value} {caught.value.detail}"
    assert "Backblaze EU" in message
    assert name.replace("_", " ") in message
    assert "s3cr3t" not in message


def test_what_rclone_would_replace_is_refused() -> None:
    assert why_refused("%(type)s")
    assert why_refused("ab%(x)scd")
    assert why_refused("100%") is None


@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key"])
def test_an_empty_key_is_refused_because_rclone_would_ask_as_anybody(name: str) -> None:
    with pytest.raises(BucketvaultError, match="is empty"):
        section("dest", remote(**{name: ""}))


@pytest.mark.parametrize(
    ("changes", "expected", "service"),
    [
        (
            {
                "provider_type": ProviderType.CLOUDFLARE_R2,
                "endpoint": "https://abc.eu.r2.cloudflarestorage.com",
                "region": "weur",
            },
            {
                "provider": "Cloudflare",
                "region": "auto",
                "endpoint": "https://abc.eu.r2.cloudflarestorage.com",
            },
            "Cloudflare R2",
        ),
        (
            {
                "provider_type": ProviderType.BACKBLAZE_B2,
                "endpoint": "",
                "region": "us-west-004",
            },
            {
                "provider": "Other",
                "region": "us-west-004",
                "endpoint": "https://s3.us-west-004.backblazeb2.com",
                "list_version": "2",
                "list_url_encode": "true",
            },
            "Backblaze B2",
        ),
        (
            {
                "provider_type": ProviderType.BACKBLAZE_B2,
                "endpoint": "https://s3.eu-central-003.backblazeb2.com",
            },
            {
                "provider": "Other",
                "region": "eu-central-003",
                "endpoint": "https://s3.eu-central-003.backblazeb2.com",
                "list_version": "2",
                "list_url_encode": "true",
            },
            "Backblaze B2",
        ),
        (
            {"endpoint": "", "region": "eu-central-1"},
            {"provider": "AWS", "region": "eu-central-1"},
            "Amazon S3",
        ),
        (
            {"endpoint": "https://s3.example:9000"},
            {
                "provider": "Other",
                "endpoint": "https://s3.example:9000",
                "list_version": "2",
                "list_url_encode": "true",
            },
            "S3-compatible service",
        ),
    ],
)
def test_each_service_gets_the_settings_it_needs(
    changes: dict[str, str], expected: dict[str, str], service: str
) -> None:
    entered = remote(**changes)

    assert parsed(section("source", entered)) == expected | {
        "type": "s3",
        "access_key_id": "AKIAEXAMPLE",
        "secret_access_key": "example-secret",
        "might_gzip": "false",
        "no_check_bucket": "true",
        "encoding": "Raw",
    }
    assert describe_service(entered) == service


def test_a_copy_gets_the_class_of_its_backup_and_not_its_sources() -> None:
    written = replace(remote(), storage_class=StorageClass.STANDARD)

    assert parsed(section("dest", written))["storage_class"] == "STANDARD"
    assert "storage_class" not in parsed(section("source", remote()))


def test_a_bucket_with_a_key_of_kms_has_no_md5() -> None:
    encrypted = replace(remote(), traits=Traits(kms=True))
    written = replace(encrypted, storage_class=StorageClass.STANDARD)

    assert parsed(section("source", encrypted))["server_side_encryption"] == "aws:kms"
    # sent along with an upload it would choose another key than the bucket's
    assert "server_side_encryption" not in parsed(section("dest", written))


@pytest.mark.parametrize("provider_type", ProviderType)
def test_what_is_missing_is_said_by_name(provider_type: ProviderType) -> None:
    with pytest.raises(BucketvaultError, match=r"Backblaze EU \(.*\) needs its"):
        section("dest", remote(provider_type=provider_type, endpoint="", region=""))


def test_endpoints_are_made_from_what_the_console_shows() -> None:
    assert r2_endpoint(" ABC123 ") == "https://abc123.r2.cloudflarestorage.com"
    assert b2_endpoint("us-west-004") == "https://s3.us-west-004.backblazeb2.com"
    assert b2_region("https://s3.us-west-004.backblazeb2.com/") == "us-west-004"
    assert b2_region("s3.eu-central-003.backblazeb2.com") == "eu-central-003"
    assert b2_region("https://minio.example") is None
    for wrong in ("", "a.b", "https://x", "a/../b"):
        with pytest.raises(BucketvaultError):
            r2_endpoint(wrong)
        with pytest.raises(BucketvaultError):
            b2_endpoint(wrong)


def test_two_names_for_two_ends_even_of_one_account() -> None:
    text = config_text({"source": remote(), "dest": remote()})

    assert text.count("[source]\n") == text.count("[dest]\n") == 1


def test_a_key_does_not_show_when_a_remote_is_printed() -> None:
    printed = repr(remote())

    assert "example-secret" not in printed
    assert "AKIAEXAMPLE" not in printed


@pytest.mark.parametrize(
    ("values", "place"),
    [
        (
            {"provider_type": ProviderType.CLOUDFLARE_R2, "endpoint": r2_endpoint("a1")},
            ("https://a1.r2.cloudflarestorage.com", "auto"),
        ),
        (
            {"provider_type": ProviderType.BACKBLAZE_B2, "endpoint": "", "region": "us-west-004"},
            ("https://s3.us-west-004.backblazeb2.com", "us-west-004"),
        ),
        (
            {"provider_type": ProviderType.BACKBLAZE_B2, "endpoint": b2_endpoint("eu-central-003")},
            ("https://s3.eu-central-003.backblazeb2.com", "eu-central-003"),
        ),
        (
            {"endpoint": "", "region": "eu-central-1"},
            ("https://s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ),
        (
            {"endpoint": "", "region": "cn-north-1"},
            ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ),
        ({}, ("http://127.0.0.1:9000", "us-east-1")),
        ({"endpoint": "s3.example.com/", "region": "x"}, ("https://s3.example.com", "x")),
    ],
)
def test_our_own_requests_go_where_rclones_go(
    values: dict[str, str], place: tuple[str, str]
) -> None:
    assert listing_place(remote(**values)) == place


def test_a_provider_without_its_place_cannot_be_asked_by_us_either() -> None:
    with pytest.raises(BucketvaultError, match="needs its region"):
        listing_place(remote(endpoint="", region=""))
