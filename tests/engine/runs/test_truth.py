"""A run's own account, compared with what boto3 sees in both buckets."""

import itertools
from typing import Any

import pytest

from bucketvault.engine.domain.state_words import BUT_FOR
from tests.conftest import NewBucket
from tests.support.gate import PausingS3
from tests.support.program import Bucket, Program, objects, until
from tests.support.proxies import ForwardingHandler, RefusingProxy, Rule
from tests.support.servers import MotoServer, RcloneS3


def test_a_first_run_copies_everything_byte_for_byte_with_its_metadata(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(moto), new_bucket(moto)
    bodies = {
        "plain.txt": b"text",
        "empty": b"",
        "deep/er/and/deeper.bin": bytes(range(256)) * 300,
        "Küste/山の上 🎈.jpg": b"unicode",
        "sp ace/100%+#?&=;'\".txt": b"odd",
        "./dotted/../key": b"segments",
    }
    for key, body in bodies.items():
        source.put(
            key, body, ContentType="x/special", CacheControl="max-age=5", Metadata={"a": "b"}
        )
    bucketvault.backup(source, destination)

    run = bucketvault.run()

    assert run["status"] == "success" and run["exit_code"] == 0
    assert run["counts"]["copied"] == len(bodies)
    assert run["counts"]["bytes"] == sum(map(len, bodies.values()))
    assert destination.copy() == bodies
    for key in bodies:
        head = destination.server.client().head_object(Bucket=destination.name, Key=key)
        assert head["ContentType"] == "x/special" and head["CacheControl"] == "max-age=5"
        assert head["Metadata"]["a"] == "b"


def test_names_that_rclone_cannot_copy_below_a_path_are_a_warning_and_no_clean_run(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source = new_bucket(moto, {"p/a//b": b"one", "p/plain": b"one"})
    destination = new_bucket(moto)
    bucketvault.backup(source, destination, comparison_mode="checksum", source_path="p")

    run = bucketvault.run()

    assert run["status"] == "success" and run["counts"]["errors"] == 0
    assert run["warnings"] == ["1 name cannot be copied: a//b."]
    assert run["proof"]["cannot_copy"] == 1 and run["proof"]["names"]["cannot_copy"] == ["a//b"]
    told = bucketvault.cli("status")
    assert told.code == 3 and run["explanation"] in told.out
    assert destination.copy() == {"plain": b"one"}
    assert run["copy_state"] == f"The copy is complete {BUT_FOR}."
    assert run["explanation"] == f"The copy is complete {BUT_FOR}: 1 copied."
    again = bucketvault.run()
    assert again["explanation"].endswith(f"already complete {BUT_FOR}.") and again["warnings"]


def test_an_object_of_the_copy_that_no_list_can_name_stays_below_a_path(
    bucketvault: Program, moto: MotoServer, new_bucket: NewBucket
) -> None:
    source, there = new_bucket(moto, {"plain": b"one"}), {"p/a//b": b"is there already"}
    destination = new_bucket(moto, there)
    bucketvault.backup(source, destination, comparison_mode="checksum", destination_path="p")

    run = bucketvault.run()

    assert (run["status"], run["warnings"], run["counts"]["copied"]) == ("success", [], 1)
    assert destination.copy() == {"p/plain": b"one", **there}


def test_what_is_missing_from_the_copy_since_the_last_good_run_is_told_once(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(12)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, comparison_mode="checksum")
    bucketvault.run()
    source.put("new", b"new")
    source.delete(max(objects(12)))
    clean = bucketvault.run()
    for key in destination.copy_keys()[:3]:
        destination.delete(key)

    told = bucketvault.run()
    after = bucketvault.run()

    (warning,) = told["warnings"]
    assert warning == "Deleted from the copy by another program and copied again: 3."
    assert (clean["warnings"], after["warnings"]) == ([], [])
    assert told["counts"]["copied"] == 3 and destination.copy() == source.objects()


def test_a_run_that_ends_at_the_key_says_that_one_before_it_changed_the_copy(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(20)), new_bucket(elsewhere)
    with RefusingProxy(elsewhere.endpoint) as proxy:
        bucketvault.backup(
            source, destination, comparison_mode="checksum", destination_endpoint=proxy.endpoint
        )
        bucketvault.run()
        for number in range(5):
            source.put(f"new-{number}", b"new")
        proxy.rules = [Rule("PUT", "/new-3", 403, "AccessDenied")]
        partly = bucketvault.run()
        proxy.rules = [Rule("GET", "", 403, "InvalidAccessKeyId")]

        refused = bucketvault.run()
        told = bucketvault.cli("status").out
        proxy.rules = []
        good = bucketvault.run()

    assert "new-3" in partly["explanation"] and partly["copy_code"] == "partly"
    assert partly["proof"]["missing"] == 1 and partly["proof"]["names"]["missing"] == ["new-3"]
    assert (refused["copy_code"], refused["copy_partly_since"]) == ("partly", partly["started_at"])
    assert "This run changed nothing; the copy has been partly updated since" in told
    assert "was not changed" not in told
    assert (good["copy_code"], good["copy_partly_since"]) == ("complete", None)


@pytest.mark.parametrize("mode", ["checksum_and_time", "size_only", "checksum"])
def test_two_revisions_are_counted_as_boto3_sees_them(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket, mode: str
) -> None:
    source, destination = new_bucket(here, objects(60)), new_bucket(elsewhere)
    bucketvault.backup(source, destination, comparison_mode=mode)
    bucketvault.run()
    before = destination.copy()
    for n in range(7):
        source.put(f"new-{n}.txt", b"new")
    for key in itertools.islice(objects(60), 5):
        source.put(key, b"changed, and longer than it was before " * 4)
    for key in list(objects(60))[-9:]:
        source.delete(key)

    run = bucketvault.run()

    counts = run["counts"]
    after = destination.copy()
    assert after == source.objects()
    assert counts["copied"] == len(after.keys() - before.keys()) == 7
    assert counts["replaced"] == sum(after.get(k, v) != v for k, v in before.items()) == 5
    assert counts["deleted"] == len(before.keys() - after.keys()) == 9
    assert counts["checked"] == run["proof"]["present"] == len(after)
    (kept,) = destination.kept().values()
    assert counts["archived"] == len(kept) == 14
    assert kept == {k: v for k, v in before.items() if after.get(k) != v}
    assert counts["errors"] == 0


THREE = r"/object-0000[0-2]\.txt"
INSIDE = "x-amz-copy-source"
REFUSED = {
    "a read at the source": ("source", {"method": "GET"}),
    "a write at the destination": ("destination", {"method": "PUT", "without_header": INSIDE}),
    "a move into the archive": ("destination", {"method": "PUT", "header": INSIDE}),
    "a delete after it was archived": ("destination", {"method": "DELETE"}),
}


@pytest.mark.parametrize("answer", ["AccessDenied", "InternalError once"])
@pytest.mark.parametrize("what", REFUSED)
def test_counts_are_true_when_single_requests_are_refused(
    bucketvault: Program,
    here: RcloneS3,
    elsewhere: RcloneS3,
    new_bucket: NewBucket,
    what: str,
    answer: str,
) -> None:
    side, which = REFUSED[what]
    code, _, passes = answer.partition(" ")
    rule = Rule(path=THREE, status=403 if code == "AccessDenied" else 500, code=code, **which)
    source, destination = new_bucket(here, objects(12)), new_bucket(elsewhere)
    with RefusingProxy((here if side == "source" else elsewhere).endpoint) as proxy:
        bucketvault.backup(
            source,
            destination,
            comparison_mode="checksum",
            **{f"{side}_endpoint": proxy.endpoint},  # type: ignore[arg-type]
        )
        bucketvault.run()
        before = destination.copy()
        change(source)
        if passes:
            rule.times = 1
        proxy.rules = [rule]

        run = bucketvault.run()

    counts, after, wanted = run["counts"], destination.copy(), source.objects()
    assert run["status"] == ("success" if after == wanted else "failed"), run
    assert (run["status"] == "success") == bool(passes)
    assert counts["copied"] == len(after.keys() - before.keys()) == 1
    assert counts["replaced"] == sum(
        k in wanted and after.get(k, v) != v for k, v in before.items()
    )
    assert counts["deleted"] == sum(k not in wanted and k not in after for k in before)
    assert [k for k in before if k in wanted and k not in after] == []
    archived_and_gone(destination, before, after)
    if not passes:
        named = {name for name, _ in run["proof"]["names"]["failed"]} & before.keys()
        assert named and counts["errors"] >= len(named), run
        assert all(name in run["explanation"] for name in named), run


def test_a_listing_of_the_destination_that_is_refused_ends_a_run_before_it_begins(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(60)), new_bucket(elsewhere)
    with RefusingProxy(elsewhere.endpoint) as proxy:
        bucketvault.backup(
            source, destination, comparison_mode="checksum", destination_endpoint=proxy.endpoint
        )
        bucketvault.run()
        before = destination.copy()
        source.put("folder-3/object-00003.txt", b"changed, and its former version must be kept")
        proxy.rules = [Rule("GET", r"list-type=2", 403, "AccessDenied", times=1)]

        refused = bucketvault.run()
        copy, log = destination.copy(), bucketvault.cli("log", "Photos").out
        good = bucketvault.run()

    assert refused["reason"] == "credentials" and "cannot list" in refused["explanation"], refused
    assert f"The check was not completed: {refused['explanation']}" in log
    assert copy == before and refused["copy_state"] == "The copy was not changed."
    assert good["status"] == "success" and destination.copy() == source.objects()


class Losing(RefusingProxy):
    """A source whose owner removes an object in the moment in which it is to be read."""

    lost: Bucket | None = None

    def refusal(self, method: str, path: str, headers: Any) -> Rule | None:
        if self.lost is not None and method == "GET" and path.partition("?")[0].endswith(GONE):
            self.lost.delete(GONE)
        return super().refusal(method, path, headers)


GONE = "folder-0/object-00000.txt"


def test_what_the_source_loses_under_way_is_a_matter_for_the_next_run(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(12)), new_bucket(elsewhere)
    with Losing(here.endpoint) as proxy:
        bucketvault.backup(
            source, destination, comparison_mode="checksum", source_endpoint=proxy.endpoint
        )
        bucketvault.run()
        former = destination.copy()[GONE]
        change(source)
        proxy.lost = source

        run = bucketvault.run()
        left = destination.copy()
        after = bucketvault.run()

    assert run["status"] == "success" and run["proof"]["since"] == 1, run
    assert left == source.objects() | {GONE: former} and GONE not in source.objects()
    counts = run["counts"]
    assert (counts["copied"], counts["replaced"], counts["deleted"]) == (1, 1, 1)
    assert after["counts"]["deleted"] == 1 and destination.copy() == source.objects()


class SilentDeletes(RefusingProxy):
    """A destination that removes what it is asked to, and does not say so any more."""

    def __init__(self, upstream_endpoint: str) -> None:
        super().__init__(upstream_endpoint)
        self.RequestHandlerClass = SilentDelete


class SilentDelete(ForwardingHandler):
    """Every answer but that to a DELETE."""

    server: SilentDeletes

    def _relay(self, response: Any) -> None:
        if self.command == "DELETE":
            self.server.stopping.wait()
        super()._relay(response)


@pytest.mark.slow
def test_an_rclone_that_is_killed_while_it_removes_leaves_the_judgement_to_the_look(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(20)), new_bucket(elsewhere)
    with SilentDeletes(elsewhere.endpoint) as proxy:
        bucketvault.backup(
            source, destination, comparison_mode="checksum", destination_endpoint=proxy.endpoint
        )
        bucketvault.run()
        source.delete(GONE)
        source.put("new", b"new")
        process = bucketvault.start("run", "Photos", "--wait")
        until("it is removed", lambda: GONE not in destination.copy_keys())

        (rclone,) = bucketvault.rclones()
        rclone.kill()
        _, told = process.communicate(timeout=60)

    run = bucketvault.last_run()
    assert (process.returncode, run["status"]) == (0, "success"), told
    assert destination.copy() == source.objects()
    assert (run["counts"]["copied"], run["counts"]["deleted"]) == (1, 1)


def change(source: Bucket) -> None:
    for n in (0, 1):
        source.put(f"folder-{n}/object-{n:05}.txt", b"changed " * 40)
    source.delete("folder-2/object-00002.txt")
    source.put("folder-0/new.txt", b"new")


def archived_and_gone(
    destination: Bucket, before: dict[str, bytes], after: dict[str, bytes]
) -> int:
    """How many former objects are in the run's folder and no longer in the copy as they were."""
    kept = {key: body for folder in destination.kept().values() for key, body in folder.items()}
    assert all(before[key] == body for key, body in kept.items())
    return sum(after.get(key) != body for key, body in kept.items())


def test_a_backup_that_is_changed_while_it_runs_is_copied_as_it_was(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(20)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    pausing.hold_listings()
    process = bucketvault.start("run", "Photos", "--wait")
    until("the run is claimed", bucketvault.run_folder)

    bucketvault.backup(source, destination, destination_path="other", comparison_mode="checksum")
    pausing.thaw()

    assert process.wait(60) == 0
    assert destination.copy() == source.objects()
    bucketvault.run()
    moved = destination.objects("other/")
    assert {key.removeprefix("other/"): body for key, body in moved.items()} == source.objects()


def test_an_inherited_rclone_environment_changes_nothing(
    bucketvault: Program, here: RcloneS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(here, objects(5)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    bucketvault.environment |= {"RCLONE_DRY_RUN": "true", "RCLONE_EXCLUDE": "*"}

    run = bucketvault.run()

    assert run["counts"]["copied"] == 5 and destination.copy() == objects(5)


def test_the_stored_log_is_byte_for_byte_what_rclone_wrote(
    bucketvault: Program, pausing: PausingS3, elsewhere: RcloneS3, new_bucket: NewBucket
) -> None:
    source, destination = new_bucket(pausing, objects(40, 4000)), new_bucket(elsewhere)
    bucketvault.backup(source, destination)
    process = bucketvault.start("run", "Photos", "--wait")
    link = bucketvault.folder / "spool"

    def linked() -> bool:
        folder = bucketvault.run_folder()
        if folder is None or not (folder / "rclone.log").exists():
            return False
        link.hardlink_to(folder / "rclone.log")  # keeps the file when the folder goes
        return True

    until("the spool is there", linked)
    pausing.thaw()
    process.communicate()

    run = bucketvault.last_run()

    assert run["status"] == "success"
    assert link.read_bytes() == bucketvault.raw_log(run["id"])
    assert bucketvault.cli("log", str(run["id"]), "--raw").out.encode() == link.read_bytes()
    told = bucketvault.cli("log", "Photos").out
    assert "folder-0/object-00000.txt  copied (new), 4.0 kB" in told
