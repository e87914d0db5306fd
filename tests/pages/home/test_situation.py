"""Is everything fine? "All good" only when all of it is known to be."""

from dataclasses import replace

import pytest

from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.situation import Situation, Tone, situation_of, tone_of
from bucketvault.vocabulary import Phase, Reason
from tests.pages import scenes
from tests.pages.scenes import GOOD_INSTALLATION, Installation, backup_row


def of_all(rows: list[BackupRow], installation: Installation = GOOD_INSTALLATION) -> Situation:
    return situation_of(rows, installation.issues())


def test_nothing_is_set_up() -> None:
    assert of_all([]).sentence == "Nothing is backed up yet."


def test_all_good_when_every_enabled_backup_has_succeeded() -> None:
    said = of_all(scenes.good_rows())

    assert (said.tone, said.sentence) == (
        Tone.OK,
        "All good. All backups are up to date.",
    )
    assert said.detail == (
        "1,526 of 1,526 objects are at their destinations. Video masters runs now."
    )
    assert (said.backup_issues, said.running) == ((), 1)


def test_one_backup_is_called_by_its_name() -> None:
    said = of_all([backup_row(1)])

    assert said.sentence == "All good. Customer uploads is up to date."


BACKUPS_CLAUSES = {
    "no backup at all": None,
    "every backup is switched off": {"enabled": False},
    "failed": {"last_run": scenes.failed_run()},
    "held": {"last_run": scenes.held_run()},
    "stopped": {"last_run": scenes.stopped_run()},
    "warned": {"last_run": scenes.warned_run()},
    "never run": {"last_run": None, "last_good_at": None},
    "no good copy": {"last_good_at": None},
    "overdue": {"overdue": True},
    "an end was changed since": {"moved": True},
    "failed, and under way again": {
        "last_run": scenes.failed_run(),
        "active_run": scenes.live_run(),
    },
    "its first run waits": {
        "last_run": None,
        "last_good_at": None,
        "active_run": scenes.pending_run(),
    },
}
PROGRAM_CLAUSES = {
    "the scheduler has stalled": ({"scheduler_beats": False}, "Scheduled runs do not start"),
    "nobody knows whether it beats": (
        {"scheduler_beats": None},
        "Not known whether scheduled runs start",
    ),
    "rclone is missing": ({"rclone_problem": "rclone is missing."}, "rclone cannot be used"),
    "nobody knows of rclone": ({"rclone_problem": None}, "Not known whether rclone can be used"),
    "the disk is full": ({"disk_problem": "12 MB left."}, "The disk is nearly full"),
    "nobody knows of the disk": ({"disk_problem": None}, "Not known whether the disk has room"),
    "nobody knows of mail": ({"mail_is_set_up": None}, "Not known whether mail arrives"),
    "a mail was given up": ({"dead_mails": 1}, "Email does not arrive"),
    "nobody knows of lost mails": ({"dead_mails": None}, "Not known whether mail arrives"),
}


def never_all_good(said: Situation) -> bool:
    return "good" not in said.sentence.lower() + said.short.lower() and said.tone != Tone.OK


@pytest.mark.parametrize("clause", BACKUPS_CLAUSES)
def test_a_backup_that_is_less_than_good_is_never_all_good(clause: str) -> None:
    changes = BACKUPS_CLAUSES[clause]

    rows = [] if changes is None else [backup_row(2, **changes)]
    said = of_all(rows)

    assert never_all_good(said)
    if changes is not None and changes.get("enabled", True):
        assert never_all_good(of_all([backup_row(1), *rows]))


@pytest.mark.parametrize("clause", PROGRAM_CLAUSES)
def test_a_program_that_is_less_than_good_is_never_all_good_and_says_why(clause: str) -> None:
    changes, title = PROGRAM_CLAUSES[clause]

    said = of_all(scenes.good_rows(), replace(GOOD_INSTALLATION, **changes))

    assert never_all_good(said)
    assert [want.title for want in said.installation_issues] == [title]
    assert f"{title}." in said.sentence


