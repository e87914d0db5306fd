"""What each line of a log tells, beside the lines: filters need not read the log itself.

Logs of before have none until somebody looks at them (`engine/runs/logs.py`).
"""


def up(migrator, db):
    """Add the column."""
    db.execute_sql("ALTER TABLE run_log_chunk ADD COLUMN kinds BLOB")
