"""The form of a backup over a made-up engine, in NiceGUI's simulated browser."""

import datetime as dt
import re
import threading
from dataclasses import replace

import peewee as pw
import pytest
from nicegui.testing import User

from bucketvault.engine.domain.places import BucketAt, Chosen
from bucketvault.engine.probe.contents import PathLook
from bucketvault.vocabulary import Schedule, StorageClass, Topic
from tests.pages import scenes
from tests.pages import scenes_catalogue as catalogue
from tests.pages.fake_backups import stored_input
from tests.pages.fake_engine import FakeEngine
from tests.pages.waiting import becomes

ARCHIVE, MASTERS, TYPED = (
    BucketAt(1, name) for name in ("acme-archive", "acme-masters", "acme-typed-by-hand")
)
NASTY = BucketAt(4, catalogue.NASTY)
NEW_ONE = BucketAt(2, "new-one")


@pytest.fixture
def desk(engine: FakeEngine, user: User) -> catalogue.FakeProviders:
    """Answers to the form's questions of providers; the browser is in Tokyo."""
    made = catalogue.FakeProviders(engine.live)
    engine.providers = made
    zone = re.compile(r"return Intl\.DateTimeFormat.*")
    user.javascript_rules[zone] = lambda _: "Asia/Tokyo"
    return made


def fill(user: User, **values: object) -> None:
    for mark, value in values.items():
        (element,) = user.find(marker=mark).elements
        element.set_value(value)


def value(user: User, mark: str) -> object:
    (element,) = user.find(marker=mark).elements
    return element.value


def press(user: User, mark: str) -> None:
    user.find(marker=mark).click()


async def test_a_new_backup_begins_with_the_browsers_zone_and_its_next_runs(
    user: User, desk
) -> None:
    await user.open("/backups/new")

    await user.should_see("The next three runs (Asia/Tokyo)")
    assert value(user, "time_zone") == "Asia/Tokyo"
    fill(user, at="25:00")
    await user.should_see("Enter a time as HH:MM to see the next runs.")


async def test_a_bucket_in_the_address_is_chosen_as_the_source_where_there_is_its_provider(
    user: User, desk
) -> None:
    await user.open("/backups/new?source=2%2Fnew-one")
    await becomes(lambda: value(user, "source_storage_id") == NEW_ONE)

    for odd in ("99%2Fnew-one", "x", "2%2F", "2", "%2F%2F"):
        await user.open(f"/backups/new?source={odd}")
        await user.should_see("The next three runs (Asia/Tokyo)")
        assert value(user, "source_storage_id") is None


async def test_a_zone_that_was_chosen_is_not_taken_back(user: User, desk) -> None:
    (rule,) = [rule for rule in user.javascript_rules if "Intl" in rule.pattern]
    told: list[str] = []
    user.javascript_rules[rule] = lambda _: told.append("Tokyo") or "Asia/Tokyo"

    await user.open("/backups/new")
    fill(user, time_zone="Europe/Paris")

    await becomes(lambda: bool(told))
    await user.should_see("(Europe/Paris)")
    assert value(user, "time_zone") == "Europe/Paris"


async def test_a_zone_nobody_knows_is_not_taken(user: User, desk) -> None:
    (rule,) = [rule for rule in user.javascript_rules if "Intl" in rule.pattern]
    told: list[str] = []
    user.javascript_rules[rule] = lambda _: told.append("odd") or "<b>Not/AZone"

    await user.open("/backups/new")

    await becomes(lambda: bool(told))
    assert value(user, "time_zone") == "Europe/Berlin", "the server's"


async def test_all_problems_show_at_once_and_nothing_typed_is_lost(
    user: User, engine, desk
) -> None:
    await user.open("/backups/new")
    fill(user, source_path="photos//x", at="9 o'clock", retention_days="0")

    press(user, "save")

    await user.should_see("6 fields need attention.")
    for words in (
        "Enter a name.",
        "Choose the bucket to copy from.",
        "Choose the bucket to copy to.",
        "The path has two slashes in a row: use one.",
        "Write the time as HH:MM",
        "Enter a whole number of days from 1 to 3650.",
    ):
        await user.should_see(words)
    assert value(user, "source_path") == "photos//x"
    assert value(user, "at") == "9 o'clock"
    assert not engine.backups.created


