"""The heartbeat of a backup against real servers: start, success, fail, and who did not hear."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bucketvault.config import Config, load_config
from bucketvault.engine.alerts.pinging import Sign, form_of, note_program
from bucketvault.engine.alerts.run_pings import RunPings
from bucketvault.engine.catalogue import backups
from bucketvault.engine.domain.fields import BackupFields
from bucketvault.engine.health import checks, heard
from bucketvault.engine.health.readings import Context
from bucketvault.engine.mail.sender import Pace
from bucketvault.engine.views.situation import Part, Tone
from bucketvault.store.database import writing
from bucketvault.store.models import Backup, BackupRun, utcnow
from bucketvault.vocabulary import Phase, Reason, RunKind, RunStatus
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage, at
from tests.support.listener import Listener
from tests.support.program import until

HASTY = Pace(pauses_s=(0.05, 0.1), look_s=0.02)
REFUSED = b"OK (not found)"

pytestmark = pytest.mark.usefixtures("open_store")


@pytest.fixture
def config(open_store: Path) -> Config:
    return load_config({}, data_dir=str(open_store.parent))


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    made.body = b"OK"
    with made.up():
        yield made


@pytest.fixture
def photos(open_store: Path, listener: Listener) -> Backup:
    provider = a_provider("R2")
    ends = a_storage(provider, "photos"), a_storage(provider, "copy")
    return a_backup("Photos", *ends, ping_url=listener.url("ping/0a1b"))


@contextmanager
def pinging(pace: Pace = HASTY) -> Iterator[RunPings]:
    pings = RunPings(pace, answer_s=0.5)
    pings.start()
    try:
        yield pings
    finally:
        pings.stop()


def started(backup: Backup, kind: RunKind = RunKind.COPY) -> BackupRun:
    return a_run(backup, RunStatus.RUNNING, started_at=at(1), phase=Phase.COPYING, kind=kind)


def end(run: BackupRun, reason: Reason | None = None) -> BackupRun:
    told = {"reason": reason, "explanation": "The key is wrong.", "hint": "Enter it again."}
    with writing():
        status = RunStatus.SUCCESS if reason is None else RunStatus.FAILED
        run.finish(status, finished_at=at(2), **(told if reason is not None else {}))
    return run


def paths(listener: Listener) -> list[str]:
    return [request.path for request in listener.requests]


def stored(backup: Backup) -> Backup:
    row: Backup = Backup.get_by_id(backup.id)
    return row


def test_start_success_and_fail_are_told_in_the_forms_of_healthchecks(
    photos: Backup, listener: Listener
) -> None:
    with pinging() as pings:
        run = started(photos)
        until("the start is told", lambda: paths(listener) == ["/ping/0a1b/start"])
        end(run)
        until("the end is told", lambda: stored(photos).ping_heard)
        end(started(photos), Reason.CREDENTIALS)
        until("the failure is told", lambda: "/ping/0a1b/fail" in paths(listener))
        pings.try_all(5)

    good = next(request for request in listener.requests if request.path == "/ping/0a1b")
    failed = listener.requests[-1]
    assert good.method == "POST" and good.body == b"The copy is complete."
    assert failed.body.decode() == "Photos failed: The key is wrong. Enter it again."
    assert paths(listener).count("/ping/0a1b") == paths(listener).count("/ping/0a1b/fail") == 1


def test_uptime_kuma_is_told_by_its_own_form_and_no_start(
    photos: Backup, listener: Listener
) -> None:
    with writing():
        url = listener.url("api/push/0a1b?status=up&msg=OK&ping=")
        Backup.update(ping_url=url).execute()
    listener.body = b'{"ok":true}'

    with pinging() as pings:
        run = started(photos)
        pings.try_all(5)
        end(run, Reason.STALLED)
        until("it is told", lambda: stored(photos).ping_heard)

    (request,) = listener.requests
    told = parse_qs(urlsplit(request.path).query, keep_blank_values=True)
    assert urlsplit(request.path).path == "/api/push/0a1b" and request.method == "GET"
    assert told["status"] == ["down"] and told["ping"] == [""]
    assert told["msg"] == ["Photos failed: The key is wrong. Enter it again."]


def test_an_end_is_told_after_an_outage_and_a_start_of_the_program_once(
    photos: Backup, listener: Listener
) -> None:
    listener.status = 500
    end(started(photos))
    with pinging():
        until("it was tried twice", lambda: len(listener.requests) > 1)
    assert stored(photos).ping_answer == "HTTP 500"

    listener.status = 200
    with pinging():  # after a crash, say
        until("it is heard", lambda: stored(photos).ping_heard)
    seen = len(listener.requests)
    with pinging() as pings:
        pings.try_all(5)

    assert len(listener.requests) == seen


def test_an_answer_that_heard_nobody_is_shown_as_not_heard(
    photos: Backup, listener: Listener, config: Config
) -> None:
    listener.body = REFUSED
    end(started(photos))
    with pinging(Pace(pauses_s=(600.0,), look_s=0.02)):
        until("it was tried", lambda: stored(photos).pinged_at)

    reading = heard.look_at_heartbeats(Context(config, utcnow()))

    assert reading.tone is Tone.WARN and reading.issue is not None
    assert reading.words == (
        "The heartbeat of Photos was not heard: HTTP 200, but the heartbeat was not accepted: "
        "OK (not found)."
    )
    (issue,) = [each for each in checks.installation_issues(config) if each.part is Part.HEARTBEAT]
    assert issue.title == "Heartbeat is not heard" and not issue.is_bad


def test_a_new_address_hears_nothing_of_runs_that_ended_before(
    photos: Backup, listener: Listener
) -> None:
    end(started(photos))
    given = backups.stored(photos.id)
    other = listener.url("ping/other")

    changed = backups.change(photos.id, BackupFields(**{**_fields(given), "ping_url": other}))
    with pinging() as pings:
        pings.try_all(5)
        assert changed == ("ping_url",) and not listener.requests
        end(started(photos))
        until("the next one is told", lambda: "/ping/other" in paths(listener))


def test_previews_and_good_verifications_are_told_to_nobody_and_damage_is(
    photos: Backup, listener: Listener
) -> None:
    end(started(photos, RunKind.PREVIEW))
    end(started(photos, RunKind.VERIFY))
    with pinging() as pings:
        pings.try_all(5)
        assert not listener.requests
        end(started(photos, RunKind.VERIFY), Reason.DAMAGED)
        until("damage is told", lambda: paths(listener) == ["/ping/0a1b/fail"])


def test_the_program_and_each_backup_are_judged_together(config: Config, photos: Backup) -> None:
    context = Context(config, utcnow())
    assert heard.look_at_heartbeats(context).tone is Tone.NONE
    note_program("HTTP 404", heard=False)  # of a URL that was taken away since

    assert heard.look_at_heartbeats(context).tone is Tone.NONE
    assert heard.heartbeats([("Photos", True, "HTTP 200")]).tone is Tone.OK
    told = heard.heartbeats([("bucketvault", False, "HTTP 404"), ("Photos", False, "HTTP 500")])
    assert told.words.startswith("The heartbeat of bucketvault was not heard, nor 1 more: HTTP 404")


@pytest.mark.parametrize(
    ("url", "sign", "address"),
    [
        ("https://hc-ping.com/0a1b", Sign.SUCCESS, "https://hc-ping.com/0a1b"),
        ("https://hc-ping.com/0a1b/", Sign.START, "https://hc-ping.com/0a1b/start"),
        ("https://hc-ping.com/key/photos?create=1", Sign.FAIL, "/key/photos/fail?create=1"),
    ],
)
def test_the_forms_keep_the_rest_of_the_address(url: str, sign: Sign, address: str) -> None:
    assert form_of(url, sign, "")[0].endswith(address)


def _fields(given: BackupFields) -> dict[str, object]:
    return {name: getattr(given, name) for name in BackupFields.__dataclass_fields__}
