"""Every recording of the real rclone is explained in the words a person should read."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.rclone.causes import RULES
from bucketvault.engine.rclone.errors import Rule
from bucketvault.engine.rclone.explain import (
    DETAIL_LINES,
    REASON_TEXTS,
    Ending,
    explain,
    meaning_of_exit_code,
)
from bucketvault.sanitize import has_control_characters
from bucketvault.vocabulary import Mends, Reason, Side
from tests.support.record import CASES, HOSTILE_KEY, RECORDINGS
from tests.support.specs import run_spec

SPEC = run_spec("photos/2024", "copies", providers=("R2 Main", "Backblaze EU"))
ENDS = SPEC.source, SPEC.destination
ENDINGS = json.loads((RECORDINGS / "endings.json").read_text())

# reason -> sentence -> the recordings that must be told so
EXPECTED: dict[Reason, dict[str, str]] = {
    Reason.CREDENTIALS: {
        "R2 Main rejected the access key ID (unknown key).": (
            "sync_source_unknown_key size_source_unknown_key"
        ),
        "R2 Main rejected the secret access key.": "sync_source_wrong_secret",
        "Backblaze EU rejected the access key ID (unknown key).": "sync_destination_unknown_key",
        "Backblaze EU rejected the secret access key.": (
            "sync_destination_wrong_secret list_destination_wrong_secret copy_odd_signature"
        ),
        "The key for R2 Main cannot list photos/2024.": (
            "sync_source_may_not_list sync_source_may_not_list_folder"
        ),
        "The key for Backblaze EU cannot list copies.": (
            "sync_destination_may_not_list sync_destination_may_not_list_folder b2_not_entitled"
        ),
        "The key for R2 Main cannot read every object in photos/2024.": (
            "sync_source_may_not_read copy_refused"
        ),
        "The key for R2 Main or Backblaze EU cannot read every object in photos/2024 or copies.": (
            "keep_refused remove_refused"  # rclone does not say where it asked for a name
        ),
        "The key for Backblaze EU cannot write to copies.": (
            "sync_destination_may_not_write sync_destination_may_not_write_large"
        ),
        "The key for Backblaze EU cannot copy old versions to copies/.bucketvault-archive/.": (
            "sync_destination_may_not_copy"
        ),
        "The key for Backblaze EU cannot delete objects in copies.": (
            "sync_destination_may_not_delete"
        ),
        "The key for R2 Main cannot list buckets.": "list_buckets_denied",
        "Backblaze EU does not accept this kind of key.": "b2_master_key",
        "Backblaze EU rejected the key.": "r2_unauthorized",
        "The access key ID for Backblaze EU is malformed.": "r2_key_too_long",
        "The key for Backblaze EU has expired.": "aws_expired_token",
        "Backblaze EU reports a problem with the account.": "account_problem",
    },
    Reason.SOURCE_MISSING: {
        "R2 Main has no bucket photos.": "sync_source_no_bucket size_source_no_bucket",
    },
    Reason.RCLONE_ERROR: {
        "Backblaze EU did not let rclone open copies/.bucketvault-archive/.": (
            "sync_no_slash_destination_wrong_secret"
        ),
        "Backblaze EU's daily limit of requests or downloads is used up.": "b2_transaction_cap",
        "Backblaze EU is limiting requests (SlowDown).": (
            "slow_down too_many_requests sync_destination_slow_down"
        ),
        "R2 Main is limiting requests (SlowDown).": "sync_source_read_slow_down",
        (
            'rclone failed: Failed to create file system for "nowhere:photos/": '
            'didn\'t find section in config file ("nowhere").'
        ): "unknown_remote",
        "An object was deleted in photos/2024 before it could be copied.": (
            "hostile_name copy_ghost"
        ),
        "Backblaze EU has no bucket copies.": (
            "sync_destination_no_bucket list_destination_no_bucket web_page_not_found"
        ),
        "The clocks of this machine and Backblaze EU disagree.": "aws_clock_skew",
        "Wrong region. Backblaze EU expects eu-central-1.": "aws_wrong_region",
        "Wrong region or endpoint for copies.": "aws_other_endpoint",
        "An object in photos/2024 is in cold storage and cannot be read or copied.": (
            "sync_source_cold"
        ),
        "An object in copies is in cold storage and cannot be read or copied.": (
            "sync_destination_cold keep_cold"
        ),
        "Backblaze EU is full, or has reached its storage limit.": (
            "sync_b2_storage_cap sync_destination_quota sync_destination_disk_full"
        ),
        "rclone failed: destination and parameter to --backup-dir mustn't overlap.": (
            "archive_overlaps"
        ),
        "An object arrived at Backblaze EU with a different checksum.": "copy_bad_digest",
        "The metadata of an object is too large for Backblaze EU.": "copy_metadata_too_large",
        "Backblaze EU does not have the storage class of an object.": "copy_storage_class",
        "Backblaze EU does not support a request that this run needs.": "copy_not_implemented",
        "Backblaze EU requires a checksum with every upload (Object Lock).": "copy_object_lock",
    },
    Reason.UNREACHABLE: {
        "Backblaze EU had an internal error.": (
            "service_unavailable internal_error web_page_bad_gateway hostile_name_cut_off "
            "keep_outage"
        ),
        "R2 Main did not answer, or the connection broke.": "sync_source_refused",
        "Backblaze EU did not answer, or the connection broke.": (
            "sync_destination_refused list_destination_refused list_destination_frozen"
        ),
        "The host of Backblaze EU could not be found.": "list_destination_no_such_host",
        "The endpoint of Backblaze EU is not an S3 service.": "web_page_ok web_page_forbidden",
        "The certificate of Backblaze EU is not trusted.": (
            "list_destination_untrusted list_destination_expired"
        ),
        "Backblaze EU does not use HTTPS at this endpoint.": "list_destination_https_to_http",
    },
    Reason.RCLONE_MISSING: {
        "This rclone is too old: bucketvault needs 1.75 or newer.": "unknown_flag",
    },
}
SENTENCES = {
    name: (reason, sentence)
    for reason, sentences in EXPECTED.items()
    for sentence, names in sentences.items()
    for name in names.split()
}
GREEN = {
    *("sync_success", "sync_source_may_not_head"),
    *("keep_success", "keep_odd", "copy_success", "copy_in_parts", "remove_success"),
    "bulk_success",
}


def ending_of(name: str) -> Ending:
    """The recording as the program sees it."""
    errors: dict[str, None] = {}
    plain = []
    for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            plain.append(line)
            continue
        if entry["level"] in ("error", "critical") or entry["msg"].startswith("Failed to "):
            errors[entry["msg"]] = None
    command = ENDINGS[name]["command"]
    one_side = {"lsf": Side.DESTINATION, "size": Side.SOURCE, "lsjson": Side.SOURCE}
    return Ending(
        exit_code=ENDINGS[name]["exit_code"],
        signal=None,
        errors=tuple(errors),
        plain=tuple(plain[-25:]),
        side=one_side.get(command.split()[0]),
    )


def test_every_recording_has_its_words_here() -> None:
    recorded = {file.stem for file in RECORDINGS.glob("*.jsonl")}

    assert recorded == {case.name for case in CASES} == set(ENDINGS)
    assert recorded == set(SENTENCES) | GREEN
    assert all(ENDINGS[name]["exit_code"] == 0 for name in GREEN)


@pytest.mark.parametrize("name", SENTENCES)
def test_what_rclone_said_becomes_a_sentence(name: str) -> None:
    explained = explain(ending_of(name), *ENDS)

    assert (explained.reason, explained.summary) == SENTENCES[name]
    assert explained.hint.endswith(".")
    assert explained.detail
    assert "{" not in explained.hint
    ends = {Side.SOURCE: "R2 Main|photos", Side.DESTINATION: "Backblaze EU|copies"}
    if explained.side is not None:
        assert re.search(ends[explained.side], explained.summary)
    assert (explained.mends == Mends.PROVIDER) == ("on the provider's page" in explained.hint)


def test_an_end_that_rclone_does_not_name_is_not_guessed() -> None:
    message = (
        "Failed to sync: operation error S3: ListObjectsV2, https response error "
        "StatusCode: 403, RequestID: , HostID: , api error SignatureDoesNotMatch: no"
    )

    explained = explain(Ending(1, None, (message,)), *ENDS)

    assert explained.summary == "R2 Main or Backblaze EU rejected the secret access key."


def test_one_throttled_request_does_not_hide_a_refused_key() -> None:
    slow = ending_of("sync_source_read_slow_down")
    wrong = ending_of("sync_destination_wrong_secret")

    explained = explain(Ending(1, None, slow.errors + wrong.errors), *ENDS)

    assert explained.summary == "Backblaze EU rejected the secret access key."


def test_a_name_that_looks_like_an_error_reached_rclone() -> None:
    """Without this the two hostile recordings would prove nothing."""
    assert HOSTILE_KEY in (RECORDINGS / "hostile_name.jsonl").read_text()


@pytest.mark.parametrize(
    "message",
    [
        'Failed to copy: Get "http://s3.example/b/x509: no such host": connect: connection refused',
        (
            'Failed to copy: "operation error S3: GetObject, https response error StatusCode: 403, '
            'RequestID: , HostID: , api error InvalidAccessKeyId: \\" x509: ": i/o timeout'
        ),
    ],
)
def test_what_stands_in_quotes_decides_nothing(message: str) -> None:
    explained = explain(Ending(1, None, (message,)), *ENDS)

    assert explained.summary.endswith("did not answer, or the connection broke.")


def test_a_service_that_repeats_a_hostile_name_is_believed_only_by_its_code() -> None:
    message = (
        "Failed to copy: operation error S3: PutObject, https response error StatusCode: 403, "
        "RequestID: 1, HostID: , api error AccessDenied: no right to put operation error S3: "
        "GetObject, https response error StatusCode: 404, RequestID: , HostID: , api error "
        "NoSuchBucket: x"
    )

    explained = explain(Ending(1, None, (message,)), *ENDS)

    assert explained.summary == "The key for Backblaze EU cannot write to copies."


def test_a_refusal_nobody_foresaw_is_shown_in_the_words_of_the_service() -> None:
    message = (
        "Failed to copy: operation error S3: PutObject, https response error StatusCode: 403, "
        "RequestID: 1, HostID: , api error KMS.DisabledException: the bucket's key is disabled."
    )

    explained = explain(Ending(1, None, (message,)), *ENDS)

    assert explained.reason is Reason.RCLONE_ERROR
    assert explained.summary.endswith("KMS.DisabledException: the bucket's key is disabled.")


def test_a_full_disk_here_and_a_full_disk_there_are_told_apart() -> None:
    here = "Failed to copy: write /var/cache/list: no space left on device"
    there = (
        "Failed to copy: operation error S3: PutObject, https response error StatusCode: 500, "
        "RequestID: , HostID: , api error InternalError: write: no space left on device"
    )

    assert explain(Ending(1, None, (here,)), *ENDS).reason is Reason.DISK_FULL
    assert explain(Ending(1, None, (there,)), *ENDS).summary == (
        "Backblaze EU is full, or has reached its storage limit."
    )


def test_killed_by_the_system_says_so_whatever_was_logged_before() -> None:
    explained = explain(Ending(None, 9, ending_of("slow_down").errors), *ENDS)

    assert explained.reason is Reason.KILLED
    assert explained.summary == "rclone was killed (signal 9, possibly out of memory)."
    assert explain(Ending(137, None), *ENDS).summary == explained.summary


def test_killed_for_lack_of_memory_is_known_where_the_kernel_counts_such_kills() -> None:
    explained = explain(Ending(None, 9, oom_kills=1), *ENDS)

    assert (explained.reason, explained.mends) == (Reason.NO_MEMORY, Mends.HEALTH)
    assert explained.summary == "rclone was killed (signal 9, probably because memory ran out)."


@pytest.mark.parametrize(
    ("exit_code", "signal", "name"),
    [(None, 15, "SIGTERM"), (143, None, "SIGTERM"), (-15, None, "SIGTERM"), (130, None, "SIGINT")],
)
def test_ended_from_outside_names_the_signal(
    exit_code: int | None, signal: int | None, name: str
) -> None:
    explained = explain(Ending(exit_code, signal), *ENDS)

    assert explained.reason is Reason.KILLED
    assert name in explained.summary


@pytest.mark.parametrize("line", ["panic: oh", "goroutine 1 [running]:", "fatal error: oom"])
def test_a_crash_is_not_taken_for_a_wrong_flag(line: str) -> None:
    explained = explain(Ending(2, None, plain=(line, "unknown flag")), *ENDS)

    assert explained.summary == "rclone crashed."


@pytest.mark.parametrize(
    "line",
    [
        "fatal error: failed to reserve page summary memory",
        "fatal error: runtime: cannot allocate memory",
        "runtime: out of memory: cannot allocate 4194304-byte block (66846720 in use)",
        "runtime: failed to create new OS thread (have 2 already; errno=11)",
    ],
)
def test_too_little_memory_is_not_taken_for_a_crash(line: str) -> None:
    explained = explain(Ending(2, None, plain=(line, "goroutine 1 [running]:")), *ENDS)

    assert (explained.reason, explained.mends) == (Reason.NO_MEMORY, Mends.HEALTH)
    assert "too little memory" in explained.summary and "MemoryMax" in explained.hint


def test_silence_is_reported_as_silence() -> None:
    assert "without a reason (6: " in explain(Ending(6, None), *ENDS).summary
    assert "not started" in explain(Ending(None, None), *ENDS).summary


def test_the_detail_is_the_last_lines_without_what_cannot_be_seen() -> None:
    errors = tuple(f"error {n}\x1b[31m\n\u202e" for n in range(100))

    lines = explain(Ending(1, None, errors), *ENDS).detail.split("\n")

    assert len(lines) == DETAIL_LINES
    assert lines[-1].startswith("error 99")
    assert not any(has_control_characters(line) for line in lines)


@pytest.mark.slow  # takes seconds
@given(
    st.lists(st.text(), max_size=5), st.lists(st.text(), max_size=5), st.none() | st.integers(0, 10)
)
def test_whatever_was_said_there_are_words_for_it(
    errors: list[str], plain: list[str], code: int | None
) -> None:
    explained = explain(Ending(code, None, tuple(errors), tuple(plain)), *ENDS)

    assert explained.summary.endswith(".")
    assert not has_control_characters(explained.summary)
    assert explained.hint


def test_every_reason_has_a_sentence_and_a_next_step() -> None:
    for summary, hint in REASON_TEXTS.values():
        assert summary.endswith(".")
        assert hint.endswith(".")


@pytest.mark.parametrize("rule", RULES)
def test_what_is_mended_at_the_provider_says_so(rule: Rule) -> None:
    assert (rule.mends == Mends.PROVIDER) == ("on the provider's page" in rule.hint)


def test_what_is_to_be_done_again_is_named_by_who_asked() -> None:
    full = Ending(1, None, ("write /tmp/x: no space left on device",))

    assert explain(full, *ENDS).hint == "Free some space, then run the backup again."
    assert explain(full, *ENDS, again="try again").hint == "Free some space, then try again."


@pytest.mark.parametrize(
    ("code", "signal", "words"),
    [
        (0, None, "0: rclone succeeded"),
        (2, None, "2: rclone did not accept its arguments, or crashed"),
        (3, None, "3: a bucket or folder was not found"),
        (42, None, "42: not a documented exit code of rclone"),
        (None, None, "no exit code: rclone was not started, or its end was not recorded"),
        (None, 9, "rclone was killed, by signal 9 (SIGKILL)"),
        (-2, None, "rclone was asked to stop, by signal 2 (SIGINT)"),
        (143, None, "rclone was asked to stop, by signal 15 (SIGTERM)"),
        (-11, None, "rclone was ended, by signal 11 (SIGSEGV)"),
        (None, 200, "rclone was ended, by signal 200"),
    ],
)
def test_an_exit_code_has_a_meaning(code: int | None, signal: int | None, words: str) -> None:
    assert meaning_of_exit_code(code, signal) == words


def test_no_recording_holds_a_secret_or_an_address_of_a_machine() -> None:
    everything = "".join(file.read_text() for file in RECORDINGS.iterdir())

    assert "example-secret" not in everything
    assert not re.search(r"127\.0\.0\.1:\d{2,}", everything)


def test_a_name_that_is_too_long_is_told_as_that() -> None:
    message = (
        "Failed to copy: operation error S3: CopyObject, https response error StatusCode: 400, "
        "RequestID: 1, HostID: , api error KeyTooLongError: Your key is too long"
    )

    explained = explain(Ending(1, None, (message,)), *ENDS)

    assert explained.summary == "The name of an object is too long for Backblaze EU."


@pytest.mark.parametrize(
    "begin",
    [
        "Failed to copy: ",
        "Failed to sync with 4 errors: last error was: ",
        "--files-from failed to read file: ",
        "Couldn't move into backup dir: ",
    ],
)
def test_what_only_rclone_calls_it_is_left_out_of_the_sentence(begin: str) -> None:
    explained = explain(Ending(1, None, (f"{begin}odd thing",)), *ENDS)

    assert explained.summary == "rclone failed: odd thing."
