"""A pass of a run: the names that it keeps, copies and removes, and the steps to do so.

Every step is safe by itself, so the runner does the next one also after an error. Nothing is
overwritten whose former version was not seen among the kept versions, nothing is removed that the
plan does not name, and the copy never has a hole: an upload replaces in one stroke.
"""

import datetime as dt
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bucketvault.engine.domain.rules import ARCHIVE_ROOT
from bucketvault.engine.domain.services import service_of
from bucketvault.engine.domain.spec import RunSpec
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.listing.bucket import Bucket
from bucketvault.engine.listing.lists import BARE, HASHED, Lists, write_lists
from bucketvault.engine.listing.merge import Stand, Totals, What
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone import commands as command
from bucketvault.engine.rclone import requests
from bucketvault.humanize import many
from bucketvault.humanize import size as size_words
from bucketvault.vocabulary import Json

MOST_PASSES = 3


@dataclass(frozen=True, slots=True)
class Pass:
    """Work for the runner: steps, and what their programs read, which may hold keys."""

    steps: list[Json]
    stdin: dict[str, str]


def stamp_of(first: str, number: int) -> str:
    """Return the name of the kept versions' folder of the pass `number`, from that of the first."""
    begun = dt.datetime.strptime(first, command.STAMP_FORMAT).replace(tzinfo=dt.UTC)
    return (begun + dt.timedelta(seconds=number - 1)).strftime(command.STAMP_FORMAT)


def is_bulk(totals: Totals) -> bool:
    """True if rclone may list both ends by itself, which is cheaper than asking for each name.

    Only where the copy has nothing that a listing which leaves out a folder could overwrite.
    """
    if totals.cannot:  # rclone would try those too
        return False
    return not totals.copy_objects and totals.count(Stand.TO_DO, What.NEW, What.LOST) > 0


_STEPS = {
    "keep": "keeping the old versions of {}",
    "copy": "copying {}",
    "remove": "removing {}",
}


def step_line(
    number: int,
    step: str,
    words: str,
    *,
    objects: int = 0,
    size: int = 0,
    requests: Use | None = None,
    listed: bool = False,
) -> Json:
    """Return our own line of a run's log where a step begins; its time is yet to be added.

    `requests`: those that no line of rclone tells of; `listed`: rclone lists both ends by itself.
    """
    asked = {"requests": requests.to_json()} if requests is not None else {}
    return {
        "level": "notice",
        "msg": words,
        "source": "bucketvault",
        "bucketvault": "step",
        "pass": number,
        "step": step,
        "objects": objects,
        "bytes": size,
        **asked,
        **({"listed": True} if listed else {}),
    }


def step_begins(
    spec: RunSpec,
    number: int,
    step: str,
    objects: int,
    size: int = 0,
    *,
    lists: Use | None = None,
) -> Json:
    """Return our own line of a run's log where a step of a pass begins."""
    what = _STEPS[step].format(many(objects, "object")) + (f", {size_words(size)}" if size else "")
    words, listed = f"Pass {number}: {what}", lists is not None
    line = step_line(number, step, words, objects=objects, size=size, requests=lists, listed=listed)
    slug = service_of(spec.destination.provider_type, spec.destination.endpoint).slug
    # it decides the size of parts, and so the number of requests
    return line | ({"service": slug} if requests.cut_at(slug) != requests.USUAL else {})


def prepare(
    spec: RunSpec, plan: Plan, folder: Path, number: int, stamp: str, destination: Bucket
) -> Pass:
    """Write the name lists of a pass into the run's folder, and return its steps."""
    here = folder / f"pass-{number}"
    here.mkdir(mode=0o700, exist_ok=True)
    totals = plan.totals()
    is_locked = bool(spec.destination.traits.object_lock)
    if number == 1 and is_bulk(totals) and not is_locked:
        new = totals.count(Stand.TO_DO)
        log = step_begins(
            spec, number, "copy", new, totals.bytes_to_copy, lists=_lists_of_bulk(plan)
        )
        return Pass([_step(spec, "copy", log, command.bulk(spec))], {})
    work = Pass([], {})
    for only in (HASHED, BARE) if is_locked and not spec.source.traits.kms else ("",):
        _add_steps(work, spec, plan, here, number, stamp, destination, only)
    return work


