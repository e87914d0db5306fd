"""Tests of what a run has done, by its first look and its last alone."""

from collections.abc import Iterable
from pathlib import Path

from bucketvault.engine.listing.done import Done, done_between
from bucketvault.engine.listing.ledger import CANNOT, Ledger, Record, writing
from bucketvault.engine.listing.merge import Stand, What
from tests.engine.runs.plans import difference, write_plan

AT = "2026-11-30T03:00:00+00:00"


def ledger(path: Path, names: Iterable[str], *, mark: str = "") -> Ledger:
    with writing(path, AT) as new:
        for name in sorted(names):
            new.add(Record(name.encode(), 10, "e", "", "e", "", "", mark))
    return Ledger(path)


def test_what_was_wanted_is_done_where_the_last_look_found_it_right(tmp_path: Path) -> None:
    wanted = [difference(f"new-{n}", What.NEW) for n in range(3)]
    wanted += [difference(f"changed-{n}", What.CHANGED, size=7) for n in range(30)]
    wanted += [difference("lost", What.LOST), difference("gone", What.GONE)]
    right = ledger(tmp_path / "ledger.gz", [one.key.decode() for one in wanted if one.source])
    first, last = write_plan(tmp_path / "look-0", wanted), write_plan(tmp_path / "look-1", ())

    assert done_between(first, last, right) == Done(4, 30, 1, bytes=4 * 3 + 30 * 7)


def test_what_is_still_wrong_or_went_at_both_ends_is_not_done(tmp_path: Path) -> None:
    whats = {"new": What.NEW, "changed": What.CHANGED, "gone": What.GONE, "again": What.NEW}
    first = write_plan(
        tmp_path / "look-0",
        [
            *(difference(name, what) for name, what in whats.items()),
            difference("vanished", What.NEW),  # the source lost it before it was copied
            difference("back", What.GONE),  # and this one it has again
            difference("cannot", What.NEW),
        ],
    )
    # what is to be said of a key until it is right stays in the ledger, so that proves nothing
    right = ledger(tmp_path / "ledger.gz", ["back", "changed"])
    stands = {"new": Stand.FAILED, "changed": Stand.TO_DO, "gone": Stand.TO_DO}
    last = write_plan(
        tmp_path / "look-1",
        [
            *(difference(name, whats[name], stand=stand) for name, stand in stands.items()),
            difference("again", What.CHANGED, stand=Stand.SINCE),
            difference("other", What.NEW, stand=Stand.SINCE),  # of no interest: it was not to do
        ],
    )

    assert done_between(first, last, right) == Done(unclear=1)


def test_a_name_that_cannot_be_copied_is_not_done_for_standing_in_the_ledger(
    tmp_path: Path,
) -> None:
    first = write_plan(tmp_path / "look-0", [difference("long", What.NEW)])
    marked = ledger(tmp_path / "ledger.gz", ["long"], mark=CANNOT)

    assert done_between(first, write_plan(tmp_path / "look-1", ()), marked) == Done()
