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


def test_a_new_object_is_copied() -> None:
    tally = read(line("Copied (new)", size=5)).tally

    assert (tally.copied, tally.replaced, tally.bytes) == (1, 0, 5)


def test_a_large_new_object_sent_in_parts_is_copied() -> None:
    assert read(line("Multi-thread Copied (new)", size=9)).tally.copied == 1


def test_an_object_archived_and_then_copied_is_replaced_whatever_rclone_calls_it() -> None:
    tally = read(*ARCHIVED, line("Copied (new)", size=5)).tally

    assert (tally.copied, tally.replaced, tally.archived, tally.holes) == (0, 1, 1, 0)


def test_an_object_that_the_source_lost_is_removed_and_kept() -> None:
    tally = read(*ARCHIVED, line("Moved into backup dir")).tally

    assert (tally.deleted, tally.archived, tally.holes) == (1, 1, 0)


def test_an_object_archived_but_never_replaced_is_a_hole() -> None:
    tally = read(*ARCHIVED, line("Failed to copy: no", level="error")).tally

    assert (tally.holes, tally.errors, tally.replaced) == (1, 1, 0)


def test_lines_tell_what_the_counts_say() -> None:
    transcript = Transcript()

    kinds = transcript.feed(
        [
            line("Copied (new)", "a", size=5),
            *ARCHIVED,
            line("Copied (new)", size=5),
            line("Copied (server-side copy)", "b"),
            line("Deleted", "b"),
            line("Moved into backup dir", "b"),
            line("Updated modification time in destination", "c"),
            line("Failed to copy: no", "d", level="error"),
            line("Attempt 2/3 succeeded", None, level="error"),
            line("Copied (new)", None),
            b"panic: no\n",
            b'{"time":"x","level":"info","msg":"","stats":{}}',
        ]
    )

    told = [kind.word for kind in kinds]
    assert told == [
        "new",
        *("aside", "kept", "replaced"),
        *("aside", "kept", "removed"),
        *("touched", "error", "info", "info", "plain", "progress"),
    ]
    tally = transcript.tally
    assert (tally.copied, tally.replaced, tally.archived, tally.deleted) == (1, 1, 2, 1)


def test_a_dry_run_tells_what_it_would_replace_from_what_is_new() -> None:
    kinds = Transcript().feed(
        [
            line("Skipped move", "a", "notice", skipped="move"),
            line("Skipped copy", "a", "notice", skipped="copy"),
            line("Skipped copy", "b", "notice", skipped="copy"),
            line("Skipped move", "c", "notice", skipped="move into backup dir"),
        ]
    )

    assert [kind.word for kind in kinds] == ["kept", "replaced", "new", "removed"]


def test_an_error_that_a_later_try_mended_is_none() -> None:
    tally = read(
        line("Failed to copy: no", level="error"),
        line("Attempt 1/3 failed with 1 errors and: no", None, "error"),
        line("Copied (new)", size=5),
        line("Attempt 2/3 succeeded", None, "error"),
    ).tally

    assert (tally.errors, tally.copied) == (0, 1)


REFUSED_LOOK = line("Failed to copy: operation error S3: HeadObject, ...", level="error")
UNREAD = line("Failed to copy: failed to open source object: object not found", level="error")
NEXT_TRY = line("Attempt 1/3 failed with 1 errors and: no", None, "error")


def test_what_arrived_though_the_look_at_it_was_refused_is_counted_once_all_ended_well() -> None:
    new = read(REFUSED_LOOK, NEXT_TRY).tally
    replaced = read(*ARCHIVED, REFUSED_LOOK, NEXT_TRY).tally

    for tally in (new, replaced):
        tally.end_well()
        tally.end_well()

    assert (new.copied, new.replaced, new.errors) == (1, 0, 1)
    assert (replaced.copied, replaced.replaced, replaced.holes) == (0, 1, 0)


def test_what_the_source_lost_before_it_could_be_read_is_no_hole_once_all_ended_well() -> None:
    new = read(UNREAD, NEXT_TRY).tally
    replaced = read(*ARCHIVED, UNREAD, NEXT_TRY).tally

    for tally in (new, replaced):
        tally.end_well()

    assert (new.copied, new.deleted, new.errors) == (0, 0, 0)
    assert (replaced.replaced, replaced.deleted, replaced.archived) == (0, 1, 1)
    assert (replaced.holes, replaced.errors) == (0, 0)


def test_a_date_that_is_set_at_the_second_try_has_no_error_as_its_last_word() -> None:
    refused = line("Failed to set modification time: no", level="error")
    tally = read(refused, NEXT_TRY, line("Updated modification time in destination")).tally

    assert (tally.touched, tally.errors) == (1, 0)


