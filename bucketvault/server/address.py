"""Say where the pages are: the link that opens them, the way over SSH, the port or socket used."""

import contextlib
import hmac
import http.client
import ipaddress
import os
import pwd
import secrets
import shlex
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bucketvault.access import links
from bucketvault.access.sessions import replace_own_path
from bucketvault.config import Config
from bucketvault.engine import serve_note
from bucketvault.errors import BucketvaultError, StrangerError
from bucketvault.store.opening import open_store

ADDRESS = "127.0.0.1"
PROOF = "bucketvault-proof"  # a header of /healthz
ANSWER_S = 10.0
UNKNOWN = ("Another program", True)  # as `who_listens` says it: it could be anybody's
LISTENS = "0A"  # TCP_LISTEN, include/net/tcp_states.h
V4_IN_V6 = "0000000000000000FFFF0000"  # ::ffff:0:0/96, with which an IPv6 socket listens at IPv4
# by file of /proc/net: where a listener keeps us from 127.0.0.1; all zeroes are every address
IN_THE_WAY = {
    "tcp": ("0100007F", "0" * 8),
    "tcp6": ("0" * 32, f"{V4_IN_V6}0100007F", f"{V4_IN_V6}{'0' * 8}"),
}


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server listens. With a socket, `port` is the tunnel's end on the other computer."""

    port: int
    socket: Path | None = None
    secret: str = field(default_factory=secrets.token_urlsafe, repr=False)

    def new_link(self) -> str:
        """Return an address that signs in once, within a day. Raises BusyError."""
        return f"http://{ADDRESS}:{self.port}/login?token={links.make()}"

    def proof(self, nonce: str) -> str:
        """Return what shows whoever knows our secret that this server is here, and is ours.

        The place is in it, so that nobody passes it on from another one.
        """
        said = f"{nonce} {self.socket or self.port}".encode()
        return hmac.new(self.secret.encode(), said, "sha256").hexdigest()

    def ask(self) -> tuple[int, str]:
        """Return status and words of /healthz of our server there.

        Raises OSError: nothing answers; StrangerError: another program does.
        """
        if self.socket is None and (found := who_listens(self.port)) and found[1]:
            raise self._strange()  # before it is told anything
        nonce = secrets.token_hex(16)
        asking = http.client.HTTPConnection(ADDRESS, self.port, timeout=ANSWER_S)
        with contextlib.closing(asking):
            if self.socket is not None:
                asking.sock = connect(self.socket, ANSWER_S)
            try:
                asking.request("GET", f"/healthz?nonce={nonce}", headers={"Host": "localhost"})
                answer = asking.getresponse()
                said = answer.read(1000).decode(errors="replace")
                proof = answer.getheader(PROOF, "")
            except (http.client.HTTPException, UnicodeError) as error:  # it speaks something else
                raise self._strange() from error
        if not hmac.compare_digest(proof.encode(), self.proof(nonce).encode()):
            raise self._strange()
        return answer.status, said

    def _strange(self) -> StrangerError:
        where = f"on {self.socket}" if self.socket else f"on port {self.port}"
        who, _ = (None if self.socket else who_listens(self.port)) or UNKNOWN
        return StrangerError(
            f"{who} listens {where}, which this bucketvault used before.",
            "Do not open it or sign in there: it could be any program. Start bucketvault again. "
            "If the port is still in use, choose another: bucketvault serve --port 8485",
        )

    def tunnel_line(self, ssh_connection: str) -> str:
        """Return the `ssh -L` line to type on the computer from which the user came by SSH.

        Empty without an SSH connection; with a socket there is no other way in, so user and
        server are then left for the reader to fill in.
        """
        far = shlex.quote(str(self.socket)) if self.socket else f"{ADDRESS}:{self.port}"
        with contextlib.suppress(KeyError):  # a user without an entry, as in a container
            user = pwd.getpwuid(os.getuid()).pw_name
            match ssh_connection.split():
                case [_, _, server, server_port] if server_port.isdecimal():
                    with contextlib.suppress(ValueError):
                        ipaddress.ip_address(server.partition("%")[0])
                        other = "" if server_port == "22" else f" -p {server_port}"
                        return f"ssh -N -L {self.port}:{far}{other} {user}@{server}"
        return f"ssh -N -L {self.port}:{far} USER@SERVER" if self.socket else ""


def door_of(config: Config) -> Door:
    """Return where these settings say to listen."""
    return Door(config.port, config.socket)


def login_link(config: Config, *, new: bool) -> tuple[Door, str]:
    """Return where it serves, and a link that signs in there; with `new`, all others end.

    Raises BucketvaultError when no server answers there, StrangerError when one that is not ours
    does: whoever opened the link would hand it over.
    """
    door = noted_door(config)
    open_store(config)
    if new:
        replace_own_path(config.address)
    try:
        door.ask()
    except OSError as error:
        where = f"on {door.socket}" if door.socket else f"on port {door.port}"
        raise BucketvaultError(
            f"bucketvault does not respond {where}.",
            "Start it, then print the link again: systemctl start bucketvault, or bucketvault "
            "serve",
        ) from error
    return door, door.new_link()


def announcement(door: Door, *, with_link: bool) -> Iterator[str]:
    """Say where the pages are, in lines."""
    if tunnel := door.tunnel_line(os.environ.get("SSH_CONNECTION", "")):
        yield f"First, on your own computer: {tunnel}"
    if with_link:
        yield f"Open bucketvault: {door.new_link()}"
    else:
        where = f"on the socket {door.socket}" if door.socket else f"on port {door.port}"
        yield f"bucketvault serves {where}. The login link: bucketvault url"


def noted_door(config: Config) -> Door:
    """Return where a bucketvault serves on this data folder, or did last; else where it would."""
    note = serve_note.read(config.data_dir)
    if note is None:
        return door_of(config)
    return Door(note.port, Path(note.socket) if note.socket else None, note.secret)


def who_listens(port: int) -> tuple[str, bool] | None:
    """Return whose program listens on a port of this machine, in words, and if it is a stranger's.

    None: nobody does. A socket that was bound and does not listen has the port, and is not seen.
    /proc/net/tcp and tcp6 have each listener's owner (proc(5)), which everybody may read.
    """
    for name, addresses in IN_THE_WAY.items():
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{name}").read_text("ascii").splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                address, _, its_port = local.partition(":")
                if state == LISTENS and int(its_port, 16) == port and address in addresses:
                    return _whose(int(rest[3]))
    return None


def _whose(uid: int) -> tuple[str, bool]:
    if uid == os.geteuid():
        return "Another of your programs", False
    name = str(uid)
    with contextlib.suppress(KeyError):
        name = pwd.getpwuid(uid).pw_name
    return f"A program of the user {name}", uid != 0


def connect(path: Path, timeout_s: float = 1.0) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def peer(connection: socket.socket) -> str:
    """Return the process at the other end: its number, and its name where that can be read."""
    asked = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", asked)[0]
    try:
        return f"{pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    except OSError:
        return str(pid)
