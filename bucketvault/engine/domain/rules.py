"""Rules for each single field: the one place of these rules, for forms and `apply` alike.

A rule takes a value as a person or a file gave it, of any type, and gives it in the form in which
it is stored, or raises `InvalidValue`. Knows no database and no other field.
"""

import datetime as dt
import difflib
import functools
import ipaddress
import itertools
import re
import unicodedata
import urllib.parse
import zoneinfo
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeAlias, TypeVar

from bucketvault.sanitize import JOINERS, has_control_characters

LONGEST_NAME = 100
LONGEST_SECRET = 1024
LONGEST_REGION = 64
LONGEST_PATH_BYTES = 1024  # S3's limit for a whole key
LONGEST_RETENTION_DAYS = 3650
MOST_GB_A_NIGHT = 100_000
GB = 10**9
ARCHIVE_ROOT = ".bucketvault-archive"
ARCHIVE_KEY = re.compile(r"[a-z0-9-]{1,80}-[0-9a-f]{6}", re.ASCII)  # as catalogue makes them

# Around what was copied from a page or a mail; the last four are not seen at all.
BLANKS = " \t\r\n\f\v\u00a0\u202f\u200b\u2060\ufeff"

Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")
Rule: TypeAlias = Callable[[object], Value]


class InvalidValue(Exception):  # noqa: N818 (not an error of the program: the answer to a person)
    """Why a value cannot be taken: a whole sentence that says what would be right."""


def same_name(name: str) -> str:
    """Return the key that two names share when a person would call them the same.

    Blanks of any kind and number are one: pages show them so. Letters of several scripts that look
    alike, such as the Latin and the Cyrillic a, are different letters.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return a name that nothing in `taken` has: `wanted`, or with a number; empty without one."""
    known = {same_name(each) for each in taken}
    name = wanted[: LONGEST_NAME - len(" 999")].strip()
    tried = (name if number == 1 else f"{name} {number}" for number in itertools.count(1))
    return next(each for each in tried if same_name(each) not in known) if name else ""


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """` Did you mean "..."?` with the nearest of `known`, or nothing when none is near."""
    spellings = {same_name(word): word for word in known}
    near = difflib.get_close_matches(same_name(typed), spellings, n=1)
    return f' Did you mean "{spellings[near[0]]}"?' if near else ""


def name_rule(value: object) -> str:
    """A name: 1 to 100 visible characters, without spaces at its ends."""
    name = shown_name_rule(value)
    if not name:
        raise InvalidValue("Enter a name.")
    return name


def shown_name_rule(value: object) -> str:
    """The same, or nothing."""
    name = text_of(value).strip()
    if has_control_characters(name):
        raise InvalidValue("The name contains an invisible character: type it again.")
    if len(name) > LONGEST_NAME:
        raise InvalidValue(f"The name is {len(name)} characters long; the limit is {LONGEST_NAME}.")
    return name


def typed_bucket_rule(value: object) -> str:
    """A bucket's name by S3's rules: without a listing to compare with they find the typing slips.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    name = listed_bucket_rule(text_of(value).strip())
    if not 3 <= len(name) <= 63:
        raise InvalidValue("A bucket's name has 3 to 63 characters.")
    if re.fullmatch(r"[a-z0-9.-]+", name) is None:
        raise InvalidValue("A bucket's name has only lowercase letters, digits, dots and hyphens.")
    if not (name[0].isalnum() and name[-1].isalnum()):
        raise InvalidValue("A bucket's name begins and ends with a letter or a digit.")
    if ".." in name:
        raise InvalidValue("A bucket's name does not have two dots in a row.")
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name):
        raise InvalidValue("A bucket's name is not an IP address.")
    return name


def listed_bucket_rule(value: object) -> str:
    """A bucket's name as a provider lists it: anything that cannot be taken for something else."""
    name = text_of(value)
    if not name.strip():
        raise InvalidValue("Enter the bucket's name.")
    if has_control_characters(name):
        raise InvalidValue("The bucket's name contains an invisible character: type it again.")
    if "/" in name:
        raise InvalidValue("Enter only the bucket's name: a path is part of the backup.")
    if name in (".", "..") or len(name) > 255:
        raise InvalidValue("This is not a valid bucket name.")
    return name


def path_rule(value: object) -> str:
    """A path in a bucket, without slashes at its ends; empty: the whole bucket."""
    path = meant_path(text_of(value))
    if not path:
        return ""
    if has_control_characters(path, JOINERS):  # they are in object names, too
        raise InvalidValue("The path contains an invisible character: type it again.")
    segments = path.split("/")
    if "" in segments:
        raise InvalidValue("The path has two slashes in a row: use one.")
    if "." in segments or ".." in segments:
        raise InvalidValue(
            "The path has a part . or ..: write the path itself, such as photos/2026."
        )
    if segments[0] == ARCHIVE_ROOT:
        raise InvalidValue(f"{ARCHIVE_ROOT} is where kept versions are: choose another path.")
    if len(path.encode()) > LONGEST_PATH_BYTES:
        raise InvalidValue(f"The path is too long: the limit is {LONGEST_PATH_BYTES} bytes.")
    return path


