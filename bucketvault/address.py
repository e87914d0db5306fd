"""Where the pages are: the link that opens them, the way there over SSH, the port in use."""

import contextlib
import ipaddress
import json
import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path

from bucketvault.config import Config
from bucketvault.engine.engine import open_store
from bucketvault.sessions import login_token, replace_login_token

ADDRESS = "127.0.0.1"


def cookie_name(port: int) -> str:
    """Cookies do not tell ports apart, so the name does."""
    return f"bucketvault_{port}"


def link(port: int, token: str) -> str:
    """The address that signs in."""
    return f"http://{ADDRESS}:{port}/login?token={token}"


def login_link(config: Config, *, new: bool) -> tuple[int, str]:
    """The port, and the link that signs in there; with `new` from a new token, all signed out."""
    port = noted_port(config)
    if new:
        open_store(config)
        return port, link(port, replace_login_token(config.login_token))
    config.make_folders()
    return port, link(port, login_token(config.login_token))


def announcement(config: Config, *, with_link: bool) -> Iterator[str]:
    """Where the pages are, in lines."""
    if with_link:
        yield f"Open bucketvault: {link(config.port, login_token(config.login_token))}"
    else:
        yield f"bucketvault serves on port {config.port}. The login link: bucketvault url"
    if tunnel := tunnel_line(config.port, os.environ.get("SSH_CONNECTION", "")):
        yield f"First, on your own computer: {tunnel}"


def tunnel_line(port: int, ssh_connection: str) -> str:
    """What to type on the computer somebody came from over SSH; empty when nobody did."""
    match ssh_connection.split():
        case [_, _, server, server_port] if server_port.isdecimal():
            with contextlib.suppress(ValueError):
                ipaddress.ip_address(server.partition("%")[0])
                user = pwd.getpwuid(os.getuid()).pw_name
                other = "" if server_port == "22" else f" -p {server_port}"
                return f"ssh -N -L {port}:{ADDRESS}:{port}{other} {user}@{server}"
    return ""


def _note(config: Config) -> Path:
    return config.data_dir / "serve.json"


def note_port(config: Config) -> None:
    """Write down where we serve, for `bucketvault url`."""
    unfinished = _note(config).with_suffix(".unfinished")
    unfinished.write_text(json.dumps({"port": config.port}), "ascii")
    unfinished.chmod(0o600)
    unfinished.replace(_note(config))


def noted_port(config: Config) -> int:
    """Where a bucketvault serves on this data folder, or did last; else where it would."""
    try:
        return int(json.loads(_note(config).read_text("ascii"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return config.port


def answers(port: int) -> bool:
    """Whether anything listens there."""
    try:
        socket.create_connection((ADDRESS, port), timeout=1).close()
    except OSError:
        return False
    return True
