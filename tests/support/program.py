"""The real program on a data folder of its own, driven as a person drives it: by its commands."""

import http.client
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import psutil
from jsonschema import Draft202012Validator

from bucketvault.engine.rclone.remotes import Remote
from bucketvault.store import run_logs
from bucketvault.store.database import close_database, open_database
from tests.support import in_process
from tests.support.servers import ServerProcess, clean_environment, free_port
from tests.support.services.layer import StandIn

T = TypeVar("T")
DEADLINE_S = 60.0
PROGRAM: tuple[str, ...] = ("bucketvault",)
BESIDE = ("/login", "/healthz", "/favicon.ico")  # what strangers may ask for
SCHEMA = Path(__file__).parents[2] / "docs/status.schema.json"
STATUS = Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
CLEAN_STOP_S = 5.0  # what a server may take to end, whatever it does


def until(what: str, look: Callable[[], T | None], *, timeout_s: float = DEADLINE_S) -> T:
    """The first truthy value that `look` gives; fails with `what` when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.03)
    raise AssertionError(f"not in {timeout_s} s: {what}")


def _name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def _line_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Answer:
    """A server's answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: str
    location: str  # where it leads, below the pages' own path


@dataclass
class Served:
    """A `bucketvault serve` that answers."""

    program: "Program"
    process: "subprocess.Popen[str]"
    port: int  # where it is reached; through a tunnel, another than its own
    cookie: str = field(default="", init=False)  # of the last sign-in

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def path(self) -> str:
        """The path below which the pages are."""
        return self.program.path

    @property
    def home(self) -> str:
        """The whole address of the pages, without the last slash."""
        return f"{self.base}{self.path}"

    @property
    def link(self) -> str:
        """A link that signs in once, as `bucketvault url` prints it."""
        printed = urlsplit(self.program.cli("url").out.strip())
        return printed._replace(netloc=f"127.0.0.1:{self.port}").geturl()

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: str = "",
        signed_in: bool = True,
        headers: Mapping[str, str] | None = None,
        top: bool = False,
    ) -> Answer:
        """One request, with exactly these headers; no redirect is followed.

        Below the path of the pages, unless it is for the sign-in page, health or icon, or `top`.
        """
        if not top and path.split("?")[0] not in BESIDE and not path.startswith("/b-"):
            path = f"{self.path}{path}"
        given = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        if signed_in and self.cookie:
            given.setdefault("Cookie", self.cookie)
        if body:
            given["Content-Length"] = str(len(body))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders(body.encode())
            got = connection.getresponse()
            told = {name.lower(): value for name, value in got.getheaders()}
            location = told.get("location", "").removeprefix(self.path)
            return Answer(got.status, told, got.read().decode(), location)
        finally:
            connection.close()

    def sign_in(self) -> None:
        """Open the link and keep the cookie for what is asked from now on."""
        # of several the last: the way back is before it
        self.cookie = self.open(self.link).headers["set-cookie"].partition(";")[0]

    def open(self, link: str, wanted: str = "/") -> Answer:
        """Open a link as a browser that has no cookie; the answer with the cookie."""
        first = self.ask(f"{link.removeprefix(self.base)}&next={quote(wanted)}", signed_in=False)
        return self.follow(first)

    def follow(self, led: Answer, **more: Any) -> Answer:
        """Go where the sign-in page leads whoever may in."""
        assert led.status == 303 and "set-cookie" not in led.headers, led
        assert led.headers["location"].startswith(f"{self.path}/login?"), led
        return self.ask(f"{self.path}{led.location}", **{"signed_in": False, **more})

    def end(self, number: int = signal.SIGTERM, *, within_s: float = 30.0) -> int:
        """Send a signal; gives the exit code. Fails when it does not end within so long."""
        handle = os.pidfd_open(self.process.pid)
        try:
            self.process.send_signal(number)
            # At once, where Popen's own waiting looks twenty times a second.
            ended, _, _ = select.select([handle], [], [], within_s)
        finally:
            os.close(handle)
        if not ended:
            raise subprocess.TimeoutExpired(self.process.args, within_s)
        return self.process.wait()


