"""Made-up providers and storages in every state, and what pages ask about them. For tests only."""

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import replace

from bucketvault.engine.catalogue.providers import StoredProvider
from bucketvault.engine.domain.fields import KEYS_MAY_STAY, ProviderFields, checked
from bucketvault.engine.domain.places import BucketAt
from bucketvault.engine.events import Live
from bucketvault.engine.orphans import Found, LeftBehind
from bucketvault.engine.probe.contents import PathLook, PathSize
from bucketvault.engine.probe.results import (
    WRITING,
    About,
    Finding,
    Right,
    RightResult,
    TrialResult,
    Untried,
)
from bucketvault.engine.probe.results import Found as Seen
from bucketvault.engine.providers import ConnectionTest, Listing, ProviderPage
from bucketvault.engine.rclone.buckets import (
    Bucket,
    BucketNotFoundError,
    DiscoveryError,
    ListingDeniedError,
    WrongRegionError,
    WrongSecretError,
)
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.rclone.errors import Fault
from bucketvault.engine.rclone.explain import Explanation
from bucketvault.engine.views.catalogue import ProviderRow, StorageRow, Use
from bucketvault.errors import (
    ChangedMeanwhileError,
    InUseError,
    InvalidInputError,
    NotFoundError,
    Problem,
)
from bucketvault.sanitize import Redactor
from bucketvault.vocabulary import ProviderType, Reason, Topic, UsageType

