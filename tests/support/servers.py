"""Real S3 servers on this machine, as context managers: `rclone serve s3`, moto and SeaweedFS.

All are processes of their own, so a test can freeze or kill them like any other.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bucketvault.vocabulary import ProviderType

RCLONE_S3_KEY = ("AKIARCLONEEXAMPLE01", "rclone-example-secret-01")
MOTO_KEY = ("AKIAMOTOEXAMPLE0001", "moto-example-secret-01")
WEED_KEY = ("AKIAWEEDEXAMPLE0001", "weed-example-secret-01")
START_TIMEOUT_S = 20.0  # moto alone needs two seconds to import, more on a busy machine


def rclone_path() -> str:
    """The rclone under test: `BUCKETVAULT_RCLONE`, else the virtual environment's, else PATH's."""
    if named := os.environ.get("BUCKETVAULT_RCLONE"):
        return named
    beside = Path(sys.executable).parent / "rclone"
    if beside.exists():
        return str(beside)
    if found := shutil.which("rclone"):
        return found
    raise FileNotFoundError("no rclone: install the package with its dependencies")


def _own_ports() -> Iterator[int]:
    """Ports that no other worker hands out, below those that every client's socket is given."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    share = int(worker.removeprefix("gw")) if worker else os.getpid()
    first = 20_000 + share % 12 * 1_000
    begin = os.getpid()  # a second run of the tests on this machine begins elsewhere
    return (first + number % 1_000 for number in itertools.count(begin))


_ports = _own_ports()


def free_port() -> int:
    """A port nobody listens on right now, and nobody is given by chance before it is used."""
    for port in itertools.islice(_ports, 1_000):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def clean_environment() -> dict[str, str]:
    """Ours without what changes rclone or boto3 behind a test's back."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RCLONE_", "AWS_")) and not name.lower().endswith("_proxy")
    }


def s3_client(
    endpoint: str,
    access_key_id: str,
    secret_access_key: str,
    *,
    region: str = "us-east-1",
    tries: int = 1,
) -> Any:
    """A boto3 client that tells what is there: path addressing, short time-outs."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": tries},
            request_checksum_calculation="when_required",  # B2 refuses the newer kinds
            response_checksum_validation="when_required",
            connect_timeout=5,
            read_timeout=30,
            proxies={},
        ),
    )


class ServerProcess:
    """A server in a process of its own: started on entry, ended on exit, whatever happens."""

    provider_type = ProviderType.AMAZON_S3  # as it is entered at a Provider, beside `endpoint`
    region = ""

    def __init__(self, access_key_id: str, secret_access_key: str) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Any = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def client(self) -> Any:
        """A boto3 client with the server's own key."""
        return s3_client(self.endpoint, self.access_key_id, self.secret_access_key)

    def start(self) -> None:
        """Start (again, on the same port), and return once it answers."""
        # Never a pipe: a full one would stop the server.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  closed by `stop`
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
            start_new_session=True,  # Ctrl-C at the tests must not end it first
        )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, also when it is frozen; nothing happens when it has ended already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def freeze(self) -> None:
        """Let it accept connections and answer nothing, like a machine that hangs."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def output(self) -> str:
        """The server's output so far."""
        if self._output is None:
            return ""
        size = os.fstat(self._output.fileno()).st_size  # pread: the child shares the file's offset
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        """True if it does more than answer."""
        return True

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended at once:\n{self.output()}")
            try:
                direct.open(self.endpoint, timeout=2).close()
            except urllib.error.HTTPError as refused:  # any HTTP answer will do
                refused.close()
            except OSError:
                time.sleep(0.02)
                continue
            if self._is_ready():
                return
            time.sleep(0.1)
        raise TimeoutError(f"no answer in {START_TIMEOUT_S} s:\n{self.output()}")


class RcloneS3(ServerProcess):
    """`rclone serve s3` over a folder: each folder in `root` is a bucket, each file an object."""

    def __init__(
        self,
        root: Path,
        access_key_id: str = RCLONE_S3_KEY[0],
        secret_access_key: str = RCLONE_S3_KEY[1],
        *,
        extra_args: Sequence[str] = (),
    ) -> None:
        super().__init__(access_key_id, secret_access_key)
        self.root = root
        self._extra_args = tuple(extra_args)

    def _command(self) -> Sequence[str]:
        return [
            rclone_path(),
            *("--config", os.devnull),
            *("serve", "s3", str(self.root)),
            *("--auth-key", f"{self.access_key_id},{self.secret_access_key}"),
            *("--addr", f"127.0.0.1:{self.port}"),
            *("--dir-cache-time", "1s"),  # a file a test puts into `root` shows up soon
            *self._extra_args,
        ]


class MotoServer(ServerProcess):
    """moto's server: every bucket starts absent, every key is taken unless `enforce_keys()`."""

    def __init__(
        self, access_key_id: str = MOTO_KEY[0], secret_access_key: str = MOTO_KEY[1]
    ) -> None:
        super().__init__(access_key_id, secret_access_key)

    def enforce_keys(self, after_requests: int = 0) -> None:
        """Refuse unknown keys from now on, or after this many more requests."""
        request = urllib.request.Request(
            f"{self.endpoint}/moto-api/reset-auth",
            data=str(after_requests).encode(),
            headers={"Content-Type": "text/plain"},  # moto would read a form otherwise, and fail
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        direct.open(request, timeout=5).close()

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]


class SeaweedFS(ServerProcess):
    """SeaweedFS in a folder of its own: lists by folder instead of by bytes, and folds `//`."""

    def __init__(
        self, root: Path, access_key_id: str = WEED_KEY[0], secret_access_key: str = WEED_KEY[1]
    ) -> None:
        super().__init__(access_key_id, secret_access_key)
        self.root = root
        self._ports = [free_port() for _ in range(7)]

    def _command(self) -> Sequence[str]:
        key = {"accessKey": self.access_key_id, "secretKey": self.secret_access_key}
        admin = {"name": "tests", "credentials": [key], "actions": ["Admin"]}
        config = self.root / "s3.json"
        config.write_text(json.dumps({"identities": [admin]}))
        data = self.root / "data"
        data.mkdir(exist_ok=True)
        names = ("master", "volume", "filer")
        ports = [
            word
            for number, name in enumerate(names)
            for word in (
                *(f"-{name}.port", str(self._ports[2 * number])),
                *(f"-{name}.port.grpc", str(self._ports[2 * number + 1])),
            )
        ]
        return [
            str(Path(sys.executable).parent / "weed"),
            *("server", f"-dir={data}", "-ip=127.0.0.1", "-filer", "-s3", *ports),
            *("-s3.port", str(self.port), "-s3.port.grpc", str(self._ports[6])),
            *("-s3.config", str(config), "-s3.port.iceberg", "0", "-s3.port.lance", "0"),
            *("-volume.max", "400", "-master.volumeSizeLimitMB", "16"),  # seven volumes a bucket
            *("-master.telemetry=false", "-volume.preStopSeconds", "0"),
        ]

    def stop(self) -> None:
        super().stop()
        for port in (*self._ports, self.port):  # it puts them there whatever it is told
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def _is_ready(self) -> bool:
        """True if it stores an object: its parts find each other some seconds after they answer."""
        client = self.client()
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            with contextlib.suppress(BotoCoreError, ClientError):
                client.delete_bucket(Bucket="ready")
            return False
        client.delete_object(Bucket="ready", Key="ready")
        client.delete_bucket(Bucket="ready")
        return True
