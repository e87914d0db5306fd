"""The settings by forms: each section saved alone, nothing typed lost, no secret shown."""

import pytest
from nicegui.testing import User

from bucketvault.engine.mail.mail_views import Trial
from bucketvault.vocabulary import Topic
from tests.pages import scenes_settings
from tests.pages.fake_engine import FakeEngine
from tests.pages.scenes_catalogue import FakeProviders
from tests.pages.scenes_settings import FakePreferences
from tests.pages.waiting import becomes


@pytest.fixture
def preferences(engine: FakeEngine) -> FakePreferences:
    made = FakePreferences(engine.live)
    engine.preferences, engine.providers = made, FakeProviders(engine.live)
    return made


def typed(user: User, marker: str, words: str) -> None:
    (field,) = user.find(marker=marker).elements
    field.set_value(words)  # type: ignore[attr-defined]


def value(user: User, marker: str) -> str:
    (field,) = user.find(marker=marker).elements
    return str(field.value)  # type: ignore[attr-defined]


def not_saved(user: User) -> str:
    """Names of the sections in the bar."""
    (button,) = user.find(marker="save").elements
    bar = button.parent_slot.parent.parent_slot.parent  # type: ignore[union-attr]
    *_, names = bar.default_slot.children[0].default_slot.children
    return names.text  # type: ignore[attr-defined, no-any-return]


