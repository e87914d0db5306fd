"""The commands and the script that restore an object, a folder or all of a copy as of a day.

Both need rclone and a `rclone.conf` with the section `[copy]` of RESTORE.txt, and hold no secret.
"""

import datetime as dt
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path
from typing import IO, NamedTuple

from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.listing.lists import rules_of
from bucketvault.engine.listing.order import sorted_on_disk
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone.names import is_odd, spelled
from bucketvault.engine.runs.restore_text import shell_word
from bucketvault.engine.runs.restoring import COPY, Day, History, Placed
from bucketvault.humanize import many
from bucketvault.sanitize import clean

CONFIG = "rclone.conf"
PLACE_DIGITS = 10
LONGEST_PART = 255  # bytes of a file's or folder's name, on most computers
_FLAGS = f"{' '.join(command.EXACT_NAMES)} --metadata"


class Script(NamedTuple):
    """Numbers of a script: what it restores, and how many of that one by one, as files beside."""

    objects: int
    size: int
    singly: int


@dataclass(slots=True)
class _Sums:
    """Numbers of all objects of a day, and the passes whose kept versions are needed."""

    objects: int = 0
    size: int = 0
    passes: set[int] = field(default_factory=set)


class _Single(NamedTuple):
    """An object that no list or no folder can hold: its own command fetches it."""

    placed: Placed
    odd: bool


def object_command(history: History, placed: Placed) -> str:
    """Return the command that restores one object into the folder `restored`."""
    spec = history.spec
    name = spelled(placed.key).rpartition("/")[2]
    fits = name and len(name.encode("utf-8", "surrogateescape")) <= LONGEST_PART
    target = shell_word(f"restored/{name if fits else 'object'}")
    rclone = f"rclone --config {CONFIG}"
    place = _place(spec, history, placed.place)
    if is_odd(placed.key):
        words = " ".join(_cat(spec, history, placed))
        return f"mkdir -p restored && {rclone} {words} > {target}"
    return f"{rclone} copyto {shell_word(place + spelled(placed.key))} {target} --metadata"


def write_script(
    history: History, day: Day, under: bytes, title: str, file: IO[bytes], folder: Path
) -> Script:
    """Write a script for sh that restores a day, or one folder of it; `folder` for its temp files.

    `title` names the backup in its comments. Raises RestoreError, OSError.
    """
    spec = history.spec
    sums, found = _Sums(), dict[bytes, _Single]()
    # read to its end before the first comes out: sums and singles are whole then
    kept = sorted_on_disk(_kept(history.at(day, under), sums, found), folder)
    first = next(kept, None)
    kept = chain([first] if first is not None else [], kept)
    singles = list(found.values())
    end = f"END-OF-NAMES-{secrets.token_hex(8)}"

    def write(text: str) -> None:
        file.write(text.encode("utf-8", "surrogateescape"))

    write(
        _HEAD.format(
            title=clean(title, limit=200),
            what=f"the folder {clean(spelled(under))}" if under else "everything",
            when=f"{day.at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC",
            objects=many(sums.objects, "object"),
            size=f"{sums.size:,}",
            kept=shell_word(_archive(spec)),
            flags=_FLAGS,
            known="\n".join(sorted(f"{each}/" for each in history.folders)),
            needed="\n".join(sorted(f"{history.passes[each].stamp}/" for each in sums.passes)),
            end=end,
        )
    )

    def write_names(keys: Iterable[bytes], place: int) -> None:
        write(f"\ncat > \"$work/names\" <<'{end}'\n")
        for key in keys:
            if key not in found:
                write(f"{spelled(key)}\n")
        write(f"{end}\nfetch {shell_word(_place(spec, history, place))}\n")

    for place, group in groupby(kept, lambda entry: int(entry.key[:PLACE_DIGITS])):
        write_names((entry.key[PLACE_DIGITS:] for entry in group), place)
    write_names((each.key for each in history.at(day, under) if each.place == COPY), COPY)
    for number, single in enumerate(singles, 1):
        placed, name = single.placed, spelled(single.placed.key)
        words = [str(number), str(placed.size), shell_word(name)]
        if single.odd:
            write(" ".join(["odd", *words, *_cat(spec, history, placed)]) + "\n")
        else:
            there = shell_word(_place(spec, history, placed.place) + name)
            write(" ".join(["single", *words, there]) + "\n")
    odd = [each.placed for each in singles if each.odd]
    folded = [each.placed for each in singles if not each.odd]
    write(
        _TAIL.format(
            count=sums.objects - len(singles),
            bytes=sums.size - sum(each.placed.size for each in singles),
            folded=len(folded),
            folded_bytes=sum(each.size for each in folded),
            singles=len(singles),
            odd=len(odd),
        )
    )
    file.flush()  # it is read by its descriptor
    return Script(sums.objects, sums.size, len(singles))


