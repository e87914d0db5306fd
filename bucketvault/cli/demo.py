"""`bucketvault demo`: two real S3 servers on this machine, sample data, a backup between them.

Everything it does is what a person would do: a setup file, a daily backup, a run, a change of the
source, a second run. With pages, the first run is slow enough to be watched, and the rest is up to
the user. It has a folder of its own below the user's cache and ends all it began.
"""

import contextlib
import json
import os
import random
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from bucketvault.config import DEFAULT_PORT, Config, load_config
from bucketvault.engine.engine import Engine
from bucketvault.engine.folder_lock import holder
from bucketvault.engine.rclone import tether
from bucketvault.engine.rclone.binary import clean_environment, find_binary
from bucketvault.engine.setup import applying
from bucketvault.engine.views import backups
from bucketvault.errors import AlreadyRunningError, BucketvaultError
from bucketvault.humanize import duration, size
from bucketvault.server.address import ADDRESS
from bucketvault.server.process import Around, serve
from bucketvault.store.opening import open_store
from bucketvault.vocabulary import RunStatus, Trigger

BACKUP = "Holiday photos"
SOURCE_BUCKET, DESTINATION_BUCKET = "holiday-photos", "holiday-photos-copy"
MARKER = "this-folder-belongs-to-bucketvault-demo"
SERVER_START_S = 20.0
ALBUMS = ("Küste", "山の上", "Été à la mer", "family 2025")
LARGE_BYTES = 50 * 1000 * 1000
WATCHABLE = "3400k"  # bytes a second from the source's server: the first run takes half a minute
RUNS_MAY_TAKE_S = 5.0  # to stop, when the demo ends
END_S = 9.0  # all of it, however busy


@dataclass(frozen=True, slots=True)
class Server:
    """A local S3 server: where it listens, and the key that opens it."""

    endpoint: str
    access_key_id: str
    secret_access_key: str


def show(config: Config, *, once: bool) -> int:
    """Run the demo; returns the exit code. `config` says which rclone to use."""
    folder = Path(platformdirs.user_cache_dir("bucketvault", appauthor=False)) / "demo"
    own = load_config(
        {
            "BUCKETVAULT_KEY_FILE": str(folder / "secret.key"),
            "BUCKETVAULT_RCLONE": config.rclone,
            "BUCKETVAULT_LOG_LEVEL": config.log_level,
            "BUCKETVAULT_PORT": str(_free_port(DEFAULT_PORT)),
        },
        data_dir=str(folder / "data"),
    )
    _start_afresh(folder, own)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that all ends
    source, destination = folder / "servers" / "here", folder / "servers" / "elsewhere"
    counted = make_samples(source / SOURCE_BUCKET)
    (destination / DESTINATION_BUCKET).mkdir(parents=True)
    print(f"Sample data: {counted:,} objects in the bucket {SOURCE_BUCKET}.")
    speed = "" if once else WATCHABLE
    with serve_s3(own, source, speed) as here, serve_s3(own, destination) as elsewhere:
        print(f"Two S3 servers: {here.endpoint} and {elsewhere.endpoint}.")
        file = folder / "setup.toml"
        write_setup(file, here, elsewhere)
        for line in applying.apply(file, open_store(own), os.environ):
            print(line)
        if once:
            return _two_runs(own, source / SOURCE_BUCKET, folder)
        return _with_pages(own, source / SOURCE_BUCKET)


def _with_pages(config: Config, source: Path) -> int:
    def begin(engine: Engine) -> None:
        engine.run_now(backups.backup_by_name(BACKUP).id, Trigger.CLI)
        print(
            "The first run copies now, from a slow server, so that there is something to watch.\n"
            f"After it, change files in {source} and press Run now.\n"
            "Ctrl-C ends all of the demo."
        )

    # The link goes wherever the output goes, also into a file: it only opens sample data.
    around = Around(role="demo", print_link=True, end_s=END_S, started=begin, ending=_end_runs)
    return serve(config, around)


def _end_runs(engine: Engine) -> None:
    deadline = time.monotonic() + RUNS_MAY_TAKE_S
    for run in _active():
        engine.stop_run(run.id)
    while _active() and time.monotonic() < deadline:
        time.sleep(0.05)  # between two looks, until the deadline