async def test_a_good_one_is_stored_as_it_was_entered_and_its_page_opens(
    user: User, engine, desk
) -> None:
    await user.open("/backups/new")
    fill(user, name="Design", source_storage_id=MASTERS, source_path="2026/", at="315")
    fill(user, destination_storage_id=ARCHIVE, destination_path="design", schedule="weekly")
    fill(user, weekday="friday", time_zone="Europe/Paris", retention_days="60")
    fill(user, ping_url="https://hc-ping.com/0a1b")
    press(user, "choose-size_only")
    press(user, "enabled")

    press(user, "save")

    await user.should_see("Postgres dumps")
    (given,) = engine.backups.created
    assert given == stored_input(
        name="Design",
        source_path="2026/",
        destination_path="design",
        at="03:15",
        weekday="friday",
        time_zone="Europe/Paris",
        enabled=False,
        retention_days="60",
        comparison_mode="size_only",
        shrink_limit_percent="50",
        verify_gb_per_night="0",
        ping_url="https://hc-ping.com/0a1b",
    )


async def test_a_look_says_what_is_there_on_both_sides(user: User, desk) -> None:
    await user.open("/backups/new")

    fill(user, source_storage_id=MASTERS)
    await user.should_see("There are 2 objects and folders (2026/, cut.mov).")
    fill(user, destination_storage_id=ARCHIVE)

    await user.should_see(
        "3 objects and folders are there already (mail/, notes.txt, old/). "
        "The first run would ask for approval before it removes any.",
    )
    await user.should_see("deleting only hides")
    fill(user, source_path="typo")
    user.find(marker="source_path").trigger("blur")
    await user.should_see("Empty: a run would stop without changing")
    assert desk.looked == [("acme-masters", ""), ("acme-archive", ""), ("acme-masters", "typo")]


