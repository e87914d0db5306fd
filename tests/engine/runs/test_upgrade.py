"""An upgrade while a run copies: the newer program takes it over, and the older one keeps off."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from bucketvault.store import database
from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import Program, objects, until
from tests.support.servers import RcloneS3

pytestmark = pytest.mark.slow

NEWER = """
def up(migrator, database, **kwargs):
    database.execute_sql("ALTER TABLE backup_run ADD COLUMN of_tomorrow TEXT NOT NULL DEFAULT ''")
    database.execute_sql("UPDATE backup_run SET of_tomorrow = status")
"""


def test_a_run_under_way_is_taken_over_by_a_newer_program_with_another_database(
    bucketvault: Program,
    pausing: PausingS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, destination = new_bucket(pausing, objects(60, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    older = psutil.Process(bucketvault.start("run", "Photos", "--wait").pid)
    until("the first are copied", lambda: len(destination.copy_keys()) == pausing.FIRST)
    older.kill()
    older.wait(10)
    migrations = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, migrations)
    (migrations / "0002_of_tomorrow.py").write_text(NEWER)
    with monkeypatch.context() as upgraded:
        upgraded.setattr(database, "MIGRATIONS", migrations)
        told = bucketvault.cli("status")  # the first command migrates
        pausing.thaw()
        done = bucketvault.cli("run", "Photos", "--wait")
        (backup,) = bucketvault.status()["backups"]
    refused = bucketvault.cli("run", "Photos", "--wait")

    assert "continues on its own" in told.out
    assert done.code == 0 and backup["last_run"]["status"] == "success", done
    assert destination.copy() == source.objects()
    assert rows(bucketvault.data_dir / "bucketvault.sqlite3") == [("success",)]  # the same run
    copies = list((bucketvault.data_dir / "backups").glob("before-0002*"))
    assert [rows(copy) for copy in copies] == [[("running",)]]
    assert refused.code != 0 and "newer bucketvault" in refused.err


def rows(file: Path) -> list[tuple[str]]:
    """Return the states of all runs in a database."""
    with closing(sqlite3.connect(file)) as opened:
        return list(opened.execute("SELECT status FROM backup_run"))
