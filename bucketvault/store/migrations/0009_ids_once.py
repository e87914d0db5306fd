"""The largest id of a row that was deleted: an open page, or a mail, may still mean that row."""

TABLES = ("provider", "storage", "backup")


def up(migrator, db):
    """Add the table; nothing is known of what was deleted before."""
    db.execute_sql("CREATE TABLE last_id (name TEXT PRIMARY KEY, id INTEGER NOT NULL)")
    for table in TABLES:
        statement = f"""
            CREATE TRIGGER {table}_id_was_used AFTER DELETE ON {table} BEGIN
                INSERT INTO last_id (name, id) VALUES ('{table}', old.id)
                    ON CONFLICT (name) DO UPDATE SET id = max(id, excluded.id);
            END
        """  # noqa: S608 - names from above
        db.execute_sql(statement)