def _active() -> list[backups.RunView]:
    return [row.active_run for row in backups.backups() if row.active_run is not None]


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
        f"\nThe copy is in {folder / 'servers' / 'elsewhere' / DESTINATION_BUCKET}.\n"
        "What the second run replaced and removed is kept there, "
        "in .bucketvault-archive, for 30 days.\n"
        f"Remove all of the demo: rm -r {folder}"
    )
    return 0


def _run(engine: Engine, title: str) -> bool:
    run_id = engine.run_now(backups.backup_by_name(BACKUP).id, Trigger.CLI)
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


def _start_afresh(folder: Path, config: Config) -> None:
    if folder.exists() and not (folder / MARKER).exists():
        raise BucketvaultError(
            f"{folder} was not made by the demo, so the demo leaves it alone.",
            "Move it away, or set XDG_CACHE_HOME to another folder.",
        )
    if config.lock.exists() and (who := holder(config)):
        raise AlreadyRunningError(f"A demo is running already: {who}.", "Stop that one first.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def make_samples(bucket: Path) -> int:
    """Fill a bucket's folder with objects of several kinds; returns how many."""
    chance = random.Random(2026)  # noqa: S311 - sample data, the same each time
    names = [
        *(f"2026/{month:02}/IMG_{n:04}.jpg" for month in range(1, 13) for n in range(20)),
        *(f"albums/{name}/cover.png" for name in ALBUMS),
        *(f"notes/day-{n:02}.txt" for n in range(1, 31)),
        *(f"web/{name}" for name in ("index.html", "style.css", "data.json", "map.svg")),
    ]
    # photos large enough that a slow first run has something to show all the while
    sizes = {
        name: chance.randrange(50_000, 300_000) if "IMG" in name else chance.randrange(200, 40_000)
        for name in names
    }
    sizes |= {"notes/empty.txt": 0, "video/harbour.mp4": LARGE_BYTES}
    for name, length in sizes.items():
        path = bucket / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(length))
    return len(sizes)


def change_samples(bucket: Path) -> str:
    """New, changed and removed objects, as a week of use would leave them; returns it in words."""
    for n in range(5):
        (bucket / f"2026/12/IMG_9{n:03}.jpg").write_bytes(f"new photo {n}".encode() * 500)
    for n in range(1, 4):
        (bucket / f"notes/day-{n:02}.txt").write_text(f"rewritten, {n}\n", "utf-8")
    for n in range(4):
        (bucket / f"2026/01/IMG_{n:04}.jpg").unlink()
    return "5 new photos, 3 notes rewritten, 4 photos deleted"


def write_setup(file: Path, here: Server, elsewhere: Server) -> None:
    """Write the setup file, as a person would write it."""

    def provider(name: str, server: Server) -> str:
        values = {"name": name, "provider_type": "amazon_s3", **asdict(server)}
        # JSON strings are TOML strings
        return "\n".join(["[[provider]]", *(f"{k} = {json.dumps(v)}" for k, v in values.items())])

    file.write_text(
        f"""{provider("Here", here)}

{provider("Elsewhere", elsewhere)}

[[storage]]
provider = "Here"
bucket_name = "{SOURCE_BUCKET}"
usage_type = "source_only"

[[storage]]
provider = "Elsewhere"
bucket_name = "{DESTINATION_BUCKET}"
usage_type = "destination_only"

[[backup]]
name = "{BACKUP}"
source = {{provider = "Here", bucket = "{SOURCE_BUCKET}"}}
destination = {{provider = "Elsewhere", bucket = "{DESTINATION_BUCKET}"}}
schedule = "daily"
at = "03:15"
comparison_mode = "checksum"
""",
        "utf-8",
    )


@contextlib.contextmanager
def serve_s3(config: Config, root: Path, bytes_per_second: str = "") -> Iterator[Server]:
    """Run `rclone serve s3` over a folder of buckets; it ends with this block or this process."""
    binary = find_binary(config.rclone)
    key_id, secret = f"DEMO{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
    address = f"{ADDRESS}:{_free_port()}"
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


def _free_port(preferred: int = 0) -> int:
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
