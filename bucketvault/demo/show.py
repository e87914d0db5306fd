"""`bucketvault demo`: two real S3 servers on this machine, sample data, backups between them.

With `--once` it does what a person would do: a setup file, a run, a change of the source, a second
run. With pages it tells a story: six backups with 30 days behind them, and what happens today. It
has a folder of its own below the user's cache and ends all it began.
"""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from bucketvault.config import DEFAULT_PORT, Config, load_config
from bucketvault.demo import history, today
from bucketvault.demo.buckets import WATCHABLE
from bucketvault.demo.folder import demo_folder, start_afresh
from bucketvault.demo.mail_server import Mailbox, mail_server
from bucketvault.demo.samples import change_samples, make_samples
from bucketvault.demo.servers import Server, free_port, new_key, serve_s3
from bucketvault.demo.setup_file import HOME, OFFSITE, Entry, write_setup
from bucketvault.engine.domain.times import server_time_zone
from bucketvault.engine.engine import Engine
from bucketvault.engine.setup import applying
from bucketvault.engine.views import backups
from bucketvault.humanize import duration, many, size
from bucketvault.server.process import Around, serve
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store
from bucketvault.vocabulary import RunStatus, Topic, Trigger

ONCE = Entry("Holiday photos", "holiday-photos", "03:15")
SAMPLE_PRICES: dict[
    str, object
] = {  # in dollars: those of no service, so that there are sums to see
    "storage_per_gb_month": 0.01,
    "lists_per_million": 5,
    "writes_per_million": 5,
    "reads_per_million": 0.4,
    "deletes_per_million": 0,
    "traffic_per_gb": 0.01,
    "minimum_days": 0,
}
RUNS_MAY_TAKE_S = 5.0  # to stop, when the demo ends
END_S = 9.0  # all of it, however busy


def show(config: Config, *, once: bool) -> int:
    """Run the demo; returns the exit code. `config` says which rclone to use."""
    folder = demo_folder()
    own = load_config(
        {
            "BUCKETVAULT_KEY_FILE": str(folder / "secret.key"),
            "BUCKETVAULT_RCLONE": config.rclone,
            "BUCKETVAULT_LOG_LEVEL": config.log_level,
        },
        data_dir=str(folder / "data"),
    )
    start_afresh(folder, own)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that all ends
    return _once(own, folder) if once else _story(own, folder)


# ---- the story


