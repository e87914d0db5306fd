"""Who is signed in: hashes only, so that this file opens no page."""

STATEMENTS = (
    """
    CREATE TABLE session (
        id INTEGER PRIMARY KEY,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
        last_seen_at TEXT NOT NULL
    )
    """,
)


def up(migrator, db):
    """Create the table of sessions."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
