"""Targets of alerts by the page: added, tested, changed and deleted, the URL never shown again."""

import pytest
from nicegui.testing import User

from bucketvault.engine.mail.mail_views import Trial
from bucketvault.vocabulary import AlertEvent
from tests.pages import scenes_settings
from tests.pages.fake_engine import FakeEngine
from tests.pages.scenes_catalogue import FakeProviders
from tests.pages.scenes_settings import FakePreferences
from tests.pages.waiting import becomes

NTFY = "ntfys://tk_0a1b2c3d4e5f@ntfy.example.com/backups"


@pytest.fixture
def preferences(engine: FakeEngine) -> FakePreferences:
    made = FakePreferences(engine.live)
    made.shown = scenes_settings.targets()
    engine.preferences, engine.providers = made, FakeProviders(engine.live)
    return made


def typed(user: User, marker: str, words: str) -> None:
    (field,) = user.find(marker=marker).elements
    field.set_value(words)  # type: ignore[attr-defined]


async def test_a_target_is_added_and_its_service_recognised_while_its_url_is_typed(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    user.find(marker="add-target").click()
    await user.should_see("discord.com/api/webhooks")  # of the examples
    typed(user, "url", NTFY)
    await user.should_see("Recognised: ntfy, ntfy.example.com.")
    user.find(marker="events-held").click()

    user.find(marker="save-target").click()

    await becomes(lambda: preferences.alerts.created)
    (given,) = preferences.alerts.created
    assert given.url == NTFY and AlertEvent.HELD not in given.events and len(given.events) == 6
    await user.should_see("The target was added. Send a test.")
    await user.should_see("Nothing was sent to it yet.")
    await user.should_not_see("Recognised")


async def test_a_bad_url_is_refused_beside_its_field_and_nothing_is_lost(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    user.find(marker="add-target").click()
    typed(user, "name", "Mine")
    typed(user, "url", "mailto://me@example.com")

    user.find(marker="save-target").click()

    await user.should_see("Email is set up under Email alerts, above.")
    assert not preferences.alerts.created
    (name,) = user.find(marker="name").elements
    assert name.value == "Mine"  # type: ignore[attr-defined]


async def test_each_target_tells_its_last_result_and_what_was_given_up(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")

    await user.should_see("ntfy, ntfy.example.com")
    await user.should_see("All events")
    await user.should_see("Failed, overdue, found damage")
    await user.should_see("no such webhook")
    await user.should_see("2 alerts will be tried again.")
    await user.should_see("To Team chat: Postgres dumps failed")
    user.find(marker="try-again-9").click()
    await becomes(lambda: preferences.tried == [9])


async def test_send_test_says_how_it_went(user: User, preferences: FakePreferences) -> None:
    await user.open("/settings")
    user.find(marker="send-test-target-1").click()
    await user.should_see("Phone accepted the test alert.")

    preferences.alerts.trial = Trial(False, "HTTP 404: no such topic.", "Check the URL.")
    user.find(marker="send-test-target-2").click()

    await user.should_see("HTTP 404: no such topic. Check the URL.")
    assert preferences.alerts.tested == [1, 2]


async def test_a_target_is_changed_without_its_url_and_deleted_after_a_question(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    user.find(marker="edit-target-1").click()
    typed(user, "name", "My phone")
    user.find(marker="save-target").click()
    await becomes(lambda: preferences.alerts.changed)
    ((number, given),) = preferences.alerts.changed
    assert (number, given.name, given.url) == (1, "My phone", None)

    user.find(marker="delete-target-2").click()
    await user.should_see("Delete the target Team chat?")
    user.find(marker="confirm").click()

    await user.should_not_see("Failed, overdue, found damage")
