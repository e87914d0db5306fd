"""Refuse machines that are no service of the user's: link-local ones, and metadata of clouds.

Such addresses are refused where they are typed. A name may lead to one at any time, so it is looked
at when it is used: each connection of ours before a byte is sent on it, and before rclone, which
connects by itself, is started.
"""

import ipaddress
import socket
import urllib.parse

from bucketvault.engine.domain.rules import ip_address, is_link_local
from bucketvault.errors import BucketvaultError


class LinkLocalError(OSError):
    """A name led to an address that is never spoken to; `strerror` says which."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            0, f"{host} resolves to the link-local address {address}, which is refused"
        )


def connect(
    address: tuple[str, int],
    timeout: float | None = None,
    source_address: tuple[str, int] | None = None,
) -> socket.socket:
    """Return a connection, as `socket.create_connection` does. Raises LinkLocalError, OSError."""
    made = socket.create_connection(address, timeout, source_address)
    try:
        refuse_address(address[0], str(made.getpeername()[0]))
    except BaseException:
        made.close()
        raise
    return made


def refuse_name(label: str, endpoint: str) -> None:
    """Look up the host of `endpoint`; raise BucketvaultError where it leads to such an address.

    A name that cannot be looked up passes: whoever connects says so. Blocks as long as the resolver
    does. `label`: the provider's name.
    """
    host = urllib.parse.urlsplit(endpoint).hostname or ""
    if ip_address(host) is not None:  # its rule has looked at it
        return
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    try:
        for *_, where in found:
            refuse_address(host, str(where[0]))
    except LinkLocalError as error:
        raise BucketvaultError(
            f'The endpoint of the provider "{label}" was not contacted: {error.strerror}.',
            "No storage service is there. Check the endpoint, and this machine's name server.",
        ) from error


def refuse_address(host: str, address: str) -> None:
    """Raise LinkLocalError where `address`, to which `host` has led, is never spoken to."""
    if is_link_local(ipaddress.ip_address(address)):
        raise LinkLocalError(host, address)
