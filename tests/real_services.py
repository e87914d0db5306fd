"""`make real-services`: a backup between every two services that you have keys for.

The walk of the suite (first copy, change, removal, old versions, retention, restore), in buckets
made for it and removed afterwards, whatever happens. No other bucket is asked for or touched.
Keys come from real-services.toml, see packaging/real-services.example.toml. Without --yes it only
says what it would do, and what that costs at most.
"""

import argparse
import contextlib
import itertools
import os
import secrets
import signal
import stat
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from bucketvault.engine.domain.places import r2_endpoint
from bucketvault.engine.rclone.remotes import Remote, listing_place
from bucketvault.errors import BucketvaultError
from bucketvault.vocabulary import ProviderType
from tests.support.program import Bucket, Program
from tests.support.servers import s3_client
from tests.support.services.walk import Walk

PREFIX = "bucketvault-real-services-"  # of every bucket this makes; it empties no other
# Requests of one walk, ours and the program's at both ends (measured at the stand-ins), each at
# twice the price of a write at Amazon (`engine/domain/prices.py`): a bound, nothing that was read.
REQUESTS_OF_A_WALK = 400
DEAREST_REQUEST = 0.01 / 1000
TRIES = 5  # of a request of ours
NEEDED = ("name", "provider_type", "access_key_id", "secret_access_key")  # of each service


class KeysError(Exception):
    """The file of keys cannot be used; the message repeats no value of it."""


@dataclass
class Service:
    """A service that keys are there for; like a server of the tests."""

    name: str
    provider_type: ProviderType
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    endpoint: str = ""
    region: str = ""
    requests: Counter[str] = field(default_factory=Counter, repr=False)  # ours, by S3's names
    _client: Any = field(default=None, repr=False)

    @property
    def remote(self) -> Remote:
        """How rclone is told of it."""
        keys = self.access_key_id, self.secret_access_key
        return Remote(self.name, self.provider_type, self.endpoint, self.region, *keys)

    def client(self) -> Any:
        """A boto3 client for it that counts its requests, and takes objects as they are stored."""
        if self._client is None:
            endpoint, region = listing_place(self.remote)
            keys = self.access_key_id, self.secret_access_key
            self._client = s3_client(endpoint, *keys, region=region, tries=TRIES)
            self._client.meta.events.register("before-send.s3", self._count)
            # Else R2 unpacks what is stored with Content-Encoding: gzip.
            self._client.meta.events.register("before-sign.s3.GetObject", _take_gzip)
        return self._client

    def _count(self, event_name: str, **_: object) -> None:
        self.requests[event_name.rpartition(".")[2]] += 1


def _take_gzip(request: Any, **_: object) -> None:
    request.headers["Accept-Encoding"] = "gzip"


# ---- the file of keys