NASTY = "<img src=x onerror=alert(1)>{{ 7*7 }} \u202egnp.exe `${1}` "
STORED_SECRET = "the-stored-secret-0123456789"
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def provider(number: int = 1, **changes: object) -> ProviderRow:
    row = ProviderRow(
        id=number,
        name="Backblaze EU",
        provider_type=ProviderType.BACKBLAZE_B2,
        compatible=False,
        address="s3.eu-central-003.backblazeb2.com",
        region="eu-central-003",
        storages=3,
        backups=("Mail archive", "Postgres dumps", "Video masters"),
        keys_readable=True,
        key_end="f71c",
        changed_at=now() - 39 * 24 * 60 * MINUTE,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def providers() -> list[ProviderRow]:
    return [
        provider(
            2,
            name="Amazon Frankfurt",
            provider_type=ProviderType.AMAZON_S3,
            address="s3.eu-central-1.amazonaws.com",
            region="eu-central-1",
            storages=2,
        ),
        provider(1),
        provider(
            3,
            name="Cloudflare main",
            provider_type=ProviderType.CLOUDFLARE_R2,
            address="0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com",
            region="",
            keys_readable=False,
            key_end="",
        ),
        provider(
            4,
            name=NASTY * 3,
            provider_type=ProviderType.AMAZON_S3,
            compatible=True,
            address="127.0.0.1:9000",
            region="",
            storages=0,
            backups=(),
        ),
    ]


def storage(number: int, bucket_name: str, **changes: object) -> StorageRow:
    row = StorageRow(
        id=number,
        provider_id=1,
        provider_name="Backblaze EU",
        provider_type=ProviderType.BACKBLAZE_B2,
        bucket_name=bucket_name,
        display_name="",
        usage_type=None,
        uses=(),
        objects=None,
        size_bytes=None,
        checked_at=now(),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def storages() -> list[StorageRow]:
    to, source = UsageType.DESTINATION_ONLY, UsageType.SOURCE_ONLY
    return [
        storage(
            1,
            "acme-archive",
            usage_type=to,
            uses=(Use(3, "Mail archive", False, "mail"),),
            objects=1_204_332,
            size_bytes=2_800_000_000_000,
        ),
        storage(
            2,
            "acme-masters",
            display_name="Video masters",
            usage_type=source,
            uses=(Use(7, "Video masters", True, ""), Use(8, "Website", True, "www")),
            objects=1943,
            size_bytes=1_900_000_000_000,
        ),
        storage(3, "acme-typed-by-hand", checked_at=None),
        storage(4, NASTY, provider_id=4, provider_name=NASTY, uses=(Use(2, NASTY, True, ""),)),
    ]


def listing(*more: str, age: dt.timedelta = 3 * MINUTE) -> Listing:
    names = ["acme-archive", "acme-finance-2025", "acme-masters", "acme-scratch-exports", *more]
    return Listing(tuple(Bucket(name, None) for name in sorted(names)), now() - age)


def rights(write: bool = True, **outcomes: TrialResult) -> tuple[RightResult, ...]:
    """All work; `delete=TrialResult.REFUSED` makes one not."""
    written = ".bucketvault-archive/probe-7f2c91aa03de/written.txt"
    notes = {Right.LIST_OBJECTS: "acme-archive", Right.READ: "2026/mail.tar.zst"}
    notes |= {Right.WRITE: written, Right.OVERWRITE: written}
    found = []
    for right in Right:
        result = RightResult(right, TrialResult.WORKS, notes.get(right, ""))
        if right is Right.LIST_BUCKETS:
            result = replace(result, number=4)
        if outcomes.get(right.value) is TrialResult.REFUSED:
            why = f"The key for Backblaze EU cannot {right.value}."
            hint = "Give the key this permission in the service's console, or enter another key."
            result = RightResult(right, TrialResult.REFUSED, why, hint, "403 AccessDenied")
        if not write and right in WRITING:
            result = RightResult(right, TrialResult.NOT_TRIED, untried=Untried.NOT_ASKED)
        found.append(result)
    return tuple(found)


def tested(write: bool = True, **outcomes: TrialResult) -> ConnectionTest:
    test = rights(write, **outcomes)
    found: tuple[Finding, ...] = ()
    if outcomes.get("delete") is TrialResult.REFUSED:
        left = "acme-archive/.bucketvault-archive/probe-7f2c91aa03de/written.txt"
        found = (Finding(About.LEFT, Seen.YES, 187, left),)
    return ConnectionTest("acme-archive", write, test, now() - 2 * MINUTE, 1.4, found)


def page(**changes: object) -> ProviderPage:
    mine = tuple(each for each in storages() if each.provider_id == 1)
    made = ProviderPage(provider(), mine, listing(), None)
    return replace(made, **changes)  # type: ignore[arg-type]


def refusal(
    kind: type[DiscoveryError], summary: str, hint: str = "", code: str = "", region: str = ""
) -> DiscoveryError:
    told = Explanation(Reason.CREDENTIALS, summary, hint, "", region=region)
    return kind(told, Fault(status=403, code=code), Redactor(()))


def wrong_secret() -> DiscoveryError:
    return refusal(
        WrongSecretError,
        "Mine rejected the secret access key.",
        "Enter it.",
        "SignatureDoesNotMatch",
    )


def wrong_region() -> DiscoveryError:
    return refusal(
        WrongRegionError,
        "Wrong region. Mine expects eu-west-1.",
        "Enter eu-west-1 as the region on the provider's page.",
        "AuthorizationHeaderMalformed",
        "eu-west-1",
    )


def may_not_list() -> DiscoveryError:
    return refusal(
        ListingDeniedError,
        "The key for Backblaze EU cannot list buckets.",
        "Keys limited to one bucket never can: type the bucket's name instead.",
        "AccessDenied",
    )


def left() -> Found:
    """Kept versions of two deleted backups and of one that copies elsewhere now."""
    gone = LeftBehind("mail-archive-1f2e3d", "", 12, 4_812, 9_100_000_000, now() - 90 * DAY, now())
    return Found(
        "acme-archive",
        (
            gone,
            replace(gone, archive_key="video-9a8b7c", moved=NASTY, runs=1, objects=3, size_bytes=7),
            replace(gone, archive_key="old-0a0b0c", runs=0, objects=0, size_bytes=0, oldest=None),
        ),
        (NASTY, "notes"),
        2,
    )


class FakeProviders:
    """A double of `engine.providers` for pages, over made-up values."""

    pool = None  # the loop's own threads

    def __init__(self, live: Live) -> None:
        self._live = live
        self.asked = 0
        self.stopped: list[int] = []
        self.may_not_list: set[int] = set()
        self.looked: list[tuple[str, str]] = []
        self.looked_behind: list[int] = []
        self.there = {
            ("acme-archive", ""): PathLook(True, 3, ("mail/", "notes.txt", "old/")),
            ("acme-masters", ""): PathLook(True, 2, ("2026/", "cut.mov")),
        }
        self.counted = threading.Event()  # until it is set, counting continues
        self.counted.set()
        self.absent: set[str] = set()  # buckets that a look does not find
        self.lists_of: dict[int, list[str] | Exception] = {}  # by provider, instead of `listed`
        self.refuse: Exception | None = None  # raised by whatever asks the provider next
        self.saved: list[tuple[ProviderFields, bool]] = []
        self.listed = [f"bucket-{number:04}" for number in range(5000)]
        self.all = {row.id: row for row in providers()}
        self.all_storages = {row.id: row for row in storages()}
        self.listings: dict[int, Listing] = {1: listing()}
        self.tests: dict[int, ConnectionTest] = {1: tested(delete=TrialResult.REFUSED)}

    def rows(self) -> list[ProviderRow]:
        return list(self.all.values())

    def storages(self) -> list[StorageRow]:
        return list(self.all_storages.values())

    def left_behind(self, storage_id: int) -> Found:
        self.looked_behind.append(storage_id)
        if self.refuse is not None:
            raise self.refuse
        return left()

    def page(self, provider_id: int) -> ProviderPage:
        if provider_id not in self.all:
            raise NotFoundError("There is no such provider.", "It may have been deleted.")
        mine = tuple(s for s in self.all_storages.values() if s.provider_id == provider_id)
        kept, test = self.listings.get(provider_id), self.tests.get(provider_id)
        denied = provider_id in self.may_not_list
        return ProviderPage(self.all[provider_id], mine, kept, test, denied)

    def stored(self, provider_id: int) -> StoredProvider:
        row = self.page(provider_id).row
        endpoint = "http://127.0.0.1:9000" if row.compatible else ""
        given = ProviderFields(row.name, str(row.provider_type), endpoint, region=row.region)
        return StoredProvider(given, ("one", "other"))

    def buckets(self, provider_id: int, *, refresh: bool = False) -> Listing:
        self.asked += 1
        self._refuse()
        names = self.lists_of.get(provider_id, self.listed)
        if isinstance(names, Exception):
            raise names
        self.listings[provider_id] = Listing(tuple(Bucket(n, None) for n in names), now())
        return self.listings[provider_id]

    def test(self, provider_id: int, bucket: str, write: bool) -> ConnectionTest:
        self._refuse()
        self.tests[provider_id] = ConnectionTest(bucket, write, rights(write), now(), 0.8)
        return self.tests[provider_id]

    def stop_test(self, provider_id: int) -> None:
        self.stopped.append(provider_id)

    def look(self, at: BucketAt, path: str) -> PathLook:
        self.looked.append((at.bucket_name, path))
        self._refuse()
        if at.bucket_name in self.absent:
            raise refusal(BucketNotFoundError, f"There is no bucket {at.bucket_name}.")
        return self.there.get((at.bucket_name, path), PathLook(False, 0))

    def measure(
        self, at: BucketAt, path: str, cancelled: threading.Event, on_seen: Callable[[int], None]
    ) -> PathSize:
        on_seen(12_000)
        while not self.counted.is_set():
            if cancelled.wait(0.02):
                raise CancelledError("Stopped.")
        self._refuse()
        return PathSize(18_240, 61_000_000_000)

    def create(self, given: ProviderFields, *, check: bool = True) -> int:
        problems = checked(given)[1]
        if problems:
            raise InvalidInputError(problems)
        if check:
            self._refuse()
        self.saved.append((given, check))
        return 1

    def change(
        self,
        provider_id: int,
        given: ProviderFields,
        loaded: StoredProvider | None = None,
        *,
        check: bool = True,
    ) -> None:
        if loaded is not None and loaded != self.stored(provider_id):
            raise ChangedMeanwhileError(["name"])
        problems = checked(given, KEYS_MAY_STAY)[1]
        if problems:
            raise InvalidInputError(problems)
        if check:
            self._refuse()
        self.saved.append((given, check))

    def delete(self, provider_id: int) -> None:
        del self.all[provider_id]
        self._live.publish(Topic.CATALOGUE)

    def import_bucket(
        self, provider_id: int, bucket_name: str, usage: str | None, *, check: bool = True
    ) -> int:
        if any(s.bucket_name == bucket_name for s in self.all_storages.values()):
            raise InvalidInputError([Problem("bucket_name", "It is already a storage.")])
        listed = {b.name for b in self.page(provider_id).listing.buckets}  # type: ignore[union-attr]
        if check and bucket_name not in listed:
            raise refusal(BucketNotFoundError, f"There is no bucket {bucket_name}.")
        number = max(self.all_storages) + 1
        self.all_storages[number] = storage(
            number,
            bucket_name,
            usage_type=UsageType(usage) if usage else None,
            checked_at=now() if check else None,
        )
        self._live.publish(Topic.CATALOGUE)
        return number

    def change_storage(self, storage_id: int, display_name: str, usage: str | None) -> None:
        if len(display_name) > 100:
            raise InvalidInputError([Problem("display_name", "The name is too long.")])
        row = self.all_storages[storage_id]
        self.all_storages[storage_id] = replace(
            row, display_name=display_name, usage_type=UsageType(usage) if usage else None
        )
        self._live.publish(Topic.CATALOGUE)

    def delete_storage(self, storage_id: int) -> None:
        if self.all_storages[storage_id].uses:
            raise InUseError("It is used.")
        del self.all_storages[storage_id]
        self._live.publish(Topic.CATALOGUE)

    def _refuse(self) -> None:
        if self.refuse is not None:
            error, self.refuse = self.refuse, None
            raise error
