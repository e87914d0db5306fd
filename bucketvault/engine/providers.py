"""Providers and their buckets, for pages: listings kept for ten minutes, tests, imports, changes.

What is kept is in memory only, and no longer than the provider stays as it was.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

from bucketvault.config import Config
from bucketvault.engine.catalogue import providers, rows, storages
from bucketvault.engine.catalogue.providers import StoredProvider
from bucketvault.engine.domain.fields import (
    KEYS_MAY_STAY,
    NO_RULES,
    ProviderFields,
    StorageFields,
    checked,
)
from bucketvault.engine.domain.places import BucketAt
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.events import Live
from bucketvault.engine.orphans import Found, left_behind
from bucketvault.engine.probe.account import check_bucket, list_buckets
from bucketvault.engine.probe.contents import PathLook, PathSize, look_at_path, measure_path
from bucketvault.engine.probe.halt import Halt
from bucketvault.engine.probe.results import (
    About,
    Finding,
    NameFinding,
    Result,
    Right,
    RightResult,
    TrialResult,
    traits_of,
)
from bucketvault.engine.probe.service import LIMIT_S, End, try_service
from bucketvault.engine.rclone.binary import Binary, find_binary
from bucketvault.engine.rclone.buckets import Bucket, ListingDeniedError
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.views.catalogue import (
    ProviderRow,
    StorageRow,
    provider_row,
    provider_rows,
    storage_rows,
)
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Provider, Storage, utcnow
from bucketvault.store.secrets import KEY_COLUMNS, Vault
from bucketvault.vocabulary import Topic, UsageType

KEPT_S = 600.0
CHECK_S = 20.0  # how long saving waits for an answer
ASKING = 4  # providers asked at once
MOST_PATHS = 3  # that a key is tried at


@dataclass(frozen=True, slots=True)
class Listing:
    """The buckets a provider listed, and when (UTC)."""

    buckets: tuple[Bucket, ...]
    listed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """Result of trying a provider's key. Without `bucket` nothing inside one was tried."""

    bucket: str
    write: bool
    rights: tuple[RightResult, ...]
    tested_at: dt.datetime
    took_s: float
    findings: tuple[Finding, ...] = ()
    names: tuple[NameFinding, ...] = ()
    end: End | None = End.DONE  # None: it is in progress, and more results come

    def with_result(self, result: Result) -> "ConnectionTest":
        """Return it with one more result; a later one about the same thing replaces it."""
        match result:
            case RightResult():
                return replace(self, rights=(*self.rights, result))
            case NameFinding():
                names = [each for each in self.names if each.name != result.name]
                return replace(self, names=(*names, result))
            case Finding():
                many = result.about in (About.EXPIRES, About.MOVES)
                others = (each for each in self.findings if many or each.about != result.about)
                return replace(self, findings=(*others, result))


@dataclass(frozen=True, slots=True)
class ProviderPage:
    """All about one provider that is known without asking it."""

    row: ProviderRow
    storages: tuple[StorageRow, ...]
    listing: Listing | None  # a kept one
    test: ConnectionTest | None  # the last, since this program started
    may_not_list: bool = False  # the key works, and may not see which buckets there are


class _Kept(NamedTuple):
    fingerprint: object  # for which it holds
    listing: Listing
    until: float  # on the monotonic clock


