"""The settings of the installation for pages: what they are, what came of them, changing them."""

import datetime as dt
import importlib.metadata
import platform
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bucketvault import __version__
from bucketvault.access import sessions
from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.heartbeat import Ping
from bucketvault.engine.mail import outbox
from bucketvault.engine.mail.mail_views import MailState, PingState, Trial
from bucketvault.engine.mail.sender import Mailer
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.settings import Settings
from bucketvault.errors import RcloneMissingError
from bucketvault.store.database import connection
from bucketvault.store.models import Session, utcnow
from bucketvault.store.secrets import Vault

LICENCES = (  # of the parts it uses, as each one tells it
    ("rclone", "MIT"),
    ("Python", "PSF-2.0"),
    ("SQLite", "public domain"),
    ("NiceGUI", "MIT"),
    ("Vue and Quasar, inside NiceGUI", "MIT"),
    ("Apache ECharts, inside NiceGUI", "Apache-2.0"),
    ("Roboto, inside NiceGUI", "Apache-2.0"),
    ("FastAPI", "MIT"),
    ("uvicorn", "BSD-3-Clause"),
    ("peewee", "MIT"),
    ("cryptography", "Apache-2.0 or BSD-3-Clause"),
    ("psutil", "BSD-3-Clause"),
    ("schedule", "MIT"),
    ("platformdirs", "MIT"),
    ("tzdata", "Apache-2.0"),
)


@dataclass(frozen=True, slots=True)
class About:
    """The program itself: versions, places, and under which licences its parts are."""

    version: str
    rclone: str  # version and path, or why there is none
    python: str
    nicegui: str
    sqlite: str
    data_dir: str
    key_file: str
    database_bytes: int
    licences: tuple[tuple[str, str], ...] = LICENCES


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """All that the page of the settings shows."""

    settings: Settings
    mail: MailState
    ping: PingState
    about: About
    browsers: int  # that are signed in
    has_password: bool  # there is one beside the link


class Preferences:
    """Questions of the Settings page. Every method may be called from any thread."""

    def __init__(
        self, config: Config, vault: Callable[[], Vault], mail: Mailer, ping: Ping
    ) -> None:
        self._config = config
        self._vault = vault
        self._mail = mail
        self._ping = ping

    def page(self) -> SettingsPage:
        """Everything as it is now."""
        since = utcnow() - dt.timedelta(seconds=sessions.IDLE_S)
        with connection():
            browsers = Session.select().where(Session.last_seen_at > since).count()
        return SettingsPage(
            settings.load(),
            outbox.state(),
            self._ping.state(),
            about(self._config),
            browsers,
            self._config.password.exists(),
        )

    def change(self, given: Mapping[str, object], seen: Settings) -> Settings:
        """Change what is in `given`, seen as in `seen`; all of them as they are then.

        Raises InvalidInputError with all problems, ChangedMeanwhileError if one of these was
        changed elsewhere since `seen`, VaultError; then nothing was written.
        """
        settings.change(given, self._vault(), seen)
        return settings.load()

    def send_test(self, given: Mapping[str, object]) -> Trial:
        """Send a test mail with these values. Takes up to a minute. Raises InvalidInputError."""
        return self._mail.send_test(given)

    def try_again(self, mail_id: int) -> None:
        """Try a mail that was given up once more. Raises NotFoundError."""
        self._mail.try_again(mail_id)

    def dismiss(self, mail_id: int) -> None:
        """Note that a mail that was given up was seen. Raises NotFoundError."""
        outbox.dismiss(mail_id)

    def sign_out_everywhere(self) -> None:
        """End every session, and make the link that opened them worthless."""
        sessions.replace_login_token(self._config.login_token)


def about(config: Config) -> About:
    """The program itself, as it runs here."""
    try:
        found = find_binary(config.rclone)
        rclone = f"{found.version}, {found.path}"
    except RcloneMissingError as error:
        rclone = str(error)
    return About(
        version=__version__,
        rclone=rclone,
        python=platform.python_version(),
        nicegui=importlib.metadata.version("nicegui"),
        sqlite=sqlite3.sqlite_version,
        data_dir=str(config.data_dir),
        key_file=str(config.key_file),
        database_bytes=_size(config.database),
    )


def _size(database: Path) -> int:
    """With what is written ahead of it and not yet in it."""
    files = (database, database.with_name(database.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