async def test_a_folder_typed_while_it_looks_is_not_said_to_be_looked_at(
    user: User, desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, look = threading.Event(), desk.look
    monkeypatch.setattr(desk, "look", lambda *place: answered.wait(20) and look(*place))
    await user.open("/backups/new")
    fill(user, source_storage_id=MASTERS)
    await user.should_see("Checking contents")

    fill(user, source_path="2026")
    answered.set()

    await user.should_see("Check contents")
    await user.should_not_see("Checking contents")


async def test_a_provider_that_refuses_the_look_is_told_and_asked_again(user: User, desk) -> None:
    await user.open("/backups/new")
    await user.should_see("buckets at 4 providers.")
    desk.refuse = catalogue.may_not_list()

    fill(user, source_storage_id=MASTERS)
    await user.should_see("cannot list buckets.")
    press(user, "look-source")

    await user.should_see("There are 2 objects and folders")


async def test_ends_that_look_swapped_can_be_swapped(user: User, desk) -> None:
    desk.there[("acme-typed-by-hand", "")] = PathLook(True, 1, ("a",))
    desk.there[(catalogue.NASTY, "")] = PathLook(False, 0)
    await user.open("/backups/new")
    fill(user, source_storage_id=NASTY, destination_storage_id=TYPED, destination_path="")
    await user.should_see("Are they swapped?")

    press(user, "swap")

    await becomes(lambda: value(user, "source_storage_id") == TYPED)
    await becomes(lambda: value(user, "destination_storage_id") == NASTY)
    await user.should_not_see("Are they swapped?")


def offered(user: User, mark: str) -> dict[str, list[str]]:
    """The buckets of a field, by their providers."""
    (field,) = user.find(marker=mark).elements
    return {each.name: [label for _, label in each.buckets] for each in field.groups}


def noted(user: User, mark: str) -> dict[str, str]:
    """The notes of a field, by their providers."""
    (field,) = user.find(marker=mark).elements
    return {each.name: each.note for each in field.groups if each.note}


async def test_the_buckets_of_every_provider_are_offered_but_for_those_of_the_other_use(
    user: User, desk
) -> None:
    desk.listed = ["acme-archive", "acme-masters", "new-one"]
    desk.lists_of[2] = ["of-amazon"]
    desk.lists_of[3] = catalogue.may_not_list()

    await user.open("/backups/new")

    await user.should_see("7 buckets at 3 providers.")
    source, destination = (offered(user, f"{end}_storage_id") for end in ("source", "destination"))
    known = ["Video masters (acme-masters)", "acme-typed-by-hand", "new-one"]
    assert source["Backblaze EU"] == known
    assert destination["Backblaze EU"] == ["acme-archive", "acme-typed-by-hand", "new-one"]
    assert source["Amazon Frankfurt"] == destination["Amazon Frankfurt"] == ["of-amazon"]
    assert source["Cloudflare main"] == []
    told = "This key cannot list buckets: type the bucket's name."
    assert noted(user, "source_storage_id") == {"Cloudflare main": told}
    await user.should_not_see("hidden")


async def test_a_provider_that_does_not_answer_is_named_and_the_others_stay_usable(
    user: User, desk
) -> None:
    desk.listed = ["new-one"]
    desk.lists_of[1] = catalogue.wrong_secret()
    await user.open("/backups/new")

    await user.should_see("Backblaze EU: its buckets cannot be listed.")
    await user.should_see("Mine rejected the secret access key.")
    await user.should_see("Edit Backblaze EU")
    assert offered(user, "source_storage_id")["Amazon Frankfurt"] == ["new-one"]
    assert "acme-typed-by-hand" in offered(user, "source_storage_id")["Backblaze EU"]

    del desk.lists_of[1]
    press(user, "list-again")
    await user.should_see("4 buckets at 4 providers.")
    await user.should_not_see("its buckets cannot be listed.")


async def test_a_bucket_is_chosen_and_becomes_a_storage_only_with_the_backup(
    user: User, engine, desk
) -> None:
    desk.listed = ["new-one", "other-one"]
    await user.open("/backups/new")
    await user.should_see("8 buckets at 4 providers.")

    fill(user, source_storage_id=NEW_ONE, destination_storage_id=BucketAt(1, "other-one"))
    await user.should_see("Leave empty to use new-one.")
    press(user, "save-and-run")

    await becomes(lambda: bool(engine.queued))
    (given,) = engine.backups.created
    assert given.name == "new-one"
    assert given.source_storage_id == Chosen(NEW_ONE, listed=True, seen=True)
    assert given.destination_storage_id.at == BucketAt(1, "other-one")
    assert len(desk.all_storages) == 4, "the catalogue makes it, in one step with the backup"


async def test_a_name_that_is_taken_is_not_suggested(user: User, engine, desk) -> None:
    desk.listed = ["Postgres dumps"]
    await user.open("/backups/new")

    fill(user, source_storage_id=BucketAt(1, "Postgres dumps"))

    await user.should_see("Leave empty to use Postgres dumps 2.")


async def test_a_typed_bucket_that_is_not_found_is_told_and_can_be_saved_all_the_same(
    user: User, engine, desk
) -> None:
    desk.absent = {"not-there"}
    await user.open("/backups/new")
    fill(user, source_storage_id=MASTERS, destination_storage_id=BucketAt(3, "not-there"))
    await user.should_see("There is no bucket not-there.")

    press(user, "save")
    await user.should_see("Nothing was saved yet.")
    assert not engine.backups.created
    press(user, "save-anyway")

    await becomes(lambda: bool(engine.backups.created))
    (given,) = engine.backups.created
    assert given.destination_storage_id == Chosen(BucketAt(3, "not-there"))


async def test_a_typed_name_needs_a_provider_and_stays(user: User, engine, desk) -> None:
    await user.open("/backups/new")

    fill(user, source_storage_id=MASTERS, destination_storage_id="mystery")
    await user.should_see("Which provider has mystery?")
    press(user, "save")

    await user.should_see("1 field needs attention.")
    await user.should_see("Which provider has mystery?")
    assert value(user, "destination_storage_id") == "mystery"
    assert not engine.backups.created


async def test_a_browser_chooses_at_the_providers_it_was_told_of(user: User, desk) -> None:
    await user.open("/backups/new")

    for told, taken in (
        ([1, "photos"], BucketAt(1, "photos")),
        ([99, "photos"], None),
        ("photos", "photos"),
        (["1", "photos"], None),
    ):
        user.find(marker="source_storage_id").trigger("update:modelValue", told)
        assert value(user, "source_storage_id") == taken


async def test_the_same_place_is_refused_before_saving(user: User, desk) -> None:
    await user.open("/backups/new")

    fill(user, source_storage_id=TYPED)
    fill(user, destination_storage_id=TYPED)

    await user.should_see("Source and destination are the same place.")


async def test_counting_tells_the_first_run_the_requests_and_the_cost(user: User, desk) -> None:
    await user.open("/backups/new")
    await user.should_see(
        "A run sends each bucket one request per 1,000 objects. Each changed object"
    )
    await user.should_see("Count the source above to get a monthly estimate.")
    fill(user, source_storage_id=MASTERS)
    await user.should_see("Count objects and size")

    press(user, "count-source")

    await user.should_see("18,240 objects, 61 GB there.")
    await user.should_see("61 GB pass through this server")
    await user.should_see("About 1,200 requests a month for 18,240 objects while nothing changes")
    await user.should_see("Choose both buckets to see what a copy costs.")
    fill(user, destination_storage_id=TYPED)
    await user.should_see("First copy: about $0.10. A month: about $0.92.")
    await user.should_see("18,307 requests to Cloudflare R2 (source)")


async def test_counting_can_be_stopped(user: User, desk) -> None:
    desk.counted.clear()
    await user.open("/backups/new")
    fill(user, source_storage_id=MASTERS)
    await user.should_see("Count objects and size")
    press(user, "count-source")
    await user.should_see("Counting: 12,000 objects so far")

    press(user, "stop-counting")

    await user.should_see("Count objects and size")


async def test_without_a_provider_the_first_step_is_offered(user: User, desk) -> None:
    desk.all.clear()
    desk.all_storages.clear()

    await user.open("/backups/new")

    await user.should_see("Connect a provider first")
    (link,) = user.find(marker="connect").elements
    assert link.props["href"] == "/providers/new"


async def test_a_storage_imported_in_another_tab_appears_and_the_choice_stays(
    user: User, engine, desk
) -> None:
    await user.open("/backups/new")
    fill(user, source_storage_id=MASTERS)

    desk.all_storages[9] = catalogue.storage(9, "brand-new")
    desk.all[5] = catalogue.provider(5, name="The attic")
    engine.live.publish(Topic.CATALOGUE)

    await becomes(lambda: "brand-new" in offered(user, "source_storage_id")["Backblaze EU"])
    await becomes(lambda: offered(user, "source_storage_id").get("The attic"))
    assert value(user, "source_storage_id") == MASTERS


async def test_editing_starts_with_what_is_stored_and_says_from_when(
    user: User, engine, desk
) -> None:
    await user.open("/backups/7/edit")

    assert value(user, "name") == "Video masters"
    assert value(user, "weekday") == "sunday"
    await user.should_see("from the next run; a run in progress keeps its settings")
    fill(user, destination_path="elsewhere")
    await user.should_see("asks before removing anything, because source or destination changed")

    press(user, "save")

    await becomes(lambda: engine.backups.inputs[7].destination_path == "elsewhere")
    await user.should_see("Video masters")


async def test_a_stored_zone_that_is_none_any_more_is_asked_for_anew(
    user: User, engine, desk
) -> None:
    engine.backups.inputs[7] = stored_input(time_zone="Mars/Olympus")
    await user.open("/backups/7/edit")
    assert value(user, "time_zone") is None

    press(user, "save")

    await user.should_see("Enter a time zone by its IANA name")


async def test_the_second_of_two_tabs_is_told_and_may_overwrite(user: User, engine, desk) -> None:
    await user.open("/backups/7/edit")
    fill(user, name="Mine")
    engine.backups.inputs[7] = stored_input(at="05:00", retention_days=90)

    press(user, "save")

    await user.should_see("This backup was changed meanwhile")
    await user.should_see("stored now: 05:00")
    await user.should_see("here: 03:15")
    await user.should_see("stored now: 90")
    assert engine.backups.inputs[7].name == "Video masters"
    assert value(user, "name") == "Mine"
    press(user, "overwrite")
    await becomes(lambda: engine.backups.inputs[7].name == "Mine")
    assert engine.backups.inputs[7].at == "03:15"


async def test_a_backup_deleted_meanwhile_leaves_what_was_typed(user: User, engine, desk) -> None:
    await user.open("/backups/7/edit")
    fill(user, name="Mine")
    del engine.backups.inputs[7]

    press(user, "save")

    await user.should_see("This backup no longer exists.")
    assert value(user, "name") == "Mine"


async def test_a_busy_database_is_told_and_what_was_typed_stays_and_is_asked_for(
    user: User, engine, desk, monkeypatch
) -> None:
    def busy(*_: object) -> None:
        raise pw.OperationalError("database is locked")

    monkeypatch.setattr(engine.backups, "change", busy)
    asks: list[bool] = []
    # by name: NiceGUI's plugin may have imported the module again since this file was
    asking = "bucketvault.pages.backup.form.BackupForm._ask_before_leaving"
    monkeypatch.setattr(asking, lambda _, ask: asks.append(ask))
    await user.open("/backups/7/edit")
    fill(user, name="Mine")

    press(user, "save")

    await user.should_see("The database is busy")
    assert value(user, "name") == "Mine"
    await becomes(lambda: asks[-2:] == [False, True])


@pytest.mark.parametrize("number", ["99", "0", "9" * 40])
async def test_the_form_of_a_backup_that_is_not_there_is_not_found(
    user: User, desk, number: str
) -> None:
    answer = await user.http_client.get(f"/backups/{number}/edit")

    assert answer.status_code == 404


async def test_names_in_the_form_are_text(user: User, engine, desk) -> None:
    engine.backups.inputs[7] = stored_input(name=catalogue.NASTY, source_storage_id=4)

    page = (await user.http_client.get("/backups/7/edit")).text

    assert "<img src=x" not in page


async def test_a_closed_form_leaves_no_subscription(user: User, engine, desk) -> None:
    client = await user.open("/backups/new")
    assert engine.live._subscribers

    client.delete()

    assert not engine.live._subscribers


@pytest.mark.parametrize(
    ("schedule", "objects", "requests"),
    [
        (Schedule.DAILY, 0, 122),
        (Schedule.DAILY, 18_240, 1_217),
        (Schedule.WEEKLY, 1_000_000, 8_699),
    ],
)
def test_requests_follow_from_objects_and_schedule(
    schedule: Schedule, objects: int, requests: int
) -> None:
    from bucketvault.pages.backup import form_words as words

    assert words.requests_a_month(schedule, objects) == requests


def test_the_next_runs_are_told_on_the_clocks_of_the_backup() -> None:
    from bucketvault.pages.backup import form_words as words

    now = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)

    runs = words.next_runs(stored_input(), now)

    assert [run.words for run in runs] == [
        "Sun 29 Nov, 03:15, in 6 d",
        "Sun 6 Dec, 03:15",
        "Sun 13 Dec, 03:15",
    ]
    assert runs[0].exact == "Sun 29 Nov 2026, 03:15:00 Europe/Berlin"
    assert words.next_runs(replace(stored_input(), weekday=None), now) == ()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("3:15", "03:15"), ("0315", "03:15"), ("3.15", "03:15"), ("03:15", "03:15"), ("noon", "noon")],
)
def test_a_time_may_be_typed_as_people_type_it(typed: str, stored: str) -> None:
    from bucketvault.pages.backup import form_words as words

    assert words.clock_typed(typed) == stored


def test_what_can_be_brought_back_and_what_is_held_is_said_in_words() -> None:
    from bucketvault.pages.backup import form_words as words

    now = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)

    assert words.retention_words("30", scenes.ZONE, now) == (
        "An object deleted today can be restored until Tue 22 Dec."
    )
    assert words.retention_words("many", scenes.ZONE, now) == ""
    assert words.limit_words("20").startswith("A run that would remove or replace more than 20 %")
    assert "held for your approval" in words.limit_words("20")
    assert words.limit_words("101") == ""


async def test_the_classes_are_those_that_the_destination_stores(user: User, engine, desk) -> None:
    archive = desk.all_storages[1]
    desk.all_storages[1] = replace(archive, storage_classes=tuple(StorageClass))
    await user.open("/backups/7/edit")
    await user.should_see("The class at the source is not copied.")

    fill(user, storage_class="GLACIER_IR")

    await user.should_see("early deletion")
    fill(user, destination_storage_id=TYPED)
    await user.should_not_see("Storage class of the copy")
    press(user, "save")
    await becomes(lambda: engine.backups.inputs[7].storage_class == "STANDARD")
