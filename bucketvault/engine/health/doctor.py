"""`bucketvault doctor`: looks at everything this program rests on, and changes nothing.

Every check stands alone: a damaged database or a missing key is one line, and the others are told
all the same. Nothing secret is read further than to see that it opens.
"""

import datetime as dt
import http.client
import json
import logging
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bucketvault.config import Config
from bucketvault.engine import ciphertexts, self_backup, settings
from bucketvault.engine.domain import times as timetable
from bucketvault.engine.health import readings
from bucketvault.engine.health.readings import Reading
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, RcloneMissingError, VaultError
from bucketvault.humanize import many, size
from bucketvault.sanitize import clean
from bucketvault.store.database import (
    close_database,
    connection,
    database_bytes,
    migrations_applied,
    migrations_known,
    open_to_look,
    quick_check,
    way_back,
)
from bucketvault.store.models import Backup, BackupRun, Mail, Provider, utcnow
from bucketvault.store.secrets import Vault

log = logging.getLogger(__name__)

ANSWER_S = 5.0
# Their locks are not what SQLite and we need (sqlite.org/faq.html#q5): two writers, one database.
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "ceph", "glusterfs", "fuse.sshfs"}

Check = Callable[[Config], Reading]
Ask = Callable[[], tuple[int, str]]  # the status and words of a server's /healthz; raises OSError


def examine(config: Config, holder: str | None, ask: Ask) -> list[Reading]:
    """Every check, in the order in which people mend things.

    `holder`: who works on the data folder, None: nobody; `ask` asks a server that serves it.
    """
    checks: tuple[tuple[str, Check], ...] = (
        ("rclone", _rclone),
        ("Data folder", _folder),
        ("Who may read", _modes),
        ("Disk of the data folder", _disk),
        ("Database", _database),
        ("Copy of the database", _copy),
        ("Key file", _key),
        ("Clock", _clock),
        ("Scheduler", partial(_scheduler, holder, ask)),
        ("Mail", _mail),
    )
    open_to_look(config.database)
    try:
        return [_guarded(name, check, config) for name, check in checks]
    finally:
        close_database()


def _guarded(name: str, check: Check, config: Config) -> Reading:
    """What a check says; where it cannot even look, that is what it says."""
    try:
        return check(config)
    except BucketvaultError as error:
        return Reading(name, Tone.BAD, "bad", clean(error.summary), clean(error.hint))
    except Exception as error:  # an edge: a damaged database raises anything
        log.debug("a check failed", exc_info=True)
        words = f"It cannot be looked at: {clean(str(error))}."
        return Reading(name, Tone.BAD, "not known", words, "See the other lines.")


def _rclone(config: Config) -> Reading:
    try:
        found = find_binary(config.rclone)
    except RcloneMissingError as error:
        return Reading("rclone", Tone.BAD, "cannot be used", error.summary, error.hint)
    return readings.rclone(found.version, found.path, "")


def _folder(config: Config) -> Reading:
    """Where it is, and that it lies on a disk of this machine."""
    name, place = "Data folder", str(config.data_dir)
    if not config.data_dir.exists():
        words = f"{place} is made at the first start."
        return Reading(name, Tone.NONE, "not there yet", words)
    kind = _file_system(config.data_dir)
    if kind in REMOTE:
        words = f"{place} lies on a network's file system ({kind}), which breaks databases."
        todo = "Move it to a disk of this machine: --data-dir or BUCKETVAULT_DATA_DIR."
        return Reading(name, Tone.BAD, kind, words, todo)
    return Reading(name, Tone.OK, "there", f"{place}, on {kind or 'a file system of this machine'}")


def _file_system(folder: Path) -> str:
    """The kind of file system `folder` lies on, as proc(5) tells; empty: not known."""
    best, kind = "", ""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    whole = f"{folder.resolve()}/"
    for line in mounts:
        _, point, found, *_ = line.split(" ")
        point = point.replace("\\040", " ").rstrip("/") + "/"
        if whole.startswith(point) and len(point) >= len(best):  # a later mount hides the earlier
            best, kind = point, found
    return kind


