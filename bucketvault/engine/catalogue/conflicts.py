"""Find what forbids a Provider, a Storage or a Backup because of the rows that are there.

Names that are taken, storages that may not be that end, places that would overwrite each other.
Reads the database and writes nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import peewee as pw

from bucketvault.engine.domain.fields import (
    KEYS,
    KEYS_MAY_STAY,
    LISTED,
    NO_RULES,
    BackupFields,
    ProviderFields,
    Sheet,
    StorageFields,
    checked,
)
from bucketvault.engine.domain.places import Location, Route, circle_through, server_of
from bucketvault.engine.domain.rules import (
    InvalidValue,
    endpoint_rule,
    path_rule,
    region_rule,
    same_name,
)
from bucketvault.engine.domain.services import OTHER, Service, service_of
from bucketvault.errors import BucketvaultError, Problem
from bucketvault.store.database import connection
from bucketvault.store.models import Backup, BaseModel, Provider, Storage
from bucketvault.vocabulary import UsageType

KEY_STAYS = (
    "Enter it again for this address. The stored one is only sent to the server it was entered for."
)


def refuse_endpoint(provider: Provider) -> None:
    """Raise BucketvaultError when what is stored as its address is not one that may be asked.

    Asked each time it is used: a row may be older than a rule, or not of this program.
    """
    try:
        endpoint_rule(provider.endpoint)
        region_rule(provider.region)  # it becomes part of a host's name
    except InvalidValue as refusal:
        raise BucketvaultError(
            f'The endpoint of the provider "{provider.name}" was not contacted. {refusal}',
            "Correct it on the provider's page.",
        ) from refusal


def refuse_path(path: str) -> None:
    """The same for the path of one end of a Backup."""
    try:
        path_rule(path)
    except InvalidValue as refusal:
        raise BucketvaultError(f"{refusal} Nothing was changed.", "Change the backup.") from refusal


def key_goes_to(provider: Provider | ProviderFields) -> str:
    """Return whose servers get the keys of a Provider: its endpoint, or Amazon or Backblaze.

    A region alone leads to another server of theirs; Amazon's in China are another company's.
    """
    if provider.endpoint:
        return provider.endpoint
    return f"{provider.provider_type} {'china' if provider.region.startswith('cn-') else ''}"


# ---- the checked fields, and all problems with them; inside the caller's connection


def checked_provider(
    given: ProviderFields, row: Provider | None, *, with_users: bool = True
) -> tuple[ProviderFields, list[Problem]]:
    """A Provider's fields and their problems; `with_users`: also those of the Backups behind it."""
    values, problems = checked(given, NO_RULES if row is None else KEYS_MAY_STAY)
    sheet = Sheet(problems)
    _check_name(sheet, Provider, values.name, row)
    is_known = sheet.is_good("provider_type", "endpoint", "region", "account_id")
    if row and is_known and key_goes_to(values) != key_goes_to(row):
        for column in (name for name in KEYS if getattr(values, name) is None):
            sheet.refuse(column, KEY_STAYS)
    if row and with_users and is_known and (new := _server(values)) != _server(row):
        storages = Storage.select(Storage.id).where(Storage.provider == row.id)
        users = Backup.source_storage.in_(storages) | Backup.destination_storage.in_(storages)
        for found in _contradictions(users, servers={row.id: new}):
            sheet.refuse("endpoint", f'Backup "{found.backup_name}": {found.message}')
    return values, sheet.problems


