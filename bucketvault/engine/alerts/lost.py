"""The alerts of a server that cannot start because its database is gone or damaged.

Their settings are in that database, too: those of its newest copy are taken.
"""

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.alerts import messenger, targets
from bucketvault.engine.alerts.messenger import Alert
from bucketvault.engine.domain.alert_urls import AlertUrl
from bucketvault.engine.mail import outbox, texts
from bucketvault.engine.mail.sender import message_of
from bucketvault.engine.mail.smtp import deliver
from bucketvault.errors import BucketvaultError
from bucketvault.store.copies import newest_first
from bucketvault.store.database import SqliteError, close_database, open_to_look
from bucketvault.store.models import utcnow
from bucketvault.store.private_files import write_private
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import AlertEvent

log = logging.getLogger(__name__)

TOLD = "database-lost"  # a file in the data folder, while people know of it


def tell(config: Config, error: BucketvaultError) -> None:
    """Send one alert of it everywhere, until `is_over` is called; blocks up to a minute a copy.

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
        vault = Vault(config.key_file)
        try:
            open_to_look(copy.path)
            server, urls = settings.mail_server(vault), _urls(vault)
        except (BucketvaultError, OSError, *SqliteError) as why:
            log.warning("a copy has no settings of mail", extra={"copy": copy.path, "why": why})
            continue
        finally:
            close_database()
        text = texts.database_lost(error.summary, error.hint, outbox.home(config.data_dir))
        now = utcnow()
        event = f"<{now:%Y%m%dT%H%M%S%fZ}.database-lost@"
        ways: list[Callable[[], object]] = []
        if server is not None:
            message_id = f"{event}{server.sender.rpartition('@')[2]}>"
            message = message_of(server, message_id, text.subject, text.body, now)
            ways.append(partial(deliver, server, message))
        about = messenger.about_nothing(now, outbox.home(config.data_dir).machine)
        alert = Alert(f"{event}alert>", AlertEvent.PROGRAM, text.subject, text.brief, about)
        ways += [partial(messenger.deliver, url, alert) for url in urls]
        for way in ways:
            try:
                way()
                write_private(told, now.isoformat())
            except (BucketvaultError, OSError) as why:
                log.warning("no mail about the database could be sent", extra={"why": why})
        return


def _urls(vault: Vault) -> list[AlertUrl]:
    """Return the targets that want to hear of the program, but those whose URL does not open."""
    found = []
    for target in targets.stored():
        if AlertEvent.PROGRAM in target.events:
            with contextlib.suppress(BucketvaultError):
                found.append(targets.url_of(target.id, vault))
    return found


def is_over(data_dir: Path) -> None:
    """Note that the database opens: the next time it does not is worth a mail again."""
    (data_dir / TOLD).unlink(missing_ok=True)
