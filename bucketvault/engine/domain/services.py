"""The services we know, by the host of their endpoint: what to call one, where its keys are, and
what rclone has to be told beyond the usual.

Data only. rclone's settings are facts of `backend/s3/provider/*.yaml` of rclone 1.75.0, one file a
service, held against `backend/s3/s3.go` (`setQuirks`). Ours go through rclone's provider `Other`
where nothing else is said: path style, and no checks of ETags that are no MD5.
"""

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from bucketvault.vocabulary import ProviderType


@dataclass(frozen=True, slots=True)
class Service:
    """One service that speaks S3."""

    slug: str
    name: str  # for people
    hosts: tuple[str, ...] = ()  # of an endpoint, in lower case; the group `region` is its region
    endpoint_example: str = ""
    region: str = ""  # of every endpoint; empty: in its host, or not known
    regions: Mapping[str, str] = field(default_factory=dict)  # where it is not as in the host
    region_hint: str = ""  # where its console shows it; empty: it needs none
    keys_where: str = ""  # the way to the keys in its console
    keys_url: str = ""
    rclone_provider: str = "Other"  # decides path style, listing version and other quirks
    rclone: tuple[tuple[str, str], ...] = ()  # settings beyond the usual
    host_style: bool = False  # it takes https://BUCKET.host alone

    def region_of(self, endpoint: str) -> str:
        """Return the region that an endpoint is in; empty if it does not say."""
        host = host_of(endpoint)
        found = next((m for each in self.hosts if (m := re.fullmatch(each, host))), None)
        named = found.groupdict().get("region") or "" if found is not None else ""
        return self.regions.get(named, named) or self.region


# `Other` lists with the old call and without URL-encoding unless told; keys that hold control
# characters need the second.
_MODERN_LISTING = (("list_version", "2"), ("list_url_encode", "true"))

R2 = Service(
    "r2",
    "Cloudflare R2",
    (r"[0-9a-z]+(\.[a-z]+)?\.r2\.cloudflarestorage\.com",),
    "https://ACCOUNT.r2.cloudflarestorage.com",
    region="auto",  # signing with any other region is refused
    rclone_provider="Cloudflare",
)
B2 = Service(
    "b2",
    "Backblaze B2",
    (r"s3\.(?P<region>[a-z0-9-]+)\.backblazeb2\.com",),
    "https://s3.eu-central-003.backblazeb2.com",
    # Through its S3 door: rclone's native b2 only knows SHA1, which no other service can compare.
    rclone=_MODERN_LISTING,
)
AWS = Service(
    "aws",
    "Amazon S3",
    (
        r"(.+\.)?s3[.-](dualstack\.|fips\.)*(?P<region>[a-z]{2}(-[a-z]+)+-\d+)\.amazonaws\.com(\.cn)?",
        r"(.+\.)?s3\.(?P<region>[a-z]{2}(-[a-z]+)+-\d+)\.vpce\.amazonaws\.com(\.cn)?",
        r"(.+\.)?amazonaws\.com(\.cn)?",
    ),
    "https://s3.eu-central-1.amazonaws.com",
    rclone_provider="AWS",
)
OTHER = Service("other", "S3-compatible service", rclone=_MODERN_LISTING)

SERVICES = (R2, B2, AWS, OTHER)
_BY_TYPE = {ProviderType.CLOUDFLARE_R2: R2, ProviderType.BACKBLAZE_B2: B2}


def service_of(provider_type: ProviderType, endpoint: str) -> Service:
    """Return the service of a Provider; `OTHER` for a server nobody here has heard of."""
    known = _BY_TYPE.get(provider_type)
    if known is not None:
        return known
    return service_at(endpoint) if endpoint else AWS


def service_at(endpoint: str) -> Service:
    """Return the service that has an endpoint; `OTHER` if it is none that we know."""
    host = host_of(endpoint)
    found = (s for s in SERVICES if any(re.fullmatch(each, host) for each in s.hosts))
    return next(found, OTHER)


def host_of(endpoint: str) -> str:
    """Return the host of an endpoint in lower case; empty where it has none."""
    try:
        parts = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    except ValueError:
        return ""
    return (parts.hostname or "").lower()
