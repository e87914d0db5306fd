"""Writes rclone's config for a Provider: one section a remote, as text that is never stored.

Knows what each service wants from rclone, and rclone's config file format. Knows no database.
The text holds the keys in the clear; callers hand it to rclone through memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bucketvault.engine import peers
from bucketvault.engine.domain.places import b2_endpoint
from bucketvault.engine.domain.rules import why_refused
from bucketvault.engine.domain.services import B2, R2, service_at, service_of
from bucketvault.engine.domain.traits import Traits
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import ProviderType, StorageClass


@dataclass(frozen=True, slots=True)
class Remote:
    """A service and the key to it, decrypted: what rclone needs to reach one end."""

    label: str  # the Provider's name, for messages
    provider_type: ProviderType
    endpoint: str  # "" = none: worked out from the region, or Amazon's own
    region: str  # "" = none: worked out from the endpoint, or not needed
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    traits: Traits = field(default=Traits())  # of the one bucket that it is used for
    storage_class: StorageClass | None = None  # of what is written there; None: nothing is


@dataclass(frozen=True, slots=True)
class _Place:
    """Where requests go and how they are signed; "" leaves the line out of the config."""

    endpoint: str
    region: str


def _place(remote: Remote) -> _Place:
    """Raises BucketvaultError when something is missing."""
    endpoint, region = remote.endpoint, remote.region
    if remote.provider_type is ProviderType.CLOUDFLARE_R2:
        if not endpoint:
            raise _incomplete(remote, "its endpoint", R2.endpoint_example)
        return _Place(endpoint, R2.region)
    if remote.provider_type is ProviderType.BACKBLAZE_B2:
        if endpoint:
            # The region in the address is the true one; a typed one could only disagree with it.
            return _Place(endpoint, B2.region_of(endpoint) or region)
        if not region:
            raise _incomplete(remote, "its region or its endpoint", "us-west-004")
        return _Place(b2_endpoint(region), region.strip().lower())
    if endpoint:
        return _Place(endpoint, region or service_at(endpoint).region_of(endpoint))
    if not region:
        raise _incomplete(remote, "its region", "eu-central-1")
    return _Place("", region)  # with an endpoint set, rclone cannot follow a bucket's region


_ALWAYS = (
    # As it is stored: an object with Content-Encoding: gzip that comes without a length (R2) is
    # otherwise unpacked on the way, and cut off at the length of what is stored (1.75.2).
    ("might_gzip", "false"),
    # Without it rclone creates a mistyped destination bucket, and tests for it with a request
    # that keys limited to objects may not make.
    ("no_check_bucket", "true"),
    # Names as they are. rclone's default leaves out keys with `.` or `..` segments, and any but
    # this one those that begin with U+201B, its own sign for quoting, and says nothing (1.75.2).
    ("encoding", "Raw"),
)


def listing_place(remote: Remote) -> tuple[str, str]:
    """Return where our own requests go, `https://host` without a final slash, and their region.

    The same as rclone's: it adds https:// where no scheme is given, and signs for us-east-1 where
    no region is. Raises BucketvaultError when something is missing, as `section` does.
    """
    place = _place(remote)
    region = place.region or "us-east-1"
    china = ".cn" if region.startswith("cn-") else ""
    endpoint = place.endpoint or f"https://s3.{region}.amazonaws.com{china}"
    scheme = "" if "://" in endpoint else "https://"
    return f"{scheme}{endpoint}".rstrip("/"), region


def describe_service(remote: Remote) -> str:
    """The kind of service in short words, for messages."""
    return service_of(remote.provider_type, remote.endpoint).name


def section(name: str, remote: Remote) -> str:
    """The config section that makes `name:` this remote, ending with a line break.

    Raises BucketvaultError when something is missing or cannot be written down; the message
    names the field, never its value.
    """
    _check(remote)
    service, place = service_of(remote.provider_type, remote.endpoint), _place(remote)
    lines = [f"[{name}]", "type = s3", f"provider = {service.rclone_provider}"]
    entered = {
        "endpoint": place.endpoint,
        "region": place.region,
        "access_key_id": remote.access_key_id,
        "secret_access_key": remote.secret_access_key,
    }
    lines += [f"{key} = {_quoted(value)}" for key, value in entered.items() if value]
    options = dict((*service.rclone, *_as_found(remote), *_ALWAYS))
    lines += [f"{key} = {value}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def config_text(remotes: Mapping[str, Remote]) -> str:
    """A whole config, such as `{"source": ..., "dest": ...}` as rclone reads it.

    Two names even for one account: rclone copies inside the service between buckets of one
    remote, and only bucketvault's own kept versions may move that way.
    """
    return "\n".join(section(name, remote) for name, remote in remotes.items())


def config_to_start(remotes: Mapping[str, Remote]) -> str:
    """The same, to start rclone with at once: it asks the machines that the names lead to now.

    Raises BucketvaultError also where one of them is never asked.
    """
    for remote in remotes.values():
        peers.refuse_name(remote.label, listing_place(remote)[0])
    return config_text(remotes)


def _as_found(remote: Remote) -> list[tuple[str, str]]:
    """Return what keeps objects and names as they are, by what is known of the bucket."""
    found = []
    if remote.storage_class is not None:
        # Without it rclone gives a copy the class that the object has at the source.
        found.append(("storage_class", remote.storage_class.value))
        # Each part has its hash; of an object that is encrypted with a key of KMS, the whole has
        # none. rclone's other providers do not ask for it either.
        found.append(("use_multipart_etag", "false"))
    elif remote.traits.kms:
        # Then rclone takes no ETag for an MD5. Never where it writes: it would send this along, and
        # without the bucket's own key Amazon takes another one.
        found.append(("server_side_encryption", "aws:kms"))
    if remote.traits.listing_encoded is False:
        # Else it decodes what was never encoded: `a+b` is read as `a b`, and `100%` is left out.
        found.append(("list_url_encode", "false"))
    return found


def _check(remote: Remote) -> None:
    values = {
        "endpoint": remote.endpoint,
        "region": remote.region,
        "access key id": remote.access_key_id,
        "secret access key": remote.secret_access_key,
    }
    for words, value in values.items():
        if reason := why_refused(value):
            raise BucketvaultError(
                f"The {words} of {remote.label} {reason}.",
                "Enter it again; copying it from an email or a web page can add such characters.",
            )
    for words in ("access key id", "secret access key"):
        if not values[words].strip():  # without a key rclone would ask as anybody
            raise BucketvaultError(f"The {words} of {remote.label} is empty.", "Enter it.")


def _quoted(value: str) -> str:
    """The value as rclone reads it back unchanged.

    rclone trims bare values and unwraps backticks and triple quotes. Between backticks it
    takes everything up to the last one on the line, backticks included (goconfig's `read`; every
    printable character tried with rclone 1.75.2).
    """
    return f"`{value}`"


def _incomplete(remote: Remote, missing: str, example: str) -> BucketvaultError:
    service = describe_service(remote)
    return BucketvaultError(
        f"{remote.label} ({service}) needs {missing}.", f"It looks like {example}."
    )
