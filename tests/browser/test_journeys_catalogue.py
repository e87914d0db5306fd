"""Providers with more buckets than a page should hold, and things that others still need."""

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import RUN_MS, Visit
from tests.browser.conftest import SetUp
from tests.support.gate import Gate
from tests.support.program import Program, objects
from tests.support.servers import RcloneS3

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOST_NODES = 4_000  # of a page; 5,000 rows at once would be 50,000


def provider(server: RcloneS3, name: str = "The store") -> str:
    """A provider for `apply`."""
    return (
        f'[[provider]]\nname = "{name}"\nprovider_type = "amazon_s3"\n'
        f'endpoint = "{server.endpoint}"\naccess_key_id = "{server.access_key_id}"\n'
        f'secret_access_key = "{server.secret_access_key}"\n'
    )


def test_one_of_five_thousand_buckets_is_found_and_imported(
    bucketvault: Program, visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("many")
    for number in range(5_000):
        (root / f"bucket-{number:05}").mkdir()
    with RcloneS3(root) as server:
        bucketvault.apply(provider(server))
        tab = visit(bucketvault.serve()).tab("/providers")

        tab.go("The store")
        expect(tab.page.get_by_placeholder("Search 5,000 buckets")).to_be_visible(timeout=RUN_MS)
        expect(tab.page.get_by_text("4,900 more.")).to_be_visible()
        tab.press("Show 100 more")
        expect(tab.page.get_by_text("4,800 more.")).to_be_visible()
        assert tab.page.locator("*").count() < MOST_NODES

        tab.field("Search buckets").fill("bucket-04321")
        expect(tab.page.locator("tr.entry")).to_have_count(1)
        tab.press("Add bucket-04321")
        tab.press("Copy from it")
        expect(tab.page.get_by_text("bucket-04321 was added.")).to_be_visible()
        expect(tab.page.locator("tr.entry")).to_contain_text("Added")

        # the form of a backup finds one as well, and by the keyboard alone
        tab.page.goto("backups/new")
        expect(tab.page.get_by_text("5,000 buckets at 1 provider.")).to_be_visible(timeout=RUN_MS)
        tab.field("Copy to").focus()
        tab.page.keyboard.press("ArrowDown")
        expect(tab.page.get_by_text("4,949 more: type a part of the name.")).to_be_visible()
        assert tab.page.locator("*").count() < MOST_NODES
        tab.page.keyboard.type("00777")
        expect(tab.page.get_by_role("option", name="bucket-00777")).to_be_visible()
        tab.page.keyboard.press("Enter")
        expect(tab.field("Copy to")).to_have_value("bucket-00777 · The store")
        expect(tab.page.get_by_text("Empty: ready for a first copy.")).to_be_visible()

        # one that no list has is typed whole; Escape takes it back, leaving the field takes it
        tab.field("Copy from").fill("bucket-9")
        expect(tab.page.get_by_role("option")).to_have_text(["Use bucket-9 at The store"])
        tab.page.keyboard.press("Escape")
        expect(tab.field("Copy from")).to_have_value("")
        tab.field("Copy from").fill("bucket-9")
        tab.page.keyboard.press("Tab")
        expect(tab.field("Copy from")).to_have_value("bucket-9 · The store")
        expect(tab.page.get_by_text("The store has no bucket bucket-9.")).to_be_visible()


def test_what_others_need_is_not_deleted_and_they_are_named(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    source, destination = set_up(objects(12))
    gate.let(12)
    bucketvault.run()
    visitor = visit(bucketvault.serve())
    tab = visitor.tab("/providers")
    dialog = tab.page.get_by_role("dialog")

    # a provider with a storage
    tab.go("Source")
    tab.press("Delete")
    expect(dialog).to_contain_text("Source cannot be deleted yet")
    expect(dialog).to_contain_text(source.name)

    # a storage with a backup
    dialog.get_by_role("link", name="Storages").click()
    tab.press(f"Remove {source.name}")
    expect(dialog).to_contain_text(f"{source.name} cannot be removed yet")
    expect(dialog).to_contain_text("Photos")
    tab.press("Close")

    # a backup under way
    gate.listing.clear()
    tab.go("Photos")
    tab.page.get_by_role("button", name="Run now").first.click()
    expect(tab.verdict).to_contain_text("Checking both buckets", timeout=RUN_MS)
    tab.go("Photos")
    tab.press("Delete this backup")
    expect(dialog).to_contain_text("Photos cannot be deleted now")
    dialog.get_by_role("link", name="Open the run").click()
    gate.listing.set()
    expect(tab.verdict).to_contain_text("Succeeded", timeout=RUN_MS)

    # afterwards it says what goes with it, and what stays
    tab.go("Photos")
    tab.press("Delete this backup")
    expect(dialog).to_contain_text("2 runs and their logs")
    expect(dialog).to_contain_text(f"The copy stays in {destination.name}")
    tab.press("Delete backup")
    expect(tab.page.get_by_text("Nothing is backed up yet.")).to_be_visible()
    assert bucketvault.status()["backups"] == []
    assert destination.copy() == source.objects()
