"""Rules for each setting, of the same kind as in `rules`. Knows no database.

No refusal repeats a value: it may hold a password.
"""

import re
import urllib.parse

from bucketvault.engine.domain.rules import (
    LONGEST_SECRET,
    InvalidValue,
    check_address,
    clock_rule,
    ip_address,
    is_host_name,
    is_near,
    number_in,
    text_of,
    yes_or_no_rule,
)
from bucketvault.sanitize import has_control_characters

LONGEST_ADDRESS = 254  # RFC 5321 4.5.3.1.3, without the brackets
LONGEST_USER = 320
LONGEST_URL = 2000
LEAST_MB_S, MOST_MB_S = 0.1, 100_000

# An address that never needs quotes or comments: nothing in it can end a header or a command.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def stored_yes_or_no_rule(value: object) -> bool:
    """True or false, also as a setting is stored."""
    return yes_or_no_rule({"True": True, "False": False}.get(str(value), value))


def bandwidth_rule(value: object) -> float | None:
    """A bandwidth in MB/s; None, empty or 0: no limit."""
    number = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    elif value is not None and (typed := str(value).strip()):
        is_number = re.fullmatch(r"[0-9]{1,6}([.,][0-9]{1,3})?", typed, re.ASCII)
        number = float(typed.replace(",", ".")) if is_number else -1.0
    if number == 0:
        return None
    if not LEAST_MB_S <= number <= MOST_MB_S:  # nan, too
        raise InvalidValue(
            f"Enter a number of MB/s from {LEAST_MB_S} to {MOST_MB_S:,}, or 0 for no limit."
        )
    return int(number) if number == int(number) else round(number, 3)


def hour_rule(value: object) -> str:
    """A time of day as HH:MM; empty: none."""
    is_empty = value is None or (isinstance(value, str) and not value.strip())
    return "" if is_empty else clock_rule(value)


def mail_host_rule(value: object) -> str:
    """A mail server's name or IP address; empty: no mail."""
    host = text_of(value).strip().lower().removeprefix("[").removesuffix("]")
    if not host:
        return ""
    if "/" in host or "@" in host:
        raise InvalidValue("Enter only the server's name, such as smtp.example.com.")
    address = ip_address(host)
    if address is None:
        if ":" in host:
            raise InvalidValue("Enter the port in its own field.")
        if not is_host_name(host):
            raise InvalidValue("This is not a host name: write it as in smtp.example.com.")
        return host
    check_address(address)
    return str(address)


def mail_port_rule(value: object) -> int | None:
    """A port; None or empty: the usual one."""
    if value is None or value == "":
        return None
    number = number_in(value)
    if number is None or not 1 <= number <= 65535:
        raise InvalidValue("The port is a number from 1 to 65535; leave it empty for the default.")
    return number


def mail_user_rule(value: object) -> str:
    """The name to sign in with at the mail server; empty: without signing in."""
    user = text_of(value).strip()
    if len(user) > LONGEST_USER or has_control_characters(user):
        raise InvalidValue("This user name is too long, or contains an invisible character.")
    return user


def mail_password_rule(value: object) -> str | None:
    """The password for the mail server; None: as it is, empty: none any more."""
    if value is None:
        return None
    password = text_of(value)
    if len(password) > LONGEST_SECRET or has_control_characters(password):
        raise InvalidValue("The password is too long, or contains an invisible character.")
    return password


def mail_address_rule(value: object) -> str:
    """A mail address, `name@example.com` and nothing around it; empty when none was entered."""
    address = text_of(value).strip()
    if not address:
        return ""
    local, at, domain = address.rpartition("@")
    good = (
        at
        and len(address) <= LONGEST_ADDRESS
        and len(local) <= 64
        and _LOCAL_PART.fullmatch(local)
        and is_host_name(domain.lower())
    )
    if not good:
        raise InvalidValue("Enter a single address, such as you@example.com.")
    return f"{local}@{domain.lower()}"


def ping_url_rule(value: object) -> str:
    """An address to call while all is well; empty: none."""
    url = text_of(value).strip()
    if not url:
        return ""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidValue(
            "The address is too long, or contains a space or another invalid character."
        )
    if re.match(r"https?://", url, re.IGNORECASE) is None:
        raise InvalidValue("Begin the address with https://.")
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise InvalidValue("The host or port cannot be read: check its spelling.") from error
    if "@" in parts.netloc:
        raise InvalidValue("Remove the user and password.")
    if parts.fragment:
        raise InvalidValue("Remove the # and everything after it.")
    if port == 0:
        raise InvalidValue("The port is a number from 1 to 65535.")
    address = ip_address(host)
    if address is not None:
        check_address(address)
    elif not is_host_name(host):
        raise InvalidValue("The address has no valid host: check its spelling.")
    if parts.scheme.lower() == "http" and not is_near(host):
        raise InvalidValue(
            "Begin the address with https:// "
            "(http is taken for localhost and private addresses such as 192.168.1.10)."
        )
    return url
