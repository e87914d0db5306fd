"""RESTORE.txt: how to restore a copy with rclone alone, even when this server is gone.

It is beside the kept versions in the destination's bucket and holds no secret and no date of a
run, so that it only changes when the backup does.
"""

import datetime as dt
import hashlib
import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.remotes import Remote, section
from bucketvault.sanitize import JOINERS, clean_to_copy

NONE: Mapping[str, dt.datetime | None] = MappingProxyType({})
KEYS = ("access_key_id", "secret_access_key")
PLACEHOLDERS = ("access_key_id = YOUR KEY ID", "secret_access_key = YOUR SECRET KEY")


def text_hash(text: str) -> str:
    """Return the part of the text that is kept, to see whether it changed."""
    return hashlib.sha256(text.encode()).hexdigest()


def restore_text(
    spec: RunSpec, backup_name: str, misplaced: Mapping[str, dt.datetime | None] = NONE
) -> str:
    """Return the text for the settings of a run.

    `misplaced`: folders whose names tell another time than they were made at; None: not known.
    """
    destination, key = spec.destination, spec.archive_key
    bucket = destination.bucket
    copy = command.location("copy", bucket, destination.path)
    kept = command.archive(bucket, key).replace("dest:", "copy:", 1)
    one = copy + "PATH/OF/THE/OBJECT"
    return TEXT.format(
        name=backup_name,
        source=_place(spec.source),
        destination=_place(destination),
        days=spec.retention_days,
        key=key,
        config=textwrap.indent(copy_config(destination), "  "),
        copy=_quoted(copy),
        kept=_quoted(kept),
        folder=_quoted(copy + "FOLDER/"),
        one=_quoted(one),
        kept_one=_quoted(kept + "STAMP/PATH/OF/THE/OBJECT"),
        kept_stamp=_quoted(kept + "STAMP/"),
        # only where kept versions may be: below a folder, such a name is an object like any other
        exclude=f"--exclude '/{ARCHIVE_ROOT}/**'",
        exact=" ".join(command.EXACT_NAMES),
        misplaced=_misplaced(misplaced),
    )


def _misplaced(folders: Mapping[str, dt.datetime | None]) -> str:
    if not folders:
        return ""
    lines = "\n".join(f"  {name}  {made_words(made)}" for name, made in folders.items())
    return MISPLACED.format(lines=lines)


def made_words(made: dt.datetime | None) -> str:
    """`made 20261122T031500Z`: in the form of a folder's name, to be put in order among them."""
    if made is None:
        return "made at an unknown time"
    return f"made {made.astimezone(dt.UTC):{command.STAMP_FORMAT}}"


def _place(end: EndSpec) -> str:
    return f"bucket {end.place} at {end.provider}"


def copy_config(end: EndSpec) -> str:
    """Return the section `[copy]` of rclone's configuration, with words in place of the two keys.

    Without a line break at its end.
    """
    remote = Remote(
        label=end.provider,
        provider_type=end.provider_type,
        endpoint=end.endpoint,
        region=end.region,
        access_key_id="left out",
        secret_access_key="left out",  # noqa: S106 - not one
        traits=end.traits,
    )
    lines = section("copy", remote).splitlines()
    plain = [line for line in lines if line.partition(" ")[0] not in KEYS]
    return "\n".join((*plain, *PLACEHOLDERS))


def _quoted(word: str) -> str:
    """For a shell: in single quotes, which nothing inside can leave."""
    return "'" + word.replace("'", "'\\''") + "'"


def shell_word(word: str) -> str:
    """Return a word for a shell, of signs that are all seen and copied; it ends with no line break.

    Surrogates are bytes that are no UTF-8. Others than those seen become octal numbers (printf).
    """
    if clean_to_copy(word) == word and "\n" not in word and not set(JOINERS) & set(word):
        return _quoted(word)
    data = word.encode("utf-8", "surrogateescape")
    plain = b" !#()*+,./:;<=>?@[]^_{|}~&"
    octal = "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte in plain)
        else f"\\{byte:03o}"
        for byte in data
    )  # fmt: skip
    return f"\"$(printf '{octal}')\""


MISPLACED = """

FOLDERS WITH A WRONG NAME

The server's clock was wrong when these folders were named. Wherever the steps below go by the time
of a folder, use the time shown after its name instead.

{lines}
"""

# The first line and the last make one here-document of it for a shell (sh, bash, dash, zsh, ksh):
# pasted as a whole it runs nothing, neither a command nor what stands in a name.
TEXT = """\
: <<'RESTORE.txt'
HOW TO RESTORE THIS COPY

Backup:  {name}
From:    {source}
To:      {destination}

bucketvault made this copy with rclone (https://rclone.org). You need neither bucketvault nor the
server it ran on: rclone 1.75 or newer and a key that can read this bucket are enough.

The copy is plain objects under their own names. Old versions (what runs replaced or removed) are
kept for {days} days, in one folder per run named by its time in UTC, such as 20261122T031500Z, in
  .bucketvault-archive/{key}/
Each folder has the objects as they were BEFORE that run.
{misplaced}

FIRST: STOP THE BACKUP

If bucketvault is still running somewhere, pause this backup there. If the source has lost its
objects, the next run could otherwise remove or replace what you want to restore.


THE CONFIGURATION

Save this as a file named rclone.conf, with your own key in it:

{config}

Keep the last three settings before the key. Without might_gzip, rclone would decompress some
objects that are stored compressed. Without no_check_bucket, it would create a bucket if you mistype
the name. Without encoding, it would miss some unusual names. In the commands, the option
--no-unicode-normalization keeps two names apart that only look the same.

Every command below copies to a folder named restored on this computer. To copy to another bucket
instead, add a section [new] like the one above to rclone.conf, and replace restored/ with
new:BUCKET/. Use copy, never sync: copy deletes nothing.


EVERYTHING, AS IT WAS AFTER THE LAST RUN

  rclone --config rclone.conf copy {copy} restored/ {exclude} {exact} --metadata --progress


ONE FOLDER

  rclone --config rclone.conf copy {folder} restored/FOLDER/ {exact} --metadata --progress


ONE OBJECT AS IT WAS ON A DAY

List the runs that replaced or removed objects:

  rclone --config rclone.conf lsf {kept}

Find the first folder AFTER the time you want that contains the object, and copy from it:

  rclone --config rclone.conf copyto {kept_one} restored/OBJECT --metadata

If no folder after that time contains it, it has not changed since. Take it from the copy:

  rclone --config rclone.conf copyto {one} restored/OBJECT --metadata


EVERYTHING AS IT WAS ON A DAY

Copy everything as above. Then copy each folder that is later than the time you want over it, the
NEWEST FIRST and the oldest last:

  rclone --config rclone.conf copy {kept_stamp} restored/ {exact} --metadata --ignore-times

This has two limits. Objects that were added after that time stay, because adding them replaced
nothing. And old versions from more than {days} days ago have expired.


NAMES THAT NEED MORE

A folder on this computer cannot hold every name. A name with // ends up as the name with a single
/. A part that is only . or .. is written with other characters. A file and a folder cannot have the
same name. To restore such names exactly, copy to another bucket.

Inside a folder, and so among the old versions, rclone silently skips names that contain //. Find
and download them with another S3 tool, such as your provider's web console.
RESTORE.txt
"""