def _add_steps(
    work: Pass,
    spec: RunSpec,
    plan: Plan,
    here: Path,
    number: int,
    stamp: str,
    destination: Bucket,
    only: str,
) -> None:
    """Add the steps for `only` these objects: a bucket with Object Lock takes some in parts."""
    in_parts = bool(spec.destination.traits.object_lock) and only != HASHED
    folder = here / only
    folder.mkdir(mode=0o700, exist_ok=True)
    paths = bool(spec.source.path or spec.destination.path)
    lists = write_lists(plan, folder, below_path=paths, only=only)
    if lists.replace or lists.odd_replace:
        job = {
            "bucket": asdict(destination),
            "prefix": f"{ARCHIVE_ROOT}/{spec.archive_key}/{stamp}/",
            "plan": str(plan.folder),
            "folder": str(folder),
            "only": only,
        }
        work.stdin[f"kept{only}"] = json.dumps(job)
    names = f"{here.name}/{only}".rstrip("/")
    steps = _steps(spec, names, number, stamp, lists, in_parts=in_parts)
    for step in steps:
        if "stdin" in step:
            step["stdin"] += only
    work.steps.extend(steps)


def _step(spec: RunSpec, name: str, log: Json, arguments: list[str]) -> Json:
    step = {"name": name, "log": log, "arguments": arguments}
    is_held_down = name == "copy" and command.clock(spec)
    return step | ({"environment": command.clock(spec)} if is_held_down else {})


def _lists_of_bulk(plan: Plan) -> Use:
    """Return what rclone lists before a first copy: each folder of the source, an empty copy."""
    new = plan.differences(What.NEW, What.LOST)
    return Use(EndUse(lists=requests.listings(found.key for found in new)), EndUse(lists=1))


def _steps(
    spec: RunSpec, here: str, number: int, stamp: str, lists: Lists, *, in_parts: bool
) -> list[Json]:
    steps: list[Json] = []

    def add(
        name: str, objects: int, arguments: list[str], size: int = 0, *, odd: bool = False
    ) -> None:
        # about: the folders on the way to each name, at either end where they are there
        about = EndUse(lists=1 + objects)
        lists = Use(EndUse() if name == "keep" else about, about) if odd else None
        log = step_begins(spec, number, name, objects, size, lists=lists)
        if in_parts and name == "copy":
            log["in_parts"] = True
        steps.append(_step(spec, name, log, arguments))

    if lists.replace:
        add("keep", lists.replace, command.keep(spec, stamp, f"{here}/replace.txt"))
    if lists.odd_replace:
        names = f"{here}/odd-replace.txt"
        add("keep", lists.odd_replace, command.keep(spec, stamp, names, odd=True), odd=True)
    if lists.replace or lists.odd_replace:
        program = [sys.executable, "-I", "-m", "bucketvault.engine.listing.kept"]
        steps.append({"name": "kept", "program": program, "stdin": "kept"})
    if lists.replace or lists.new:
        files = ["new.txt"] * bool(lists.new) + ["kept.txt"] * bool(lists.replace)
        names_of = [f"{here}/{each}" for each in files]
        arguments = command.copy(spec, *names_of, in_parts=in_parts)
        add("copy", lists.replace + lists.new, arguments, lists.bytes)
    if lists.odd_new:
        names = f"{here}/odd-new.txt"
        arguments = command.copy(spec, names, odd=True, in_parts=in_parts)
        add("copy", lists.odd_new, arguments, odd=True)
    if lists.odd_replace:
        names = f"{here}/odd-kept.txt"
        arguments = command.copy(spec, names, odd=True, in_parts=in_parts)
        add("copy", lists.odd_replace, arguments, odd=True)
    if lists.remove:
        add("remove", lists.remove, command.remove(spec, stamp, f"{here}/remove.txt"))
    if lists.odd_remove:
        names = f"{here}/odd-remove.txt"
        add("remove", lists.odd_remove, command.remove(spec, stamp, names, odd=True), odd=True)
    return steps
