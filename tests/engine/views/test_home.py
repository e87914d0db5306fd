"""Which of the first steps are done, as what exists tells."""

import pytest

from bucketvault.engine.views import backups
from bucketvault.engine.views.home import FirstSteps, first_steps
from bucketvault.vocabulary import RunKind, RunStatus
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

pytestmark = pytest.mark.usefixtures("open_store")


def steps() -> FirstSteps | None:
    return first_steps(backups.backups(), mail_is_set_up=False)


def test_what_there_is_ticks_the_steps_off() -> None:
    assert steps() == FirstSteps((), mail_is_set_up=False)

    a_provider("Backblaze EU")

    assert steps() == FirstSteps(("Backblaze EU",), mail_is_set_up=False)


def test_the_steps_are_gone_with_the_first_success_and_not_before() -> None:
    provider = a_provider()
    backup = a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies"))
    a_run(backup, RunStatus.FAILED)
    a_run(backup, kind=RunKind.PREVIEW)
    assert steps() is not None

    a_run(backup, RunStatus.SUCCESS)

    assert steps() is None
