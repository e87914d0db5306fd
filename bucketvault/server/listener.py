"""The sockets on which pages are served: systemd's, a Unix socket, or a port of this machine.

A port that another program has is no end: `open` may be tried again, and runs go on meanwhile.

Decisions: docs/decisions/service.md.
"""

import contextlib
import errno
import logging
import os
import shlex
import socket
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from bucketvault.errors import AlreadyRunningError, BucketvaultError
from bucketvault.server.address import ADDRESS, UNKNOWN, Door, connect, peer, who_listens

log = logging.getLogger(__name__)

BACKLOG = 128
FIRST_PASSED = 3  # descriptors from here on are passed by systemd, see sd_listen_fds(3)
NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Listener:
    """Listens from `open` to the end of the block; a Unix socket's file goes with it."""

    def __init__(self, door: Door) -> None:
        self.door = door  # with systemd's sockets, where they are
        self.sockets: list[socket.socket] = []
        self.taken_by = ""  # whose program has the port, in words
        self.is_strange = False  # it was another user's at some try, or could be
        self._file: tuple[Path, int] | None = None  # the Unix socket we made, and its inode

    def open(self) -> bool:
        """Begin to listen; False: another program has the port.

        Raises BucketvaultError when the place cannot be used, AlreadyRunningError when another
        program listens on that Unix socket.
        """
        if passed := _passed():
            self.sockets, self.door = passed, _where(passed[0], self.door)
        elif self.door.socket is not None:
            self.sockets = [_listen_on_socket(self.door.socket)]
            self._file = (self.door.socket, self.door.socket.stat().st_ino)
        else:
            self._listen_on_port()
        return bool(self.sockets)

    def _listen_on_port(self) -> None:
        port = self.door.port
        try:
            self.sockets = [socket.create_server((ADDRESS, port), backlog=BACKLOG)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                why = os.strerror(error.errno or 0)
                raise BucketvaultError(f"Port {port} cannot be used: {why}.") from error
            self.taken_by, is_strange = who_listens(port) or UNKNOWN
            self.is_strange |= is_strange
            return
        try:  # else another user could have it, and with it whoever asks for `localhost`
            twin = socket.create_server(("::1", port), family=socket.AF_INET6, backlog=BACKLOG)
            self.sockets.append(twin)
        except OSError as error:
            if error.errno not in NO_IPV6:
                log.warning("another program listens on [::1]", extra={"port": port})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self.sockets:
            each.close()
        if self._file is not None:
            path, ours = self._file
            with contextlib.suppress(OSError):
                if path.stat().st_ino == ours:  # and not the socket of a later process
                    path.unlink()


def _passed() -> list[socket.socket]:
    """Return the sockets that systemd has passed to this process, see sd_listen_fds(3)."""
    number = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not number.isdecimal():
        return []
    found = [socket.socket(fileno=FIRST_PASSED + place) for place in range(int(number))]
    for each in found:
        os.set_inheritable(each.fileno(), False)
    return found


def _where(passed: socket.socket, door: Door) -> Door:
    name = passed.getsockname()
    if passed.family == socket.AF_UNIX:
        return replace(door, socket=Path(name))
    return replace(door, port=name[1], socket=None)


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
            f"The folder {folder} belongs to another user.",
            "Choose a socket in a folder of your own.",
        )
    if found.st_mode & 0o077:
        raise BucketvaultError(
            f"The folder {folder} is open to other users of this machine.",
            f"Close it, or choose a socket in another folder: chmod 700 {shlex.quote(str(folder))}",
        )


def _clear(path: Path) -> None:
    """Delete a socket on which nothing listens any more; anything else stays, and is an error."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket() or path.is_symlink():
        raise BucketvaultError(
            f"{path} already exists and is not a socket.", "Choose another path with --socket."
        )
    try:
        with connect(path) as other:
            raise AlreadyRunningError(
                f"Another program listens on {path}: process {peer(other)}.",
                "Stop it first, or choose another path with --socket.",
            )
    except ConnectionRefusedError:  # left behind by a program that was killed
        path.unlink()