def meant_path(typed: str) -> str:
    """Return a path as it is meant: what is around it came with copying it.

    Blanks of a folder's own name are kept by slashes around them, as `typed_path` writes them.
    """
    return typed.strip(BLANKS).strip("/")


def typed_path(path: str) -> str:
    """Return a stored path as `meant_path` reads it back unchanged."""
    return path if path == path.strip(BLANKS) else f"/{path}/"


def archive_key_rule(value: object) -> str:
    """The name of a Backup's folder of kept versions, as the catalogue once made it."""
    key = text_of(value)
    if ARCHIVE_KEY.fullmatch(key) is None:
        raise InvalidValue("This is no folder of kept versions: leave it out for a new one.")
    return key


def endpoint_rule(value: object) -> str:
    """A server's address, `https://host` with a port perhaps; empty when none was entered.

    No refusal repeats the value: with user information it would hold a password.
    """
    entered = text_of(value).strip(BLANKS).rstrip("/")
    if not entered:
        return ""
    if why_refused(entered) or has_control_characters(entered) or " " in entered:
        raise InvalidValue("The endpoint contains a space or an invisible character.")
    if re.match(r"https?://", entered, re.IGNORECASE) is None:
        raise InvalidValue("Begin the endpoint with https://, as in https://s3.example.com.")
    try:
        parts = urllib.parse.urlsplit(entered)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise InvalidValue(
            "The endpoint's host or port cannot be read: check its spelling."
        ) from error
    if "@" in entered:
        raise InvalidValue("Remove the user and password: keys have their own fields.")
    if "?" in entered or "#" in entered:
        raise InvalidValue(
            "The endpoint ends after host and port: remove the ? or # and everything after it."
        )
    if parts.path not in ("", "/"):
        raise InvalidValue("Remove the path: the bucket is named in the storage.")
    if not host:
        raise InvalidValue("The endpoint has no host: write it as in https://s3.example.com.")
    if port == 0:
        raise InvalidValue("The port is a number from 1 to 65535.")
    address = ip_address(host)
    if address is not None:
        check_address(address)
    elif not is_host_name(host):
        raise InvalidValue("The endpoint's host is not a host name: write it as in s3.example.com.")
    if parts.scheme == "http" and not is_near(host):
        raise InvalidValue(
            "Plain http would expose your data on the network. Use https:// "
            "(http is allowed for localhost and private addresses such as 192.168.1.10)."
        )
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}" + (f":{port}" if port else "")


def region_rule(value: object) -> str:
    """A region's name such as `eu-central-1`; empty when none was entered.

    Amazon's console shows `Europe (Frankfurt) eu-central-1`.
    """
    region = text_of(value).strip(BLANKS).lower()
    if shown := re.fullmatch(r"[a-z ]+\([a-z. ]+\) ([a-z]{2}(-[a-z]+)+-\d+)", region):
        region = shown[1]
    if region and (len(region) > LONGEST_REGION or not re.fullmatch(r"[a-z0-9-]+", region)):
        raise InvalidValue(
            "A region has lowercase letters, digits and hyphens, such as eu-central-1."
        )
    return region


def account_id_rule(value: object) -> str:
    """Cloudflare's account id, lowercase; empty when none was entered."""
    account = text_of(value).strip(BLANKS).lower()
    if account and not re.fullmatch(r"[0-9a-f]{32}", account):
        raise InvalidValue(
            "An account ID has 32 digits and letters from a to f, as shown on R2's page."
        )
    return account


def access_key_rule(value: object) -> str:
    """An access key id. No refusal repeats the value."""
    return _key(value, "access key ID")


def secret_key_rule(value: object) -> str:
    """A secret access key. No refusal repeats the value."""
    return _key(value, "secret access key")


def _key(value: object, name: str) -> str:
    key = text_of(value).strip(BLANKS)
    if not key:
        raise InvalidValue(f"Enter the {name}.")
    if len(key) > LONGEST_SECRET:
        raise InvalidValue(f"The {name} is too long: the limit is {LONGEST_SECRET} characters.")
    if has_control_characters(key):
        raise InvalidValue(f"The {name} contains an invisible character: copy it again.")
    if reason := why_refused(key):
        raise InvalidValue(f"The {name} {reason}: copy it again.")
    return key


