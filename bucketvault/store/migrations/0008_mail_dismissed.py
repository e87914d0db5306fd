"""Mails that were given up and that somebody has seen: they need nobody any more."""


def up(migrator, db):
    """Add the column; whatever was given up still needs somebody."""
    db.execute_sql("ALTER TABLE mail ADD COLUMN dismissed_at TEXT")