async def test_the_bar_names_what_is_not_saved_and_saves_each_section_alone(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    await user.should_not_see("Not saved: ")
    typed(user, "stall_minutes", "25")
    typed(user, "max_parallel_runs", "99")
    typed(user, "mail_to", "somebody@example.com")
    await user.should_see("Not saved: ")
    await user.should_see("Email alerts, Limits")

    user.find(marker="save").click()

    await becomes(lambda: preferences.saved)
    assert preferences.shown.settings.mail_to == "somebody@example.com"
    await user.should_see("Enter a whole number of runs from 1 to 16.")
    await becomes(lambda: not_saved(user) == "Limits")
    typed(user, "max_parallel_runs", "3")
    user.find(marker="save").click()
    await becomes(lambda: len(preferences.saved) == 2)
    assert preferences.saved[1] == {
        "max_parallel_runs": "3",
        "bandwidth_mb_s": "",
        "bandwidth_from": "",
        "bandwidth_to": "",
        "stall_minutes": "25",
        "log_retention_days": "90",
    }
    await user.should_not_see("Not saved: ")


async def test_a_weekly_report_is_turned_on_and_a_wrong_time_is_told_beside_its_field(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    typed(user, "weekly_report", "monday")
    typed(user, "weekly_report_at", "8 o'clock")

    user.find(marker="save").click()
    await user.should_see("Write the time as HH:MM on a 24-hour clock, such as 02:30.")
    typed(user, "weekly_report_at", "07:30")
    user.find(marker="save").click()

    await becomes(lambda: preferences.saved)
    assert preferences.saved == [{"weekly_report": "monday", "weekly_report_at": "07:30"}]


async def test_the_share_of_a_run_is_told_beside_the_limit_while_it_is_typed(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    await user.should_see("No limit.")

    typed(user, "bandwidth_mb_s", "20")
    typed(user, "bandwidth_from", "22:00")
    await user.should_see("Each of the 2 runs gets 10 MB/s, in each direction")
    typed(user, "bandwidth_to", "06:00")
    await user.should_see("10 MB/s between 22:00 and 06:00 (Europe/Berlin)")
    typed(user, "max_parallel_runs", "1")
    await user.should_see("At most 20 MB/s between 22:00")
    typed(user, "bandwidth_mb_s", "much")
    await user.should_see("0 or empty: no limit.")


async def test_what_was_typed_can_be_dropped_and_leaving_asks_only_before(
    user: User, preferences: FakePreferences, monkeypatch
) -> None:
    said: list[str] = []

    def heard(code: str, **_: object) -> None:
        if "onbeforeunload" in code:
            said.append(code)

    await user.open("/settings")
    monkeypatch.setattr(user.client, "run_javascript", heard)
    typed(user, "stall_minutes", "25")
    typed(user, "mail_to", "somebody@example.com")

    user.find(marker="discard").click()

    await becomes(lambda: value(user, "stall_minutes") != "25")
    await user.should_not_see("Not saved: ")
    assert value(user, "mail_to") != "somebody@example.com"
    assert ["preventDefault" in each for each in said] == [True, False]
    assert not preferences.saved


async def test_all_problems_are_told_at_once_and_nothing_typed_is_lost(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    typed(user, "max_parallel_runs", "99")
    typed(user, "stall_minutes", "soon")

    user.find(marker="save").click()

    await user.should_see("Enter a whole number of runs from 1 to 16.")
    await user.should_see("Enter a whole number of minutes from 1 to 1440.")
    assert (value(user, "max_parallel_runs"), value(user, "stall_minutes")) == ("99", "soon")
    assert not preferences.saved


async def test_the_password_is_never_in_the_page_and_unchanged_unless_typed(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    (field,) = user.find(marker="smtp_password").elements
    assert (field.props["placeholder"], value(user, "smtp_password")) == ("unchanged", "")
    typed(user, "mail_to", "somebody@example.com")

    user.find(marker="save").click()

    await becomes(lambda: preferences.saved)
    assert "smtp_password" not in preferences.saved[0]


async def test_a_test_mail_takes_what_is_typed_and_shows_the_answer(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    typed(user, "smtp_host", "smtp.other.example")
    typed(user, "smtp_password", "hush-hush")

    user.find(marker="send-test").click()

    await user.should_see("The mail server accepted the test email.")
    await user.should_see("250 2.0.0 Ok: queued as 4F2A Nothing was saved.")
    assert preferences.tested[0]["smtp_host"] == "smtp.other.example"
    assert preferences.tested[0]["smtp_password"] == "hush-hush"
    assert not preferences.saved


async def test_a_refused_test_mail_says_what_the_server_said(
    user: User, preferences: FakePreferences
) -> None:
    said = "535 5.7.8 <b>no</b>"
    preferences.trial = Trial(False, said, "Check user and password.")
    await user.open("/settings")

    user.find(marker="send-test").click()

    await user.should_see(said)
    await user.should_see("Check user and password.")


async def test_the_second_of_two_tabs_is_told_and_both_ways_are_open(
    user: User, engine: FakeEngine, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    typed(user, "stall_minutes", "25")
    preferences.store(stall_minutes=40)
    engine.live.publish(Topic.SETTINGS)
    await user.should_see("This was changed meanwhile")
    assert value(user, "stall_minutes") == "25"

    user.find(marker="overwrite").click()

    await becomes(lambda: preferences.saved)
    assert preferences.shown.settings.stall_minutes == 25


async def test_a_save_that_comes_second_is_not_taken(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    typed(user, "stall_minutes", "25")
    preferences.store(stall_minutes=40)  # and the page has not heard of it yet

    user.find(marker="save").click()

    await user.should_see("This was changed meanwhile")
    assert not preferences.saved
    user.find(marker="load-stored").click()
    await becomes(lambda: value(user, "stall_minutes") == "40")


async def test_a_change_elsewhere_shows_where_nothing_is_typed(
    user: User, engine: FakeEngine, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    typed(user, "stall_minutes", "25")

    preferences.store(ping_url="https://example.com/other")
    engine.live.publish(Topic.SETTINGS)

    await becomes(lambda: value(user, "ping_url") == "https://example.com/other")
    assert value(user, "stall_minutes") == "25"
    await user.should_not_see("This was changed meanwhile")


async def test_a_mail_that_was_given_up_can_be_tried_again(
    user: User, engine: FakeEngine, preferences: FakePreferences
) -> None:
    preferences.shown = scenes_settings.bad()
    await user.open("/settings")
    await user.should_see("Tried 14 times, not delivered by")

    user.find(marker="try-again-2").click()

    await becomes(lambda: preferences.tried == [2])
    engine.live.publish(Topic.MAIL)
    await user.should_not_see(marker="try-again-2")


async def test_a_mail_that_was_given_up_can_be_dismissed(
    user: User, engine: FakeEngine, preferences: FakePreferences
) -> None:
    preferences.shown = scenes_settings.bad()
    await user.open("/settings")

    user.find(marker="dismiss-2").click()

    await becomes(lambda: preferences.dismissed == [2])
    engine.live.publish(Topic.MAIL)
    await user.should_not_see(marker="dismiss-2")
    assert preferences.tried == []


async def test_signing_out_everywhere_asks_first(user: User, preferences: FakePreferences) -> None:
    await user.open("/settings")
    await user.should_see("3 browsers signed in.")

    user.find(marker="sign-out-everywhere").click()

    await user.should_see("Sign out every browser?")
    assert not preferences.signed_out
    user.find(marker="confirm").click()
    await becomes(lambda: preferences.signed_out)


async def test_without_mail_it_says_that_nobody_is_told(
    user: User, preferences: FakePreferences
) -> None:
    preferences.shown = scenes_settings.fresh()

    await user.open("/settings")

    await user.should_see("Email alerts are off. You won't be told when a backup fails.")
    await user.should_see("No heartbeat is sent.")
    await user.should_see("Logs are deleted after 90 days")


async def test_the_setup_is_exported_as_a_file_without_secrets(
    user: User, preferences: FakePreferences
) -> None:
    await user.open("/settings")
    (link,) = user.find(marker="export-setup").elements
    assert link.props["download"] == "setup.toml"

    answer = await user.http_client.get(str(link.props["href"]))

    assert answer.headers["Content-Disposition"] == 'attachment; filename="setup.toml"'
    assert answer.text == '[[provider]]\nname = "R2"\n'
