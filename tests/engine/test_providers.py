"""Providers and their buckets as pages ask for them: kept listings, imports, numbers of queries."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.engine.catalogue import backups
from bucketvault.engine.catalogue import providers as catalogue
from bucketvault.engine.domain.places import BucketAt
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.events import Live
from bucketvault.engine.probe.contents import PathSize
from bucketvault.engine.probe.results import About, Right, TrialResult
from bucketvault.engine.probe.service import End
from bucketvault.engine.providers import Providers
from bucketvault.engine.rclone.buckets import (
    BucketNotFoundError,
    ListingDeniedError,
    WrongSecretError,
)
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.views.catalogue import provider_rows, storage_rows
from bucketvault.errors import (
    BucketvaultError,
    ChangedMeanwhileError,
    InUseError,
    InvalidInputError,
    NotFoundError,
)
from bucketvault.store.database import database, writing
from bucketvault.store.models import Backup, Provider, Storage
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import RunStatus
from tests import store_fixtures as make
from tests.support.program import until
from tests.support.proxies import FrozenServer, RefusingProxy, Rule
from tests.support.servers import MotoServer, RcloneS3, rclone_path
from tests.support.services import Amazon
from tests.support.wrong_answers import Lie, LyingHandler, said

pytestmark = pytest.mark.usefixtures("open_store")


@pytest.fixture
def providers(tmp_path: Path, vault: Vault) -> Providers:
    environment = {"BUCKETVAULT_DATA_DIR": str(tmp_path), "BUCKETVAULT_RCLONE": rclone_path()}
    return Providers(load_config(environment), Live(), lambda: vault)


def add(providers: Providers, server: RcloneS3, **given: object) -> int:
    keys = {
        "endpoint": server.endpoint,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }
    return providers.create(make.provider_input(**{**keys, **given}), check=False)


def test_a_new_provider_is_only_taken_when_its_key_is(providers: Providers, here: RcloneS3) -> None:
    keys = {"endpoint": here.endpoint, "access_key_id": here.access_key_id}

    with pytest.raises(WrongSecretError):
        providers.create(make.provider_input(**keys, secret_access_key="another-secret-0001"))
    assert Provider.select().count() == 0
    made = providers.create(make.provider_input(**keys, secret_access_key=here.secret_access_key))

    assert providers.page(made).listing is not None, "what the check listed is kept"


def test_a_change_is_tried_with_the_stored_key(providers: Providers, here: RcloneS3) -> None:
    made = add(providers, here)

    providers.change(
        made,
        make.provider_input(
            name="Renamed", endpoint=here.endpoint, access_key_id=None, secret_access_key=None
        ),
    )
    with pytest.raises(WrongSecretError):
        providers.change(
            made,
            make.provider_input(
                endpoint=here.endpoint, access_key_id=None, secret_access_key="another-secret-0001"
            ),
        )

    assert providers.page(made).row.name == "Renamed"


def test_a_listing_is_kept_ten_minutes_and_dropped_with_a_change(
    providers: Providers, here: RcloneS3, new_bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RefusingProxy(here.endpoint) as proxy:
        made = add(providers, here, endpoint=proxy.endpoint)
        first = providers.buckets(made)
        asked = len(proxy.seen)
        assert providers.buckets(made) is first and len(proxy.seen) == asked

        bucket = new_bucket(here)
        assert bucket.name in {b.name for b in providers.buckets(made, refresh=True).buckets}
        assert len(proxy.seen) > asked

        providers.change(
            made,
            make.provider_input(
                endpoint=here.endpoint,
                access_key_id=here.access_key_id,
                secret_access_key=here.secret_access_key,
            ),
            check=False,
        )
        assert providers.page(made).listing is None

        monkeypatch.setattr("bucketvault.engine.providers.KEPT_S", 0.0)
        again = providers.buckets(made, refresh=True)
        assert providers.buckets(made) is not again, "it has grown too old"


def test_a_key_that_may_not_list_still_imports_by_name(
    providers: Providers, here: RcloneS3, new_bucket
) -> None:
    bucket = new_bucket(here)
    rule = Rule("GET", r"^/(\?x-id=ListBuckets)?$", 403, "AccessDenied")
    with RefusingProxy(here.endpoint, [rule]) as proxy:
        made = add(providers, here, endpoint=proxy.endpoint)
        with pytest.raises(ListingDeniedError):
            providers.buckets(made)
        assert providers.page(made).may_not_list

        providers.import_bucket(made, f" {bucket.name} ", "source_only")
        with pytest.raises(BucketNotFoundError):
            providers.import_bucket(made, "no-such-bucket", None)
        providers.import_bucket(made, "no-such-bucket", None, check=False)

    rows = {row.bucket_name: row for row in providers.storages()}
    assert rows[bucket.name].checked_at is not None
    assert rows["no-such-bucket"].checked_at is None


@pytest.mark.slow
def test_a_listed_bucket_is_imported_under_whatever_name_it_has(
    providers: Providers, tmp_path: Path
) -> None:
    (tmp_path / "served" / "Old_Name").mkdir(parents=True)
    with RcloneS3(tmp_path / "served") as server:
        made = add(providers, server)
        with pytest.raises(InvalidInputError):
            providers.import_bucket(made, "Old_Name", None)

        providers.buckets(made)
        providers.import_bucket(made, "Old_Name", "destination_only")
        with pytest.raises(InvalidInputError, match="is already a storage"):
            providers.import_bucket(made, "Old_Name", None)

    (row,) = providers.storages()
    assert (row.bucket_name, row.checked_at is not None) == ("Old_Name", True)


def test_a_test_is_remembered_until_the_provider_changes(
    providers: Providers, here: RcloneS3, new_bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bucketvault.engine.probe.names.ODD", {"plus": ("a+b",)})  # quicker
    bucket = new_bucket(here)
    made = add(providers, here)

    test = providers.test(made, bucket.name, True)
    assert {right.outcome for right in test.rights} == {TrialResult.WORKS}
    assert providers.page(made).test == test and test.end is End.DONE
    change = make.provider_input(
        endpoint=here.endpoint, access_key_id=None, secret_access_key="another-secret-0001"
    )
    providers.change(made, change, check=False)

    assert providers.page(made).test is None
    keys = next(r for r in providers.test(made, "", False).rights if r.right is Right.KEYS)
    assert keys.outcome == TrialResult.REFUSED


def test_a_test_shows_its_results_as_they_come_and_teaches_runs_what_it_found(
    providers: Providers, moto: MotoServer, new_bucket
) -> None:
    bucket = new_bucket(moto)
    keys = {"access_key_id": moto.access_key_id, "secret_access_key": moto.secret_access_key}
    given = make.provider_input(endpoint=moto.endpoint, **keys)
    made = providers.create(given, check=False)
    storage = providers.import_bucket(made, bucket.name, None)

    with ThreadPoolExecutor(1) as other:
        running = other.submit(providers.test, made, bucket.name, True)

        def has_hash() -> bool:
            test = providers.page(made).test
            return test is not None and any(f.about is About.MD5 for f in test.findings)

        until("the first of what it writes is told", has_hash)
        test = providers.page(made).test
        assert test is not None and test.end is None
        with pytest.raises(BucketvaultError, match="in progress"):
            providers.test(made, bucket.name, False)
        providers.stop_test(made)
        ended = running.result()

    assert ended.end is End.STOPPED and providers.page(made).test == ended
    assert bucket.keys() == []
    traits = Traits.from_json(Storage.get_by_id(storage).traits)
    assert traits.etag_is_md5 is True and traits.kms is False


NO_RULES = b"<Error><Code>NoSuchLifecycleConfiguration</Code><Message>x</Message></Error>"


def test_a_provider_that_was_changed_during_its_test_is_taught_nothing(
    providers: Providers, amazon: Amazon, new_bucket
) -> None:
    bucket = new_bucket(amazon)
    given = make.provider_input(
        provider_type=amazon.provider_type,
        endpoint=amazon.endpoint,
        region=amazon.region,
        access_key_id=amazon.access_key_id,
        secret_access_key=amazon.secret_access_key,
    )
    made = providers.create(given, check=False)
    storage = providers.import_bucket(made, bucket.name, None, check=False)

    def change(handler: LyingHandler) -> None:
        providers.change(made, replace(given, endpoint="http://127.0.0.1:9"), check=False)
        said(NO_RULES, 404)(handler)

    amazon.lies = [Lie("GET", "lifecycle", answer=change)]
    test = providers.test(made, bucket.name, False)

    assert any(each.about is About.ENCODED for each in test.findings)
    assert Storage.get_by_id(storage).traits == {}
    providers.change(made, given, check=False)
    amazon.lies = []
    providers.test(made, bucket.name, False)
    assert Storage.get_by_id(storage).traits != {}


def test_the_second_of_two_changes_is_told_and_writes_nothing(
    providers: Providers, here: RcloneS3
) -> None:
    made = add(providers, here)
    loaded = providers.stored(made)
    mine = replace(loaded.given, name="Mine")
    key = replace(loaded.given, secret_access_key="another-secret-0001")
    providers.change(made, replace(key, region="eu-1"), loaded, check=False)

    with pytest.raises(ChangedMeanwhileError) as refused:
        providers.change(made, mine, loaded, check=False)

    assert refused.value.fields == ("region", "secret_access_key")
    assert providers.page(made).row.name != "Mine"
    providers.change(made, mine, providers.stored(made), check=False)
    assert providers.page(made).row.name == "Mine"


def test_a_storage_says_who_uses_it_and_how_large_it_was(
    providers: Providers, vault: Vault
) -> None:
    provider = make.a_provider()
    source, destination = make.a_storage(provider, "photos"), make.a_storage(provider, "copies")
    backup = make.a_backup("Photos", source, destination, destination_path="photos")
    other = make.a_backup("Mail", make.a_storage(provider, "mail"), destination)
    make.a_run(backup, source_objects=5, source_bytes=500)
    make.a_run(backup, RunStatus.FAILED, source_objects=7, source_bytes=700)
    make.a_run(other, source_objects=2, source_bytes=20)

    rows = {row.bucket_name: row for row in storage_rows()}

    assert (rows["photos"].objects, rows["photos"].size_bytes) == (7, 700)
    assert (rows["copies"].objects, rows["copies"].size_bytes) == (7, 520)
    assert [(use.backup_name, use.copies_from, use.path) for use in rows["copies"].uses] == [
        ("Mail", False, ""),
        ("Photos", False, "photos"),
    ]
    (row,) = provider_rows(vault)
    assert (row.storages, row.backups, row.keys_readable) == (3, ("Mail", "Photos"), False)


def test_a_key_is_told_to_be_readable_or_to_be_for_another_address(
    vault: Vault,
) -> None:
    catalogue.create(make.provider_input(), vault)
    (before,) = provider_rows(vault)
    with writing():
        Provider.update(endpoint="http://127.0.0.1:9999").execute()
    (after,) = provider_rows(vault)
    vault.key_file.unlink()
    (lost,) = provider_rows(Vault(vault.key_file))

    assert (before.keys_readable, before.keys_moved) == (True, False)
    assert (after.keys_readable, after.keys_moved, after.key_end) == (False, True, "")
    assert (lost.keys_readable, lost.keys_moved) == (False, False)


@pytest.mark.slow  # takes seconds
def test_a_hundred_providers_take_as_many_queries_as_one(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    execute = database.execute_sql

    def counting(sql: str, *rest: object) -> object:
        counted.append(sql)
        return execute(sql, *rest)

    def queries() -> int:
        counted.clear()
        provider_rows(vault)
        return len(counted)

    def fill(numbers: range) -> None:
        for number in numbers:
            provider = make.a_provider(f"P{number}")
            ends = make.a_storage(provider, "one"), make.a_storage(provider, "two")
            make.a_run(make.a_backup(f"B{number}", *ends))

    fill(range(1))
    monkeypatch.setattr(database, "execute_sql", counting)
    few = queries()
    fill(range(1, 40))

    assert queries() == few <= 4


def test_what_is_in_use_cannot_go_and_what_is_gone_says_so(
    providers: Providers, here: RcloneS3
) -> None:
    made = add(providers, here)
    first = providers.import_bucket(made, "bucket-one", None, check=False)
    second = providers.import_bucket(made, "bucket-two", None, check=False)
    backup = backups.create(make.backup_input(first, second))

    with pytest.raises(InUseError, match="Photos"):
        providers.delete_storage(first)
    with pytest.raises(InUseError, match="bucket-one"):
        providers.delete(made)
    with pytest.raises(InvalidInputError, match="Photos"):
        providers.change_storage(first, "", "destination_only")
    providers.change_storage(first, "The originals", "source_only")
    Backup.delete_by_id(backup)
    providers.delete_storage(first)
    providers.delete_storage(second)
    providers.delete(made)

    assert Storage.select().count() == 0
    with pytest.raises(NotFoundError):
        providers.page(made)


def test_a_path_is_counted_when_asked_for(providers: Providers, here: RcloneS3, new_bucket) -> None:
    bucket = new_bucket(here, {"photos/a.jpg": b"123", "photos/b.jpg": b"4567", "other": b"8"})
    at = BucketAt(add(providers, here), bucket.name)

    found = providers.measure(at, "photos", threading.Event(), lambda _: None)

    assert found == PathSize(objects=2, size_bytes=7)


def test_counting_ends_with_the_program(providers: Providers, here: RcloneS3) -> None:
    with FrozenServer() as frozen, ThreadPoolExecutor() as pool:
        made = add(providers, here, endpoint=frozen.endpoint)
        given_up = threading.Event()
        counting = pool.submit(
            providers.measure, BucketAt(made, "photos"), "", given_up, lambda _: None
        )
        until("somebody counts", lambda: bool(providers._counting))

        providers.stop()

        with pytest.raises(CancelledError):
            counting.result(timeout=10)