@dataclass(frozen=True)
class Bucket:
    """A bucket at a running server, seen with boto3's eyes."""

    server: ServerProcess | StandIn
    name: str

    def put(self, key: str, body: bytes, **options: Any) -> None:
        self.server.client().put_object(Bucket=self.name, Key=key, Body=body, **options)

    def put_in_parts(self, key: str, body: bytes, **options: Any) -> None:
        """Upload in one part: such an object has no MD5 in listings."""
        client, place = self.server.client(), {"Bucket": self.name, "Key": key}
        upload = client.create_multipart_upload(**place, **options)["UploadId"]
        part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=body)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)

    def is_there(self) -> bool:
        return self.name in {b["Name"] for b in self.server.client().list_buckets()["Buckets"]}

    def delete(self, key: str) -> None:
        self.server.client().delete_object(Bucket=self.name, Key=key)

    def objects(self, under: str = "") -> dict[str, bytes]:
        """Every object below `under`, by key."""
        client = self.server.client()
        return {
            key: client.get_object(Bucket=self.name, Key=key)["Body"].read()
            for key in self.keys(under)
        }

    def keys(self, under: str = "") -> list[str]:
        return list(self.marks(under))

    def marks(self, under: str = "") -> dict[str, str]:
        """Each key with the ETag that a listing has: the MD5 of what was uploaded whole."""
        pages = self.server.client().get_paginator("list_objects_v2")
        return {
            entry["Key"]: entry.get("ETag", "").strip('"')
            for page in pages.paginate(Bucket=self.name, Prefix=under)
            for entry in page.get("Contents", ())
        }

    def copy_keys(self) -> list[str]:
        """The keys of the copy itself, without kept versions."""
        return [key for key in self.keys() if not key.startswith(".bucketvault-archive/")]

    def copy(self) -> dict[str, bytes]:
        """The objects of the copy itself, without kept versions."""
        return {
            k: v for k, v in self.objects().items() if not k.startswith(".bucketvault-archive/")
        }

    def kept(self) -> dict[str, dict[str, bytes]]:
        """Kept versions: by run's folder, then by key."""
        found: dict[str, dict[str, bytes]] = {}
        for key, body in self.objects(".bucketvault-archive/").items():
            parts = key.split("/", 3)
            if len(parts) == 4:  # RESTORE.txt is beside the folders
                found.setdefault(parts[2], {})[parts[3]] = body
        return found

    def remote(self, endpoint: str = "") -> Remote:
        """How rclone is told of its server, or of another way there."""
        return Remote(
            label="x",
            provider_type=self.server.provider_type,
            endpoint=endpoint or self.server.endpoint,
            region=self.server.region,
            access_key_id=self.server.access_key_id,
            secret_access_key=self.server.secret_access_key,
        )


