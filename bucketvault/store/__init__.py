"""The only place that knows peewee, SQLite and the key: rows, secrets at rest, run logs."""
