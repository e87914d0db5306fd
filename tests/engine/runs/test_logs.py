"""Logs of before kinds were kept beside the lines."""

from bucketvault.engine.runs import logs
from bucketvault.store.database import writing
from bucketvault.store.models import RunLogChunk
from bucketvault.store.run_logs import LogWriter
from bucketvault.vocabulary import LineKind
from tests.pages.sample_logs import failed_log
from tests.store_fixtures import a_backup, a_provider, a_run, a_storage


def test_an_old_log_is_read_once_and_filtered_from_then_on(open_store: object) -> None:
    provider = a_provider()
    run = a_run(a_backup("Photos", a_storage(provider, "photos"), a_storage(provider, "copies")))
    writer = LogWriter(run.id)
    for line in failed_log():
        writer.add(line + b"\n")
    with writing():
        writer.flush()
        RunLogChunk.update(kinds=None).execute()

    (replaced,) = logs.rows(run.id, 0, 9, frozenset({LineKind.REPLACED}))

    assert b"latest.json" in replaced.line
    counts = logs.counts(run.id)
    assert (counts[LineKind.NEW], counts[LineKind.PROGRESS], sum(counts)) == (6, 2, 21)
    assert not RunLogChunk.select().where(RunLogChunk.kinds.is_null()).exists()
