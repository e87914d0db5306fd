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

from bucketvault.vocabulary import ProviderType, StorageClass


@dataclass(frozen=True, slots=True)
class Service:
    """One service that speaks S3."""

    slug: str
    name: str  # for people
    hosts: tuple[str, ...] = ()  # of an endpoint, in lower case; the group `region` is its region
    endpoint_example: str = ""
    region: str = ""  # of every endpoint; empty: in its host, or not known
    regions: Mapping[str, str] = field(default_factory=dict)  # where it is not as in the host
    keys_where: str = ""  # the way to the keys in its console
    keys_url: str = ""
    rclone_provider: str = "Other"  # decides path style, listing version and other quirks
    rclone: tuple[tuple[str, str], ...] = ()  # settings beyond the usual
    host_style: bool = False  # it takes https://BUCKET.host alone
    # that a copy may get: what is in another one cannot be read at once, or not be stored here
    storage_classes: tuple[StorageClass, ...] = (StorageClass.STANDARD,)

    def region_of(self, endpoint: str) -> str:
        """Return the region that an endpoint is in; empty if it does not say."""
        host = host_of(endpoint)
        found = next((m for each in self.hosts if (m := re.fullmatch(each, host))), None)
        named = found.groupdict().get("region") or "" if found is not None else ""
        return self.regions.get(named, named) or self.region


# `Other` lists with the old call and without URL-encoding unless told; keys that hold control
# characters need the second.
_MODERN_LISTING = (("list_version", "2"), ("list_url_encode", "true"))

_REGION = r"(?P<region>[a-z]{2}(-[a-z]+)+-\d+)"  # of Amazon

R2 = Service(
    "r2",
    "Cloudflare R2",
    (r"[0-9a-z]+(\.(eu|fedramp))?\.r2\.cloudflarestorage\.com",),
    "https://ACCOUNT.r2.cloudflarestorage.com",
    region="auto",  # signing with any other region is refused
    rclone_provider="Cloudflare",
    # https://developers.cloudflare.com/r2/buckets/storage-classes/ ("Infrequent Access")
    storage_classes=(StorageClass.STANDARD, StorageClass.STANDARD_IA),
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
        rf"s3(-fips)?[.-](dualstack\.)?{_REGION}\.amazonaws\.com(\.cn)?",
        r"s3(-accelerate)?(\.dualstack)?\.amazonaws\.com",
        rf"(.+\.)?vpce-[a-z0-9-]+\.s3\.{_REGION}\.vpce\.amazonaws\.com(\.cn)?",
    ),
    "https://s3.eu-central-1.amazonaws.com",
    rclone_provider="AWS",
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
    storage_classes=tuple(StorageClass),
)
OTHER = Service("other", "S3-compatible service", rclone=_MODERN_LISTING)

# No copies in parts inside it: everything in one request, which it takes at any size.
_COPY_WHOLE = ("copy_cutoff", "1Ei")  # rclone 1.75.2 reads its own largest as "off", and refuses
# It ignores that names should come encoded, and rclone decodes them all the same: `a+b` would be
# read as `a b`, and `100%` left out (1.75.2).
_PLAIN_NAMES = (("list_version", "2"), ("list_url_encode", "false"))