class _Steps:
    """Prints each step with the time since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, words: str) -> None:
        print(f"{time.monotonic() - self._began:5.1f} s  {words}", flush=True)


def _story(config: Config, folder: Path) -> int:
    steps, servers = _Steps(), folder / "servers"
    now = utcnow()
    entries = today.entries(now.astimezone(ZoneInfo(server_time_zone())))
    for side in ("here", "elsewhere"):
        (servers / side).mkdir(parents=True)
    with (
        serve_s3(config, servers / "here", WATCHABLE) as here,
        serve_s3(config, servers / "elsewhere") as elsewhere,
        mail_server() as mailbox,
    ):
        steps.say(f"Two S3 servers: {here.endpoint} and {elsewhere.endpoint}.")
        refused = Server(here.endpoint, *new_key())
        providers = {HOME: here, today.DATABASES: refused, OFFSITE: elsewhere}
        file = folder / "setup.toml"
        settings = today.mail_settings(mailbox.port)
        tables = {"settings": settings, "prices.other": SAMPLE_PRICES}
        write_setup(file, providers, entries, tables)
        vault = open_store(config)
        applying.apply(file, vault, os.environ)
        steps.say(f"{many(len(entries), 'backup')} from {file}.")
        sources = history.write(config, vault, entries, servers, now)
        today.change_sources(servers, sources, now)
        steps.say("30 days of history and the sample data.")
        today.run_today(config, servers, steps.say)
        return _with_pages(config, mailbox, servers / "here" / "holiday-photos", steps.say)


def _with_pages(config: Config, mailbox: Mailbox, watched: Path, say: Callable[[str], None]) -> int:
    visitor = today.Visitor(watched)

    def begin(engine: Engine) -> None:
        mailbox.on_new = lambda: engine.live.publish(Topic.MAIL)
        visitor.start(engine)
        say(f"{today.WATCHED} runs slowly when you open the pages, so that you can watch it.")
        print("Ctrl-C ends the whole demo.")

    def end(engine: Engine) -> None:
        visitor.stop()
        _end_runs(engine)

    # The link goes wherever the output goes, also into a file: it only opens sample data.
    config = replace(config, port=free_port(DEFAULT_PORT))  # the one that is free now
    around = Around(
        role="demo",
        print_link=True,
        end_s=END_S,
        started=begin,
        ending=end,
        mailbox=mailbox.received,
    )
    return serve(config, around)


def _end_runs(engine: Engine) -> None:
    deadline = time.monotonic() + RUNS_MAY_TAKE_S
    for run in _active():
        engine.stop_run(run.id)
    while _active() and time.monotonic() < deadline:
        time.sleep(0.05)  # between two looks, until the deadline


def _active() -> list[backups.RunView]:
    return [row.active_run for row in backups.backups() if row.active_run is not None]


# ---- once


def _once(config: Config, folder: Path) -> int:
    source, destination = folder / "servers" / "here", folder / "servers" / "elsewhere"
    counted = make_samples(source / ONCE.bucket)
    (destination / f"{ONCE.bucket}-copy").mkdir(parents=True)
    print(f"Sample data: {counted:,} objects in the bucket {ONCE.bucket}.")
    with serve_s3(config, source) as here, serve_s3(config, destination) as elsewhere:
        print(f"Two S3 servers: {here.endpoint} and {elsewhere.endpoint}.")
        file = folder / "setup.toml"
        write_setup(file, {HOME: here, OFFSITE: elsewhere}, [ONCE], {})
        for line in applying.apply(file, open_store(config), os.environ):
            print(line)
        return _two_runs(config, source / ONCE.bucket, folder)


def _two_runs(config: Config, source: Path, folder: Path) -> int:
    engine = Engine(config, "demo")
    engine.start()
    try:
        if not _run(engine, "First run"):
            return 1
        print(f"Then the source changes: {change_samples(source)}.")
        if not _run(engine, "Second run"):
            return 1
    finally:
        _end_runs(engine)  # its servers end with the demo
        engine.stop()
    print(
        f"\nThe copy is in {folder / 'servers' / 'elsewhere' / f'{ONCE.bucket}-copy'}.\n"
        "What the second run replaced and removed is kept there, "
        "in .bucketvault-archive, for 30 days.\n"
        f"To remove the whole demo: rm -r {folder}"
    )
    return 0


def _run(engine: Engine, title: str) -> bool:
    run_id = engine.run_now(backups.backup_by_name(ONCE.name).id, Trigger.CLI)
    while (run := backups.run(run_id)).status.is_active:
        time.sleep(0.1)  # between two looks: the engine at work in other threads writes its end
    counts = run.counts
    took = 0.0
    if run.started_at is not None and run.finished_at is not None:
        took = (run.finished_at - run.started_at).total_seconds()
    print(f"{title}: {run.explanation}")
    if run.status == RunStatus.FAILED:
        print(f"  {run.hint}\n  {run.detail}", file=sys.stderr)
        return False
    print(
        f"  {counts['copied']:,} copied, {counts['replaced']:,} replaced, "
        f"{counts['deleted']:,} removed, {counts['archived']:,} old versions kept, "
        f"{counts['errors']:,} errors; {size(counts['bytes'])} "
        f"in {duration(took)}. Its log: {_itself()} "
        f"--data-dir {engine.config.data_dir} log {run.id}"
    )
    return True


def _itself() -> str:
    """Return this command, to be pasted: a checkout has it in `.venv/bin`, not in the path."""
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "bucketvault" else "bucketvault"