def read_keys(path: Path) -> list[Service]:
    """Return the services in a file. Raises KeysError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        how = "Copy packaging/real-services.example.toml, enter keys, chmod 600."
        raise KeysError(f"{path}: {error.strerror}. {how}") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise KeysError(f"{path} can be read by others. Run: chmod 600 {path}")
        try:
            document = tomllib.loads(file.read().decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise KeysError(f"{path} is not TOML.") from error  # its words may repeat a key
    tables = document.get("service")
    if not isinstance(tables, list) or not tables or set(document) != {"service"}:
        raise KeysError(f"{path} has to hold [[service]] tables, and nothing else.")
    services = [_service(f"service {n}", table) for n, table in enumerate(tables, 1)]
    if len({service.name for service in services}) < len(services):
        raise KeysError("Two services have the same name.")
    return services


def _service(label: str, table: dict[str, object]) -> Service:
    values = {key: value for key, value in table.items() if value != ""}
    if unknown := sorted(values.keys() - {*NEEDED, "endpoint", "account_id", "region"}):
        raise KeysError(f"{label}: {', '.join(unknown)} is not known.")
    if odd := [key for key, value in values.items() if not isinstance(value, str)]:
        raise KeysError(f"{label}: {odd[0]} has to be text.")
    if missing := [key for key in NEEDED if key not in values]:
        raise KeysError(f"{label}: {missing[0]} is missing.")
    texts = {key: str(value) for key, value in values.items()}
    try:
        kind = ProviderType(texts.pop("provider_type"))
        if account := texts.pop("account_id", ""):
            texts["endpoint"] = r2_endpoint(account)
        service = Service(provider_type=kind, **texts)
        listing_place(service.remote)
    except ValueError as error:
        kinds = ", ".join(ProviderType)
        raise KeysError(f"{label}: provider_type has to be one of {kinds}.") from error
    except BucketvaultError as error:
        raise KeysError(f"{label}: {error.summary} {error.hint}") from error
    return service


# ---- buckets of its own


@dataclass
class Buckets:
    """Buckets made here; on leaving, each is emptied and removed, whatever happened."""

    tell: Callable[[str], None]
    made: list[Bucket] = field(default_factory=list)

    def new(self, service: Service, word: str) -> Bucket:
        """Make one. Raises ClientError, also where there is one of that name."""
        bucket = Bucket(service, f"{PREFIX}{secrets.token_hex(6)}-{word}")  # type: ignore[arg-type]
        client = service.client()
        region = client.meta.region_name
        elsewhere = service.provider_type is ProviderType.AMAZON_S3 and region != "us-east-1"
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
        self.made.append(bucket)  # before it is there: it may be stopped in between
        try:
            client.create_bucket(Bucket=bucket.name, **place)
        except ClientError:  # refused, or somebody else's
            self.made.remove(bucket)
            raise
        self.tell(f"  made {bucket.name} at {service.name}")
        return bucket

    def remove(self) -> bool:
        """Empty and remove all of them; False if one is left."""
        left = []
        for bucket in self.made:
            try:
                _remove(bucket)
            except bucket.server.client().exceptions.NoSuchBucket:
                continue  # never made
            except (BotoCoreError, ClientError) as error:
                left.append(bucket)
                name = getattr(bucket.server, "name", "")
                self.tell(f"  NOT REMOVED: {bucket.name} at {name}. Remove it by hand. ({error})")
            else:
                self.tell(f"  removed {bucket.name}")
        self.made = left
        return not left


def _remove(bucket: Bucket) -> None:
    assert bucket.name.startswith(PREFIX), bucket.name
    client, place = bucket.server.client(), {"Bucket": bucket.name}
    for upload in client.list_multipart_uploads(**place).get("Uploads", ()):
        client.abort_multipart_upload(**place, Key=upload["Key"], UploadId=upload["UploadId"])
    for version in list(_versions(client, bucket.name)):
        client.delete_object(**place, **version)
    client.delete_bucket(**place)


def _versions(client: Any, name: str) -> Iterator[dict[str, str]]:
    """Yield every version and every delete marker; every object where there are no versions."""
    try:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield {"Key": each["Key"], "VersionId": each["VersionId"]}
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 501:  # R2 has none
            raise
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for each in page.get("Contents", ()):
                yield {"Key": each["Key"]}


# ---- the walks


def walk(source: Service, destination: Service, tell: Callable[[str], None]) -> bool:
    """Walk between two services; True if all was as promised, and no bucket is left."""
    tell(f"{source.name} to {destination.name}")
    buckets, begun, good = Buckets(tell), time.monotonic(), False
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:  # for us alone: it holds the keys
        program = Program(Path(folder))
        home = Path(folder) / "restored"
        home.mkdir()
        try:
            ends = buckets.new(source, "source"), buckets.new(destination, "copy")
            Walk(program, *ends, home, lambda line: tell(f"  {line}")).go()
            good = True
        except (AssertionError, BotoCoreError, ClientError) as error:
            tell(f"  FAILED: {error}")
        finally:
            program.end()
            good = buckets.remove() and good
    tell(f"  {'good' if good else 'NOT GOOD'}, {time.monotonic() - begun:.0f} s")
    return good


def main(arguments: Sequence[str], tell: Callable[[str], None] = print) -> int:
    """0: all good; 1: something was not; 2: the keys cannot be used."""
    parser = argparse.ArgumentParser(prog="tests.real_services", description=__doc__)
    parser.add_argument(
        "keys", type=Path, nargs="?", default=Path("real-services.toml"), help="the file of keys"
    )
    parser.add_argument("--yes", action="store_true", help="do it; without, only say what would be")
    parser.add_argument(
        "--only", metavar="SOURCE:COPY", action="append", help="this pair alone, by the names"
    )
    asked = parser.parse_args(arguments)
    try:
        services = read_keys(asked.keys)
        pairs = _chosen(services, asked.only)
    except KeysError as error:
        tell(str(error))
        return 2
    masked = _masking(services, tell)
    most = len(pairs) * REQUESTS_OF_A_WALK
    masked(
        f"{len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'}, each in two new buckets named "
        f"{PREFIX}..., under 1 MB, at most {most:,} requests, ${most * DEAREST_REQUEST:.2f}."
    )
    if not asked.yes:
        masked("Nothing was done. To do it: make real-services ARGS=--yes")
        return 0
    good = 0
    with _Stop() as stop, contextlib.suppress(KeyboardInterrupt):
        for pair in pairs:
            if stop.is_asked:
                break
            good += walk(*pair, masked)
    for service in services:
        if service.requests:
            masked(f"{service.name}: {service.requests.total():,} requests of ours, for looking.")
    today = time.strftime("%Y-%m-%d")
    masked(f"{today}: {good} of {len(pairs)} good.")
    if good == len(pairs):
        masked("Please note the day and the services in docs/providers.md.")
    return 0 if good == len(pairs) else 1


def _chosen(services: list[Service], only: list[str] | None) -> list[tuple[Service, Service]]:
    pairs = list(itertools.product(services, services))
    if only is None:
        return pairs
    chosen = [pair for pair in pairs if f"{pair[0].name}:{pair[1].name}" in only]
    if len(chosen) < len(set(only)):
        raise KeysError(f"--only takes two of these names: {', '.join(s.name for s in services)}.")
    return chosen


def _masking(services: list[Service], tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return `tell` without the keys, wherever they turn up."""
    hidden = [key for s in services for key in (s.secret_access_key, s.access_key_id)]

    def masked(line: str) -> None:
        for key in hidden:
            line = line.replace(key, "***")
        tell(line)

    return masked


class _Stop:
    """Ctrl-C and SIGTERM end the walk, once; the buckets are removed, however often it is asked."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.is_asked = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if not self.is_asked:
            self.is_asked = True
            raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
