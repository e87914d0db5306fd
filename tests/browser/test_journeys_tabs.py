"""Two tabs that change the same thing, and a connection that is gone for a while."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import RUN_MS, Tab, Visit
from tests.browser.conftest import SetUp
from tests.conftest import NewBucket
from tests.support.gate import Gate
from tests.support.program import Program, objects
from tests.support.servers import RcloneS3
from tests.support.tunnel import Tunnel

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MEANWHILE = "changed meanwhile, in another tab or by a command"


def save(tab: Tab) -> None:
    tab.page.get_by_role("button", name="Save", exact=True).click()


def test_the_second_of_two_tabs_is_told_and_nothing_is_lost(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, visit: Visit
) -> None:
    bucketvault.backup(new_bucket(here, objects(3)), new_bucket(elsewhere))
    visitor = visit(bucketvault.serve())

    # a backup: what differs is shown, and saving over it is a choice
    first, second = visitor.tab("/backups/1/edit"), visitor.tab("/backups/1/edit")
    first.field("At").fill("02:00")
    second.field("Keep old versions for (days)").fill("90")
    save(first)
    expect(first.title).to_have_text("Photos")
    save(second)
    expect(second.verdict).to_contain_text(MEANWHILE)
    expect(second.verdict).to_contain_text("stored now: 02:00")
    expect(second.verdict).to_contain_text("here: 03:15")
    expect(second.field("Keep old versions for (days)")).to_have_value("90")
    second.press("Save mine over it")
    expect(second.title).to_have_text("Photos")
    expect(second.page.get_by_text("90 days").first).to_be_visible()
    expect(first.page.get_by_text("90 days").first).to_be_visible()

    # a provider: here, what the other tab stored is taken
    for tab in (first, second):
        tab.page.goto("providers/1/edit")
    first.field("Region (optional)").fill("eu-1")
    second.field("Name").fill("Mine")
    save(first)
    expect(first.title).to_have_text("Source")
    save(second)
    expect(second.verdict).to_contain_text(MEANWHILE, timeout=RUN_MS)
    expect(second.verdict).to_contain_text("stored now: eu-1")
    expect(second.field("Name")).to_have_value("Mine")
    second.press("Load what is stored")
    expect(second.field("Name")).to_have_value("Source")
    expect(second.field("Region (optional)")).to_have_value("eu-1")

    # the settings
    for tab in (first, second):
        tab.page.goto("settings")
    second.field("Runs at the same time").fill("4")
    first.field("Runs at the same time").fill("3")
    save(first)
    expect(second.page.get_by_text(MEANWHILE)).to_be_visible()
    expect(second.field("Runs at the same time")).to_have_value("4")
    second.press("Load what is stored")
    expect(second.field("Runs at the same time")).to_have_value("3")


def test_a_cut_tunnel_is_said_and_heals_and_nothing_typed_is_lost(
    bucketvault: Program, gate: Gate, set_up: SetUp, visit: Visit
) -> None:
    set_up(objects(12))
    served = bucketvault.serve()
    with Tunnel(served.port) as tunnel:
        visitor = visit(replace(served, port=tunnel.port))
        home, form = visitor.tab(), visitor.tab("/backups/1/edit")
        for tab in (home, form):
            tab.stays()
        form.field("Name").fill("Holiday ph")
        visitor.may_lose_the_connection = True

        tunnel.cut()

        for tab in (home, form):
            expect(tab.page.get_by_text("Not connected. Trying again.")).to_be_visible(
                timeout=RUN_MS
            )
        expect(home.run_now()).to_have_css("opacity", "0.5")
        form.field("Name").press_sequentially("otos")
        bucketvault.cli("run", "Photos")  # what happens meanwhile
        tunnel.mend()

        for tab in (home, form):
            expect(tab.page.get_by_text("Not connected. Trying again.")).to_be_hidden(
                timeout=RUN_MS
            )
        visitor.may_lose_the_connection = False
        expect(home.watch()).to_be_visible(timeout=RUN_MS)
        gate.let(12)
        expect(home.page.get_by_role("link", name=re.compile("^Succeeded"))).to_be_visible(
            timeout=RUN_MS
        )
        assert home.stayed() and form.stayed()
        expect(form.field("Name")).to_have_value("Holiday photos")
        form.press("Save")
        expect(form.title).to_have_text("Holiday photos")
        visitor.context.close()  # a page may still be loading when the tunnel ends
