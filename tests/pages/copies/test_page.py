"""The page of copies: every source with its copies, and buckets without a backup."""

from dataclasses import replace
from typing import Any

import pytest
from nicegui.testing import User

from bucketvault.engine.rclone.buckets import DiscoveryError
from bucketvault.pages.parts.table import Table
from bucketvault.vocabulary import Topic
from tests.pages import scenes
from tests.pages.fake_engine import FakeEngine
from tests.pages.scenes_catalogue import FakeProviders, refusal
from tests.pages.waiting import becomes


@pytest.fixture(autouse=True)
def providers(engine: FakeEngine) -> FakeProviders:
    """The providers of the gallery."""
    engine.providers = FakeProviders(engine.live)
    return engine.providers


def rows_of(user: User) -> list[dict[str, Any]]:
    (table,) = user.find(Table).elements
    return list(table.rows)


async def test_a_source_stands_above_its_copies_and_says_how_many_are_proven(
    user: User, engine: FakeEngine
) -> None:
    first, second, *_ = scenes.good_rows()
    same = replace(second, source=first.source)
    engine.rows = [first, same]

    await user.open("/copies")

    head, *copies = rows_of(user)
    assert head["head"] and head["place"] == first.source.place
    assert head["sentence"].startswith("2 copies with ") and head["tone"] == "st-ok"
    assert {row["backup"] for row in copies} == {first.name, same.name}
    assert {row["href"] for row in copies} == {f"/backups/{first.id}", f"/backups/{same.id}"}

    engine.rows = [first, replace(same, proof=None)]
    engine.live.publish(Topic.BACKUPS)

    await becomes(lambda: rows_of(user)[0]["sentence"].endswith("1 not proven."))
    assert rows_of(user)[0]["tone"] == "st-warn"
    assert rows_of(user)[2]["proven"] == "never proven"


async def test_buckets_without_a_backup_are_asked_for_and_lead_to_the_form(
    user: User, providers: FakeProviders
) -> None:
    refused = refusal(DiscoveryError, "Backblaze B2 rejected the access key.", "Enter it again.")
    providers.lists_of = {1: [f"bucket-{n}" for n in range(4)], 2: refused}
    await user.open("/copies")
    await user.should_not_see("3 buckets without a backup")

    user.find(marker="look").click()

    await user.should_see("3 buckets without a backup")
    await user.should_see("Every bucket is copied, or is a copy.")
    await user.should_see("rejected the access key. Enter it again.")
    links = [each.props.get("href") for each in user.find(marker="back-up").elements]
    assert any(str(link).endswith("/backups/new?source=1%2Fbucket-0") for link in links), links


async def test_without_a_backup_the_page_leads_to_the_first_one(
    user: User, engine: FakeEngine
) -> None:
    engine.rows = []

    await user.open("/copies")

    await user.should_see("No copies yet.")
    await user.should_see("New backup")
