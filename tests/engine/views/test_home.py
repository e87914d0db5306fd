"""Which of the first steps are done, as what exists tells."""

import pytest

from bucketvault.engine.views import backups
from bucketvault.engine.views.home import FirstSteps, first_steps
from bucketvault.vocabulary import RunKind, RunStatus, UsageType
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage

pytestmark = pytest.mark.usefixtures("open_store")


def steps() -> FirstSteps | None:
    return first_steps(backups.backups(), mail_is_set_up=False)


def test_an_empty_installation_has_every_step_before_it() -> None:
    assert steps() == FirstSteps((), (), mail_is_set_up=False)


def test_buckets_are_picked_once_one_can_be_copied_to_another() -> None:
    provider = a_provider("Backblaze EU")
    told = []

    for name, usage in (
        ("photos", UsageType.SOURCE_ONLY),
        ("music", UsageType.SOURCE_ONLY),
        ("copies", UsageType.DESTINATION_ONLY),
    ):
        a_storage(provider, name, usage_type=usage)
        told.append(steps())

    assert [one.buckets for one in told if one] == [(), (), ("copies", "music", "photos")]
    assert all(one and one.providers == ((provider.id, "Backblaze EU"),) for one in told)


def test_one_bucket_for_everything_is_not_two() -> None:
    a_storage(a_provider(), "everything")

    told = steps()

    assert told is not None and told.buckets == ()


def test_the_steps_are_gone_with_the_first_success_and_not_before() -> None:
    provider = a_provider()
    backup = a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies"))
    a_run(backup, RunStatus.FAILED)
    a_run(backup, kind=RunKind.PREVIEW)
    assert steps() is not None

    a_run(backup, RunStatus.SUCCESS)

    assert steps() is None