def checked_storage(
    given: StorageFields, row: Storage | None, *, listed: bool = False, with_users: bool = True
) -> tuple[StorageFields, list[Problem]]:
    """A Storage's fields and their problems; `with_users`: also those of the Backups on it."""
    # a name that was accepted once, as listed perhaps, is not questioned again
    known = row is not None and given.bucket_name == row.bucket_name
    values, problems = checked(given, LISTED if listed or known else NO_RULES)
    sheet = Sheet(problems)
    provider = Provider.get_or_none(Provider.id == values.provider_id)
    if provider is None and sheet.is_good("provider_id"):
        sheet.refuse("provider_id", "This provider no longer exists: choose another.")
    if provider is not None and sheet.is_good("bucket_name"):
        twin = Storage.get_or_none(
            Storage.provider == provider, Storage.bucket_name == values.bucket_name
        )
        if twin is not None and (row is None or twin.id != row.id):
            sheet.refuse(
                "bucket_name",
                f'The bucket "{values.bucket_name}" at "{provider.name}" is already a storage.',
            )
    if row is None or provider is None or sheet.problems or not with_users:
        return values, sheet.problems
    moved = (row.provider_id, row.bucket_name) != (values.provider_id, values.bucket_name)
    if moved or row.usage_type != values.usage_type:
        users = (Backup.source_storage == row.id) | (Backup.destination_storage == row.id)
        future = {row.id: _Bucket(_server(provider), values.bucket_name, values.usage_type)}
        for found in _contradictions(users, buckets=future):
            name = "bucket_name" if moved else "usage_type"
            sheet.refuse(name, f'Backup "{found.backup_name}": {found.message}')
    return values, sheet.problems


def checked_backup(
    given: BackupFields, row: Backup | None, *, with_others: bool = True
) -> tuple[BackupFields, list[Problem]]:
    """A Backup's fields and their problems; `with_others`: also where it meets other Backups."""
    values, problems = checked(given)
    sheet = Sheet(problems)
    _check_name(sheet, Backup, values.name, row)
    ends = _buckets(Storage.id.in_([values.source_storage_id, values.destination_storage_id]))
    source = ends.get(values.source_storage_id)
    destination = ends.get(values.destination_storage_id)
    for name, end in (("source_storage_id", source), ("destination_storage_id", destination)):
        if end is None and sheet.is_good(name):
            sheet.refuse(name, "This storage no longer exists: choose another.")
    for name, message in _misused(source, destination):
        sheet.refuse(name, message)
    if destination is not None and sheet.is_good("storage_class"):
        classes, name = destination.service.storage_classes, destination.service.name
        if values.storage_class not in classes:
            choose = " or ".join(classes)
            sheet.refuse(
                "storage_class", f"{name} does not have this storage class: choose {choose}."
            )
    if destination is None or not sheet.is_good("destination_path"):
        return values, sheet.problems
    target, place = destination.location(values.destination_path), None
    if source is not None and sheet.is_good("source_path"):
        place = source.location(values.source_path)
        if objection := _why_not_between(place, target):
            sheet.refuse("destination_path", objection)
    if with_others:
        routes = _routes(_buckets())
        # without a source only the destination is looked at
        own = Route(row.id if row else 0, values.name, place or target, target)
        if taken := _taken_among(own, routes):
            sheet.refuse("destination_path", taken)
        elif place and (circle := _circle_among(own, routes)):
            sheet.refuse("destination_path", circle)
    return values, sheet.problems


# ---- Backups that other changes would break


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Why a stored Backup cannot run as its Providers and Storages are."""

    backup_id: int
    backup_name: str
    field: str  # as in `BackupFields`
    message: str


def contradictions(*, only: Collection[int] | None = None) -> list[Contradiction]:
    """Every Backup that its Providers, Storages or another Backup forbid; `only`: among these."""
    with connection():
        return _contradictions(Backup.id.is_null(False) if only is None else Backup.id.in_([*only]))


def _contradictions(
    which: pw.Expression,
    *,
    servers: dict[int, str] | None = None,
    buckets: "dict[int, _Bucket] | None" = None,
) -> list[Contradiction]:
    """The same for `which` Backups, if Providers and Storages were as given."""
    ends = _buckets(servers=servers) | (buckets or {})
    concerned = {backup.id: backup for backup in Backup.select().where(which)}
    routes = _routes(ends)
    found: list[tuple[Route, str, str]] = []
    mine = [route for route in routes if route.backup_id in concerned]
    for route in mine:
        backup = concerned[route.backup_id]
        source, destination = ends[backup.source_storage_id], ends[backup.destination_storage_id]
        found += [(route, *why) for why in _misused(source, destination)]
        if objection := _why_not_between(route.source, route.destination):
            found.append((route, "destination_path", objection))
    for why in (_taken_among, _circle_among):
        found += [(each, "destination_path", m) for each in mine if (m := why(each, routes))]
    return [Contradiction(each.backup_id, each.name, *why) for each, *why in found]


# ---- the parts


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A Storage as far as Backups care."""

    server: str
    bucket_name: str
    usage_type: UsageType | None
    service: Service = OTHER

    def location(self, path: str) -> Location:
        return Location(self.server, self.bucket_name, path)


