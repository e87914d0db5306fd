"""The cost of runs, as pages and the command line get it."""

import datetime as dt
from dataclasses import replace

import pytest

from bucketvault.engine import price_list
from bucketvault.engine.domain.prices import PRICES
from bucketvault.engine.runs import queue
from bucketvault.engine.views import backups, money
from bucketvault.store.database import connection, writing
from bucketvault.store.models import Backup, BackupRun, Provider, Storage, utcnow
from bucketvault.vocabulary import Phase, RunStatus, Side
from tests.store_fixtures import a_backup, a_run

pytestmark = pytest.mark.usefixtures("open_store")

USE = {"source": {"lists": 2, "reads": 1_000_000}, "destination": {"writes": 10}}


@pytest.fixture
def photos(ends: tuple[Storage, Storage]) -> Backup:
    own = {"lists_per_million": 0, "reads_per_million": 0.5, "writes_per_million": 100}
    price_list.change("other", own)
    return a_backup("Photos", *ends)


def ended(backup: Backup, **columns: object) -> BackupRun:
    """A good run that counted what `USE` says."""
    with connection():
        spec = queue.freeze(backup).to_json()
    told = {"phase": Phase.TIDYING, "finished_at": utcnow(), "spec": spec, "requests": USE}
    return a_run(backup, RunStatus.SUCCESS, **(told | columns))


def test_a_run_is_priced_by_the_prices_of_now(photos: Backup) -> None:
    page = backups.run_page(ended(photos).id)

    bill = money.bill_of_run(page)

    assert bill is not None and bill.cost.is_known
    assert bill.cost.dollars == pytest.approx(0.501)
    names = {side: end.name for side, end in bill.ends.items()}
    assert names == {Side.SOURCE: "Here", Side.DESTINATION: "There"}
    assert money.bill_of_run(replace(page, run=replace(page.run, requests={}))) is None


def test_status_has_requests_and_dollars_or_none_where_a_price_is_missing(photos: Backup) -> None:
    ended(photos)
    row = backups.backups()[0]
    assert row.last_run is not None

    told = money.to_json(row.last_run, row, price_list.load())
    unknown = money.to_json(row.last_run, row, {})

    assert told == {"requests": USE, "cost_usd": pytest.approx(0.501)}
    assert unknown == {"requests": USE, "cost_usd": None}


def test_the_runs_of_thirty_days_are_summed_up(photos: Backup) -> None:
    old = utcnow() - dt.timedelta(days=31)
    for _ in range(2):
        ended(photos)
    ended(photos, requests={})
    before = ended(photos)
    with writing():
        BackupRun.update(created_at=old).where(BackupRun.id == before.id).execute()

    found = money.spent(photos.id)

    assert found is not None and found.runs == 2
    assert found.bill.cost.dollars == pytest.approx(1.002)
    assert money.spent(photos.id + 1) is None


def test_a_backup_whose_runs_counted_nothing_has_spent_nothing_known(photos: Backup) -> None:
    ended(photos, requests={})

    assert money.spent(photos.id) is None


def test_each_provider_has_the_service_of_its_endpoint(photos: Backup) -> None:
    with writing():
        Provider.update(endpoint="https://s3.wasabisys.com").where(
            Provider.name == "Here"
        ).execute()

    found = {end.name: end.prices for end in money.by_provider().values()}

    assert found == {"Wasabi": PRICES["wasabi"], "There": price_list.load()["other"]}
