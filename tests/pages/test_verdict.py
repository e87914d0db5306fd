"""Is everything fine? "All good" only when all of it is known to be."""

from dataclasses import replace

import pytest

from bucketvault.engine.verdict import Tone, tone_of, verdict
from bucketvault.vocabulary import Phase
from tests.pages import scenes
from tests.pages.scenes import backup_row


def test_nothing_is_set_up() -> None:
    assert verdict([]).sentence == "Nothing is backed up yet."


def test_all_good_when_every_enabled_backup_has_succeeded() -> None:
    said = verdict(scenes.good_rows())

    assert (said.tone, said.sentence) == (
        Tone.OK,
        "All good. Every backup has the copy it should have.",
    )
    assert said.detail == "Video masters runs now."
    assert (said.needs, said.running) == ((), 1)


def test_one_backup_is_called_by_its_name() -> None:
    said = verdict([backup_row(1)])

    assert said.sentence == "All good. Customer uploads has the copy it should have."


@pytest.mark.parametrize(
    "changes",
    [
        {"last_run": scenes.failed_run()},
        {"last_run": scenes.held_run()},
        {"last_run": scenes.stopped_run()},
        {"last_run": scenes.warned_run()},
        {"last_run": None, "last_good_at": None},
        {"last_good_at": None},
        {"overdue": True},
        {"last_run": scenes.failed_run(), "active_run": scenes.live_run()},
        {"last_run": None, "last_good_at": None, "active_run": scenes.pending_run()},
    ],
)
def test_anything_less_is_never_all_good(changes: dict[str, object]) -> None:
    said = verdict([backup_row(1), backup_row(2, **changes)])

    assert "All good" not in (said.sentence, said.short)
    assert not said.sentence.startswith("All good")
    assert said.tone != Tone.OK


def test_a_single_one_that_needs_somebody_is_named() -> None:
    said = verdict([backup_row(1), backup_row(4, last_run=scenes.failed_run())])

    assert (said.tone, said.sentence) == (Tone.BAD, "Postgres dumps needs you.")
    assert said.detail == "The other one has a good copy."
    assert said.needs[0].run_id == 2


def test_the_most_urgent_stands_first() -> None:
    said = verdict(scenes.bad_rows())

    assert said.sentence == "3 of 7 backups need you."
    assert [need.tone for need in said.needs] == [Tone.BAD, Tone.HELD, Tone.MISS]
    assert said.short == "3 need you"


def test_only_held_ones_are_not_called_failed() -> None:
    said = verdict([backup_row(5, last_run=scenes.held_run())])

    assert said.tone == Tone.HELD


def test_a_failed_one_that_runs_again_does_not_need_anybody_yet() -> None:
    again = backup_row(4, last_run=scenes.failed_run(), active_run=scenes.live_run())

    said = verdict([backup_row(1), again])

    assert (said.tone, said.needs) == (Tone.RUN, ())
    assert said.sentence == "Postgres dumps failed last time and goes again."


def test_backups_that_are_switched_off_do_not_count() -> None:
    off = backup_row(6, enabled=False, last_run=scenes.failed_run())

    assert verdict([backup_row(1), off]).tone == Tone.OK
    assert verdict([off]).sentence == "Every backup is switched off."


def test_the_state_of_a_row_is_what_it_does_now() -> None:
    row = backup_row(1)

    assert tone_of(row) == Tone.OK
    assert tone_of(replace(row, active_run=scenes.live_run(phase=Phase.CHECKING))) == Tone.RUN
    assert tone_of(replace(row, active_run=scenes.pending_run())) == Tone.WAIT
    assert tone_of(replace(row, overdue=True)) == Tone.MISS
    assert tone_of(replace(row, overdue=True, last_run=scenes.failed_run())) == Tone.BAD
    assert tone_of(replace(row, enabled=False)) == Tone.OFF
    assert tone_of(replace(row, last_run=None)) == Tone.NONE
