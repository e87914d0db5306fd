"""Each row of the table of causes is reached by real answers, and not by what looks like them."""

from dataclasses import replace

import pytest

from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.rclone.causes import RULES
from bucketvault.engine.rclone.errors import Rule, leading, take_apart
from bucketvault.engine.rclone.explain import BOTH, Ending, Explanation, explain, explain_look
from bucketvault.vocabulary import Mends, ProviderType, Side
from tests.engine.rclone.answers import ANSWERS, s3
from tests.engine.rclone.test_explain import ENDS, ending_of

LEADS = [(cause, said) for cause, answers in ANSWERS.items() for said in answers.leads]
ALIKE = [
    (cause, said, other)
    for cause, answers in ANSWERS.items()
    for said, other in answers.alike.items()
]


def cause_of(said: str) -> str | None:
    """Return the row that a message, or a recording `@name`, leads to."""
    messages = ending_of(said[1:]).errors if said.startswith("@") else (said,)
    led = leading(map(take_apart, messages), RULES)
    return led[0].name if led is not None else None


def test_every_row_has_answers_that_lead_to_it_and_some_that_look_alike() -> None:
    assert [rule.name for rule in RULES] == list(ANSWERS)
    assert all(answers.leads and answers.alike for answers in ANSWERS.values())


@pytest.mark.parametrize(("cause", "said"), LEADS)
def test_an_answer_leads_to_its_cause(cause: str, said: str) -> None:
    assert cause_of(said) == cause


@pytest.mark.parametrize(("cause", "said", "other"), ALIKE)
def test_an_answer_that_looks_alike_does_not(cause: str, said: str, other: str | None) -> None:
    assert cause_of(said) == other != cause


# ---- held against what the run itself shows


def explained(*said: str, worked: tuple[Side, ...] = BOTH, **ends: EndSpec) -> Explanation:
    source, destination = ends.get("source", ENDS[0]), ends.get("destination", ENDS[1])
    return explain(Ending(1, None, said, worked=worked), source, destination)


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        (
            s3(403, "SignatureDoesNotMatch", "PutObject"),
            "Backblaze EU rejected the signature of some requests.",
        ),
        (
            s3(403, "InvalidAccessKeyId", "PutObject"),
            "Backblaze EU did not know the access key ID for some requests.",
        ),
        (s3(401, "Unauthorized", "PutObject"), "Backblaze EU rejected the key for some requests."),
        (
            s3(404, "NoSuchBucket", "PutObject"),
            "Backblaze EU did not find the bucket copies for some requests.",
        ),
        (
            s3(403, "AccessDenied", "ListObjectsV2"),
            (
                "The key for R2 Main or Backblaze EU cannot list "
                "photos/.bucketvault-archive/ or copies/.bucketvault-archive/."
            ),
        ),
        (
            f"error reading destination directory: {s3(403, 'AccessDenied')}",
            "The key for Backblaze EU cannot list copies/.bucketvault-archive/.",
        ),
        (s3(404, "NoSuchKey", "GetObject"), "R2 Main lists an object that it cannot find."),
    ],
)
def test_what_worked_in_the_same_run_is_not_called_wrong(said: str, summary: str) -> None:
    told = explained(said)

    assert told.summary == summary
    assert told.mends is None and "{" not in told.hint
    one = Side.DESTINATION if told.side is Side.SOURCE else Side.SOURCE
    for worked in ((), (one,)):
        assert explained(said, worked=worked).summary != summary


@pytest.mark.parametrize(
    ("endpoint", "is_near"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://localhost:9000", True),
        ("http://192.168.1.10:9000", True),
        ("https://nas.local:9000", True),
        ("https://minio:9000", True),
        ("https://s3.example.com", False),
        ("https://8.8.8.8", False),
        ("", False),
    ],
)
def test_a_server_nearby_is_not_looked_for_in_the_internet(endpoint: str, is_near: bool) -> None:
    source = replace(ENDS[0], endpoint=endpoint)
    said = "Failed to copy: failed to open source object: connect: connection refused"

    hint = explained(said, source=source).hint

    assert ("internet" in hint) != is_near
    address = endpoint.partition("//")[2]
    assert (f"Check that a server is running at {address}, then run" in hint) == is_near


def test_the_right_region_is_named_and_kept_for_a_button() -> None:
    malformed = "the region 'us-east-1' is wrong; expecting 'eu-central-1'"
    said = s3(400, "AuthorizationHeaderMalformed", "PutObject", malformed)

    named, looked = (
        explained(said, worked=()),
        explain_look("copy", 301, "PermanentRedirect", "no", *ENDS, "eu-west-1"),
    )

    assert (named.summary, named.region) == (
        "Wrong region. Backblaze EU expects eu-central-1.",
        "eu-central-1",
    )
    assert (looked.summary, looked.region) == (
        "Wrong region. Backblaze EU expects eu-west-1.",
        "eu-west-1",
    )
    assert looked.mends is Mends.PROVIDER and "eu-west-1" in looked.hint


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_provider_that_was_asked_for_its_buckets_names_no_empty_bucket(rule: Rule) -> None:
    nowhere = EndSpec("R2 Main", ProviderType.AMAZON_S3, "")
    said = ANSWERS[rule.name].leads[0]
    messages = ending_of(said[1:]).errors if said.startswith("@") else (said,)

    told = explain(Ending(1, None, messages, side=Side.SOURCE), nowhere, nowhere)

    assert "  " not in told.summary and " /" not in told.summary
    assert told.summary.replace(" .bucketvault-archive/", "").count(" .") == 0