class Providers:
    """Answers of providers for pages. Every method may be called from any thread, and may block."""

    stored = staticmethod(providers.stored)
    change_storage = staticmethod(storages.describe)
    delete_storage = staticmethod(storages.delete)
    storages = staticmethod(storage_rows)

    def __init__(self, config: Config, live: Live, vault: Callable[[], Vault]) -> None:
        self._config, self._live, self._vault = config, live, vault
        # a service that does not answer must not hold the threads that read the database
        self.pool = ThreadPoolExecutor(ASKING, thread_name_prefix="ask")
        self._lock = threading.Lock()
        self._asking: dict[int, threading.Lock] = {}
        self._listings: dict[int, _Kept] = {}  # by provider
        self._counting: set[threading.Event] = set()
        # by provider, together with the fingerprint for which it holds
        self._tests: dict[int, tuple[object, ConnectionTest]] = {}
        self._may_not_list: dict[int, object] = {}
        self._testing: dict[int, Halt] = {}

    # what there is

    def rows(self) -> list[ProviderRow]:
        """Every provider by name."""
        return provider_rows(self._vault())

    def page(self, provider_id: int) -> ProviderPage:
        """All about one provider, without asking it. Raises NotFoundError."""
        with connection():
            row, storages = provider_row(provider_id, self._vault())
            now = _fingerprint(rows.get(Provider, provider_id))
        with self._lock:
            of, test = self._tests.get(provider_id, (None, None))
            denied = self._may_not_list.get(provider_id) == now
        kept = self._kept(provider_id, now)
        return ProviderPage(row, tuple(storages), kept, test if of == now else None, denied)

    # what a provider says: these take seconds

    def buckets(self, provider_id: int, *, refresh: bool = False) -> Listing:
        """The buckets a provider lists, as of ten minutes ago at most, with `refresh` of now.

        Raises NotFoundError, RcloneMissingError, VaultError, DiscoveryError.
        """
        with self._lock:
            asking = self._asking.setdefault(provider_id, threading.Lock())
        asked_at = time.monotonic()
        with asking:  # two tabs ask once
            remote, fingerprint = self._remote(provider_id)
            kept = self._kept(provider_id, fingerprint, asked_at if refresh else 0.0)
            if kept is not None:
                return kept
            try:
                buckets = list_buckets(remote)
            except ListingDeniedError:
                self._note_denied(provider_id, fingerprint)
                raise
            return self._keep(provider_id, fingerprint, buckets)

    def test(self, provider_id: int, bucket: str, write: bool) -> ConnectionTest:
        """Try what the key may do and what the service does, for a minute at most.

        With `write`, small objects are written and removed again. `page` has each result as it
        comes. What it taught about the bucket is kept for runs. Raises BucketvaultError while
        another test of this provider is in progress, NotFoundError, RcloneMissingError, VaultError.
        """
        remote, fingerprint = self._remote(provider_id)
        halt = Halt(LIMIT_S)
        with self._lock:
            if provider_id in self._testing:
                raise BucketvaultError("A test of this provider is in progress.", "Wait for it.")
            self._testing[provider_id] = halt
        began = time.monotonic()
        test = ConnectionTest(bucket, write, (), utcnow(), 0.0, end=None)

        def show(latest: ConnectionTest) -> None:
            nonlocal test
            test = replace(latest, took_s=time.monotonic() - began)
            with self._lock:
                self._tests[provider_id] = (fingerprint, test)
            self._live.publish(Topic.CATALOGUE)

        show(test)
        end = End.FAILED
        try:
            end = try_service(
                find_binary(self._config.rclone),
                remote,
                bucket,
                write,
                lambda result: show(test.with_result(result)),
                halt=halt,
                paths=_paths(provider_id, bucket),
            )
        finally:
            with self._lock:
                del self._testing[provider_id]
            show(replace(test, end=end))
        _learn(provider_id, fingerprint, bucket, traits_of(test.findings))
        listing = [each for each in test.rights if each.right is Right.LIST_BUCKETS]
        if any(each.outcome is TrialResult.REFUSED for each in listing):
            self._note_denied(provider_id, fingerprint)
        return test

    def stop_test(self, provider_id: int) -> None:
        """End a test that is in progress; what it wrote is removed first."""
        with self._lock:
            halt = self._testing.get(provider_id)
        if halt is not None:
            halt.set()

    def look(self, at: BucketAt, path: str) -> PathLook:
        """Return whether anything is at a path of a bucket; a listing of one page.

        Raises NotFoundError, VaultError, DiscoveryError.
        """
        return look_at_path(self._remote(at.provider_id)[0], at.bucket_name, path, CHECK_S)

    def measure(
        self,
        at: BucketAt,
        path: str,
        cancelled: threading.Event,
        on_seen: Callable[[int], None],
    ) -> PathSize:
        """Count all objects at a path; `on_seen` gets how many were listed so far.

        Raises CancelledError soon after `cancelled` is set, and as `look`.
        """
        remote, _ = self._remote(at.provider_id)
        with self._lock:
            self._counting.add(cancelled)
        try:
            return measure_path(remote, at.bucket_name, path, cancelled=cancelled, on_seen=on_seen)
        finally:
            with self._lock:
                self._counting.discard(cancelled)

    def left_behind(self, storage_id: int) -> Found:
        """Kept versions in a storage that no backup looks after; a listing for each of them.

        Raises NotFoundError, RcloneMissingError, VaultError, KeptVersionsError.
        """
        return left_behind(self._config, self._vault(), storage_id)

    def stop(self) -> None:
        """End what may take minutes: the program is stopping."""
        with self._lock:
            for cancelled in (*self._counting, *self._testing.values()):
                cancelled.set()

    # changes

    def create(self, given: ProviderFields, *, check: bool = True) -> int:
        """Store a new provider; its id. With `check`, only one that takes the key.

        Raises InvalidInputError, VaultError; with `check` also DiscoveryError, RcloneMissingError.
        """
        buckets = self._check(given, None) if check else None
        provider_id = providers.create(given, self._vault())
        self._changed(provider_id, buckets)
        return provider_id

    def change(
        self,
        provider_id: int,
        given: ProviderFields,
        loaded: StoredProvider | None = None,
        *,
        check: bool = True,
    ) -> None:
        """Change a provider; keys that are None stay.

        Nothing is written where it is not as `loaded` any more. Raises NotFoundError,
        ChangedMeanwhileError, and as `create`.
        """
        buckets = self._check(given, provider_id) if check else None
        providers.change(provider_id, given, self._vault(), loaded=loaded)
        self._changed(provider_id, buckets)

    def delete(self, provider_id: int) -> None:
        """Delete a provider and its key. Raises InUseError, NotFoundError."""
        providers.delete(provider_id)
        with self._lock:
            self._listings.pop(provider_id, None)
            self._tests.pop(provider_id, None)

    def import_bucket(
        self, provider_id: int, bucket_name: str, usage: UsageType | None, *, check: bool = True
    ) -> int:
        """Make a storage of a bucket; its id. `usage` None: either end.

        A name that the provider has not listed is looked for there, unless `check` is off: then
        nothing is known about it, and the storage says so. Raises InvalidInputError,
        NotFoundError; with `check` also RcloneMissingError, VaultError, DiscoveryError.
        """
        with connection():
            fingerprint = _fingerprint(rows.get(Provider, provider_id))
        kept = self._kept(provider_id, fingerprint)
        listed = kept is not None and any(b.name == bucket_name for b in kept.buckets)
        name = bucket_name if listed else bucket_name.strip()
        given = StorageFields(provider_id, name, usage_type=usage)
        if problems := storages.check(given, listed=listed):
            raise InvalidInputError(problems)
        if check and not listed:
            remote, _ = self._remote(provider_id)
            check_bucket(remote, name, CHECK_S)
        return storages.create(given, listed=listed, seen=check or listed)

    # how it is done

    def _check(self, given: ProviderFields, provider_id: int | None) -> list[Bucket] | None:
        """The buckets it lists, None when it may not: the key was taken all the same."""
        if problems := providers.check(given, provider_id):
            raise InvalidInputError(problems)
        values, _ = checked(given, NO_RULES if provider_id is None else KEYS_MAY_STAY)
        keys = {name: getattr(values, name) for name in KEY_COLUMNS}
        if None in keys.values() and provider_id is not None:
            with connection():
                row = rows.get(Provider, provider_id)
            for name in [name for name, key in keys.items() if key is None]:
                keys[name] = providers.opened_key(row, name, self._vault(), values)
        remote = Remote(values.name, values.provider_type, values.endpoint, values.region, **keys)
        try:
            return list_buckets(remote, CHECK_S)
        except ListingDeniedError:
            return None

    def _note_denied(self, provider_id: int, fingerprint: object) -> None:
        with self._lock:
            self._may_not_list[provider_id] = fingerprint
        self._live.publish(Topic.CATALOGUE)

    def _changed(self, provider_id: int, buckets: list[Bucket] | None) -> None:
        if buckets is not None:
            with connection():
                fingerprint = _fingerprint(rows.get(Provider, provider_id))
            self._keep(provider_id, fingerprint, buckets)

    def _remote(self, provider_id: int) -> tuple[Remote, object]:
        with connection():
            row = rows.get(Provider, provider_id)
            return providers.decrypted_remote(row, self._vault()), _fingerprint(row)

    def bucket(self, storage_id: int) -> tuple[Binary, Remote, str]:
        """Return what asks a storage: rclone, the way to its provider, and its bucket's name."""
        with connection():
            storage = rows.get(Storage, storage_id)
            remote = providers.decrypted_remote(storage.provider, self._vault())
        return find_binary(self._config.rclone), remote, storage.bucket_name

    def _keep(self, provider_id: int, fingerprint: object, buckets: list[Bucket]) -> Listing:
        listing = Listing(tuple(buckets), utcnow())
        with self._lock:
            until = time.monotonic() + KEPT_S
            self._listings[provider_id] = _Kept(fingerprint, listing, until)
        self._live.publish(Topic.CATALOGUE)
        return listing

    def _kept(
        self, provider_id: int, fingerprint: object, listed_after: float = 0.0
    ) -> Listing | None:
        """A listing that still holds, made after a moment of the monotonic clock."""
        with self._lock:
            found = self._listings.get(provider_id)
        if found is None or found.fingerprint != fingerprint:
            return None
        earliest = max(time.monotonic(), listed_after + KEPT_S)
        return found.listing if found.until >= earliest else None


def _paths(provider_id: int, bucket: str) -> list[str]:
    """Return the folders that backups use in a bucket; the bucket's top is none."""
    mine = (row for row in storage_rows() if row.provider_id == provider_id)
    uses = (use for row in mine if row.bucket_name == bucket for use in row.uses)
    return sorted({use.path for use in uses if use.path})[:MOST_PATHS]


def _learn(provider_id: int, fingerprint: object, bucket: str, learned: Traits) -> None:
    """Note what a bucket does, unless its provider was changed during the test."""
    with writing():
        row = Provider.get_or_none(Provider.id == provider_id)
        if row is not None and _fingerprint(row) == fingerprint:
            storages.learn(provider_id, bucket, learned)


def _fingerprint(row: Provider) -> object:
    """Changes whenever what is asked, or with which key, does; by whichever program."""
    return (row.provider_type, row.endpoint, row.region, *(getattr(row, c) for c in KEY_COLUMNS))
