"""The mail of a server that cannot start because its database is gone or damaged.

The mail's settings are in that database, too: those of its newest copy are taken.
"""

import logging
from pathlib import Path

from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.mail import outbox, texts
from bucketvault.engine.mail.sender import message_of
from bucketvault.engine.mail.smtp import deliver
from bucketvault.errors import BucketvaultError
from bucketvault.store.copies import newest_first
from bucketvault.store.database import SqliteError, close_database, open_to_look
from bucketvault.store.models import utcnow
from bucketvault.store.private_files import write_private
from bucketvault.store.secrets import Vault

log = logging.getLogger(__name__)

TOLD = "database-lost"  # a file in the data folder, while people know of it


def tell(config: Config, error: BucketvaultError) -> None:
    """Send one mail of it, until `is_over` is called; blocks up to a minute a copy.

    Where it cannot be sent, that is only logged: whoever started the server has seen the error.
    """
    told = config.data_dir / TOLD
    try:
        if told.exists():
            return
        copies = newest_first(config.backups, utcnow().date())
    except OSError as why:  # it must not hide `error`, whose exit code keeps systemd from looping
        log.warning("no mail about the database could be sent", extra={"why": why})
        return
    for copy in copies:
        try:
            open_to_look(copy.path)
            server = settings.mail_server(Vault(config.key_file))
        except (BucketvaultError, OSError, *SqliteError) as why:
            log.warning("a copy has no settings of mail", extra={"copy": copy.path, "why": why})
            continue
        finally:
            close_database()
        if server is None:
            return
        text = texts.database_lost(error.summary, error.hint, outbox.home(config.data_dir))
        now = utcnow()
        event = f"<{now:%Y%m%dT%H%M%S%fZ}.database-lost@{server.sender.rpartition('@')[2]}>"
        try:
            deliver(server, message_of(server, event, text.subject, text.body, now))
            write_private(told, now.isoformat())
        except (BucketvaultError, OSError) as why:
            log.warning("no mail about the database could be sent", extra={"why": why})
        return


def is_over(data_dir: Path) -> None:
    """Note that the database opens: the next time it does not is worth a mail again."""
    (data_dir / TOLD).unlink(missing_ok=True)
