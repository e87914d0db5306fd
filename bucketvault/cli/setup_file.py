"""`apply` and `export`: the setup of an installation as a file."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from bucketvault.access import password
from bucketvault.cli.asking import asked, asked_twice
from bucketvault.config import Config
from bucketvault.engine.runs import ledgers
from bucketvault.engine.setup import applying, sealed, writing
from bucketvault.errors import BucketvaultError, ConfigError
from bucketvault.store.opening import open_store
from bucketvault.store.private_files import read_text, write_private

PASSPHRASE = "passphrase"  # noqa: S105 - how people are asked for it
WITHOUT_TERMINAL = "Without one, give --passphrase-file FILE, or - for standard input."
LONGEST_FILE = 10_000  # bytes of a file that holds nothing but a passphrase


def apply(given: argparse.Namespace, config: Config) -> int:
    """Create and update what a setup file names; returns the exit code."""
    vault = open_store(config)
    command = f"bucketvault apply {given.file}"
    for line in applying.apply(
        given.file,
        vault,
        os.environ,
        passphrase=partial(_known, given.passphrase_file, command),
        prune=given.prune,
        dry_run=given.dry_run,
    ):
        print(line)
    if given.prune and not given.dry_run:
        ledgers.sweep(config.ledgers)
    return 0


def export(given: argparse.Namespace, config: Config) -> int:
    """Print the setup, or write it with its secrets into an encrypted file; the exit code."""
    vault = open_store(config)
    if given.with_secrets is None:
        if given.passphrase_file:
            raise ConfigError("Without --with-secrets nothing is encrypted: no passphrase is used.")
        found = writing.setup_text()
        sys.stdout.buffer.write(found.text.encode())  # TOML is UTF-8, whatever the terminal is
        sys.stdout.buffer.flush()
        if found.variables:
            print(
                "Secrets are left out. Set these environment variables where you apply it, or "
                'write {file = "..."} in their place:',
                *found.variables,
                sep="\n  ",
                file=sys.stderr,
            )
        return 0
    path: Path = given.with_secrets
    if os.path.lexists(path):
        raise BucketvaultError(f"{path} already exists.", "Choose a file that does not exist yet.")
    text = writing.setup_text(vault).text
    command = f"bucketvault export --with-secrets {path}"
    if given.passphrase_file:
        passphrase = _in_file(given.passphrase_file)
        try:
            password.check(passphrase, PASSPHRASE)
        except ValueError as error:
            raise BucketvaultError(str(error), "Nothing was written.") from error
    else:
        passphrase = asked_twice(PASSPHRASE, command, WITHOUT_TERMINAL)
    write_private(path, sealed.seal(text, passphrase))
    print(f"The setup with all its secrets is in {path}, encrypted with your passphrase.")
    print(f"Read it where it is needed: bucketvault apply {path.name}")
    return 0


def _known(file: str, command: str) -> str:
    return _in_file(file) if file else asked(PASSPHRASE, command, WITHOUT_TERMINAL)


def _in_file(name: str) -> str:
    """Return the first line of a file, or of standard input. Raises BucketvaultError."""
    try:
        text = sys.stdin.readline() if name == "-" else read_text(Path(name), LONGEST_FILE)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BucketvaultError(f"The passphrase cannot be read from {name}: {reason}.") from error
    return text.split("\n", 1)[0].rstrip("\r")
