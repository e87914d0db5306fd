"""Puts right what people paste where an endpoint is asked for: the bucket in it, another door of
the same service, no scheme. Pure.

What is changed is told, so that a form and `apply` can show it.
"""

import re
import urllib.parse
from dataclasses import dataclass

from bucketvault.engine.domain.places import b2_endpoint
from bucketvault.engine.domain.rules import BLANKS, InvalidValue
from bucketvault.engine.domain.services import AWS, OTHER, service_at
from bucketvault.vocabulary import ProviderType


class WrongEndpoint(InvalidValue):
    """An address that is no endpoint for S3; it says where to find the right one."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider is, as it is stored; `note`: what was changed, for people."""

    endpoint: str
    region: str
    note: str = ""


# Backblaze's other doors: for downloads (f004, also with a bucket's name) and for its own API.
_B2_DOOR = re.compile(r"(?:f|api)(?P<cluster>\d{3})?\.backblazeb2\.com")
_B2_CONSOLE = "In Backblaze open Buckets: each shows its Endpoint, s3.REGION.backblazeb2.com."
_SOMEBODYS = (OTHER.slug, "minio", "garage")  # nothing is known of how their hosts are named


def address(provider_type: ProviderType, endpoint: str, region: str) -> Address:
    """Return an address as it is meant, without a bucket and with its region.

    Raises WrongEndpoint for one that names no S3 endpoint and cannot be turned into one.
    """
    typed = endpoint.strip(BLANKS)
    if re.match(r"(s3|b2|r2|gs)://", typed, re.IGNORECASE):
        raise WrongEndpoint(
            "This names a bucket, not a server: enter the service's endpoint, as in "
            "https://s3.example.com. The bucket is chosen in the backup."
        )
    try:
        parts = urllib.parse.urlsplit(typed if "://" in typed else f"https://{typed}")
        host = (parts.hostname or "").lower()
    except ValueError:
        return Address(typed, region)
    if host.endswith(".r2.dev"):
        raise WrongEndpoint(
            "This is a bucket's public address. In Cloudflare open the bucket's Settings: S3 API "
            "shows https://ACCOUNT.r2.cloudflarestorage.com."
        )
    if door := _B2_DOOR.fullmatch(host):
        return _other_door_of_b2(door["cluster"] or "", region)
    bucket, server = _apart(host)
    service = service_at(server)
    if service.slug in _SOMEBODYS or "@" in typed or parts.query or parts.fragment:
        return Address(typed, region)
    inside = parts.path.strip("/")
    bucket = bucket or inside.partition("/")[0]
    port = f":{parts.netloc.rpartition(':')[2]}" if re.search(r":\d+$", parts.netloc) else ""
    scheme = parts.scheme if "://" in typed else "https"
    meant = Address(f"{scheme}://{server}{port}", region)
    if provider_type is ProviderType.AMAZON_S3 and service is AWS:
        meant = _of_amazon(server, meant)
    note = "" if not bucket else f"{bucket} is a bucket: choose it in the backup."
    if not meant.endpoint:
        where = f" in {meant.region}" if meant.region else ""
        note = f"This is Amazon S3{where}: only the region is kept. {note}".strip()
    elif bucket or "://" not in typed:
        note = f"Saved as {meant.endpoint}. {note}".strip()
    return Address(meant.endpoint, meant.region, note)


def _apart(host: str) -> tuple[str, str]:
    """Return bucket and server of a host; no bucket where none is in it."""
    labels = host.split(".")
    for at in range(len(labels)):
        server = ".".join(labels[at:])
        if service_at(server).slug in _SOMEBODYS:
            continue
        return ".".join(labels[:at]), server
    return "", host


def _of_amazon(server: str, meant: Address) -> Address:
    """Return Amazon's usual endpoints as their region alone: then a bucket's own is followed."""
    usual = re.fullmatch(r"s3(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d+))?\.amazonaws\.com", server)
    if usual is None:
        return meant
    return Address("", meant.region or usual["region"] or "")


def _other_door_of_b2(cluster: str, region: str) -> Address:
    if region:
        endpoint = b2_endpoint(region)
        return Address(endpoint, region, f"Saved as {endpoint}, Backblaze's S3 endpoint.")
    ends = f" Its region ends with -{cluster}." if cluster else ""
    raise WrongEndpoint(f"This Backblaze address is not for S3. {_B2_CONSOLE}{ends}")
