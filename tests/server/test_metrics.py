"""The numbers for Prometheus, and the dashboard that draws them."""

import datetime as dt
import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bucketvault.config import load_config
from bucketvault.engine.domain.proof import Proof
from bucketvault.engine.engine import Engine
from bucketvault.server import metrics
from bucketvault.store.models import Storage, utcnow
from tests import store_fixtures as make

ROOT = Path(__file__).parents[2]

Sample = tuple[str, frozenset[str]]  # a metric's name, and the values of its labels


def scraped(data_dir: Path) -> dict[Sample, float]:
    """Every sample of one scrape."""
    config = load_config({"BUCKETVAULT_KEY_FILE": f"{data_dir}.key"}, data_dir=str(data_dir))
    text = metrics._text(Engine(config, "serve")).decode()
    return {
        (sample.name.removeprefix("bucketvault_"), frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_tells_state_times_and_proof_of_every_backup(
    data_folder: Path, ends: tuple[Storage, Storage]
) -> None:
    name = 'dumps "1"\\\n'
    good = make.a_backup(name, *ends, archive_key="dumps")
    began = utcnow().replace(microsecond=0) - dt.timedelta(hours=1)
    proof = Proof(began.isoformat(), source_objects=12, source_bytes=3400, present=11, missing=1)
    ended = began + dt.timedelta(seconds=90)
    make.a_run(good, started_at=began, finished_at=ended, proof=proof.to_json())
    make.a_backup("new", *ends, archive_key="new")

    found = scraped(data_folder)

    def of(metric: str, *labels: str) -> float | None:
        return found.get((metric, frozenset(labels)))

    assert (of("backup_state", name, "ok"), of("backup_state", name, "bad")) == (1, 0)
    assert of("backup_state", "new", "none") == 1
    assert of("backup_last_success_timestamp_seconds", name) == ended.timestamp()
    assert of("backup_last_proof_timestamp_seconds", name) == began.timestamp()
    assert of("backup_last_success_timestamp_seconds", "new") is None
    assert of("backup_source_objects", name) == 12 and of("backup_missing_objects", name) == 1
    assert of("backup_last_run_duration_seconds", name) == 90
    assert of("runs", "running") == of("runs", "pending") == 0
    assert (of("process_resident_memory_bytes") or 0) > 1e6


def test_dashboard_and_guide_name_the_metrics_that_there_are() -> None:
    there = {f"bucketvault_backup_{name}" for name, _, _ in metrics.BACKUP}
    there |= {f"bucketvault_{name}" for name in ("info", "backup_state", "runs", "issues")}
    dashboard = (ROOT / "packaging/grafana-dashboard.json").read_text("utf-8")
    guide = (ROOT / "docs/operations.md").read_text("utf-8")

    drawn = set(re.findall(r"bucketvault_\w+", dashboard))
    asked = [
        target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel["targets"]
    ]

    assert drawn <= there and len(asked) >= 5
    assert {name for name in there if name not in guide} == set()
