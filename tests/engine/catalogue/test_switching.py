"""Backups as pages ask for them: switched on and off, changed by two at once, their runs."""

from dataclasses import replace

import pytest

from bucketvault.engine.catalogue import backups
from bucketvault.engine.domain.times import next_due
from bucketvault.engine.domain.warnings import RunWarning
from bucketvault.engine.views import history
from bucketvault.engine.views.situation import Tone, tone_of_run
from bucketvault.errors import ChangedMeanwhileError, InUseError, InvalidInputError, NotFoundError
from bucketvault.store.models import Backup, BackupRun
from bucketvault.vocabulary import Reason, RunKind, RunStatus, Topic, Trigger, WarningCode
from tests import store_fixtures as make

pytestmark = pytest.mark.usefixtures("open_store")


@pytest.fixture
def photos() -> Backup:
    source = make.a_storage(make.a_provider("Here", endpoint="https://here.example"), "photos")
    there = make.a_storage(make.a_provider("There", endpoint="https://there.example"), "copies")
    return make.a_backup("Photos", source, there, next_due_at=make.at(2))


def test_switching_off_stops_the_schedule_only(photos: Backup) -> None:
    asked_for = make.a_run(photos, RunStatus.PENDING, trigger=Trigger.MANUAL)

    taken = backups.set_enabled(photos.id, False)

    stored = Backup.get_by_id(photos.id)
    assert (stored.enabled, stored.next_due_at, taken) == (False, None, False)
    assert BackupRun.get_by_id(asked_for.id).status == RunStatus.PENDING


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.CATCH_UP])
def test_a_planned_run_that_waits_goes_with_the_schedule(photos: Backup, trigger: Trigger) -> None:
    planned = make.a_run(photos, RunStatus.PENDING, trigger=trigger)

    taken = backups.set_enabled(photos.id, False)

    stored = BackupRun.get_by_id(planned.id)
    assert (taken, stored.status, stored.reason) == (True, RunStatus.FAILED, Reason.STOPPED)


def test_the_form_switches_off_as_the_switch_does(photos: Backup) -> None:
    make.a_run(photos, RunStatus.PENDING, trigger=Trigger.SCHEDULE)

    changed = backups.change(photos.id, replace(backups.stored(photos.id), enabled=False))

    assert changed == ("enabled",)
    assert BackupRun.get().reason == Reason.STOPPED


def test_a_run_under_way_goes_on(photos: Backup) -> None:
    run = make.a_run(photos, RunStatus.RUNNING, trigger=Trigger.SCHEDULE)

    assert backups.set_enabled(photos.id, False) is False

    assert BackupRun.get_by_id(run.id).status == RunStatus.RUNNING


def test_switching_on_plans_anew_and_is_told(photos: Backup, told: list[str]) -> None:
    backups.set_enabled(photos.id, False)
    told.clear()

    backups.set_enabled(photos.id, True)

    stored = Backup.get_by_id(photos.id)
    assert stored.enabled
    assert stored.next_due_at == next_due(stored, stored.planned_since)
    assert Topic.BACKUPS in told


def test_what_could_not_run_is_not_switched_on(photos: Backup) -> None:
    backups.set_enabled(photos.id, False)
    make.a_backup("Other", photos.destination_storage, photos.destination_storage)

    with pytest.raises(InvalidInputError, match='"Other" copies to the same place'):
        backups.set_enabled(photos.id, True)

    assert not Backup.get_by_id(photos.id).enabled


def test_the_second_of_two_changes_is_told_and_writes_nothing(photos: Backup) -> None:
    loaded = backups.stored(photos.id)
    backups.change(photos.id, replace(loaded, at="03:00", retention_days=60), loaded)

    with pytest.raises(ChangedMeanwhileError) as refused:
        backups.change(photos.id, replace(loaded, name="Mine"), loaded)

    assert refused.value.fields == ("at", "retention_days")
    assert Backup.get_by_id(photos.id).name == "Photos"
    backups.change(photos.id, replace(loaded, name="Mine"))
    assert Backup.get_by_id(photos.id).name == "Mine"


def test_a_deletion_says_before_what_goes_with_it(photos: Backup) -> None:
    assert backups.going(photos.id).log_bytes == 0
    make.a_run(photos, log_bytes=2_000)
    make.a_run(photos, log_bytes=1_500)
    running = make.a_run(photos, RunStatus.RUNNING)

    going = backups.going(photos.id)

    assert (going.runs, going.log_bytes, going.running_id) == (3, 3_500, running.id)
    with pytest.raises(InUseError):
        backups.delete(photos.id)
    running.finish(RunStatus.SUCCESS)
    backups.delete(photos.id)
    with pytest.raises(NotFoundError):
        backups.going(photos.id)


def runs_of_every_kind(backup: Backup) -> None:
    make.a_run(backup)
    make.a_run(backup, warnings=[RunWarning(WarningCode.LOG_CUT).to_json()])
    make.a_run(backup, RunStatus.FAILED)
    make.a_run(backup, RunStatus.FAILED, reason=Reason.BRAKE)
    make.a_run(backup, RunStatus.FAILED, reason=Reason.STOPPED)
    make.a_run(backup, kind=RunKind.PREVIEW)
    make.a_run(backup, RunStatus.FAILED, kind=RunKind.PREVIEW)


def test_each_filter_finds_the_runs_of_its_state(photos: Backup) -> None:
    runs_of_every_kind(photos)

    for tone in (Tone.OK, Tone.WARN, Tone.BAD, Tone.HELD, Tone.STOP):
        found = history.runs_page(photos.id, tone)

        assert [tone_of_run(view) for view in found.runs] == [tone]
        assert found.total == 1
    assert history.runs_page(photos.id, Tone.LOOK).total == 2
    assert history.runs_page(photos.id, None).total == 7


def test_runs_come_in_pages_that_new_runs_do_not_move(photos: Backup) -> None:
    made = [make.a_run(photos).id for _ in range(30)]

    first = history.runs_page(photos.id, None)
    make.a_run(photos)
    second = history.runs_page(photos.id, None, before=first.runs[-1].id)

    assert [view.id for view in first.runs] == made[:4:-1]
    assert [view.id for view in second.runs] == made[4::-1]
    assert (first.older, second.older, second.total) == (True, False, 31)
    assert first.since is not None


def test_plots_get_the_last_runs_that_looked_at_the_source(photos: Backup) -> None:
    begun = {"started_at": make.at(1), "finished_at": make.at(2)}
    make.a_run(photos, source_bytes=1, bytes=5, **begun)
    make.a_run(photos, kind=RunKind.PREVIEW, source_bytes=2, **begun)
    make.a_run(photos, RunStatus.FAILED, **begun)
    make.a_run(photos, RunStatus.FAILED, source_bytes=3, **begun)
    make.a_run(photos, RunStatus.PENDING)

    found = history.measures(photos.id)

    assert [(each.source_bytes, each.succeeded) for each in found] == [(1, True), (3, False)]
    assert (found[0].took_s, found[0].moved_bytes) == (3600.0, 5)
