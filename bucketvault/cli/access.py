"""`url`, `open`, `password`, `metrics`, `rotate-key`: who gets in, and the key that opens keys."""

import argparse
import contextlib
import html
import subprocess
import sys
import time
import webbrowser

from bucketvault.access import links, metrics_token, password
from bucketvault.access.sessions import end_all_sessions
from bucketvault.cli.asking import asked_twice
from bucketvault.config import Config
from bucketvault.engine import key_rotation
from bucketvault.errors import BucketvaultError, StrangerError
from bucketvault.server import address
from bucketvault.store.opening import open_store
from bucketvault.store.private_files import write_private

USED_S = 30.0
SERVER_S = 60.0  # a small machine with a large database takes a while


def print_link(given: argparse.Namespace, config: Config) -> int:
    """Print the link that opens the pages."""
    door, link = address.login_link(config, new=given.new)
    print(link)
    if door.socket is not None:
        print(f"First, on your own computer: {door.tunnel_line('')}", file=sys.stderr)
    return 0


def open_in_browser(given: argparse.Namespace, config: Config) -> int:
    """Open the pages in the user's browser, signed in; start a server first where none answers.

    The browser gets the path of a private file that leads to the link: its arguments are for
    everybody to read. The file is there until the link was used, for half a minute at most.
    Raises BucketvaultError where neither a server nor a browser starts, StrangerError where
    another program listens.
    """
    config.make_folders()
    try:
        _, link = address.login_link(config, new=False)
    except StrangerError:
        raise
    except BucketvaultError:
        _start_server(config)
        _, link = address.login_link(config, new=False)
    page = config.data_dir / "open.html"
    write_private(page, f'<meta http-equiv="refresh" content="0; url={html.escape(link)}">\n')
    try:
        if not webbrowser.open(page.as_uri()):
            raise BucketvaultError(
                "There is no browser here.",
                "bucketvault url prints a link; over SSH, open it through a tunnel "
                "(docs/access.md).",
            )
        print("The pages open in your browser. If they do not: bucketvault url", flush=True)
        deadline, token = time.monotonic() + USED_S, link.partition("token=")[2]
        while time.monotonic() < deadline and links.opens(token):
            time.sleep(0.2)  # between two looks: the server uses the link up
    finally:
        page.unlink()
    return 0


def _start_server(config: Config) -> None:
    """Start `serve`, which goes on without us. Raises BucketvaultError with what it said."""
    with (config.data_dir / "serve.log").open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "bucketvault", "--data-dir", str(config.data_dir), "serve"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # it outlives this terminal
        )
    deadline = time.monotonic() + SERVER_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, StrangerError):
            address.noted_door(config).ask()
            return
        time.sleep(0.1)  # between two tries: the server is another process
    said = (config.data_dir / "serve.log").read_bytes().decode(errors="replace")
    raise BucketvaultError("bucketvault did not start.", *said.strip().splitlines()[-1:])


def set_password(given: argparse.Namespace, config: Config) -> int:
    """Set a password, asked for on the terminal, or remove it."""
    open_store(config)
    if given.remove:
        if not config.password.exists():
            print("No password is set. Sign in with the link: bucketvault url")
            return 0
        end_all_sessions()
        config.password.unlink()
        print("The password is removed and every session has ended. The link: bucketvault url")
        return 0
    new = asked_twice("password", "bucketvault password")
    end_all_sessions()  # first: with a database that cannot be written, nothing changes
    password.set_password(config.password, new)
    print("The password is set and every session has ended. Sign in with it, or with the link.")
    return 0


def switch_metrics(given: argparse.Namespace, config: Config) -> int:
    """Turn /metrics on, with a new token that is shown once, or off; or say what they are."""
    open_store(config)
    file = config.metrics_token
    if given.turn == "on":
        token = metrics_token.make(file)
        print(f"Metrics are on. The token, shown only now: {token}")
        print("Prometheus, in scrape_configs (docs/operations.md):")
        print("  - job_name: bucketvault")
        print(f"    authorization: {{credentials: {token}}}")
        print(f"    static_configs: [{{targets: ['127.0.0.1:{address.noted_door(config).port}']}}]")
    elif given.turn == "off":
        file.unlink(missing_ok=True)
        print("Metrics are off.")
    else:
        print(f"Metrics are {'on' if metrics_token.is_open(file) else 'off'}.")
    return 0


def encrypt_anew(given: argparse.Namespace, config: Config) -> int:
    """Encrypt every stored secret with a new key."""
    vault = open_store(config)
    if given.new_key_file:
        lost = key_rotation.new_key_file(vault)
        print(f"There is a new key file: {config.key_file}")
        for whose in lost:
            print(f"Enter again: {whose}")
        return 0
    count, aside = key_rotation.rotate(vault)
    print(f"{count} secrets are encrypted with a new key.")
    print(f"Keep a copy of {config.key_file}, away from the data folder.")
    for file in aside:
        print(f"The old key is stored in {file}. Delete it when nothing needs it any more:")
        print("copies of the database made before do, and other data folders with this key file.")
    return 0
