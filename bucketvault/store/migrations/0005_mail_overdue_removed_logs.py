"""Mail that waits or was sent, overdue episodes, and logs that housekeeping removed."""

STATEMENTS = (
    """
    CREATE TABLE mail (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        run_id INTEGER REFERENCES backup_run (id) ON DELETE SET NULL,
        backup_id INTEGER REFERENCES backup (id) ON DELETE SET NULL,
        kind TEXT NOT NULL CHECK (kind IN ('failed', 'recovered', 'overdue', 'overdue_over')),
        message_id TEXT NOT NULL UNIQUE,
        subject TEXT NOT NULL,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt_at TEXT,
        sent_at TEXT,
        dead_at TEXT,
        last_error TEXT NOT NULL DEFAULT '',
        CHECK ((next_attempt_at IS NOT NULL) + (sent_at IS NOT NULL) + (dead_at IS NOT NULL) = 1)
    )
    """,
    "CREATE UNIQUE INDEX mail_one_per_run ON mail (run_id, kind) WHERE run_id IS NOT NULL",
    "CREATE INDEX mail_waiting ON mail (next_attempt_at) WHERE next_attempt_at IS NOT NULL",
    "CREATE INDEX mail_backup ON mail (backup_id) WHERE backup_id IS NOT NULL",
    # the planned time without a good copy that people were told of; NULL: none
    "ALTER TABLE backup ADD COLUMN overdue_since TEXT",
    "ALTER TABLE backup_run ADD COLUMN log_removed_at TEXT",
)


def up(migrator, db):
    """Add the table and the columns; nothing waits, nothing is overdue, every log is there."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
