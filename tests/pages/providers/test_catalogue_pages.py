"""Providers and storages over a made-up engine, in NiceGUI's simulated browser."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from nicegui.testing import User

from bucketvault.engine.probe.results import Right, RightResult, TrialResult
from bucketvault.engine.probe.service import End
from bucketvault.engine.runs.kept_versions import KeptVersionsError
from bucketvault.errors import BucketvaultError
from bucketvault.pages.parts.table import Table
from bucketvault.vocabulary import Topic
from tests.pages import scenes_catalogue as scenes
from tests.pages import scenes_service
from tests.pages.fake_engine import FakeEngine
from tests.pages.waiting import becomes


@pytest.fixture
def desk(engine: FakeEngine) -> scenes.FakeProviders:
    """Answers to the pages about providers."""
    made = scenes.FakeProviders(engine.live)
    engine.providers = made
    return made


def table_rows(user: User) -> list[dict[str, Any]]:
    (table,) = user.find(Table).elements
    return list(table.rows)


def fill(user: User, **values: str) -> None:
    for mark, value in values.items():
        (element,) = user.find(marker=mark).elements
        element.set_value(value)


def press(user: User, mark: str) -> None:
    user.find(marker=mark).click()


async def test_without_a_provider_the_list_says_what_to_do(user: User, desk) -> None:
    desk.all.clear()

    await user.open("/providers")

    await user.should_see("No provider yet.")
    await user.should_see("Cloudflare R2")


async def test_the_list_names_unreadable_keys_and_shows_names_as_text(user: User, desk) -> None:
    await user.open("/providers")

    await user.should_see("The stored key of Cloudflare main cannot be read.")
    names = [row["name"] for row in table_rows(user)]
    assert "Backblaze EU" in names
    assert any(name.startswith("<img src=x") and "\\u202e" in name for name in names)


async def test_a_key_whose_address_was_changed_outside_is_told_with_the_address(
    user: User, desk
) -> None:
    desk.all = {1: scenes.provider(1, keys_readable=False, keys_moved=True)}
    await user.open("/providers")

    await user.should_see("was changed outside bucketvault")
    await user.open("/providers/1")

    await user.should_see("check that s3.eu-central-003.backblazeb2.com is right")


async def test_another_tabs_change_appears(user: User, engine, desk) -> None:
    await user.open("/providers")

    del desk.all[1]
    engine.live.publish(Topic.CATALOGUE)

    for _ in range(40):
        if "Backblaze EU" not in [row["name"] for row in table_rows(user)]:
            break
        await user.should_see("Providers")
        await asyncio.sleep(0.05)
    assert "Backblaze EU" not in [row["name"] for row in table_rows(user)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cloudflare_r2", ("Account ID", "Secret Access Key", "Object Read & Write")),
        ("backblaze_b2", ("Region", "applicationKey", "listFiles, readFiles")),
        ("amazon_s3", ("AWS Region", "Secret access key", "s3:ListBucket")),
        ("s3_compatible", ("Endpoint", "Region (optional)", "list the bucket, read objects")),
    ],
)
async def test_each_kind_is_asked_for_in_its_own_words(user: User, desk, kind, words) -> None:
    await user.open(f"/providers/new?kind={kind}")

    for word in words:
        await user.should_see(word)


async def test_all_problems_show_at_once_each_at_its_field(user: User, desk) -> None:
    await user.open("/providers/new?kind=s3_compatible")

    press(user, "save")

    await user.should_see("4 fields need attention.")
    await user.should_see("Enter a name.")
    await user.should_see("Begin the endpoint with https://")
    await user.should_see("Enter the secret access key.")


async def test_a_wrong_secret_stands_at_its_field_and_nothing_typed_is_lost(
    user: User, desk
) -> None:
    await user.open("/providers/new?kind=amazon_s3")
    typed = {"name": "Mine", "region": "eu-central-1", "access_key_id": "AKIAEXAMPLE000000001"}
    fill(user, **typed, secret_access_key="wrong-secret-1")
    desk.refuse = scenes.wrong_secret()

    press(user, "save")

    await user.should_see("Mine rejected the secret access key. (403 SignatureDoesNotMatch)")
    assert not desk.saved
    for mark, value in typed.items():
        (element,) = user.find(marker=mark).elements
        assert element.value == value
    press(user, "save-anyway")
    await user.should_see("Backblaze EU")
    ((given, checked),) = desk.saved
    assert (given.name, given.secret_access_key, checked) == ("Mine", "wrong-secret-1", False)


@pytest.mark.parametrize(
    ("kind", "typed", "named"),
    [
        ("cloudflare_r2", {"account_id": "0" * 32}, "Cloudflare R2"),
        ("backblaze_b2", {"region": "eu-central-003"}, "Backblaze B2 eu-central-003"),
        ("amazon_s3", {"region": "eu-central-1"}, "Amazon S3 eu-central-1"),
        ("s3_compatible", {"endpoint": "https://fsn1.your-objectstorage.com"}, "Hetzner fsn1"),
        ("s3_compatible", {"endpoint": "http://127.0.0.1:9000"}, "127.0.0.1:9000"),
    ],
)
async def test_a_provider_without_a_name_is_called_by_its_address_and_the_next_follows(
    user: User, desk, kind: str, typed: dict[str, str], named: str
) -> None:
    desk.all[2] = scenes.provider(2, name="Amazon S3 eu-central-1")
    await user.open(f"/providers/new?kind={kind}")
    fill(user, access_key_id="003a8c1e0f71c0000000001", secret_access_key="secret", **typed)
    named += " 2" if named == "Amazon S3 eu-central-1" else ""
    await user.should_see(f"Leave empty to use {named}.")

    press(user, "save-and-another")

    await user.should_see("Backblaze EU is saved.")  # as every one here is called
    ((given, _),) = desk.saved
    assert given.name == named


async def test_a_first_provider_leads_to_the_backup(user: User, desk) -> None:
    await user.open("/providers/new?kind=cloudflare_r2&saved=nonsense")
    await user.should_not_see("is saved.")
    fill(user, account_id="0" * 32, access_key_id="id", secret_access_key="secret")

    press(user, "save-and-backup")

    await user.should_see("Source and destination")


async def test_what_was_typed_stays_when_the_kind_is_changed(user: User, desk) -> None:
    await user.open("/providers/new?kind=backblaze_b2")
    fill(user, name="Mine", region="eu-central-003", access_key_id="003a8c1e0f71c0000000001")

    press(user, "choose-cloudflare_r2")
    await user.should_see("Account ID")
    press(user, "choose-backblaze_b2")

    for mark, value in (("region", "eu-central-003"), ("name", "Mine")):
        (element,) = user.find(marker=mark).elements
        assert element.value == value


async def test_editing_starts_without_keys_and_keeps_them(user: User, desk) -> None:
    await user.open("/providers/1/edit")

    (secret,) = user.find(marker="secret_access_key").elements
    assert secret.value == "" and secret.props["placeholder"] == "unchanged"
    assert secret.props["autocomplete"] == "new-password"
    fill(user, name="Renamed")
    press(user, "save")

    await user.should_see("Test connection")
    ((given, _),) = desk.saved
    assert given.name == "Renamed" and given.region == "eu-central-003"
    assert given.access_key_id is None and given.secret_access_key is None


@pytest.mark.parametrize(
    ("named", "filled_in"),
    [
        ("eu-west-1", "eu-west-1"),
        (" EU-West-1 ", "eu-west-1"),
        ("", "eu-central-003"),
        ("eu<script>", "eu-central-003"),
        ("a" * 500, "eu-central-003"),
    ],
)
async def test_a_region_that_a_service_named_is_filled_in_and_saved_only_by_save(
    user: User, desk, named: str, filled_in: str
) -> None:
    await user.open(f"/providers/1/edit?{urlencode({'region': named})}")

    (region,) = user.find(marker="region").elements
    assert region.value == filled_in and not desk.saved
    if filled_in == "eu-west-1":
        await user.should_see(
            "Reported by the service. Stored: eu-central-003. Save to use the new one."
        )
        press(user, "save")
        await user.should_see("Test connection")
        assert [given.region for given, _ in desk.saved] == ["eu-west-1"]


async def test_a_test_that_was_sent_elsewhere_offers_the_region_that_was_named(
    user: User, desk
) -> None:
    wrong = RightResult(Right.LIST_OBJECTS, TrialResult.FAILED, "Wrong region.", region="eu-west-1")
    rights = (*(each for each in scenes.rights() if each.right is not wrong.right), wrong)
    desk.tests[1] = replace(scenes.tested(), rights=rights)

    await user.open("/providers/1")

    await user.should_see("Use region eu-west-1")
    (button,) = user.find(marker="use-region").elements
    assert button.props["href"].endswith("/providers/1/edit?region=eu-west-1")


async def test_the_page_says_what_a_refused_right_means(user: User, desk) -> None:
    await user.open("/providers/1")

    await user.should_see("The key works, but it cannot delete an object.")
    await user.should_see("The test left 1 object (187 B) that it could not delete:")
    await user.should_see("acme-archive/.bucketvault-archive/probe-7f2c91aa03de/written.txt")
    await user.should_see("403 AccessDenied")


async def test_buckets_are_asked_for_when_the_page_is_there_and_searched(user: User, desk) -> None:
    desk.tests.clear()

    await user.open("/providers/2")
    await user.should_see("Not tested since bucketvault started.")
    await user.should_see("4,900 more.")
    assert desk.asked == 1 and len(table_rows(user)) == 100

    fill(user, search="BUCKET-4321")

    assert [row["name"] for row in table_rows(user)] == ["bucket-4321"]


async def test_import_asks_one_question(user: User, desk) -> None:
    await user.open("/providers/1")
    place = next(r["id"] for r in table_rows(user) if r["name"] == "acme-finance-2025")

    user.find(Table).trigger("import", place)
    await user.should_see("Add acme-finance-2025?")
    press(user, "use-1")

    await user.should_see("acme-finance-2025 was added.")
    (made,) = [s for s in desk.all_storages.values() if s.bucket_name == "acme-finance-2025"]
    assert made.usage_type == "destination_only"


async def test_a_typed_name_that_is_not_there_can_be_imported_all_the_same(
    user: User, desk
) -> None:
    await user.open("/providers/1")
    fill(user, bucket="not-there")
    press(user, "import-typed")
    press(user, "use-0")

    await user.should_see("There is no bucket not-there.")
    press(user, "import-anyway")

    await user.should_see("not-there was added.")
    (made,) = [s for s in desk.all_storages.values() if s.bucket_name == "not-there"]
    assert made.checked_at is None


async def test_a_key_that_may_not_list_is_told_to_type(user: User, desk) -> None:
    desk.listings.clear()
    desk.refuse = scenes.may_not_list()

    await user.open("/providers/1")

    await user.should_see("cannot list buckets. (403 AccessDenied)")
    await user.should_see("Type the bucket's name below.")
    by_name = {row["name"]: row["word"] for row in table_rows(user)}
    assert by_name["acme-typed-by-hand"] == "Not checked"


async def test_testing_writing_names_what_is_written_before_it_is(user: User, desk) -> None:
    await user.open("/providers/1")

    press(user, "test-writing")
    await user.should_see("About 40 small objects with unusual names are written")
    assert desk.tests[1].rights[-1].outcome == TrialResult.REFUSED
    press(user, "confirm")

    await user.should_see("The key works: it can read, write, replace and delete.")


async def test_what_is_lost_or_charged_at_a_service_comes_first(user: User, desk) -> None:
    scenes_service.known_to(desk)
    numbers = {name: row.id for name, (row, _, _) in scenes_service.services().items()}

    await user.open(f"/providers/{numbers['r2']}")
    await user.should_see("It cannot list buckets: type a bucket's name below.")
    await user.should_see("All 13 kinds of names tested are kept.")
    await user.should_not_see("Limits and charges")

    await user.open(f"/providers/{numbers['b2']}")
    await user.should_see("1 thing is lost or charged by this service: see below.")
    await user.should_see("stay as hidden versions, and you pay for them.")

    await user.open(f"/providers/{numbers['amazon']}")
    await user.should_see("A lifecycle rule deletes objects in logs/ 30 days after upload.")
    await user.should_see("Runs with this bucket compare without MD5.")

    await user.open(f"/providers/{numbers['seaweedfs']}")
    await user.should_see("Names with // are changed, for example to d/x")
    await user.should_see("8 of 13 kinds of names tested are kept.")


async def test_results_show_as_they_come_and_a_test_can_be_stopped(
    user: User, engine, desk
) -> None:
    desk.tests[1] = scenes_service.running()

    await user.open("/providers/1")
    await user.should_see("10 results so far.")
    await user.should_see("Write an object")
    await user.should_not_see("Test writing")
    press(user, "stop-test")
    await becomes(lambda: desk.stopped == [1])
    stopped = replace(desk.tests[1], end=End.STOPPED)
    desk.tests[1] = stopped
    engine.live.publish(Topic.CATALOGUE)

    await user.should_see("You stopped this test.")


async def test_a_key_that_may_not_list_buckets_is_not_called_untested(user: User, desk) -> None:
    desk.tests.clear()
    desk.may_not_list.add(2)

    await user.open("/providers/2")

    await user.should_see("The key works, but it cannot list buckets: type a bucket's name below.")


async def test_a_test_that_cannot_be_made_says_why(user: User, desk) -> None:
    await user.open("/providers/1")
    desk.refuse = BucketvaultError("rclone is missing.", "Install it.")

    press(user, "test")

    await user.should_see("rclone is missing. Install it.")


async def test_a_provider_with_storages_is_not_deleted(user: User, desk) -> None:
    await user.open("/providers/1")

    press(user, "delete")

    await user.should_see("Backblaze EU cannot be deleted yet")
    await user.should_see("acme-archive")
    await user.should_not_see("Delete provider")


async def test_a_provider_without_storages_goes_after_a_question(user: User, desk) -> None:
    await user.open("/providers/2")

    press(user, "delete")
    await user.should_see("Delete Amazon Frankfurt?")
    press(user, "confirm")

    await user.should_see("New provider")
    assert 2 not in desk.all


@pytest.mark.parametrize("address", ["/providers/99", "/providers/99/edit"])
async def test_a_provider_that_is_not_there_is_said_to_be_so(user: User, desk, address) -> None:
    answer = await user.http_client.get(address)

    assert answer.status_code == 404 and "No such provider" in answer.text


async def test_an_address_without_a_page_says_so_and_shows_the_way_back(user: User, desk) -> None:
    answer = await user.http_client.get("/nowhere/at/all")

    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text and "All backups" in answer.text


async def test_storages_say_who_uses_them_and_are_edited(user: User, desk) -> None:
    await user.open("/storages")
    rows = {row["id"]: row for row in table_rows(user)}
    assert rows[1]["size"] == "1,204,332 objects, 2.8 TB"
    assert [use["how"] for use in rows[2]["uses"]] == ["copies from it"] * 2
    assert rows[3]["unchecked"] and not rows[1]["unchecked"]

    user.find(Table).trigger("edit", 3)
    await user.should_see("Edit acme-typed-by-hand")
    fill(user, display_name="x" * 101)
    press(user, "save")
    await user.should_see("The name is too long.")
    fill(user, display_name="By hand")
    press(user, "choose-source_only")
    press(user, "save")

    await becomes(lambda: bool(desk.all_storages[3].display_name))
    assert desk.all_storages[3].display_name == "By hand"
    assert desk.all_storages[3].usage_type == "source_only"


async def test_a_used_storage_stays_and_an_unused_one_goes(user: User, desk) -> None:
    await user.open("/storages")

    user.find(Table).trigger("remove", 1)
    await user.should_see("acme-archive cannot be removed yet")
    await user.should_see("These backups use it: Mail archive.")
    user.find(Table).trigger("remove", 3)
    await user.should_see("Remove acme-typed-by-hand from the list?")
    press(user, "confirm")

    await user.should_see("acme-typed-by-hand is removed from the list.")
    assert 3 not in desk.all_storages and 1 in desk.all_storages


async def test_kept_versions_of_deleted_backups_are_looked_for_where_some_may_be(
    user: User, desk
) -> None:
    await user.open("/storages")
    assert [row["look"] for row in table_rows(user)].count(True) == len(
        [row for row in desk.all_storages.values() if row.usage_type != "source_only"]
    )

    user.find(Table).trigger("look", 1)

    await user.should_see("mail-archive-1f2e3d")
    await user.should_see("4,812 objects, 9.1 GB, kept by 12 runs from")
    await user.should_see("copies elsewhere now, so these are not deleted automatically.")
    await user.should_see(
        "rclone --config rclone.conf purge "
        "copy:acme-archive/.bucketvault-archive/mail-archive-1f2e3d/\n"
        "rclone --config rclone.conf purge copy:acme-archive/.bucketvault-archive/old-0a0b0c/"
    )
    press(user, "close-left")
    await user.should_not_see("mail-archive-1f2e3d")


async def test_a_storage_that_cannot_be_looked_into_says_why(user: User, desk) -> None:
    desk.refuse = KeptVersionsError("It did not let us list.", "Check again.", "AccessDenied")
    await user.open("/storages")

    user.find(Table).trigger("look", 1)

    await user.should_see("It did not let us list.")
    await user.should_see("AccessDenied")


async def test_pages_hold_no_markup_from_names(user: User, desk) -> None:
    for address in ("/providers", "/providers/4", "/storages"):
        page = (await user.http_client.get(address)).text

        assert "<img src=x" not in page
        assert json.dumps(scenes.NASTY)[1:-1] not in page


async def test_a_known_service_is_named_as_its_endpoint_is_typed(user: User, desk) -> None:
    await user.open("/providers/new?kind=s3_compatible")
    fill(user, name="Mine", access_key_id="id", secret_access_key="secret")

    fill(user, endpoint="https://pics.fsn1.your-objectstorage.com")

    await user.should_see(
        "Recognised: Hetzner. Saved as https://fsn1.your-objectstorage.com. pics is a bucket"
    )
    await user.should_see("Hetzner's region of this endpoint.")
    await user.should_see("S3 Credentials")
    (link,) = user.find("Open Hetzner").elements
    assert link.props["href"].startswith("https://docs.hetzner.com/")
    assert region_field(user).value == "fsn1"
    fill(user, endpoint="https://s3.example.com")
    assert region_field(user).value == ""
    fill(user, region="mine", endpoint="https://s3.fr-par.scw.cloud")
    assert region_field(user).value == "mine"

    press(user, "save")

    await user.should_see("Backblaze EU")
    ((given, _),) = desk.saved
    assert (given.endpoint, given.region) == ("https://s3.fr-par.scw.cloud", "mine")


def region_field(user: User) -> Any:
    (element,) = user.find(marker="region").elements
    return element


async def test_an_address_that_is_no_endpoint_says_where_the_right_one_is(user: User, desk) -> None:
    await user.open("/providers/new?kind=backblaze_b2")

    fill(user, endpoint="https://f004.backblazeb2.com")

    await user.should_see("Its region ends with -004.")


async def test_the_region_that_the_service_names_is_taken_by_a_button(user: User, desk) -> None:
    await user.open("/providers/new?kind=amazon_s3")
    typed = {"name": "Mine", "region": "us-east-1", "access_key_id": "id"}
    fill(user, **typed, secret_access_key="secret")
    desk.refuse = scenes.wrong_region()
    press(user, "save")
    await user.should_see(
        "Wrong region. Mine expects eu-west-1. (403 AuthorizationHeaderMalformed)"
    )
    await user.should_see("Use eu-west-1")
    desk.refuse = None

    press(user, "use-region")

    await user.should_see("Backblaze EU")
    ((given, checked),) = desk.saved
    assert (given.region, checked) == ("eu-west-1", True)


async def test_the_page_of_a_provider_offers_the_region_that_the_service_names(
    user: User, desk
) -> None:
    desk.listings.clear()
    desk.refuse = scenes.wrong_region()
    await user.open("/providers/1")
    await user.should_see("Wrong region. Mine expects eu-west-1.")

    desk.refuse = None
    press(user, "use-region")

    await user.should_not_see("Wrong region.")
    ((given, _),) = desk.saved
    assert given.region == "eu-west-1" and given.secret_access_key is None