def _kept(
    all_placed: Iterable[Placed], sums: _Sums, singles: dict[bytes, _Single]
) -> Iterator[Entry]:
    """Yield what is among the kept versions, by keys that begin with the pass.

    Fills `sums`, and `singles` with what needs a command of its own: odd names, which no list can
    carry, and what no folder can hold, such as `a` where there is `a/b`.
    """
    above: list[Placed] = []  # each the beginning of the next one, and of the one at hand
    for placed in all_placed:
        sums.objects += 1
        sums.size += placed.size
        if placed.place >= 0:
            sums.passes.add(placed.place)
        while above and not placed.key.startswith(above[-1].key):
            above.pop()
        for each in above:
            if placed.key[len(each.key) :].startswith(b"/"):
                singles.setdefault(each.key, _Single(each, is_odd(each.key)))
        above.append(placed)
        name = spelled(placed.key).encode("utf-8", "surrogateescape")
        if is_odd(placed.key) or any(len(part) > LONGEST_PART for part in name.split(b"/")):
            singles[placed.key] = _Single(placed, is_odd(placed.key))
        if placed.place >= 0:
            key = b"%0*d%s" % (PLACE_DIGITS, placed.place, placed.key)
            yield Entry(key, placed.size, "", "", "")


def _archive(spec: RunSpec) -> str:
    kept = command.archive(spec.destination.bucket, spec.archive_key)
    return kept.replace("dest:", "copy:", 1)


def _place(spec: RunSpec, history: History, place: int) -> str:
    """Return where a list's names are: the copy, or what a pass kept."""
    if place == COPY:
        return command.location("copy", spec.destination.bucket, spec.destination.path)
    return f"{_archive(spec)}{history.passes[place].stamp}/"


def _cat(spec: RunSpec, history: History, placed: Placed) -> list[str]:
    """Return the words that read one object of an odd name from the bucket, as a whole.

    `copyto` folds its slashes and reads another object, or none (1.75.2).
    """
    bucket = f"copy:{spec.destination.bucket}/"
    below = _place(spec, history, placed.place).removeprefix(bucket)
    rules = rules_of(below.encode("utf-8", "surrogateescape") + placed.key, set())
    # not splitlines(): a name may have another sign at which that splits
    lines = (*rules.removesuffix("\n").split("\n"), "- **")
    filters = [word for rule in lines for word in ("--filter", shell_word(rule))]
    return ["cat", shell_word(bucket), *filters, *command.EXACT_NAMES]


