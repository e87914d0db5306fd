"""Counts, progress and errors from rclone's lines."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bucketvault.engine.rclone import tally as tally_module
from bucketvault.engine.rclone.log_lines import Progress
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.sanitize import has_control_characters

DATA = Path(__file__).parents[2] / "data" / "rclone"


def line(message: str, key: str | None = "a.txt", level: str = "info", **more: object) -> bytes:
    entry: dict[str, object] = {"time": "2026-11-22T10:00:00Z", "level": level, "msg": message}
    if key is not None:
        entry |= {"object": key, "objectType": "*s3.Object"}
    return json.dumps(entry | more).encode() + b"\n"


def read(*lines: bytes) -> Transcript:
    transcript = Transcript()
    transcript.feed(lines)
    return transcript


ARCHIVED = (line("Copied (server-side copy)", size=7), line("Deleted"))


signs = st.text(st.sampled_from('a:"\x1b\x85\x9b\u200b\u2028\u202e\n\t'), max_size=20)


@given(message=signs, key=signs, level=st.sampled_from(["error", "critical", "notice"]))
def test_words_of_others_are_kept_without_signs_that_do_things(
    message: str, key: str, level: str
) -> None:
    plain = message.replace("\n", " ").encode()

    said = read(line(f"Failed: {message}", key, level=level), b"panic: " + plain)

    kept = [said.last_notice, *said.plain]
    for error in said.errors:
        kept += [error.object, error.message]
    assert any(kept) and not any(map(has_control_characters, kept))


def step(name: str, **more: object) -> bytes:
    return line(f"Pass 1: {name}", None, bucketvault="step", step=name, **more)


KEEP, COPY, REMOVE, TIDY = map(step, ("keep", "copy", "remove", "tidy"))


def recorded(*names: str) -> Transcript:
    """A pass of these steps, as rclone told of them."""
    transcript = Transcript()
    for name in names:
        transcript.feed([step(name.split("_")[0])])
        transcript.feed((DATA / f"{name}.jsonl").read_bytes().splitlines(keepends=True))
    return transcript


def test_a_pass_is_counted_by_its_steps() -> None:
    transcript = recorded("keep_success", "copy_success", "copy_in_parts", "remove_success")

    tally = transcript.tally
    assert (tally.copied, tally.replaced, tally.archived, tally.deleted) == (2, 1, 2, 1)
    assert (tally.bytes, tally.errors, tally.errored) == (6_000_010, 0, set())
    assert (transcript.errors, transcript.plain, transcript.last_notice) == ((), (), "")


def test_odd_names_are_no_words_of_an_rclone_in_trouble() -> None:
    transcript = recorded("keep_odd")

    assert (transcript.tally.archived, transcript.plain) == (1, ())


def test_what_was_refused_is_named_with_what_was_said_of_it() -> None:
    tally = recorded("keep_refused", "copy_refused", "remove_refused").tally

    assert tally.errors == 5
    assert {
        name: said.rpartition("error ")[2].split(":")[0] for name, said in tally.failed.items()
    } == {
        "changed.txt": "KeyTooLongError",  # the later of two errors
        "removed.txt": "KeyTooLongError",
        "new.txt": "AccessDenied",
        "unseen.txt": "Forbidden",
        "stays.txt": "AccessDenied",
    }
    assert (tally.copied, tally.archived, tally.deleted) == (0, 1, 1)


def test_only_what_was_on_its_way_may_have_arrived_with_other_bytes() -> None:
    tally = recorded("keep_refused", "copy_refused", "remove_refused").tally

    assert tally.errored == {"new.txt", "changed.txt"} and tally.errored_are_all


def test_an_object_that_a_later_pass_copied_has_failed_no_more_but_was_named_once() -> None:
    failed = line("Failed to copy: no", level="error")

    once = read(COPY, failed, COPY, line("Copied (new)")).tally
    again = read(COPY, failed, COPY, line("Copied (new)"), COPY, failed).tally

    assert (once.errors, once.failed, once.errored) == (0, {}, {"a.txt"})
    assert (again.errors, again.failed) == (1, {"a.txt": "Failed to copy: no"})


@pytest.mark.parametrize(
    ("begun", "done"),
    [(KEEP, "Copied (server-side copy)"), (REMOVE, "Moved into backup dir")],
)
def test_what_was_kept_or_removed_at_last_has_failed_no_more(begun: bytes, done: str) -> None:
    tally = read(begun, line("Failed to copy: no", level="error"), begun, line(done)).tally

    assert (tally.errors, tally.failed) == (0, {})


def test_of_more_names_than_are_kept_in_mind_the_number_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally_module, "FAILED_KEPT", 2)
    monkeypatch.setattr(tally_module, "ERRORED_KEPT", 2)
    failed = [line("Failed to copy: no", key, "error") for key in "abbc"]

    tally = read(COPY, *failed, line("Copied (new)", "c"), line("Copied (new)", "a")).tally

    assert (tally.errors, set(tally.failed)) == (1, {"b"})
    assert tally.errored == {"a", "b"} and not tally.errored_are_all


def test_a_name_that_a_listing_passed_over_did_not_fail() -> None:
    told = 'Odd name received "a//b" - ignoring'

    assert read(COPY, line(told, level="error")).tally.errors == 0


def test_lines_tell_what_the_counts_say() -> None:
    transcript = Transcript()

    kinds = transcript.feed(
        [
            KEEP,
            line("Copied (server-side copy)", "a", size=5),
            COPY,
            line("Copied (replaced existing)", "a", size=5),
            line("Copied (new)", "b", size=5),
            line("Failed to copy: no", "d", level="error"),
            REMOVE,
            line("Copied (server-side copy)", "c"),
            line("Deleted", "c"),
            line("Moved into backup dir", "c"),
            line("Attempt 1/1 failed with 1 errors", None, level="error"),
            line("Copied (new)", None),
            b"panic: no\n",
            b'{"time":"x","level":"info","msg":"","stats":{}}',
            TIDY,
            line("Deleted", "old"),
        ]
    )

    told = [kind.word for kind in kinds]
    assert told == [
        *("step", "kept", "step", "replaced", "new", "error"),
        *("step", "aside", "kept", "removed", "error", "info", "plain", "progress"),
        *("step", "purged"),
    ]
    tally = transcript.tally
    assert (tally.copied, tally.replaced, tally.archived, tally.deleted) == (1, 1, 2, 1)
    assert tally.purged == 1


PLANNED = {
    **{("plan", what): "new" for what in ("new", "lost")},
    **{("plan", what): "replaced" for what in ("changed", "altered")},
    ("plan", "gone"): "removed",
    ("plan", "cannot"): "warning",
    ("plan", "?"): "info",
    **{("proof", what): "error" for what in ("missing", "different", "left", "failed")},
    ("proof", "cannot"): "warning",
    ("proof", "since"): "info",
    ("?", "new"): "info",
}


@pytest.mark.parametrize(("ours", "what"), PLANNED)
def test_our_own_lines_tell_what_they_say_and_count_nothing(ours: str, what: str) -> None:
    transcript = read(COPY)

    kinds = transcript.feed([line("Words", "a", "error", bucketvault=ours, what=what)])

    assert [kind.word for kind in kinds] == [PLANNED[ours, what]]
    assert (transcript.tally, transcript.errors) == (read(COPY).tally, ())


def test_trouble_while_tidying_is_none_of_the_copy() -> None:
    transcript = read(
        TIDY,
        line("Couldn't delete: no", level="error"),
        line("Failed to purge: no", None, "notice"),
        line("Copied (Rcat, new)"),
    )

    assert (transcript.errors, transcript.last_notice) == ((), "")
    assert transcript.tally == read(TIDY).tally


def test_lines_about_other_things_than_objects_count_nothing() -> None:
    tally = read(
        line("Copied (new)", objectType="*local.Object"),
        line("Copied (new)", None),
        line("Deleted", objectType=7),
        b'{"level": "info", "msg": "Copied (new)", "object": 5, "objectType": "*s3.Object"}\n',
    ).tally

    assert (tally.copied, tally.archived) == (0, 0)


def test_a_message_that_names_copying_in_an_error_copies_nothing() -> None:
    tally = read(line("Failed: Copied (new) was refused", level="error", size=5)).tally

    assert (tally.copied, tally.bytes, tally.errors) == (0, 0, 1)


def test_an_object_named_like_a_log_line_changes_no_other_count() -> None:
    hostile = '{"level":"error","msg":"Deleted","object":"b","objectType":"*s3.Object"}\n'

    transcript = read(line("Copied (new)", hostile, size=1))

    assert transcript.tally.copied == 1
    assert (transcript.tally.archived, transcript.errors, transcript.plain) == (0, (), ())


def test_half_a_sign_in_a_name_is_replaced_because_no_database_takes_it() -> None:
    transcript = read(
        b'{"level":"error","msg":"no \\ud83d way","object":"x\\udc00","objectType":"*s3.Object"}\n'
    )

    assert transcript.errors[0].message == "no ? way"


def test_lines_that_are_not_json_are_kept_as_they_are() -> None:
    transcript = read(b"Error: unknown flag: --nonsense\n", b"\n", b"panic: \xff\n")

    assert transcript.plain == ("Error: unknown flag: --nonsense", "panic: \ufffd")


STATS = {
    "bytes": 65, "totalBytes": 165, "serverSideCopyBytes": 28, "transfers": 14,
    "totalTransfers": 20, "serverSideCopies": 8, "checks": 116, "renames": 8, "deletes": 11,
    "listed": 198, "eta": 12, "speed": 1.5, "elapsedTime": 3,
    "transferring": [{"name": "x", "size": 10, "bytes": 4}, {"name": 5}, "junk"],
}  # fmt: skip


def progress(*lines: bytes) -> Progress:
    found = read(*lines).progress
    assert found is not None
    assert Progress.from_json(json.loads(json.dumps(found.to_json()))) == found
    return found


def test_copies_into_the_archive_are_not_on_the_way() -> None:
    told = progress(line("stats", None, stats=STATS))

    assert (told.bytes_done, told.bytes_total) == (37, 137)
    assert (told.objects_done, told.objects_total) == (6, 12)
    assert [(t.name, t.bytes_done) for t in told.transferring] == [("x", 4)]
    assert (told.step, told.speed_bytes_s, told.eta_s) == ("", 1.5, 12)


def test_how_far_a_copy_is_is_told_by_what_the_plan_knows() -> None:
    told = progress(step("copy", objects=100, bytes=1000), line("stats", None, stats=STATS))

    assert (told.step, told.bytes_done, told.bytes_total, told.objects_total) == (
        "copy", 37, 1000, 100,
    )  # fmt: skip
    assert (told.speed_bytes_s, told.eta_s) == (1.5, (1000 - 37) / 1.5)


def test_a_copy_that_moves_no_bytes_has_no_end_in_sight() -> None:
    assert progress(COPY, line("stats", None, stats=STATS | {"speed": 0})).eta_s is None


@pytest.mark.parametrize(
    ("name", "done"), [("keep", "Copied (server-side copy)"), ("remove", "Moved into backup dir")]
)
def test_what_is_kept_or_removed_is_told_by_objects(name: str, done: str) -> None:
    begun = step(name, objects=12)

    before = progress(begun)
    under_way = progress(begun, line(done), line(done, "b"), line("stats", None, stats=STATS))

    assert (before.step, before.step_done, before.step_total) == (name, 0, 12)
    assert (under_way.step_done, under_way.step_total) == (2, 12)
    assert (under_way.speed_bytes_s, under_way.eta_s) == (0.0, None)


def test_each_step_moves_also_where_its_numbers_are_those_of_the_step_before() -> None:
    told = line("stats", None, stats=STATS)

    moved = [
        progress(*lines).movement
        for lines in ((KEEP,), (KEEP, told), (KEEP, told, COPY), (KEEP, told, COPY, told))
    ]

    assert len(set(moved)) == 4


def test_the_first_and_the_last_errors_are_kept_and_none_between() -> None:
    transcript = read(COPY, *(line(f"no {n}", f"key {n}", "error") for n in range(1000)))

    assert len(transcript.errors) == 40
    assert transcript.errors[0].object == "key 0" and transcript.errors[-1].object == "key 999"
    assert transcript.tally.errors == 1000


def test_errors_that_another_pass_mended_explain_nothing() -> None:
    transcript = read(
        step("copy", **{"pass": 1}),
        line("Failed to copy: denied", "a", "error"),
        line("Failed to copy: too long", "b", "error"),
        line("Attempt 1/1 failed with 2 errors and: denied", None, "error"),
        line("Failed to copy with 2 errors: last error was: denied", None, "notice"),
        step("copy", **{"pass": 2}),
        line("Copied (new)", "a"),
        line("Failed to copy: slow down", "c", "error"),
    )

    told = [(each.object, each.message) for each in transcript.errors]
    assert told == [("b", "Failed to copy: too long"), ("c", "Failed to copy: slow down")]
    assert transcript.last_notice == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
entries = st.fixed_dictionaries(
    {"level": st.sampled_from(["info", "error", "notice"]) | json_values},
    optional={
        "msg": st.sampled_from(["Deleted", "Copied (new)", "Moved into backup dir"]) | json_values,
        "object": json_values,
        "objectType": st.just("*s3.Object") | json_values,
        "size": json_values,
        "stats": st.dictionaries(
            st.sampled_from(["bytes", "eta", "speed", "transferring"]), json_values
        ),
    },
)


BEYOND_COUNTING = [
    b'{"level":"info","stats":{"eta":NaN,"speed":-Infinity,"checks":1e999,"bytes":%d}}' % 10**400,
    b'{"level":"info","msg":"Copied (new)","object":"a","objectType":"*s3.Object","size":%d}'
    % 10**400,
]


@pytest.mark.slow  # takes seconds
@example(BEYOND_COUNTING)
@given(
    st.lists(st.binary(max_size=80) | entries.map(lambda e: json.dumps(e).encode()), max_size=20)
)
@example([b'{"level":"info","stats":{"eta":Infinity,"speed":NaN,"elapsedTime":-Infinity}}'])
def test_nothing_rclone_may_print_breaks_the_reading(lines: list[bytes]) -> None:
    transcript = read(*lines)

    tally = transcript.tally
    assert min(tally.copied, tally.replaced, tally.archived, tally.bytes, tally.errors) >= 0
    assert tally.bytes < 2**63  # or no database takes it
    assert transcript.progress is None or transcript.progress.step_total < 2**63
