"""Where a bucket is by what is meant: two rows may name the same place in different words."""

import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bucketvault.engine.domain.rules import ip_address
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import ProviderType


class BucketAt(NamedTuple):
    """A bucket as people choose it, whether it is a Storage or not."""

    provider_id: int
    bucket_name: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """A bucket that is to be an end of a Backup, and becomes a Storage with it.

    `listed`: its provider named it, so the name need not follow today's rules. `seen`: it is there.
    """

    at: BucketAt
    listed: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket, or a path in it, at a server; empty path: the whole bucket."""

    server: str
    bucket: str
    path: str

    def contains(self, other: "Location") -> bool:
        """True if `other` is this place or is inside it."""
        if (self.server, self.bucket) != (other.server, other.bucket):
            return False
        return not self.path or f"{other.path}/".startswith(f"{self.path}/")

    def overlaps(self, other: "Location") -> bool:
        """True if one of the two places is the other or is inside it."""
        return self.contains(other) or other.contains(self)


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one Backup."""

    backup_id: int
    name: str
    source: Location
    destination: Location


def circle_through(route: Route, routes: Iterable[Route]) -> list[str]:
    """The names of the other Backups over which what `route` copies comes back to its source.

    Empty when it does not: chains are fine. A Backup feeds another when it writes where that reads.
    """
    all_routes = [other for other in routes if other.backup_id != route.backup_id]
    ways: list[list[Route]] = [[route]]
    seen = {route.backup_id}
    while ways:
        way = ways.pop(0)
        if len(way) > 1 and way[-1].destination.overlaps(route.source):
            return [step.name for step in way[1:]]
        for other in all_routes:
            if other.backup_id not in seen and way[-1].destination.overlaps(other.source):
                seen.add(other.backup_id)
                ways.append([*way, other])
    return []


def in_the_way(route: Route, under_way: Iterable[Route]) -> str:
    """The name of the Backup whose run has to end before `route` may be copied; empty: none.

    At once, both would write to one place, or what one copies would come back to its source.
    """
    others = [other for other in under_way if other.backup_id != route.backup_id]
    for other in others:
        if other.destination.overlaps(route.destination):
            return other.name
    return next(reversed(circle_through(route, others)), "")


def server_of(provider_type: ProviderType, endpoint: str, region: str) -> str:
    """Return a Provider's server, the same text whenever it is the same set of buckets.

    Bucket names are unique over all of Amazon's regions (China's are apart), and over all of
    Backblaze's.
    """
    if not endpoint:
        if provider_type is ProviderType.AMAZON_S3:
            return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        if provider_type is ProviderType.BACKBLAZE_B2 and region:
            endpoint = b2_endpoint(region)
    parts = urllib.parse.urlsplit(endpoint)
    host = (parts.hostname or "").lower()
    for whole in ("amazonaws.com", "amazonaws.com.cn", "backblazeb2.com"):
        if host.endswith("." + whole):
            return whole
    address = ip_address(host)
    if address is not None:  # one address is written in several ways
        host = "localhost" if address.is_loopback else str(address)
    elif host.endswith(".localhost"):  # RFC 6761: this machine, whatever comes before
        host = "localhost"
    return f"{host}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


def r2_endpoint(account_id: str) -> str:
    """Cloudflare R2's address for an account; accounts in the EU jurisdiction have another one."""
    account = account_id.strip().lower()
    if not re.fullmatch(r"[a-z0-9]+", account):
        raise BucketvaultError(
            "A Cloudflare account ID contains only letters and digits.",
            "Copy the account ID from the R2 overview page, or enter the endpoint instead.",
        )
    return f"https://{account}.r2.cloudflarestorage.com"


def r2_account(endpoint: str) -> str:
    """Return the account whose usual address this is, as `r2_endpoint` makes it; empty: none."""
    found = re.fullmatch(r"https://([0-9a-f]{32})\.r2\.cloudflarestorage\.com", endpoint)
    return found[1] if found else ""


def b2_endpoint(region: str) -> str:
    """Backblaze B2's S3 address for a region such as `us-west-004`."""
    name = region.strip().lower()
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise BucketvaultError(
            "A Backblaze region looks like us-west-004.",
            "Copy it from the bucket's endpoint: s3.REGION.backblazeb2.com.",
        )
    return f"https://s3.{name}.backblazeb2.com"


def b2_region(endpoint: str) -> str | None:
    """The region in Backblaze B2's S3 address; None when the address is not one of theirs."""
    match = re.fullmatch(
        r"(?:https?://)?s3\.([a-z0-9-]+)\.backblazeb2\.com(?::\d+)?/?", endpoint.strip().lower()
    )
    return match[1] if match else None