_HEAD = """\
#!/bin/sh
# Restores {what} of the backup {title}
# as it was after the run that ended {when}: {objects}, {size} bytes.
#
# Pause the backup first. Needs rclone 1.75 or newer, and a file rclone.conf with a section [copy]
# in the same folder as this script; RESTORE.txt shows it.
#
#   sh THIS-SCRIPT restored         into a new folder on this computer
#   sh THIS-SCRIPT new:BUCKET       into an empty bucket: add a section [new] to rclone.conf

target=${{1-}}
config=rclone.conf
kept={kept}
failed=0
fail() {{ printf '%s\\n' "$*" >&2; exit 1; }}
rc() {{ rclone --config "$config" "$@"; }}

[ -n "$target" ] || fail "Name a new folder or a bucket: sh $0 restored"
case $target in
  /* | ./* | ../*) here=1 ;;
  *:*) here= ;;
  *) here=1; target=./$target ;;
esac
target=${{target%/}}
beside=./restored.singly
[ -z "$here" ] || beside=$target.singly
command -v rclone >/dev/null || fail "rclone is not installed: https://rclone.org/install/"
[ -r "$config" ] || fail "rclone.conf is not in this folder. RESTORE.txt shows its contents."
[ ! -e "$beside" ] || fail "$beside already exists. Move it away first."
if [ -n "$here" ]; then
  [ ! -e "$target" ] || fail "$target already exists. Name a new folder."
  mkdir -p "$target" || exit 1
else
  there=$(rc lsf "$target" --max-depth 1) || fail "$target could not be listed."
  [ -z "$there" ] || fail "$target is not empty."
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# Has a run changed the copy since this script was made?
rc lsf "$kept" --dirs-only > "$work/there" || fail "The bucket could not be listed."
LC_ALL=C grep -xE '[0-9]{{8}}T[0-9]{{6}}Z/' "$work/there" | LC_ALL=C sort > "$work/now"
cat > "$work/known" <<'{end}'
{known}
{end}
cat > "$work/needed" <<'{end}'
{needed}
{end}
if [ -n "$(LC_ALL=C comm -23 "$work/now" "$work/known")" ]; then
  fail "A run has changed the copy since this script was made. Download the script again."
fi
while IFS= read -r folder; do
  [ -z "$folder" ] || grep -qxF "$folder" "$work/now" ||
    fail "The old versions in $folder were deleted. This day can no longer be restored."
done < "$work/needed"

fetch() {{ # PLACE: the names are in $work/names; rclone takes an empty list for all there is
  [ -s "$work/names" ] || return 0
  rc copy "$1" "$target" --files-from-raw "$work/names" --no-traverse {flags} || failed=1
}}
note() {{ # NUMBER SIZE NAME
  printf '%s\\t%s\\n' "$1" "$3" >> "$beside/NAMES.txt"
  [ "$(( $(wc -c < "$beside/$1") ))" -eq "$2" ] || failed=1
}}
single() {{ # NUMBER SIZE NAME PLACE: a name that no folder can hold beside others
  if [ -z "$here" ]; then
    rc copyto "$4" "$target/$3" --metadata || failed=1
  else
    mkdir -p "$beside" && rc copyto "$4" "$beside/$1" --metadata || failed=1
    note "$1" "$2" "$3"
  fi
}}
odd() {{ # NUMBER SIZE NAME WORDS...: a name that no list can carry
  number=$1 bytes=$2 name=$3
  shift 3
  mkdir -p "$beside" && rc "$@" > "$beside/$number" || failed=1
  note "$number" "$bytes" "$name"
}}
"""

_TAIL = """
count={count} bytes={bytes} beside_count={singles}
if [ -z "$here" ]; then
  count=$((count + {folded})) bytes=$((bytes + {folded_bytes})) beside_count={odd}
fi
told=$(rc size "$target" --json) || failed=1
case $told in
  *'"count":'"$count"',"bytes":'"$bytes"[,}}]*) ;;
  *) failed=1; printf 'Expected: %s objects, %s bytes. Got: %s\\n' "$count" "$bytes" "$told" >&2 ;;
esac
[ "$failed" -eq 0 ] || fail "NOT COMPLETE: some objects were not restored. See the errors above."
printf 'Restored %s objects, %s bytes, to %s.\\n' "$count" "$bytes" "$target"
[ "$beside_count" -eq 0 ] || printf '%s more are in %s; NAMES.txt there lists their names.\\n' \
  "$beside_count" "$beside"
"""
