"""Local S3 servers: `rclone serve s3` over a folder of buckets."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bucketvault.config import Config
from bucketvault.engine.rclone import tether
from bucketvault.engine.rclone.binary import clean_environment, find_binary
from bucketvault.errors import BucketvaultError
from bucketvault.server.address import ADDRESS

SERVER_START_S = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A local S3 server: where it listens, and the key that opens it."""

    endpoint: str
    access_key_id: str
    secret_access_key: str


def new_key() -> tuple[str, str]:
    """Return an access key ID and its secret."""
    return f"DEMO{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)


@contextlib.contextmanager
def serve_s3(config: Config, root: Path, bytes_per_second: str = "") -> Iterator[Server]:
    """Run `rclone serve s3` over a folder of buckets; it ends with this block or this process."""
    binary = find_binary(config.rclone)
    key_id, secret = new_key()
    address = f"{ADDRESS}:{free_port()}"
    environment = clean_environment(str(root))
    # The key goes by the environment, which only its owner can read; arguments everybody can.
    # In quotes: rclone reads a list of pairs, with commas between them too.
    environment["RCLONE_AUTH_KEY"] = f'"{key_id},{secret}"'
    process = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), binary.path),
            # what was changed in the folder must be seen by a run that begins at once
            *("serve", "s3", "--addr", address, "--dir-cache-time", "100ms"),
            *("--config", os.devnull, "--log-level", "ERROR"),
            *(("--bwlimit", bytes_per_second) if bytes_per_second else ()),
            str(root),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    try:
        _until_it_answers(f"http://{address}", process)
        yield Server(f"http://{address}", key_id, secret)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port(preferred: int = 0) -> int:
    """Return a port that is free right now: `preferred`, if it is."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a demo's of a minute ago
            probe.bind((ADDRESS, port))
            found: int = probe.getsockname()[1]
            return found
    raise BucketvaultError("This machine has no free port.")


def _until_it_answers(endpoint: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(endpoint, timeout=1):  # noqa: S310 - our own server
                return
        except urllib.error.HTTPError:
            return  # it answers, and refuses strangers, as it should
        except OSError:
            time.sleep(0.05)  # between two tries, until the deadline
    raise BucketvaultError("A local S3 server for the demo did not start.")
