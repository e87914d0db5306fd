"""The words of the command line: every command, its arguments, its help."""

import argparse
import datetime as dt
import difflib
from pathlib import Path
from typing import Any, NoReturn

from bucketvault.cli import commands

NEWEST = 0  # no run has this number
_CODES = {  # exit codes, by the commands that share them
    "wait": "0 success, 1 failed or held, 2 invalid arguments or unknown name",
    "status": "0 all backups are good, 1 a backup needs attention, 2 invalid arguments, "
    "3 good, but with warnings or not proven for two periods",
    "doctor": "0 no problems, 1 problems found",
    "serve": (
        "0 stopped, 2 invalid setting or lost database, 75 another bucketvault uses this data "
        "folder"
    ),
    "": "0 done, 1 failed, 2 invalid arguments or unknown name",
}


class _Parser(argparse.ArgumentParser):
    """Suggests the nearest word, and prints the help where nothing was asked."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            words = [str(choice) for choice in action.choices]
            near = difflib.get_close_matches(str(value), words, 1)
            ask = f"Did you mean {near[0]}?" if near else f"There are {', '.join(words)}."
            what = str(action.metavar or action.dest).lower()
            raise argparse.ArgumentError(None, f"There is no {what} {value!r}. {ask}")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nSee: {self.prog} --help\n")


class _Version(argparse.Action):
    """Prints the versions and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        commands.print_version()
        parser.exit()


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of examples and exit codes."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=27)
        # argparse forgets that commands are indented twice: the longest would take its own line
        self._action_max_length = len("uninstall-service") + 4


def build() -> argparse.ArgumentParser:
    """Return the parser; what it parses has the function `command`."""
    parser = _Parser(
        prog="bucketvault",
        description="Bucket-to-bucket backups: rclone copies, bucketvault schedules, checks and "
        "alerts.",
        epilog="bucketvault help COMMAND shows examples and exit codes.",
        formatter_class=_Help,
    )
    # `serve` logs more: it has no other output
    parser.set_defaults(
        command=commands.print_help,
        about=parser,
        whole=parser,
        log_level="warning",
        port="",
        host="",
        socket="",
        allowed_hosts=(),
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show the versions of bucketvault and rclone"
    )
    parser.add_argument(
        "--data-dir",
        default="",
        metavar="DIR",
        help="the data folder; default: ~/.local/share/bucketvault",
    )
    _Commands(parser).add_all()
    return parser