def _modes(config: Config) -> Reading:
    name = "Who may read"
    places = [config.key_file, *_everything(config.data_dir)]
    open_ones, foreign = [], []
    for path in places:
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_IMODE(found.st_mode) & 0o077 and not path.is_symlink():
            open_ones.append(path)
        if found.st_uid != os.geteuid():
            foreign.append(path)
    if open_ones:
        words = f"{_some(open_ones)} may be read by other users of this machine."
        todo = f"chmod -R go= {config.data_dir} {config.key_file}"
        return Reading(name, Tone.BAD, "others", words, todo)
    if foreign:
        words = f"{_some(foreign)} belongs to another user than the one who asks now."
        todo = "Run every command as the user whose data it is."
        return Reading(name, Tone.BAD, "somebody else", words, todo)
    return Reading(name, Tone.OK, "only you", "Data folder and key file are closed to others.")


def _everything(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield folder
        yield from folder.rglob("*")


def _some(paths: list[Path]) -> str:
    more = f" and {count} more" if (count := len(paths) - 1) else ""
    return clean(f"{paths[0]}{more}", limit=300)


def _disk(config: Config) -> Reading:
    place = next(path for path in (config.data_dir, *config.data_dir.parents) if path.exists())
    found = shutil.disk_usage(place)
    return readings.disk(found.free, found.total, None, str(config.data_dir))


def _database(config: Config) -> Reading:
    name, todo = "Database", way_back(config.database)
    if not config.database.exists():
        if config.backups.is_dir():
            words = f"{config.database} is gone, but copies of it are there."
            return Reading(name, Tone.BAD, "missing", words, todo)
        return Reading(name, Tone.NONE, "not there yet", "It is made at the first start.")
    try:
        damage = quick_check()
    except Exception as error:  # sqlite3 and peewee have a dozen ways to say so
        damage = str(error)
    if damage:
        words = f"{config.database} is damaged: {clean(damage)}."
        return Reading(name, Tone.BAD, "damaged", words, todo)
    applied, known = migrations_applied(), migrations_known()
    newer = [migration for migration in applied if migration not in known]
    if newer:
        words = f"A newer bucketvault has written it ({clean(newer[-1])})."
        return Reading(name, Tone.BAD, "too new", words, "Install that version again, or newer.")
    whole = f"{size(database_bytes())}, whole"
    if waiting := len(known) - len(applied):
        words = f"{many(waiting, 'change')} of its form wait for the next start."
        return Reading(name, Tone.WARN, whole, words, "Start bucketvault: it copies it first.")
    return Reading(name, Tone.OK, whole, f"{config.database}, form {applied[-1]}")


def _copy(config: Config) -> Reading:
    now = utcnow()
    newest = self_backup.newest(config.backups, now)
    began = _began() if newest is None and config.database.exists() else None
    return readings.copy_of_database(newest, began, now)


def _began() -> dt.datetime | None:
    """When this installation got its first provider: before that nothing can be lost."""
    with connection():
        first = Provider.select(Provider.created_at).order_by(Provider.id).first()
    return first.created_at if first is not None else None


def _key(config: Config) -> Reading:
    name, vault = "Key file", Vault(config.key_file)
    stored = list(ciphertexts.every()) if config.database.exists() else []
    if not stored and not config.key_file.exists():
        return Reading(name, Tone.NONE, "not there yet", "It is made with the first secret.")
    if not vault.has_key():
        vault.encrypt("", "")  # says why
    closed = []
    for secret in stored:
        try:
            vault.decrypt(getattr(secret.row, secret.column), secret.place)
        except VaultError as error:
            closed.append((_whose(secret), error))
    if closed:
        whose = ", ".join(dict.fromkeys(clean(owner, limit=80) for owner, _ in closed))
        words = f"{many(len(closed), 'secret')} cannot be opened ({whose}): {closed[0][1].summary}"
        return Reading(name, Tone.BAD, "does not open all", words, closed[0][1].hint)
    words = f"{config.key_file} opens {many(len(stored), 'stored secret')}."
    return Reading(name, Tone.OK, "there", words)


def _whose(secret: ciphertexts.Ciphertext) -> str:
    return secret.row.name if isinstance(secret.row, Provider) else "mail"


def _clock(config: Config) -> Reading:
    newest = None
    if config.database.exists():
        with connection():
            last = BackupRun.select().order_by(BackupRun.id.desc()).first()
        if last is not None:
            newest = last.finished_at or last.started_at or last.created_at
    return readings.clock(utcnow(), newest, timetable.server_time_zone())


def _scheduler(holder: str | None, ask: Ask, config: Config) -> Reading:
    name, start = "Scheduler", "Start it: systemctl start bucketvault, or bucketvault serve"
    planned = 0
    if config.database.exists():
        with connection():
            planned = Backup.select().where(Backup.enabled).count()
    if holder is None:
        if not planned:
            return Reading(name, Tone.NONE, "not running", "No backup is planned.", start)
        words = f"{many(planned, 'backup')} will not start at the planned times."
        return Reading(name, Tone.BAD, "not running", words, start)
    try:
        status, words = ask()
    except (OSError, http.client.HTTPException):
        words = f"{holder} is at work on this folder, and answers to nobody."
        todo = "If it is `serve`: restart it. If it is `run`: nothing is planned until it ends."
        return Reading(name, Tone.BAD, "no answer", words, todo)
    if status != http.HTTPStatus.OK:
        words = f"The server says: {clean(words.strip())}."
        return Reading(name, Tone.BAD, "stands still", words, "Restart it, and see its log.")
    return Reading(name, Tone.OK, "beats", f"{holder}; {many(planned, 'backup')} planned.")


def ask_server(port: int, path: Path | None) -> tuple[int, str]:
    """The answer of the server that listens there, on a port or a socket. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    if path is not None:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(ANSWER_S)
        connection.sock.connect(str(path))
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace")
    finally:
        connection.close()


def _mail(config: Config) -> Reading:
    if not config.database.exists():
        return readings.mail(False, 0, None, utcnow())
    with connection():
        dead = Mail.select().where(Mail.needs_somebody()).count()
        sent = Mail.select().where(Mail.sent_at.is_null(False)).order_by(Mail.sent_at.desc())
        last = sent.first()
    at = last.sent_at if last is not None else None
    return readings.mail(settings.load().mail_is_set_up, dead, at, utcnow())


# ---- for people and for scripts


SHAPES = {Tone.OK: ("✓", "good"), Tone.WARN: ("!", "look"), Tone.BAD: ("✗", "BAD")}
NO_SHAPE = ("·", "none")
NAME_WIDTH = 24


def is_bad(found: list[Reading]) -> bool:
    """Whether something needs a hand now."""
    return any(reading.tone is Tone.BAD for reading in found)


def in_lines(found: list[Reading]) -> Iterator[str]:
    """A line each with its shape and word, and what to do below it."""
    for reading in found:
        shape, word = SHAPES.get(reading.tone, NO_SHAPE)
        said = ": ".join(part for part in (reading.value, reading.words) if part)
        yield f"{shape} {word.ljust(4)}  {reading.name.ljust(NAME_WIDTH)} {said}"
        if reading.todo:
            yield f"{' ' * (NAME_WIDTH + 9)}-> {reading.todo}"


def as_json(found: list[Reading]) -> str:
    """The same for scripts; keys are only ever added."""
    checks = [
        {
            "name": reading.name,
            "state": SHAPES.get(reading.tone, NO_SHAPE)[1].lower(),
            "value": reading.value,
            "words": reading.words,
            "todo": reading.todo,
        }
        for reading in found
    ]
    return json.dumps({"good": not is_bad(found), "checks": checks}, indent=2, ensure_ascii=False)
