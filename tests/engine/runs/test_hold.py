"""An approval is about names: a run may do what was shown, and beyond it what any run may."""

import datetime as dt
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.listing.plan import TOTALS, Plan
from bucketvault.engine.runs import hold, queue
from bucketvault.store.models import BackupRun, Storage, utcnow
from bucketvault.vocabulary import HoldReason, RunStatus, Trigger
from tests.engine.runs.plans import a_plan, found_of
from tests.store_fixtures import a_backup, a_run

OF = 200


def names(begin: str, count: int) -> list[str]:
    return [f"{begin}-{number:04}" for number in range(count)]


@pytest.fixture
def approved(ends: tuple[Storage, Storage]) -> BackupRun:
    """A run that has looked, between ends of a good run before, approved a minute ago."""
    backup = a_backup("Photos", *ends)
    spec = queue.freeze(backup)
    a_run(backup, RunStatus.SUCCESS, spec=spec.to_json())
    until = utcnow() + dt.timedelta(hours=24)
    return a_run(
        backup,
        RunStatus.RUNNING,
        trigger=Trigger.APPROVED,
        spec=spec.to_json(),
        approved_limits={"plan": "the held one", "until": until.isoformat()}
        | {"ends": queue.ends_of(spec)},
        started_at=utcnow(),
    )


@pytest.fixture
def first(approved: BackupRun) -> BackupRun:
    """The same, and no run between these ends has succeeded."""
    BackupRun.delete().where(BackupRun.id != approved.id).execute()
    return approved


def judge(run: BackupRun, plan: Plan, held: Plan | None) -> HoldReason | None:
    why, found = hold.hold_reason(run, plan, found_of(plan, OF), held)
    assert bool(found.beyond) == (why == HoldReason.MORE)
    return why


def test_what_was_approved_by_name_may_be_done(approved: BackupRun, tmp_path: Path) -> None:
    all_of_it = {"removed": names("gone", 150), "replaced": names("old", 40)}
    held = a_plan(tmp_path / "held", **all_of_it, altered=["mended"])
    plan = a_plan(tmp_path / "now", **all_of_it, altered=["mended"], new=names("new", 500))

    assert judge(approved, plan, None) == HoldReason.SHARE
    assert judge(approved, plan, held) is None


def test_as_many_others_may_not(approved: BackupRun, tmp_path: Path) -> None:
    held = a_plan(tmp_path / "held", removed=names("gone", 150))
    plan = a_plan(tmp_path / "now", removed=names("other", 150))

    assert judge(approved, plan, held) == HoldReason.MORE


def test_what_was_to_be_replaced_may_not_be_removed(approved: BackupRun, tmp_path: Path) -> None:
    held = a_plan(tmp_path / "held", replaced=names("old", 150))

    assert judge(approved, a_plan(tmp_path / "a", removed=names("old", 150)), held) is not None
    # changed by somebody else since, or at the source: replaced all the same
    assert judge(approved, a_plan(tmp_path / "b", altered=names("old", 150)), held) is None


@pytest.mark.parametrize(
    ("more", "why"),
    [(0, None), (1, None), (9, None), (24, None), (25, HoldReason.MORE), (150, HoldReason.MORE)],
)
def test_what_was_not_approved_is_judged_as_in_any_run(
    approved: BackupRun, tmp_path: Path, more: int, why: HoldReason | None
) -> None:
    """As if the approved were done already: of 200, 152 may go, and half of 48 of the others."""
    shown = names("gone", 152)
    held = a_plan(tmp_path / "held", removed=shown)
    plan = a_plan(tmp_path / "now", removed=[*shown, *names("more", more)])

    assert judge(approved, plan, held) == why
    _, found = hold.hold_reason(approved, plan, found_of(plan, OF), held)
    assert found.beyond == (more if why else 0)


def test_of_what_was_approved_less_may_be_left_to_do(approved: BackupRun, tmp_path: Path) -> None:
    held = a_plan(tmp_path / "held", removed=names("gone", 150), replaced=names("old", 40))

    assert judge(approved, a_plan(tmp_path / "a", removed=names("gone", 149)), held) is None
    assert judge(approved, a_plan(tmp_path / "b"), held) is None