class Program:
    """`bucketvault` with a data folder and a key file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.key_file = folder / "secret.key"
        self.environment = clean_environment() | {
            "BUCKETVAULT_DATA_DIR": str(self.data_dir),
            "BUCKETVAULT_KEY_FILE": str(self.key_file),
            "BUCKETVAULT_LOG_LEVEL": "warning",
            "HOME": str(folder),
            "TZ": "Europe/Berlin",
        }
        self.module = PROGRAM  # what Python starts, see `at_time.Clock`
        self._started: list[subprocess.Popen[Any]] = []

    @property
    def path(self) -> str:
        """The path below which its pages are; the program has made it at its first start."""
        return (self.data_dir / "address").read_text().strip()

    def start(
        self, *arguments: str, stdout: int = subprocess.PIPE, **environment: str
    ) -> "subprocess.Popen[str]":
        """Start a command and return at once; ended at the latest with the test."""
        process = subprocess.Popen(
            [sys.executable, "-m", *self.module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | environment,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def on_terminal(self, *arguments: str) -> "tuple[subprocess.Popen[bytes], int]":
        """Start a command on a terminal; also our side of that, a descriptor to close."""
        ours, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (24, 100))  # rows, columns
        process = subprocess.Popen(
            [sys.executable, "-m", *self.module, *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=self.environment,
            start_new_session=True,
        )
        os.close(terminal)
        self._started.append(process)
        return process, ours

    def cli(self, *arguments: str, **environment: str) -> Result:
        """Run a command to its end, in this process unless it has a clock of its own."""
        if self.module != PROGRAM:
            return self.shell(*arguments, **environment)
        return Result(*in_process.main(arguments, self.environment | environment))

    def shell(self, *arguments: str, **environment: str) -> Result:
        """Run a command to its end as a shell does, in a process of its own."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
            process.wait()
        return Result(process.returncode, out, err)

    def serve(self, *arguments: str, port: int = 0, **environment: str) -> Served:
        """Start the server, on a free port unless one is given, and return once it answers."""
        port = port or free_port()
        served = Served(
            self, self.start("serve", "--port", str(port), *arguments, **environment), port
        )

        def answers() -> bool:
            assert served.process.poll() is None, served.process.communicate()
            try:
                return served.ask("/healthz").status == 200
            except OSError:
                return False

        until("the server answers", answers)
        return served

    def apply(self, setup: str) -> Result:
        """Apply a setup given as text."""
        file = self.folder / "setup.toml"
        file.write_text(setup, "utf-8")
        return self.cli("apply", str(file))

    def backup(
        self,
        source: Bucket,
        destination: Bucket,
        name: str = "Photos",
        *,
        source_path: str = "",
        destination_path: str = "",
        source_endpoint: str = "",
        destination_endpoint: str = "",
        source_secret: str = "",
        destination_secret: str = "",
        **fields: object,
    ) -> str:
        """Set up a backup between two buckets and give its name; endpoints may be proxies."""
        fields = {"schedule": "daily", "at": "03:15", **fields}
        more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in fields.items())
        setup = f"""
[[provider]]
name = "Source"
provider_type = "{source.server.provider_type}"
endpoint = "{source_endpoint or source.server.endpoint}"
region = "{source.server.region}"
access_key_id = "{source.server.access_key_id}"
secret_access_key = "{source_secret or source.server.secret_access_key}"

[[provider]]
name = "Destination"
provider_type = "{destination.server.provider_type}"
endpoint = "{destination_endpoint or destination.server.endpoint}"
region = "{destination.server.region}"
access_key_id = "{destination.server.access_key_id}"
secret_access_key = "{destination_secret or destination.server.secret_access_key}"

[[storage]]
provider = "Source"
bucket_name = "{source.name}"

[[storage]]
provider = "Destination"
bucket_name = "{destination.name}"

[[backup]]
name = "{name}"
source = {{provider = "Source", bucket = "{source.name}", path = "{source_path}"}}
destination.provider = "Destination"
destination.bucket = "{destination.name}"
destination.path = "{destination_path}"
{more}
"""
        done = self.apply(setup)
        assert done.code == 0, done
        return name

    def run(self, name: str = "Photos") -> dict[str, Any]:
        """Run a backup to its end; gives its newest run as `status --json` tells it."""
        done = self.cli("run", name, "--wait")
        run = self.last_run(name)
        assert run and done.code == (0 if run["status"] == "success" else 1), (done, run)
        return run

    def status(self) -> dict[str, Any]:
        """Return the JSON of `status --json`, which is as its schema says."""
        told = json.loads(self.cli("status", "--json").out)
        STATUS.validate(told)
        return told

    def last_run(self, name: str = "Photos") -> dict[str, Any]:
        """The newest ended run of a backup."""
        told = self.status()
        return next(b["last_run"] for b in told["backups"] if b["name"] == name)

    @contextmanager
    def database(self) -> Iterator[None]:
        """The program's database, open past the program."""
        open_database(self.data_dir / "bucketvault.sqlite3")
        try:
            yield
        finally:
            close_database()

    def raw_log(self, run_id: int) -> bytes:
        """The stored log, read past the program."""
        with self.database():
            return b"".join(run_logs.raw(run_id))

    def run_folder(self) -> Path | None:
        """The folder of the run under way, if there is exactly one."""
        runs = self.data_dir / "runs"
        found = list(runs.iterdir()) if runs.exists() else []
        return found[0] if len(found) == 1 else None

    def processes(self, word: str) -> list[psutil.Process]:
        """Living processes that work on this data folder and have `word` in their command line."""
        found = []
        for process in psutil.process_iter():
            try:
                line = " ".join(process.cmdline())
                if process.status() == psutil.STATUS_ZOMBIE or word not in line:
                    continue
                if str(self.data_dir) in line or str(self.data_dir) in str(process.environ()):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def rclones(self) -> list[psutil.Process]:
        """The rclone processes that change something for this data folder."""
        verbs = (" copy ", " sync ")
        return [
            p
            for p in self.processes("rclone")
            if _name_of(p) == "rclone" and any(verb in " ".join(_line_of(p)) for verb in verbs)
        ]

    def end(self) -> None:
        """Kill whatever a test left."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for word in ("runner.py", "rclone"):
            for left in self.processes(word):
                try:
                    os.kill(left.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue


def objects(count: int, size: int = 100) -> dict[str, bytes]:
    """So many small objects with different contents."""
    return {
        f"folder-{n % 7}/object-{n:05}.txt": f"{n:08}".encode() * (size // 8) for n in range(count)
    }
