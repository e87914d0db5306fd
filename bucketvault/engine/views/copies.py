"""Every source with its copies: how many, where, and how lately each was proven."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bucketvault.engine.domain.places import Location, server_of
from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.queries import storage_ends
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, Provider, Storage


@dataclass(frozen=True, slots=True)
class SourceCopies:
    """One source, and the backups that copy it."""

    source: EndSpec
    backups: tuple[BackupRow, ...]  # the newest proof first

    @property
    def proven(self) -> tuple[BackupRow, ...]:
        """The backups whose copy was complete at its last proof, and is still where it was."""
        return tuple(row for row in self.backups if proven_at(row) is not None)

    @property
    def providers(self) -> int:
        """How many services have a proven copy; two keys of one service are one."""
        return len({row.destination.location.server for row in self.proven})

    @property
    def newest(self) -> dt.datetime | None:
        """When a copy was proven last; None: none was."""
        return max((at for row in self.backups if (at := proven_at(row))), default=None)


@dataclass(frozen=True, slots=True)
class CopiesView:
    """All sources with their copies, and what is known of the buckets that hold these."""

    sources: list[SourceCopies]
    traits: Mapping[tuple[int, str], Traits]  # by provider's id and bucket
    providers: tuple[tuple[int, str], ...]  # ids and names of all, to look for buckets at


def view(rows: Sequence[BackupRow]) -> CopiesView:
    """Return what the page of copies shows."""
    with connection():
        traits = {
            (row.provider_id, row.bucket_name): Traits.from_json(row.traits)
            for row in Storage.select(Storage.provider, Storage.bucket_name, Storage.traits)
        }
        providers = Provider.select(Provider.id, Provider.name).order_by(Provider.name)
        named = tuple((row.id, row.name) for row in providers)
    return CopiesView(sources(rows), traits, named)


def proven_at(row: BackupRow) -> dt.datetime | None:
    """Return when the copy of a backup was last proven complete; None: never, or not there yet."""
    if row.proof is None or row.moved or not row.proof.is_good:
        return None
    return row.proof.when


def sources(rows: Sequence[BackupRow]) -> list[SourceCopies]:
    """Return every source with its copies; those with the fewest proven copies first."""
    found: dict[Location, list[BackupRow]] = {}
    for row in rows:
        found.setdefault(row.source.location, []).append(row)
    long_ago = dt.datetime.min.replace(tzinfo=dt.UTC)
    told = [
        SourceCopies(
            of[0].source,
            tuple(sorted(of, key=lambda row: proven_at(row) or long_ago, reverse=True)),
        )
        for of in found.values()
    ]
    return sorted(told, key=lambda each: (len(each.proven), each.source.place.lower()))


def not_backed_up(provider_id: int, listed: Collection[str]) -> list[str]:
    """Return those of a provider's buckets that no backup copies from, or to; sorted by name."""
    with connection():
        provider = Provider.get_or_none(Provider.id == provider_id)
        if provider is None:  # deleted meanwhile
            return []
        server = server_of(provider.provider_type, provider.endpoint, provider.region)
        ends = storage_ends()
        used = {
            ends[storage].bucket
            for row in Backup.select(Backup.source_storage, Backup.destination_storage)
            for storage in (row.source_storage_id, row.destination_storage_id)
            if ends[storage].location.server == server
        }
    return sorted(set(listed) - used, key=str.lower)