def test_a_first_run_removes_only_what_was_approved(first: BackupRun, tmp_path: Path) -> None:
    held = a_plan(tmp_path / "held", removed=["theirs"])

    assert judge(first, a_plan(tmp_path / "a", removed=["theirs"]), None) == HoldReason.FIRST
    assert judge(first, a_plan(tmp_path / "b", removed=["theirs"]), held) is None
    more = a_plan(tmp_path / "c", removed=["another", "theirs"])
    assert judge(first, more, held) == HoldReason.MORE


def test_an_approval_is_valid_for_runs_that_begin_within_a_day(
    approved: BackupRun, tmp_path: Path
) -> None:
    plan = a_plan(tmp_path / "held", removed=names("gone", 150))

    approved.started_at = utcnow() + dt.timedelta(hours=23)
    assert judge(approved, plan, plan) is None
    approved.started_at = utcnow() + dt.timedelta(hours=25)
    assert judge(approved, plan, plan) == HoldReason.SHARE


def test_an_approval_between_other_places_covers_nothing(
    approved: BackupRun, tmp_path: Path
) -> None:
    plan = a_plan(tmp_path / "held", removed=names("gone", 150))
    approved.approved_limits["ends"][0][1] = "another-bucket"

    assert judge(approved, plan, plan) == HoldReason.SHARE


def test_a_run_that_nobody_approved_has_no_plan_approved(
    approved: BackupRun, tmp_path: Path
) -> None:
    plan = a_plan(tmp_path / "held", removed=names("gone", 150))
    approved.approved_limits = {}

    assert judge(approved, plan, plan) == HoldReason.SHARE


def cut_in_the_middle(held: Path) -> None:
    file = held / "to_do-gone.gz"
    file.write_bytes(file.read_bytes()[:-40])


def with_one_bit_turned(held: Path) -> None:
    file = held / "to_do-gone.gz"
    body = bytearray(file.read_bytes())
    body[-5] ^= 1  # of the checksum, behind all the names
    file.write_bytes(body)


def without_its_names(held: Path) -> None:
    (held / "to_do-gone.gz").unlink()


def never_whole(held: Path) -> None:
    (held / TOTALS).unlink()


def of_another_time(held: Path) -> None:
    (held / TOTALS).write_text('["another format"]')


@pytest.mark.parametrize(
    "spoil",
    [cut_in_the_middle, with_one_bit_turned, without_its_names, never_whole, of_another_time],
)
def test_a_held_plan_that_is_damaged_approves_nothing(
    approved: BackupRun, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    plan = a_plan(tmp_path / "now", removed=names("gone", 100))
    held = a_plan(tmp_path / "held", removed=names("gone", 150))
    assert judge(approved, a_plan(tmp_path / "more", removed=names("gone", 150)), held) is None
    plan = a_plan(tmp_path / "now", removed=names("gone", 120))
    spoil(held.folder)

    assert judge(approved, plan, held) is not None


KEYS = st.sets(st.text(alphabet="ab/%\n\té", min_size=1, max_size=4), max_size=12)


@given(KEYS, KEYS, KEYS, KEYS)
def test_what_is_beyond_an_approval_is_what_sets_of_names_say(
    tmp_path_factory: pytest.TempPathFactory,
    shown_removed: set[str],
    shown_replaced: set[str],
    removed: set[str],
    replaced: set[str],
) -> None:
    folder = tmp_path_factory.mktemp("plans")
    held = a_plan(folder / "held", removed=shown_removed, altered=shown_replaced - shown_removed)
    plan = a_plan(folder / "now", removed=removed, replaced=replaced - removed)

    beyond = hold.not_approved(plan, found_of(plan, 30), held)

    assert beyond == Findings(
        removed=len(removed - shown_removed),
        replaced=len(replaced - removed - (shown_replaced - shown_removed)),
        destination_objects=30 - len(removed & shown_removed),
    )


def test_comparing_takes_no_more_memory_for_more_names(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        held = a_plan(tmp_path / f"held-{count}", removed=names("gone", count))
        plan = a_plan(tmp_path / f"now-{count}", removed=names("gone", count + 100))
        tracemalloc.start()
        try:
            beyond = hold.not_approved(plan, found_of(plan, count + 100), held)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert beyond is not None and beyond.removed == 100

    peak(1000)  # what is imported and cached comes with the first

    assert peak(9000) < peak(1000) + 100_000  # 8,000 names alone would be three times that
