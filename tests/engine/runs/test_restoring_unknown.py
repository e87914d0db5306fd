"""Days are offered up to what is not known of a copy; what is nobody's ends nothing."""

from pathlib import Path

import pytest

from bucketvault.engine.runs.restore_listing import open_history
from bucketvault.engine.runs.restoring import Cut
from bucketvault.store.models import BackupRun
from tests.conftest import NewBucket
from tests.engine.runs.test_restoring import Restorer
from tests.support.program import Program
from tests.support.servers import MotoServer


@pytest.mark.slow
def test_a_run_that_the_database_lost_ends_the_days_though_it_only_added_objects(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket, tmp_path: Path
) -> None:
    source, destination = new_bucket(moto), new_bucket(moto)
    bucketvault.backup(source, destination, comparison_mode="checksum")
    for key in ("first", "added"):
        source.put(key, key.encode())
        assert bucketvault.run()["status"] == "success"
    ledgers = bucketvault.data_dir / "ledgers"

    with bucketvault.database():
        history = open_history(ledgers, 1, destination.remote())
        assert len(history.days) == 2
        assert [each.key for each in history.at(history.days[1])] == [b"first"]
        person = Restorer(destination, tmp_path)
        kept = person.text.split(".bucketvault-archive/")[1].split("/")[0]
        destination.put(f".bucketvault-archive/{kept}/notes/mine", b"a person's own")
        person.script(history, history.days[1])
        history.close()
        person.do("sh restore.sh restored")
        assert person.restored() == {"first": b"first"}

        # as after `restore-database` of a copy that was made between the two
        BackupRun.delete().where(BackupRun.id == 2).execute()
        history = open_history(ledgers, 1, destination.remote())
        history.close()
        assert (history.days, history.reach.cut) == ([], Cut.STRANGE)
