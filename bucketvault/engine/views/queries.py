"""Queries behind the lists of backups and storages: as many for a thousand rows as for one."""

from types import SimpleNamespace
from typing import Any

import peewee as pw

from bucketvault.engine.domain.spec import EndSpec
from bucketvault.store.models import (
    HAS_ENDED,
    IS_COPY,
    IS_GOOD,
    Backup,
    BackupRun,
    Provider,
    Storage,
    first_partly,
)


def storage_ends() -> dict[int, EndSpec]:
    """Return every Storage by its id, as an end without a path."""
    query: Any = Storage.select(  # Any: peewee's queries have no types
        Storage.id,
        Provider.name,
        Provider.provider_type,
        Storage.bucket_name,
        Storage.display_name,
        pw.Value(""),
        Provider.id,
        Provider.endpoint,
        Provider.region,
    ).join(Provider)
    return {storage_id: EndSpec(*end) for storage_id, *end in query.tuples()}


def backup_query(which: pw.Expression | None) -> Any:  # Any: as above
    """Backups, and of each the newest ended run and what is known of good ones.

    The subqueries read backwards along the index on (backup, id) and stop at the first hit, so
    that years of runs cost nothing.
    """
    query: Any = Backup.select(
        Backup,
        newest(BackupRun.id, HAS_ENDED & IS_COPY).alias("last_id"),
        newest(BackupRun.finished_at, IS_GOOD).alias("good_at"),
        newest(BackupRun.spec, IS_GOOD).alias("good_spec"),
        newest(BackupRun.source_bytes, BackupRun.source_bytes.is_null(False)).alias("size"),
        newest(BackupRun.proof, _HAS_PROOF).alias("proof"),
        first_partly(BackupRun.backup == Backup.id, BackupRun.backup == Backup.id).alias(
            "partly_since"
        ),
    )
    # plain objects: for hundreds of rows peewee's own take twice as long
    return (query if which is None else query.where(which)).objects(SimpleNamespace)


def newest(column: Any, condition: Any) -> Any:  # Any: parts of a query, as above
    """`column` of the newest run of each backup that fulfils the condition."""
    return (
        BackupRun.select(column)
        .where(BackupRun.backup == Backup.id, condition)
        .order_by(BackupRun.id.desc())
        .limit(1)
    )


_HAS_PROOF = (  # none is older than that of the newest good run
    HAS_ENDED
    & IS_COPY
    & (BackupRun.proof != pw.SQL("'{}'"))  # as stored: a Python dict would become another value
    & (BackupRun.id >= pw.fn.COALESCE(newest(BackupRun.id, IS_GOOD), 0))
)
