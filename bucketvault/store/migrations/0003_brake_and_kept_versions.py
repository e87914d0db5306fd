"""What a run found before it touched anything, what was approved, previews; settings."""

STATEMENTS = (
    """
    ALTER TABLE backup_run ADD COLUMN preview INTEGER NOT NULL DEFAULT 0
        CHECK (preview IN (0, 1))
    """,
    "ALTER TABLE backup_run ADD COLUMN findings TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE backup_run ADD COLUMN approved_limits TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE backup ADD COLUMN restore_text_hash TEXT NOT NULL DEFAULT ''",
    """
    CREATE TABLE setting (
        key TEXT NOT NULL PRIMARY KEY,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        value TEXT NOT NULL
    )
    """,
)


def up(migrator, db):
    """Add the columns and the table of settings."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
