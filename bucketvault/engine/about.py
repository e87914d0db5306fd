"""The program itself and all that the page of its settings shows: versions, places, licences."""

import datetime as dt
import platform
import sqlite3
from dataclasses import dataclass

from bucketvault import __version__
from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.alerts import targets
from bucketvault.engine.alerts.targets import Target
from bucketvault.engine.mail import states
from bucketvault.engine.mail.mail_views import MailState, PingState
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.settings import Settings
from bucketvault.errors import KilledError, NoMemoryError, RcloneMissingError
from bucketvault.store.database import connection
from bucketvault.store.models import Session, utcnow

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
    ("argcomplete", "Apache-2.0"),
    ("Apprise", "BSD-2-Clause"),
    ("prometheus-client", "Apache-2.0 and BSD-2-Clause"),
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
    targets: tuple[Target, ...] = ()


def settings_page(config: Config, ping: PingState) -> SettingsPage:
    """Return everything as it is now."""
    since = utcnow() - dt.timedelta(seconds=Session.IDLE_S)
    with connection():
        browsers = Session.select().where(Session.last_seen_at > since).count()
    return SettingsPage(
        settings.load(),
        states.state(),
        ping,
        about(config),
        browsers,
        config.password.exists(),
        targets.stored(),
    )


def about(config: Config) -> About:
    """The program itself, as it runs here."""
    from importlib.metadata import version  # costs commands, which do not ask, a tenth of a second

    try:
        found = find_binary(config.rclone)
        rclone = f"{found.version}, {found.path}"
    except (RcloneMissingError, NoMemoryError, KilledError) as error:
        rclone = str(error)
    # with what is written ahead and not yet in it
    files = (config.database, config.database.with_name(config.database.name + "-wal"))
    return About(
        version=__version__,
        rclone=rclone,
        python=platform.python_version(),
        nicegui=version("nicegui"),
        sqlite=sqlite3.sqlite_version,
        data_dir=str(config.data_dir),
        key_file=str(config.key_file),
        database_bytes=sum(file.stat().st_size for file in files if file.exists()),
    )