def test_a_replaced_object_without_a_kept_version_is_noticed() -> None:
    tally = read(line("Copied (replaced existing)", size=5)).tally

    assert (tally.replaced, tally.unkept) == (1, 1)


ASIDE = line("Copied (server-side copy)", size=7)


def test_what_a_later_try_sets_aside_over_what_an_earlier_one_had_is_counted_once_and_unkept() -> (
    None
):
    first = (*ARCHIVED, line("Copied (new)", size=5), NEXT_TRY)
    again, removed, refused = (
        read(*first, *ARCHIVED, line("Copied (new)", size=6)),
        read(*first, *ARCHIVED, line("Moved into backup dir")),
        read(*first, ASIDE, NEXT_TRY, ASIDE),
    )

    told = [
        (t.replaced, t.deleted, t.archived, t.unkept)
        for t in (again.tally, removed.tally, refused.tally)
    ]

    assert told == [(1, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1)]


def test_what_only_a_later_try_sets_aside_is_kept() -> None:
    refused = read(ASIDE, line("Couldn't move: no", level="error"), NEXT_TRY, *ARCHIVED).tally
    other = read(*ARCHIVED, NEXT_TRY, line("Copied (new)"), line("Deleted", "b")).tally

    assert (refused.archived, refused.unkept, refused.unsure) == (1, 0, 0)
    assert (other.archived, other.replaced, other.unkept) == (2, 1, 0)


def test_what_arrived_unseen_and_is_set_aside_again_is_one_replaced_object() -> None:
    told = read(*ARCHIVED, REFUSED_LOOK, NEXT_TRY, *ARCHIVED, line("Copied (new)")).tally

    assert (told.replaced, told.archived, told.unkept, told.holes) == (1, 1, 1, 0)


def test_of_more_names_than_are_kept_in_mind_it_is_said_that_they_are_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally_module, "ASIDE_KNOWN", 1)
    names = [[line("Copied (server-side copy)", key), line("Deleted", key)] for key in "ab"]

    told = read(*names[0], *names[1], NEXT_TRY, *names[1], *names[0]).tally

    assert (told.unkept, told.unsure) == (1, 1)


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


def test_a_destination_that_could_not_be_listed_is_noticed_in_what_rclone_really_says() -> None:
    recorded = DATA / "sync_destination_listing_hiccup.jsonl"

    transcript = read(*recorded.read_bytes().splitlines(keepends=True))

    assert transcript.unseen and transcript.unsure and transcript.retried


def test_an_object_named_like_that_complaint_is_none() -> None:
    named = line('error reading destination directory: "x"', level="error")

    assert not read(named).unseen


def test_half_a_sign_in_a_name_is_replaced_because_no_database_takes_it() -> None:
    transcript = read(
        b'{"level":"error","msg":"no \\ud83d way","object":"x\\udc00","objectType":"*s3.Object"}\n'
    )

    assert transcript.errors[0].message == "no ? way"


def test_lines_that_are_not_json_are_kept_as_they_are() -> None:
    transcript = read(b"Error: unknown flag: --nonsense\n", b"\n", b"panic: \xff\n")

    assert transcript.plain == ("Error: unknown flag: --nonsense", "panic: \ufffd")


def test_copies_into_the_archive_are_not_on_the_way() -> None:
    stats = {
        "bytes": 65, "totalBytes": 165, "serverSideCopyBytes": 28, "transfers": 14,
        "totalTransfers": 20, "serverSideCopies": 8, "checks": 116, "renames": 8, "deletes": 11,
        "listed": 198, "eta": 12, "speed": 1.5, "elapsedTime": 3,
        "transferring": [{"name": "x", "size": 10, "bytes": 4}, {"name": 5}, "junk"],
    }  # fmt: skip

    transcript = read(line("stats", None, stats=stats))

    progress = transcript.progress
    assert progress is not None
    assert (progress.bytes_done, progress.bytes_total) == (37, 137)
    assert (progress.objects_done, progress.objects_total) == (6, 12)
    assert transcript.checked == 97
    assert [(t.name, t.bytes_done) for t in progress.transferring] == [("x", 4)]
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


def test_the_first_and_the_last_errors_are_kept_and_none_between() -> None:
    transcript = read(*(line(f"no {n}", f"key {n}", "error") for n in range(1000)))

    assert len(transcript.errors) == 40
    assert transcript.errors[0].object == "key 0" and transcript.errors[-1].object == "key 999"
    assert transcript.tally.errors == 1000


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
    assert min(tally.copied, tally.replaced, tally.archived, tally.bytes, tally.holes) >= 0
    assert tally.bytes < 2**63 and transcript.checked < 2**63  # or no database takes them