def test_what_keeps_copies_from_being_made_is_as_bad_as_a_failed_backup() -> None:
    broken = replace(GOOD_INSTALLATION, rclone_problem="rclone is missing.", mail_is_set_up=False)

    good, bad = of_all(scenes.good_rows(), broken), of_all(scenes.bad_rows(), broken)

    assert (good.tone, good.sentence, good.short) == (
        Tone.BAD,
        "rclone cannot be used.",
        "1 needs attention",
    )
    assert good.detail.startswith("All backups are up to date.")
    assert [want.is_bad for want in good.installation_issues] == [True, False]
    assert (bad.tone, bad.sentence, bad.short) == (
        Tone.BAD,
        "3 of 7 backups need attention.",
        "4 need attention",
    )


def test_alerts_that_are_off_are_a_hint_and_leave_home_green() -> None:
    said = of_all([backup_row(1)], replace(GOOD_INSTALLATION, mail_is_set_up=False))

    assert (said.tone, said.short) == (Tone.OK, "All good")
    (hint,) = said.installation_issues
    assert hint.is_hint and hint.title == "Alerts are off"
    assert hint.why == "You won't be told when a backup fails."
    watched = replace(GOOD_INSTALLATION, mail_is_set_up=False, watched_elsewhere=True)
    assert of_all([backup_row(1)], watched).installation_issues == ()


def test_a_single_one_that_needs_attention_is_named() -> None:
    said = of_all([backup_row(1), backup_row(4, last_run=scenes.failed_run())])

    assert (said.tone, said.sentence) == (
        Tone.BAD,
        "Postgres dumps failed: " + scenes.failed_run().explanation,
    )
    assert said.detail == "The other one has a good copy."
    assert said.backup_issues[0].run_id == 2


def test_the_most_urgent_stands_first() -> None:
    said = of_all(scenes.bad_rows())

    assert said.sentence == "3 of 7 backups need attention."
    assert [need.tone for need in said.backup_issues] == [Tone.BAD, Tone.HELD, Tone.MISS]
    assert said.short == "3 need attention"


def test_only_held_ones_are_not_called_failed() -> None:
    said = of_all([backup_row(5, last_run=scenes.held_run())])

    assert said.tone == Tone.HELD


def test_a_failed_one_that_runs_again_does_not_need_anybody_yet() -> None:
    again = backup_row(4, last_run=scenes.failed_run(), active_run=scenes.live_run())

    said = of_all([backup_row(1), again])

    assert (said.tone, said.backup_issues) == (Tone.RUN, ())
    assert said.sentence == "Postgres dumps failed last time and is being retried."


def test_backups_that_are_switched_off_do_not_count() -> None:
    off = backup_row(6, enabled=False, last_run=scenes.failed_run())

    assert of_all([backup_row(1), off]).tone == Tone.OK
    assert of_all([off]).sentence == "All backups are paused."


def test_an_overdue_backup_whose_last_run_was_stopped_says_so() -> None:
    stopped = replace(scenes.failed_run(), reason=Reason.STOPPED)

    said = of_all([replace(backup_row(1), overdue=True, last_run=stopped)])

    assert said.backup_issues[0].tone == Tone.MISS
    assert "The last run was stopped by you." in said.backup_issues[0].why


def test_the_state_of_a_row_is_what_it_does_now() -> None:
    row = backup_row(1)

    assert tone_of(row) == Tone.OK
    assert tone_of(replace(row, active_run=scenes.live_run(phase=Phase.CHECKING))) == Tone.RUN
    assert tone_of(replace(row, active_run=scenes.pending_run())) == Tone.WAIT
    assert tone_of(replace(row, overdue=True)) == Tone.MISS
    assert tone_of(replace(row, overdue=True, last_run=scenes.failed_run())) == Tone.BAD
    assert tone_of(replace(row, enabled=False)) == Tone.OFF
    assert tone_of(replace(row, last_run=None)) == Tone.NONE
