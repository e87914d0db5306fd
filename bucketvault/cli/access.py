"""`url`, `password`, `rotate-key`: the commands about who gets in, and the key that opens keys."""

import argparse
import getpass
import sys

from bucketvault.access import password
from bucketvault.access.sessions import end_all_sessions
from bucketvault.config import Config
from bucketvault.engine import key_rotation
from bucketvault.errors import BucketvaultError, ConfigError
from bucketvault.server import address
from bucketvault.store.opening import open_store


def print_link(given: argparse.Namespace, config: Config) -> int:
    """Print the link that opens the pages."""
    door, link = address.login_link(config, new=given.new)
    print(link)
    if door.socket is not None:
        print(f"First, on your own computer: {door.tunnel_line('')}", file=sys.stderr)
    return 0


def set_password(given: argparse.Namespace, config: Config) -> int:
    """Set a password, asked for on the terminal, or remove it."""
    open_store(config)
    if given.remove:
        if not config.password.exists():
            print("There is no password: only the link opens bucketvault (bucketvault url).")
            return 0
        end_all_sessions()
        config.password.unlink()
        print("The password is gone and every session has ended. The link: bucketvault url")
        return 0
    new = _asked_twice()
    end_all_sessions()  # first: with a database that cannot be written, nothing changes
    password.set_password(config.password, new)
    print("The password is set and every session has ended. Sign in with it, or with the link.")
    return 0


def _asked_twice() -> str:
    """Ask for a new password in the terminal, not shown. Raises BucketvaultError, ConfigError."""
    if not sys.stdin.isatty():
        raise ConfigError(
            "A password is asked for on a terminal only, so that no file and no history has it.",
            "Over SSH: ssh -t SERVER bucketvault password",
        )
    try:
        new = getpass.getpass(f"New password, at least {password.SHORTEST} characters: ")
        password.check(new)
        if getpass.getpass("Again: ") != new:
            raise ValueError("The two are not the same.")
    except (ValueError, EOFError) as error:
        raise BucketvaultError(
            str(error) or "No password was given.", "Nothing was changed."
        ) from error
    return new


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
    print(f"Keep a copy of {config.key_file}, apart from the data folder.")
    for file in aside:
        print(f"The old key is stored in {file}. Delete it when nothing needs it any more:")
        print("copies of the database made before do, and other data folders with this key file.")
    return 0
