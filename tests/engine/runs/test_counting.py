"""The requests that a run counts are those that both ends were asked."""

import re
from collections import Counter
from typing import Any

from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.store.models import BackupRun
from bucketvault.vocabulary import Side
from tests.conftest import NewBucket
from tests.support.program import Program
from tests.support.proxies import RefusingProxy, Rule
from tests.support.servers import RcloneS3

_LISTS = re.compile(r"[?&](list-type|uploads)=")


class Counting(RefusingProxy):
    """Counts what passes by the classes that services charge for."""

    def taken(self) -> EndUse:
        """Return the requests since the last call."""
        kinds = Counter(map(_class_of, self.seen))
        self.seen.clear()
        return EndUse(**kinds)


def _class_of(request: tuple[str, str]) -> str:
    method, path = request
    if method == "GET" and _LISTS.search(path):
        return "lists"
    return {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(method, "writes")


def counted(run: dict[str, Any]) -> Use:
    """Return the requests of a run by its own account, without traffic."""
    use = Use.from_json(run["requests"])
    for side in Side:
        use.of(side).bytes_out = 0
    return use


def test_a_run_counts_the_requests_of_both_ends(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source = new_bucket(here, {f"{folder}/{n}": b"1" for folder in "abc" for n in range(4)})
    destination = new_bucket(elsewhere)
    with Counting(here.endpoint) as theirs, Counting(elsewhere.endpoint) as ours:
        ends = {"source_endpoint": theirs.endpoint, "destination_endpoint": ours.endpoint}
        bucketvault.backup(source, destination, destination_path="copy", **ends)

        def both() -> tuple[Use, Use, dict[str, Any]]:
            run = bucketvault.run()
            return counted(run), Use(theirs.taken(), ours.taken()), run

        told, seen, first = both()
        assert told == seen  # a first copy: rclone lists by itself
        assert first["requests"]["source"]["bytes_out"] == 12

        source.put("a/0", b"22")  # replaced
        source.put("new", b"4")
        source.delete("b/1")
        told, seen, _ = both()
        assert told == seen
        # by name: two that come, and of which headers are compared, and one that goes
        assert told.source.reads == 7

        assert bucketvault.cli("verify", "Photos", "--wait").code == 0
        with bucketvault.database():
            verified = BackupRun.select().order_by(BackupRun.id.desc()).get().requests
        reads = {"reads": 12, "bytes_out": 13}  # of what is there by now
        assert verified == {"source": reads, "destination": reads}
        assert theirs.taken() == ours.taken() == EndUse(reads=12)

        ours.rules = [Rule("GET", r"list-type", 403, "AccessDenied")]
        failed = counted(bucketvault.run())
        assert failed.destination == ours.taken() == EndUse(lists=1)