def why_refused(value: str) -> str | None:
    """Why rclone's config cannot carry this value, as the end of a sentence; None when it can.

    Forms ask this before anything is stored, and `section` asks it again. The answer never
    repeats the value, which may be a secret.
    """
    if not value.isprintable():  # a line break would start a line, or a whole remote, of its own
        return "contains a line break or another invisible character"
    if re.search(r"%\([^)]+\)s", value):  # rclone replaces it by another option's value
        return "contains %(...)s, which rclone cannot use as it is"
    return None


def clock_rule(value: object) -> str:
    """A time of day as HH:MM."""
    entered = "" if isinstance(value, dt.time) else text_of(value).strip()
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", entered):
        raise InvalidValue("Write the time as HH:MM on a 24-hour clock, such as 02:30.")
    return entered


def time_zone_rule(value: object) -> str:
    """The IANA name of a time zone."""
    name = text_of(value).strip()
    if name not in time_zone_names():
        raise InvalidValue(
            "Enter a time zone by its IANA name, such as Europe/Berlin."
            + (did_you_mean(name, time_zone_names()) if name.isprintable() else "")
        )
    return name


@functools.cache
def time_zone_names() -> frozenset[str]:
    """The time zones there are, by their IANA names."""
    # these three name no place: the first two are this machine's, the third is "not set"
    return frozenset(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})


def yes_or_no_rule(value: object) -> bool:
    """True or false, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise InvalidValue("This is either true or false.")
    return value


def text_of(value: object) -> str:
    """Return a text that was entered; empty where nothing was."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidValue("This must be text, in quotes.")
    return value


def word(words: type[Word]) -> Rule[Word]:
    """A rule for one of the words of an enumeration."""

    def rule(value: object) -> Word:
        entered = text_of(value).strip()
        try:
            return words(entered)
        except ValueError:
            choices = [str(word) for word in words]
            guess = did_you_mean(entered, choices) if entered else ""
            raise InvalidValue(f"Choose one of {', '.join(choices)}.{guess}") from None

    return rule


def optional_word(words: type[Word]) -> Rule[Word | None]:
    """The same, or nothing."""
    return lambda value: None if value is None or value == "" else word(words)(value)


def reference(message: str) -> Rule[int]:
    """A rule for the id of another row; `message` is what to say when none was chosen."""

    def rule(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidValue(message)
        return value

    return rule


def whole_number(least: int, most: int, unit: str) -> Rule[int]:
    """A rule for a number from `least` to `most`; forms give 30.0 or "30" where 30 was typed."""

    def rule(value: object) -> int:
        number = number_in(value)
        if number is None or not least <= number <= most:
            raise InvalidValue(f"Enter a whole number of {unit} from {least} to {most}.")
        return number

    return rule


def number_in(value: object) -> int | None:
    """Return the whole number that was entered; None if it is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address a host is; None for a name. IPv4 written as IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


# They answer with the keys of the machine that asks, as 169.254.169.254 does: Amazon's and
# Google's over IPv6, Alibaba's, Oracle's, and the one of Azure's that is not link-local.
_METADATA = frozenset(
    ipaddress.ip_address(each)
    for each in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
_V4_INSIDE = [  # networks whose last 32 bits are an IPv4 address (RFC 4291 2.5.5, 6052, 8215)
    ipaddress.IPv6Network(each) for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")
]


def is_link_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """True for a link-local address, or a cloud's metadata service; also as IPv6 has IPv4."""
    meant: list[ipaddress.IPv4Address | ipaddress.IPv6Address | None] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        meant += [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(address in network for network in _V4_INSIDE):
            meant.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return any(each.is_link_local or each in _METADATA for each in meant if each is not None)


def check_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Refuse an address that is not one server's own."""
    if is_link_local(address):
        raise InvalidValue("Link-local addresses are refused: no storage server has one.")
    if address.is_unspecified or address.is_multicast:
        raise InvalidValue("This address belongs to no single server: enter the server's own.")
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise InvalidValue("Remove the % and everything after it.")


def is_host_name(host: str) -> bool:
    """True if `host`, in lower case, has the form of a host's name.

    2852039166, 0xa9fea9fe and 169.254.43518 have not: resolvers take them for IP addresses
    (inet_aton(3)), past every check of those.
    """
    label = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
    if len(host) > 253 or re.fullmatch(rf"{label}(\.{label})*", host) is None:
        return False
    return re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]) is None


def is_loopback(host: str) -> bool:
    """True if a host is this very machine, by its name or address."""
    address = ip_address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_near(host: str) -> bool:
    """True if a host is this machine or one in a private network."""
    address = ip_address(host)
    return is_loopback(host) if address is None else address.is_loopback or address.is_private
