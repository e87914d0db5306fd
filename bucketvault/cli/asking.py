"""Passwords and passphrases: asked for on a terminal, not shown, and never in the command line."""

import getpass
import sys

from bucketvault.access import password
from bucketvault.errors import BucketvaultError, ConfigError


def asked_twice(what: str, command: str, otherwise: str = "") -> str:
    """Ask for a new password, or what `what` says. Raises BucketvaultError, ConfigError.

    `command`: what to type on a terminal; `otherwise`: what to do without one.
    """
    _refuse_no_terminal(what, command, otherwise)
    try:
        new = getpass.getpass(f"New {what}, at least {password.SHORTEST} characters: ")
        password.check(new, what)
        if getpass.getpass("Again: ") != new:
            raise ValueError(f"The {what}s do not match.")
    except (ValueError, EOFError) as error:
        raise BucketvaultError(
            str(error) or f"No {what} was entered.", "Nothing was changed."
        ) from error
    return new


def asked(what: str, command: str, otherwise: str = "") -> str:
    """Ask for one that is known already. Raises BucketvaultError, ConfigError."""
    _refuse_no_terminal(what, command, otherwise)
    try:
        return getpass.getpass(f"{what.capitalize()}: ")
    except EOFError as error:
        raise BucketvaultError(f"No {what} was entered.", "Nothing was changed.") from error


def _refuse_no_terminal(what: str, command: str, otherwise: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"Type the {what} on a terminal, so that it is in no file and no shell history.",
            otherwise or f"Over SSH: ssh -t SERVER {command}",
        )
