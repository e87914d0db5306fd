"""/metrics: numbers for Prometheus, in its text format; off until a token is made.

Decisions: docs/decisions/service.md.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from bucketvault import __version__
from bucketvault.access import metrics_token
from bucketvault.engine.engine import Engine
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.situation import Tone, tone_of
from bucketvault.vocabulary import RunStatus

if TYPE_CHECKING:
    from prometheus_client import Metric

PATH = "/metrics"


def metrics_routes(engine: Engine) -> APIRouter:
    """Return the route; the guard lets everybody reach it, and the token is checked here."""
    router = APIRouter()

    @router.get(PATH)
    async def metrics(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not await asyncio.to_thread(metrics_token.opens, engine.config.metrics_token, given):
            # the same whether they are on or off: a stranger learns nothing
            refused = "Metrics need the token of: bucketvault metrics on\n"
            headers = {"WWW-Authenticate": "Bearer"}
            return PlainTextResponse(refused, HTTPStatus.UNAUTHORIZED, headers)
        text = await asyncio.to_thread(_text, engine)
        # Prometheus' text format 0.0.4
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _text(engine: Engine) -> bytes:
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(engine))
    ProcessCollector(registry=registry)
    return bytes(generate_latest(registry))


class _Numbers:
    """All values of one scrape; asked for in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> "Iterator[Metric]":
        """Yield every metric as it is now."""
        rows, issues = self._engine.overview_backups(), self._engine.answer().installation_issues
        yield _gauge("info", "The version.", "version", {__version__: 1})
        yield _states(rows)
        for name, help_, value in BACKUP:
            told = {row.name: found for row in rows if (found := value(row)) is not None}
            yield _gauge(f"backup_{name}", help_, "backup", told)
        active = Counter(str(row.active_run.status) for row in rows if row.active_run is not None)
        both = {str(status): active[status] for status in (RunStatus.PENDING, RunStatus.RUNNING)}
        yield _gauge("runs", "Runs now, by status.", "status", both)
        needs = sum(not issue.is_hint for issue in issues)
        yield _gauge(
            "issues", "Problems of the program itself, such as a full disk.", "", {"": needs}
        )


def _gauge(name: str, help_: str, label: str, values: Mapping[str, float]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"bucketvault_{name}", help_, labels=[label] if label else [])
    for named, value in values.items():
        family.add_metric([named] if label else [], value)
    return family


def _states(rows: Sequence[BackupRow]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    help_ = "1 for the state a backup is in, 0 for the others."
    family = GaugeMetricFamily("bucketvault_backup_state", help_, labels=["backup", "state"])
    for row in rows:
        now = tone_of(row)
        for tone in Tone:
            family.add_metric([row.name, tone], float(tone is now))
    return family


def _seconds(moment: dt.datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def _of_proof(number: str) -> Callable[[BackupRow], float | None]:
    return lambda row: getattr(row.proof, number) if row.proof is not None else None


def _duration(row: BackupRow) -> float | None:
    run = row.last_run
    if run is None or run.started_at is None or run.finished_at is None:
        return None
    return max(0.0, (run.finished_at - run.started_at).total_seconds())


BACKUP: tuple[tuple[str, str, Callable[[BackupRow], float | None]], ...] = (
    ("enabled", "1 while the schedule is on.", lambda row: row.enabled),
    ("overdue", "1 if a scheduled run did not happen.", lambda row: row.overdue),
    (
        "last_success_timestamp_seconds",
        "When the newest good run ended.",
        lambda row: _seconds(row.last_good_at),
    ),
    (
        "last_proof_timestamp_seconds",
        "When the copy was last compared with its source, object by object.",
        lambda row: _seconds(row.proof.when) if row.proof is not None else None,
    ),
    (
        "next_run_timestamp_seconds",
        "When the next run is due.",
        lambda row: _seconds(row.next_due_at),
    ),
    ("source_objects", "Objects of the source at the last proof.", _of_proof("source_objects")),
    ("source_bytes", "Bytes of the source at the last proof.", _of_proof("source_bytes")),
    ("present_objects", "Of them, those that the copy has.", _of_proof("present")),
    ("missing_objects", "Of them, those that the copy lacks.", _of_proof("missing")),
    ("different_objects", "Of them, those that differ in the copy.", _of_proof("different")),
    (
        "damaged_objects",
        "Objects whose bytes differ, as verification read them.",
        lambda row: row.damage.objects if row.damage is not None else 0,
    ),
    ("last_run_duration_seconds", "How long the newest ended run took.", _duration),
)
