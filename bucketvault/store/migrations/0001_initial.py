"""All tables, with constraints that hold for every writer.

No id is ever given again: an open page, or a mail, may still mean a row that was deleted.
"""

STATEMENTS = (
    """
    CREATE TABLE provider (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        uuid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE CHECK (name <> ''),
        provider_type TEXT NOT NULL
            CHECK (provider_type IN ('cloudflare_r2', 'backblaze_b2', 'amazon_s3')),
        endpoint TEXT NOT NULL DEFAULT '',
        region TEXT NOT NULL DEFAULT '',
        access_key_id TEXT NOT NULL,
        secret_access_key TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE storage (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        provider_id INTEGER NOT NULL REFERENCES provider (id) ON DELETE RESTRICT,
        bucket_name TEXT NOT NULL CHECK (bucket_name <> ''),
        display_name TEXT NOT NULL DEFAULT '',
        usage_type TEXT CHECK (usage_type IN ('source_only', 'destination_only')),
        checked_at TEXT,
        traits TEXT NOT NULL DEFAULT '{}'
    )
    """,
    "CREATE UNIQUE INDEX storage_provider_bucket ON storage (provider_id, bucket_name)",
    """
    CREATE TABLE backup (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        name TEXT NOT NULL UNIQUE CHECK (name <> ''),
        source_storage_id INTEGER NOT NULL REFERENCES storage (id) ON DELETE RESTRICT,
        source_path TEXT NOT NULL DEFAULT '',
        destination_storage_id INTEGER NOT NULL REFERENCES storage (id) ON DELETE RESTRICT,
        destination_path TEXT NOT NULL DEFAULT '',
        schedule TEXT NOT NULL CHECK (schedule IN ('daily', 'weekly')),
        at TEXT NOT NULL CHECK (at GLOB '[0-2][0-9]:[0-5][0-9]'),
        weekday TEXT CHECK (weekday IN ('monday', 'tuesday', 'wednesday', 'thursday',
                                        'friday', 'saturday', 'sunday')),
        time_zone TEXT NOT NULL,
        enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
        retention_days INTEGER NOT NULL DEFAULT 30 CHECK (retention_days BETWEEN 1 AND 3650),
        comparison_mode TEXT NOT NULL DEFAULT 'checksum'
            CHECK (comparison_mode IN ('checksum', 'checksum_and_time', 'size_only')),
        storage_class TEXT NOT NULL DEFAULT 'STANDARD'
            CHECK (storage_class IN ('STANDARD', 'STANDARD_IA', 'ONEZONE_IA',
                'INTELLIGENT_TIERING', 'GLACIER_IR')),
        shrink_limit_percent INTEGER NOT NULL DEFAULT 50
            CHECK (shrink_limit_percent BETWEEN 0 AND 100),
        verify_gb_per_night INTEGER NOT NULL DEFAULT 0
            CHECK (verify_gb_per_night BETWEEN 0 AND 100000),
        reading TEXT NOT NULL DEFAULT '{}',
        ping_url TEXT NOT NULL DEFAULT '',
        pinged_start INTEGER NOT NULL DEFAULT 0,
        pinged_end INTEGER NOT NULL DEFAULT 0,
        pinged_at TEXT,
        ping_heard INTEGER NOT NULL DEFAULT 0 CHECK (ping_heard IN (0, 1)),
        ping_answer TEXT NOT NULL DEFAULT '',
        archive_key TEXT NOT NULL UNIQUE,
        uploads_refused INTEGER NOT NULL DEFAULT 0 CHECK (uploads_refused IN (0, 1)),
        restore_text_hash TEXT NOT NULL DEFAULT '',
        next_due_at TEXT,
        planned_since TEXT NOT NULL,
        stamp_floor TEXT,
        last_run_at TEXT,
        overdue_since TEXT,
        CHECK (schedule <> 'weekly' OR weekday IS NOT NULL)
    )
    """,
    "CREATE INDEX backup_source ON backup (source_storage_id)",
    "CREATE INDEX backup_destination ON backup (destination_storage_id)",
    """
    CREATE TABLE backup_run (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        uuid TEXT NOT NULL UNIQUE,
        backup_id INTEGER NOT NULL REFERENCES backup (id) ON DELETE CASCADE,
        status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'success', 'failed')),
        reason TEXT CHECK (reason IN ('rclone_error', 'incomplete', 'source_missing', 'brake',
            'refused', 'unreachable', 'credentials', 'rclone_missing', 'stalled', 'stopped',
            'killed', 'interrupted', 'disk_full', 'no_memory', 'damaged', 'internal')),
        hold_reason TEXT CHECK (hold_reason IN ('share', 'first', 'more', 'empty_source')),
        side TEXT CHECK (side IN ('source', 'destination')),
        mends TEXT CHECK (mends IN ('provider', 'health')),
        region TEXT NOT NULL DEFAULT '',
        untouched INTEGER NOT NULL DEFAULT 0 CHECK (untouched IN (0, 1)),
        "trigger" TEXT NOT NULL
            CHECK ("trigger" IN ('schedule', 'catch_up', 'manual', 'cli', 'approved')),
        phase TEXT CHECK (phase IN ('checking', 'copying', 'proving', 'tidying')),
        kind TEXT NOT NULL DEFAULT 'copy' CHECK (kind IN ('copy', 'preview', 'verify')),
        archive_stamp TEXT,
        kept_at TEXT,
        scheduled_for TEXT,
        skipped_slots INTEGER NOT NULL DEFAULT 0,
        started_at TEXT,
        finished_at TEXT,
        stop_requested_at TEXT,
        requeued INTEGER NOT NULL DEFAULT 0 CHECK (requeued IN (0, 1)),
        exit_code INTEGER,
        rclone_pid INTEGER,
        spec TEXT NOT NULL DEFAULT '{}',
        findings TEXT NOT NULL DEFAULT '{}',
        approved_limits TEXT NOT NULL DEFAULT '{}',
        passes INTEGER NOT NULL DEFAULT 0,
        proof TEXT NOT NULL DEFAULT '{}',
        progress TEXT NOT NULL DEFAULT '{}',
        checked INTEGER NOT NULL DEFAULT 0,
        copied INTEGER NOT NULL DEFAULT 0,
        replaced INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0,
        deleted INTEGER NOT NULL DEFAULT 0,
        purged INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        requests TEXT NOT NULL DEFAULT '{}',
        uploads_ended INTEGER NOT NULL DEFAULT 0,
        source_objects INTEGER,
        source_bytes INTEGER,
        warnings TEXT NOT NULL DEFAULT '[]',
        explanation TEXT NOT NULL DEFAULT '',
        hint TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '',
        log_lines INTEGER NOT NULL DEFAULT 0,
        log_bytes INTEGER NOT NULL DEFAULT 0,
        log_removed_at TEXT,
        CHECK (status <> 'failed' OR reason IS NOT NULL),
        CHECK (status NOT IN ('success', 'failed') OR finished_at IS NOT NULL)
    )
    """,
    """
    CREATE UNIQUE INDEX backup_run_one_active ON backup_run (backup_id)
        WHERE status IN ('pending', 'running')
    """,
    """
    CREATE UNIQUE INDEX backup_run_one_per_slot ON backup_run (backup_id, scheduled_for)
        WHERE scheduled_for IS NOT NULL
    """,
    "CREATE INDEX backup_run_status ON backup_run (status)",
    "CREATE INDEX backup_run_backup ON backup_run (backup_id, id)",
    # a start reads the runs of 30 days, and no others
    "CREATE INDEX backup_run_created ON backup_run (created_at)",
    """
    CREATE TABLE run_log_chunk (
        run_id INTEGER NOT NULL REFERENCES backup_run (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        first_line INTEGER NOT NULL,
        line_count INTEGER NOT NULL,
        first_shown INTEGER NOT NULL,
        shown_count INTEGER NOT NULL,
        raw_bytes INTEGER NOT NULL,
        data BLOB NOT NULL,
        kinds BLOB NOT NULL,
        PRIMARY KEY (run_id, seq)
    )
    """,
    "CREATE INDEX run_log_chunk_line ON run_log_chunk (run_id, first_line)",
    "CREATE INDEX run_log_chunk_shown ON run_log_chunk (run_id, first_shown)",
    """
    CREATE TABLE alert_target (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        uuid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE CHECK (name <> ''),
        shown TEXT NOT NULL CHECK (shown <> ''),
        url TEXT NOT NULL,
        events TEXT NOT NULL,
        tried_at TEXT,
        heard INTEGER NOT NULL DEFAULT 0 CHECK (heard IN (0, 1)),
        answer TEXT NOT NULL DEFAULT ''
    )
    """,
    """
    CREATE TABLE mail (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        run_id INTEGER REFERENCES backup_run (id) ON DELETE SET NULL,
        backup_id INTEGER REFERENCES backup (id) ON DELETE SET NULL,
        target_id INTEGER REFERENCES alert_target (id) ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('failed', 'held', 'recovered', 'overdue',
            'overdue_over', 'damaged', 'kept_out', 'weekly')),
        message_id TEXT NOT NULL UNIQUE,
        subject TEXT NOT NULL,
        body TEXT NOT NULL,
        html TEXT NOT NULL DEFAULT '',
        about TEXT NOT NULL DEFAULT '{}',
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt_at TEXT,
        sent_at TEXT,
        dead_at TEXT,
        dismissed_at TEXT,
        last_error TEXT NOT NULL DEFAULT '',
        CHECK ((next_attempt_at IS NOT NULL) + (sent_at IS NOT NULL) + (dead_at IS NOT NULL) = 1)
    )
    """,
    """
    CREATE UNIQUE INDEX mail_one_per_run ON mail (run_id, kind, coalesce(target_id, 0))
        WHERE run_id IS NOT NULL
    """,
    "CREATE INDEX mail_target ON mail (target_id) WHERE target_id IS NOT NULL",
    "CREATE INDEX mail_waiting ON mail (next_attempt_at) WHERE next_attempt_at IS NOT NULL",
    "CREATE INDEX mail_backup ON mail (backup_id) WHERE backup_id IS NOT NULL",
    # hashes only, so that this file opens no page
    """
    CREATE TABLE session (
        id INTEGER PRIMARY KEY,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
        last_seen_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE sign_in_link (
        id INTEGER PRIMARY KEY,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64)
    )
    """,
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
    """Create the tables."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
