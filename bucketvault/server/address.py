"""Say where the pages are: the link that opens them, the way over SSH, the port or socket used."""

import contextlib
import errno
import http.client
import ipaddress
import json
import os
import pwd
import shlex
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bucketvault.access import links
from bucketvault.access.sessions import replace_own_path
from bucketvault.config import Config
from bucketvault.engine.engine import open_store
from bucketvault.errors import AlreadyRunningError, BucketvaultError
from bucketvault.store.private_files import write_private

ADDRESS = "127.0.0.1"
BACKLOG = 128
NOTE = "serve.json"  # in the data folder: where pages are served
ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server listens. With a socket, `port` is the tunnel's end on the other computer."""

    port: int
    socket: Path | None = None

    def new_link(self) -> str:
        """Return an address that signs in once, within a day. Raises BusyError."""
        return f"http://{ADDRESS}:{self.port}/login?token={links.make()}"

    def answers(self) -> bool:
        """True if anything listens there."""
        try:
            if self.socket is not None:
                _connect(self.socket).close()
            else:
                socket.create_connection((ADDRESS, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def ask(self) -> tuple[int, str]:
        """Return status and words of /healthz of the server that listens there. Raises OSError."""
        asking = http.client.HTTPConnection(ADDRESS, self.port, timeout=ANSWER_S)
        with contextlib.closing(asking):
            if self.socket is not None:
                asking.sock = _connect(self.socket, ANSWER_S)
            asking.request("GET", "/healthz", headers={"Host": "localhost"})
            answer = asking.getresponse()
            return answer.status, answer.read(1000).decode(errors="replace")

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
    """Return where it serves, and a link that signs in there; with `new`, all others end."""
    door = noted_door(config)
    open_store(config)
    if new:
        replace_own_path(config.address)
    return door, door.new_link()


def announcement(config: Config, *, with_link: bool) -> Iterator[str]:
    """Say where the pages are, in lines."""
    door = door_of(config)
    if tunnel := door.tunnel_line(os.environ.get("SSH_CONNECTION", "")):
        yield f"First, on your own computer: {tunnel}"
    if with_link:
        yield f"Open bucketvault: {door.new_link()}"
    else:
        where = f"on the socket {door.socket}" if door.socket else f"on port {door.port}"
        yield f"bucketvault serves {where}. The login link: bucketvault url"


def note_door(config: Config) -> None:
    """Write down where pages are served, for `bucketvault url`."""
    where = {"port": config.port, "socket": str(config.socket or "")}
    write_private(config.data_dir / NOTE, json.dumps(where))


def noted_door(config: Config) -> Door:
    """Return where a bucketvault serves on this data folder, or did last; else where it would."""
    try:
        found = json.loads((config.data_dir / NOTE).read_text("utf-8"))
        path = str(found.get("socket", ""))
        return Door(int(found["port"]), Path(path) if path else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return door_of(config)


@contextlib.contextmanager
def listening(door: Door) -> Iterator[socket.socket]:
    """Return a socket that listens at `door`; its file goes with it.

    Raises BucketvaultError when the place cannot be used, AlreadyRunningError when another program
    listens on that Unix socket.
    """
    if door.socket is None:
        with _listen_on_port(door.port) as listener:
            yield listener
        return
    with _listen_on_socket(door.socket) as listener:
        ours = door.socket.stat().st_ino
        try:
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if door.socket.stat().st_ino == ours:  # and not the socket of a later process
                    door.socket.unlink()


def _listen_on_port(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port), backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BucketvaultError(
                f"Port {port} is in use by another program.",
                "Stop that one, or name another port: bucketvault serve --port 8485",
            ) from error
        why = os.strerror(error.errno or 0)
        raise BucketvaultError(f"Port {port} cannot be used: {why}.") from error


def _listen_on_socket(path: Path) -> socket.socket:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_open_folder(path.parent)
        _clear(path)
        with contextlib.ExitStack() as on_fault:
            listener = on_fault.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(BACKLOG)
            on_fault.pop_all()
    except OSError as error:
        raise BucketvaultError(f"The socket {path} cannot be used: {error.strerror}.") from error
    return listener


def _refuse_open_folder(folder: Path) -> None:
    """The folder is what keeps others out: on some systems a socket's own mode is not asked."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise BucketvaultError(
            f"The folder {folder} belongs to somebody else.",
            "Name a socket in a folder of your own.",
        )
    if found.st_mode & 0o077:
        raise BucketvaultError(
            f"The folder {folder} is open to other users of this machine.",
            f"Close it, or name a socket in another one: chmod 700 {shlex.quote(str(folder))}",
        )


def _clear(path: Path) -> None:
    """Delete a socket on which nothing listens any more; anything else stays, and is an error."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket() or path.is_symlink():
        raise BucketvaultError(
            f"{path} is there already, and is not a socket.", "Name another place with --socket."
        )
    try:
        with _connect(path) as other:
            raise AlreadyRunningError(
                f"Another program listens on {path}: process {_peer(other)}.",
                "Stop that one first, or name another place with --socket.",
            )
    except ConnectionRefusedError:  # left behind by a program that was killed
        path.unlink()


def _connect(path: Path, timeout_s: float = 1.0) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _peer(connection: socket.socket) -> str:
    """Return the process at the other end: its number, and its name where that can be read."""
    asked = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", asked)[0]
    try:
        return f"{pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    except OSError:
        return str(pid)
