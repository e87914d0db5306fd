"""When a storage's bucket was first seen at its provider: typed names may be of none."""

STATEMENTS = ("ALTER TABLE storage ADD COLUMN checked_at TEXT",)


def up(migrator, db):
    """Add the column; nothing is known about storages that are there."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
