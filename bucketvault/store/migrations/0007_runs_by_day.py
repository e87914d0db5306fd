"""Runs by the time they were asked for: a start reads those of 30 days, and no others."""


def up(migrator, db):
    """Add the index."""
    db.execute_sql("CREATE INDEX backup_run_created ON backup_run (created_at)")