class _Commands:
    """Adds one command after another."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._all = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)

    def _add(
        self, name: str, command: Any, words: str, *examples: str, codes: str = "", more: str = ""
    ) -> argparse.ArgumentParser:
        lines = [line if "bucketvault" in line else f"bucketvault {line}" for line in examples]
        shown = "".join(f"  {line}\n" for line in lines)
        parser = self._all.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}.{f' {more}' if more else ''}",
            epilog=f"Example{'s' if len(examples) > 1 else ''}:\n{shown}\n"
            f"Exit codes: {_CODES[codes]}.",
            formatter_class=_Help,
        )
        parser.set_defaults(command=command, about=parser)
        return parser

    def add_all(self) -> None:
        """Add every command, in the order in which people need them."""
        self._serving()
        self._backups()
        self._runs()
        self._looking()
        self._service()
        self._others()

    def _serving(self) -> None:
        serve = self._add(
            "serve",
            commands.serve,
            "serve the pages and run backups on schedule",
            "serve",
            "serve --port 9000",
            codes="serve",
        )
        serve.add_argument("--port", default="", help="port on 127.0.0.1; default: 8484")
        serve.add_argument("--host", default="", help=argparse.SUPPRESS)  # says what to do instead
        serve.add_argument(
            "--socket",
            default="",
            metavar="PATH",
            help="a Unix socket instead, in a folder of mode 0700; reached by ssh -L only",
        )
        serve.add_argument(
            "--allowed-host",
            dest="allowed_hosts",
            action="extend",
            nargs="+",
            default=[],
            metavar="NAME",
            help="another host name that browsers may use, besides localhost",
        )
        serve.set_defaults(log_level="info")

        url = self._add("url", commands.url, "print a link that opens the pages", "url")
        url.add_argument(
            "--new", action="store_true", help="end every session and every other link first"
        )
        self._add(
            "open",
            commands.open_pages,
            "open the pages in your browser, signed in",
            "open",
            more="Starts bucketvault if it is not running.",
        )
        word = self._add(
            "password", commands.password, "set a password as a second way to sign in", "password"
        )
        word.add_argument(
            "--remove", action="store_true", help="remove the password; only links work then"
        )

    def _service(self) -> None:
        install = self._add(
            "install-service",
            commands.install_service,
            "install bucketvault as a service that systemd starts",
            "install-service --user",
            "sudo bucketvault install-service --port 9000",
            more="As root for the machine, with its own user; else for you. May be run again.",
        )
        install.add_argument("--port", default="", help="port on 127.0.0.1; default: 8484")
        uninstall = self._add(
            "uninstall-service",
            commands.uninstall_service,
            "remove the service; data, keys and buckets stay",
            "uninstall-service",
        )
        for parser in (install, uninstall):
            whose = parser.add_mutually_exclusive_group()
            whose.add_argument("--user", action="store_true", help="for you; default without root")
            whose.add_argument(
                "--system", action="store_true", help="for the machine; default for root"
            )
            parser.add_argument(
                "--root",
                type=Path,
                metavar="DIR",
                help="in the system below DIR, which is not running: start nothing",
            )

    def _backups(self) -> None:
        apply = self._add(
            "apply",
            commands.apply,
            "create and update providers, buckets and backups from a TOML file",
            "apply setup.toml",
            "apply setup.toml --prune --dry-run",
            more="Matches by name, all or nothing; deletes only with --prune.",
        )
        apply.add_argument("file", type=Path, metavar="setup.toml")
        apply.add_argument(
            "--prune",
            action="store_true",
            help="also delete backups, storages and providers that the file does not name, with "
            "their history; buckets, copies and old versions stay",
        )
        apply.add_argument(
            "--dry-run", action="store_true", help="only list what would change, line by line"
        )
        _passphrase_file(apply)
        export = self._add(
            "export",
            commands.export,
            "print the setup file of what is set up here",
            "export > setup.toml",
            "export --with-secrets moving.setup",
            more="Without secrets: the file names environment variables for them.",
        )
        export.add_argument(
            "--with-secrets",
            type=Path,
            metavar="FILE",
            help="write it with all secrets into FILE, encrypted with a passphrase",
        )
        _passphrase_file(export)
        for name, command, words in (
            ("enable", commands.enable, "turn a backup's schedule on"),
            ("disable", commands.disable, "turn a backup's schedule off; it can still be run"),
        ):
            _name(self._add(name, command, words, f"{name} Photos"))
        providers = self._add(
            "providers",
            commands.providers,
            "list the providers, or test the access key of one",
            "providers",
            "providers test Backblaze --bucket photos-copy --write",
            more="The test exits with 1 if a permission is denied or a step fails.",
        )
        _json(providers)
        ways = providers.add_subparsers(metavar="COMMAND", parser_class=_Parser)
        test = ways.add_parser("test", help="test what the key can do; takes up to a minute")
        _name(test, commands.provider_names)
        test.add_argument("--bucket", default="", metavar="BUCKET", help="test it in this bucket")
        test.add_argument(
            "--write", action="store_true", help="also write small objects, then delete them"
        )
        _json(test)
        test.set_defaults(command=commands.test_provider, about=test)

    def _runs(self) -> None:
        run = self._add(
            "run",
            commands.run,
            "run a backup now",
            "run Photos --wait",
            "run Photos --preview",
            "run Photos --approve 17",
            codes="wait",
        )
        _name(run)
        _wait(run)
        how = run.add_mutually_exclusive_group()
        how.add_argument(
            "--preview",
            action="store_true",
            help="only list what a run would do, object by object",
        )
        how.add_argument(
            "--approve",
            nargs="?",
            type=_run_number,
            const=NEWEST,
            metavar="RUN",
            help="approve the deletions and replacements of this held run, by name, for one run "
            "within 24 hours; default: the newest",
        )
        verify = self._add(
            "verify",
            commands.verify,
            "read all objects of a backup on both sides and compare the bytes",
            "verify Photos --wait",
            codes="wait",
        )
        _name(verify)
        _wait(verify)
        stop = self._add(
            "stop",
            commands.stop,
            "stop a run, and wait until it has ended",
            "stop Photos",
            "stop 17",
            more="Objects already copied stay.",
        )
        _name(stop, at="run", metavar="NAME|RUN", help="a backup's name, or a run's number")

    def _looking(self) -> None:
        status = self._add(
            "status",
            commands.status,
            "show the state of every backup",
            "status",
            "status --json",
            codes="status",
        )
        _json(status)
        self._add(
            "report", commands.report, "print the report of the last 7 days, as an email", "report"
        )
        runs = self._add(
            "runs", commands.runs, "list the newest runs of a backup", "runs Photos", "runs --json"
        )
        _name(runs, nargs="?", help="default: every backup")
        _json(runs)
        log = self._add(
            "log", commands.log, "print the log of a run", "log Photos", "log 17 --follow"
        )
        newest = "a backup's name, for its newest run, or a run's number"
        _name(log, at="run", metavar="NAME|RUN", help=newest)
        log.add_argument("--follow", action="store_true", help="keep printing until the run ends")
        log.add_argument("--raw", action="store_true", help="byte for byte as rclone wrote it")
        doctor = self._add(
            "doctor",
            commands.doctor,
            "check the installation (read-only)",
            "doctor",
            codes="doctor",
        )
        _json(doctor)

    def _others(self) -> None:
        metrics = self._add(
            "metrics",
            commands.metrics,
            "turn numbers for Prometheus on or off (/metrics)",
            "metrics on",
            more="`on` makes a new token, shown once; an earlier one no longer works.",
        )
        metrics.add_argument("turn", nargs="?", choices=("on", "off"), help="default: say which")
        rotate = self._add(
            "rotate-key",
            commands.rotate_key,
            "encrypt every stored secret with a new key",
            "rotate-key",
            more="The old key is kept in a file beside the key file: older copies of the\n"
            "database need it, and so do other data folders with the same key file. Where it is\n"
            "needed, add its line at the end of the key file.",
        )
        rotate.add_argument(
            "--new-key-file",
            action="store_true",
            help="replace a lost key file; then enter the keys of every provider again",
        )
        restore = self._add(
            "restore-database",
            commands.restore_database,
            "restore bucketvault's own database from its newest copy, or from that of a given day",
            "restore-database",
            "restore-database 2026-11-30",
            more="The current database is moved aside, never deleted.",
        )
        restore.add_argument(
            "day", nargs="?", type=_day, metavar="DAY", help="UTC; default: the newest intact copy"
        )
        demo = self._add(
            "demo",
            commands.demo,
            "try it: two local S3 servers and sample backups between them",
            "demo",
            "demo --once",
        )
        demo.add_argument("--once", action="store_true", help="print the result and exit")
        completion = self._add(
            "completion",
            commands.completion,
            "print a script for shell completion of commands and names",
            'eval "$(bucketvault completion bash)"',
        )
        completion.add_argument("shell", choices=("bash", "zsh", "fish"))
        help_ = self._add("help", commands.print_help_of, "show help for a command", "help run")
        help_.add_argument("topic", nargs="?", metavar="COMMAND", choices=tuple(self._all.choices))
        help_.set_defaults(topics=self._all.choices)


def _name(
    parser: argparse.ArgumentParser,
    completer: Any = commands.backup_names,  # Any: argcomplete does not name its type
    *,
    at: str = "name",
    **given: Any,
) -> None:
    action = parser.add_argument(at, **({"metavar": "NAME"} | given))
    action.completer = completer  # type: ignore[attr-defined]  # argcomplete reads it


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def _passphrase_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file",
        default="",
        metavar="FILE",
        help="read the passphrase from the first line of FILE (-: standard input); default: asked "
        "for on the terminal",
    )


def _wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait until it finishes; exit 0 on success, 1 on failure",
    )


def _day(word: str) -> dt.date:
    try:
        return dt.date.fromisoformat(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is not a date such as 2026-11-30") from None


def _run_number(word: str) -> int:
    if not word.isdecimal() or int(word) == NEWEST:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not a run number; the name comes first: NAME --approve 17"
        )
    return int(word)