SERVICES = (
    R2,
    B2,
    AWS,
    Service(
        "wasabi",
        "Wasabi",
        (r"s3\.((?P<region>[a-z0-9-]+)\.)?wasabisys\.com",),
        "https://s3.eu-central-1.wasabisys.com",
        region="us-east-1",  # of s3.wasabisys.com
        keys_where="In Wasabi's console open Access Keys, then Create Access Key.",
        keys_url="https://console.wasabisys.com/",
        rclone=_MODERN_LISTING,
    ),
    Service(
        "hetzner",
        "Hetzner",
        (r"(?P<region>[a-z0-9]+)\.your-objectstorage\.com",),
        "https://fsn1.your-objectstorage.com",
        keys_where="In Hetzner's console open the project, Security, S3 Credentials.",
        keys_url="https://docs.hetzner.com/storage/object-storage/getting-started/"
        "generating-s3-keys/",
        rclone=_MODERN_LISTING,
    ),
    Service(
        "scaleway",
        "Scaleway",
        (r"s3\.(?P<region>[a-z]+-[a-z]+)\.scw\.cloud",),
        "https://s3.fr-par.scw.cloud",
        keys_where="In Scaleway's console open IAM, API keys. Choose the bucket's project as the "
        "key's preferred project for Object Storage.",
        keys_url="https://console.scaleway.com/iam/api-keys",
        rclone=(*_MODERN_LISTING, ("max_upload_parts", "1000")),
    ),
    Service(
        "digitalocean",
        "DigitalOcean",
        (r"[a-z]{3}\d\.digitaloceanspaces\.com",),
        "https://fra1.digitaloceanspaces.com",
        keys_where="In DigitalOcean open Spaces Object Storage, Access Keys.",
        keys_url="https://cloud.digitalocean.com/spaces/access_keys",
        rclone=_PLAIN_NAMES,
    ),
    Service(
        "ovh",
        "OVHcloud",
        (r"s3\.(?P<region>[a-z0-9-]+)\.(io|perf)\.cloud\.ovh\.(net|us)",),
        "https://s3.gra.io.cloud.ovh.net",
        keys_where="In OVHcloud's Control Panel open Public Cloud, Object Storage, Users.",
        keys_url="https://www.ovh.com/manager/",
        rclone=_MODERN_LISTING,
    ),
    Service(
        "idrive",
        "IDrive e2",
        (r"s3\.[a-z0-9-]+\.idrivee2\.com", r"[a-z0-9]+\.[a-z]+\d*\.idrivee2-\d+\.com"),
        "https://s3.eu-west-1.idrivee2.com",
        keys_where="In IDrive e2 the Dashboard shows the endpoint; open Access Keys for a key.",
        keys_url="https://app.idrivee2.com/",
        rclone=_MODERN_LISTING,
    ),
    Service(
        "storj",
        "Storj",
        (r"gateway(\.[a-z0-9]+)?\.storjshare\.io",),
        "https://gateway.storjshare.io",
        keys_where="In Storj's console open Access Keys, and create S3 credentials.",
        keys_url="https://storj.dev/dcs/access",
        # Its segments have 64 MiB. Four objects with four such parts each would fill 1 GiB of
        # memory: one part at a time each.
        rclone=(
            *_MODERN_LISTING,
            _COPY_WHOLE,
            ("chunk_size", "64Mi"),
            ("upload_concurrency", "1"),
        ),
    ),
    Service(
        "tigris",
        "Tigris",
        (r"t3\.storage\.dev", r"fly\.storage\.tigris\.dev"),
        "https://t3.storage.dev",
        region="auto",  # tigrisdata.com/llms.txt
        keys_where="In Tigris' console open Access Keys.",
        keys_url="https://console.storage.dev/",
        rclone=_MODERN_LISTING,
    ),
    Service(
        "linode",
        "Linode",
        (r"(?P<region>[a-z]+(-[a-z]+)+-\d+)\.linodeobjects\.com",),
        "https://eu-central-1.linodeobjects.com",
        keys_where="In Linode's Cloud Manager open Object Storage, Access Keys.",
        keys_url="https://cloud.linode.com/object-storage/access-keys",
        rclone=_MODERN_LISTING,
    ),
    Service(
        "ionos",
        "IONOS",
        (r"s3[.-](?P<region>[a-z]+-[a-z]+-\d)\.ionoscloud\.com",),
        "https://s3.eu-central-1.ionoscloud.com",
        regions={"eu-central-1": "de"},
        keys_where="In IONOS' Data Center Designer open Object Storage, Key management.",
        keys_url="https://dcd.ionos.com/",
        rclone=_PLAIN_NAMES,
    ),
    Service(
        "google",
        "Google Cloud Storage",
        (r"storage\.googleapis\.com",),
        "https://storage.googleapis.com",
        keys_where="In Google's console open Cloud Storage, Settings, Interoperability, and create "
        "an HMAC key for a service account.",
        keys_url="https://console.cloud.google.com/storage/settings;tab=interoperability",
        # It changes a header that is signed, and takes no parameter of Amazon's SDK.
        rclone=(
            *_MODERN_LISTING,
            ("use_accept_encoding_gzip", "false"),
            ("sign_accept_encoding", "false"),
            ("use_x_id", "false"),
            _COPY_WHOLE,
        ),
    ),
    Service(
        "alibaba",
        "Alibaba Cloud",
        (r"oss-[a-z0-9-]+\.aliyuncs\.com",),
        "https://oss-eu-central-1.aliyuncs.com",
        keys_where="In Alibaba Cloud's console open RAM, Users, and create an AccessKey.",
        keys_url="https://ram.console.aliyun.com/users",
        rclone=(*_MODERN_LISTING, ("force_path_style", "false")),
        host_style=True,  # "only virtual hosted-style URLs" (alibabacloud.com, OSS API overview)
    ),
    # Servers of one's own: known by what people call them. Nothing
    # but words and a region, which can be overwritten, depends on it.
    Service(
        "minio",
        "MinIO",
        (r"(.+[.-])?minio([.-].+)?", r"play\.min\.io"),
        "https://minio.example.com:9000",
        keys_where="In MinIO's console open Access Keys, or run mc admin accesskey create.",
        rclone=_MODERN_LISTING,
    ),
    Service(
        "garage",
        "Garage",
        (r"(.+[.-])?garage([.-].+)?",),
        "https://garage.example.com:3900",
        region="garage",  # s3_region in garage.toml
        keys_where="Run garage key create NAME, then garage bucket allow --read --write.",
        rclone=_MODERN_LISTING,
    ),
    OTHER,
)
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
