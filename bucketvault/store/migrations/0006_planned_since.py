"""From when on planned times of a Backup count: nothing is expected of it before."""

STATEMENTS = (
    # the moment it was made, switched on, or given other times
    """
    ALTER TABLE backup
        ADD COLUMN planned_since TEXT NOT NULL DEFAULT '2026-11-22T00:00:00.000000Z'
    """,
    # until now nothing started a backup at its time
    "UPDATE backup SET planned_since = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
)


def up(migrator, db):
    """Add the column; what there is counts from today on."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