def _buckets(
    which: pw.Expression | None = None, *, servers: dict[int, str] | None = None
) -> dict[int, _Bucket]:
    """Storages by id, with Providers at other `servers` where given."""
    query = Storage.select(Storage, Provider).join(Provider)
    found = {}
    for storage in query if which is None else query.where(which):
        moved = (servers or {}).get(storage.provider_id)
        server = moved or _server(storage.provider)
        service = service_of(storage.provider.provider_type, storage.provider.endpoint)
        found[storage.id] = _Bucket(server, storage.bucket_name, storage.usage_type, service)
    return found


def _server(at: Provider | ProviderFields) -> str:
    return server_of(at.provider_type, at.endpoint, at.region)


def _routes(ends: Mapping[int, _Bucket]) -> list[Route]:
    """Return the way of every Backup, also of one that is off: it can be run by hand."""
    return [
        Route(
            backup.id,
            backup.name,
            ends[backup.source_storage_id].location(backup.source_path),
            ends[backup.destination_storage_id].location(backup.destination_path),
        )
        for backup in Backup.select().order_by(Backup.name)
    ]


def _check_name(
    sheet: Sheet, model: type[Provider] | type[Backup], name: str, row: BaseModel | None
) -> None:
    """Refuse a name that another row has, in whatever case: people would mix them up."""
    if not sheet.is_good("name"):
        return
    own = None if row is None else row.id
    others: Any = model.select(model.id, model.name).tuples()  # Any: of two kinds
    for other_id, other in others:
        if other_id != own and same_name(other) == same_name(name):
            kind = model.__name__.lower()
            sheet.refuse("name", f'There is already a {kind} "{other}": choose another name.')


def _misused(source: _Bucket | None, destination: _Bucket | None) -> Iterator[tuple[str, str]]:
    """Field and message for each end whose Storage is kept for the other use."""
    ends = (
        ("source", source, UsageType.DESTINATION_ONLY, "destination"),
        ("destination", destination, UsageType.SOURCE_ONLY, "source"),
    )
    for end, bucket, other_use, other in ends:
        if bucket is not None and bucket.usage_type is other_use:
            message = (
                f'"{bucket.bucket_name}" is a {other} only: choose another {end}, '
                "or change its use on the page Storages."
            )
            yield f"{end}_storage_id", message


def _why_not_between(source: Location, destination: Location) -> str | None:
    """Why nothing may be copied from one place to the other; None when it may."""
    if source == destination:
        return "Source and destination are the same place: choose another bucket or path."
    if destination.contains(source):  # a sync removes whatever the source does not have
        return "The source is inside the destination, so runs would delete it: choose another path."
    if source.contains(destination):  # each run would copy the copies of the runs before
        return (
            "The destination is inside the source, so runs would copy the copy: choose another "
            "bucket."
        )
    return None


def _circle_among(own: Route, routes: Iterable[Route]) -> str | None:
    """Why a Backup may not copy in a circle through others; None when it does not."""
    circle = circle_through(own, routes)
    if not circle:
        return None
    others = " and then ".join(f'"{name}"' for name in circle)
    return (
        f"What this backup copies, {others} would copy back to where it came from: "
        "a removal anywhere would run round. Choose another destination."
    )


def _taken_among(own: Route, routes: Iterable[Route]) -> str | None:
    """Why its destination is another Backup's; each would remove what the other copied."""
    others = (each for each in routes if each.backup_id != own.backup_id)
    taken = next((each.name for each in others if each.destination.overlaps(own.destination)), None)
    if taken is None:
        return None
    return (
        f'The backup "{taken}" copies to the same place, or to a folder inside or above it: '
        "give each backup its own destination."
    )
