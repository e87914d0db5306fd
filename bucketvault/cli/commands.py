"""Each command as a function that imports what it needs: help is answered at once."""

import argparse
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bucketvault.config import Config


def serve(given: argparse.Namespace, config: "Config") -> int:
    """Serve the pages and run backups, until a signal comes."""
    from bucketvault.server import process

    return process.serve(config)


def url(given: argparse.Namespace, config: "Config") -> int:
    """Print a link that opens the pages."""
    from bucketvault.cli.access import print_link

    return print_link(given, config)


def open_pages(given: argparse.Namespace, config: "Config") -> int:
    """Open the pages in a browser, signed in."""
    from bucketvault.cli.access import open_in_browser

    return open_in_browser(given, config)


def install_service(given: argparse.Namespace, config: "Config") -> int:
    """Install the service that systemd starts."""
    from bucketvault.cli.service import install

    return install(given, config)


def uninstall_service(given: argparse.Namespace, config: "Config") -> int:
    """Remove the service."""
    from bucketvault.cli.service import uninstall

    return uninstall(given, config)


def password(given: argparse.Namespace, config: "Config") -> int:
    """Set a password, or remove it."""
    from bucketvault.cli.access import set_password

    return set_password(given, config)


def metrics(given: argparse.Namespace, config: "Config") -> int:
    """Turn the numbers for Prometheus on or off."""
    from bucketvault.cli.access import switch_metrics

    return switch_metrics(given, config)


def rotate_key(given: argparse.Namespace, config: "Config") -> int:
    """Encrypt every stored secret with a new key."""
    from bucketvault.cli.access import encrypt_anew

    return encrypt_anew(given, config)


def apply(given: argparse.Namespace, config: "Config") -> int:
    """Create and update what a setup file names."""
    from bucketvault.cli import setup_file

    return setup_file.apply(given, config)


def export(given: argparse.Namespace, config: "Config") -> int:
    """Print the setup file."""
    from bucketvault.cli import setup_file

    return setup_file.export(given, config)


def run(given: argparse.Namespace, config: "Config") -> int:
    """Run a backup, preview it, or approve a held run of it."""
    from bucketvault.cli.run import run_backup

    return run_backup(given, config)


def verify(given: argparse.Namespace, config: "Config") -> int:
    """Read all of a backup at both ends."""
    from bucketvault.cli.run import verify_backup

    return verify_backup(given, config)


def status(given: argparse.Namespace, config: "Config") -> int:
    """Say whether all backups are good."""
    from bucketvault.cli.status import print_status

    return print_status(given, config)


def report(given: argparse.Namespace, config: "Config") -> int:
    """Print the report of the last seven days."""
    from bucketvault.cli.report import print_report

    return print_report(given, config)


def doctor(given: argparse.Namespace, config: "Config") -> int:
    """Check the installation."""
    from bucketvault.cli.doctor import examine

    return examine(given, config)


def log(given: argparse.Namespace, config: "Config") -> int:
    """Print the log of a run."""
    from bucketvault.cli.log import print_log

    return print_log(given, config)


def restore_database(given: argparse.Namespace, config: "Config") -> int:
    """Put a copy of the database back."""
    from bucketvault.cli.restore_database import restore

    return restore(given, config)


def demo(given: argparse.Namespace, config: "Config") -> int:
    """Show backups between two local servers."""
    from bucketvault.demo.show import show

    return show(config, once=given.once)


def runs(given: argparse.Namespace, config: "Config") -> int:
    """List the newest runs."""
    from bucketvault.cli.runs import print_runs

    return print_runs(given, config)


def stop(given: argparse.Namespace, config: "Config") -> int:
    """Stop a run."""
    from bucketvault.cli.run import stop_run

    return stop_run(given, config)


def enable(given: argparse.Namespace, config: "Config") -> int:
    """Turn a backup's schedule on."""
    from bucketvault.cli.run import switch

    return switch(given, config, on=True)


def disable(given: argparse.Namespace, config: "Config") -> int:
    """Turn a backup's schedule off."""
    from bucketvault.cli.run import switch

    return switch(given, config, on=False)


def providers(given: argparse.Namespace, config: "Config") -> int:
    """List the providers."""
    from bucketvault.cli.providers import print_providers

    return print_providers(given, config)


def test_provider(given: argparse.Namespace, config: "Config") -> int:
    """Try the access key of a provider."""
    from bucketvault.cli.providers import test

    return test(given, config)


def completion(given: argparse.Namespace, config: "Config") -> int:
    """Print what a shell needs to complete the words of this command line."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["bucketvault"], shell=given.shell))
    return 0


def print_version() -> None:
    """Print the versions of this program and of the rclone that it uses."""
    from bucketvault import __version__
    from bucketvault.engine.rclone.binary import find_binary
    from bucketvault.errors import BucketvaultError

    print(f"bucketvault {__version__}")
    try:
        rclone = find_binary(os.environ.get("BUCKETVAULT_RCLONE", ""))
        print(f"rclone {rclone.version} ({rclone.path})")
    except BucketvaultError as error:
        print(error.summary)


def print_help(given: argparse.Namespace, config: "Config") -> int:
    """Print the help of what was called without a command."""
    given.about.print_help()
    return 0


def print_help_of(given: argparse.Namespace, config: "Config") -> int:
    """Print the help of a command, or of all."""
    (given.topics[given.topic] if given.topic else given.whole).print_help()
    return 0


def backup_names(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the names that a shell may complete to; none where there is no database yet."""
    from bucketvault.store.models import Backup

    return _names(Backup, parsed_args.data_dir)


def provider_names(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the names that a shell may complete to, as `backup_names`."""
    from bucketvault.store.models import Provider

    return _names(Provider, parsed_args.data_dir)


def _names(table: Any, data_dir: str) -> list[str]:  # Any: a table with names
    from bucketvault.config import load_config
    from bucketvault.store.database import SqliteError, connection, open_to_look

    config = load_config(os.environ, data_dir=data_dir)
    if not config.database.exists():
        return []
    open_to_look(config.database, busy_ms=200)  # a shell waits for this
    try:
        with connection():
            return [row.name for row in table.select(table.name)]
    except SqliteError:
        return []
