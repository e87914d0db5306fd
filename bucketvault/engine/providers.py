"""Providers and their buckets, for pages: listings kept for ten minutes, tests, imports, changes.

What is kept is in memory only, and no longer than the provider stays as it was.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from bucketvault.engine.events import Live
from bucketvault.engine.orphans import Found, left_behind
from bucketvault.engine.rclone.binary import Binary, find_binary
from bucketvault.engine.rclone.buckets import (
    Bucket,
    ListingDeniedError,
    PathLook,
    PathSize,
    check_bucket,
    list_buckets,
    look_at_path,
    measure_path,
)
from bucketvault.engine.rclone.key_test import RightResult, probe
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.views.catalogue import (
    ProviderRow,
    StorageRow,
    provider_row,
    provider_rows,
    storage_rows,
)
from bucketvault.errors import InvalidInputError
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Provider, Storage, utcnow
from bucketvault.store.secrets import KEY_COLUMNS, Vault, place
from bucketvault.vocabulary import Topic, UsageType

KEPT_S = 600.0
CHECK_S = 20.0  # how long saving waits for an answer
ASKING = 4  # providers asked at once


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


@dataclass(frozen=True, slots=True)
class ProviderPage:
    """All about one provider that is known without asking it."""

    row: ProviderRow
    storages: tuple[StorageRow, ...]
    listing: Listing | None  # a kept one
    test: ConnectionTest | None  # the last, since this program started


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
        kept = self._kept(provider_id, now)
        return ProviderPage(row, tuple(storages), kept, test if of == now else None)

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
            buckets = list_buckets(find_binary(self._config.rclone), remote)
            return self._keep(provider_id, fingerprint, buckets)

    def test(self, provider_id: int, bucket: str, write: bool) -> ConnectionTest:
        """Try what the key may do; with `write`, small objects are written and removed again.

        Raises NotFoundError, RcloneMissingError, VaultError.
        """
        remote, fingerprint = self._remote(provider_id)
        began = time.monotonic()
        rights = tuple(probe(find_binary(self._config.rclone), remote, bucket, write))
        result = ConnectionTest(bucket, write, rights, utcnow(), time.monotonic() - began)
        with self._lock:
            self._tests[provider_id] = (fingerprint, result)
        self._live.publish(Topic.CATALOGUE)
        return result

    def look(self, storage_id: int, path: str) -> PathLook:
        """Return whether anything is at a path of a storage; a listing of one page or two.

        Raises NotFoundError, RcloneMissingError, VaultError, DiscoveryError.
        """
        return look_at_path(*self.bucket(storage_id), path, CHECK_S)

    def measure(
        self,
        storage_id: int,
        path: str,
        cancelled: threading.Event,
        on_seen: Callable[[int], None],
    ) -> PathSize:
        """Count all objects at a path; `on_seen` gets how many were listed so far.

        Raises CancelledError soon after `cancelled` is set, and as `look`.
        """
        binary, remote, bucket = self.bucket(storage_id)
        with self._lock:
            self._counting.add(cancelled)
        try:
            return measure_path(binary, remote, bucket, path, cancelled=cancelled, on_seen=on_seen)
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
            for cancelled in self._counting:
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
            check_bucket(find_binary(self._config.rclone), remote, name, CHECK_S)
        with writing():
            storage_id = storages.create(given, listed=listed)
            if check or listed:
                Storage.update(checked_at=utcnow()).where(Storage.id == storage_id).execute()
        return storage_id

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
                where = place("provider", name, row.uuid)
                keys[name] = self._vault().decrypt(getattr(row, name), where)
        remote = Remote(values.name, values.provider_type, values.endpoint, values.region, **keys)
        try:
            return list_buckets(find_binary(self._config.rclone), remote, CHECK_S)
        except ListingDeniedError:
            return None

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


def _fingerprint(row: Provider) -> object:
    """Changes whenever what is asked, or with which key, does; by whichever program."""
    return (row.provider_type, row.endpoint, row.region, *(getattr(row, c) for c in KEY_COLUMNS))
