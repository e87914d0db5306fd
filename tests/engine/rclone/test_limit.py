"""The limit on bandwidth as rclone takes it: its flag, its clock, and what it says of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bucketvault.engine.domain.bandwidth import Bandwidth
from bucketvault.engine.rclone import commands
from bucketvault.engine.rclone.transcript import Transcript
from bucketvault.vocabulary import LineKind
from tests.support.specs import run_spec

SPEC = run_spec("photos", "copies")
STAMP = "20261130T013000Z"


@pytest.mark.parametrize(
    ("limit", "flag"),
    [
        (Bandwidth(1_250_000), "1250000B"),
        (Bandwidth(1_250_000, "08:00", "22:00"), "08:00,1250000B 22:00,off"),
        (Bandwidth(1_250_000, "22:00", "06:30"), "22:00,1250000B 06:30,off"),
    ],
)
def test_steps_that_carry_bytes_over_the_network_are_held_down_and_no_others(
    limit: Bandwidth, flag: str
) -> None:
    spec = replace(SPEC, bandwidth=limit)

    for carries in (commands.copy(spec, "new.txt"), commands.bulk(spec)):
        assert carries[carries.index("--bwlimit") + 1] == flag
    for stays in (commands.keep(spec, STAMP, "a.txt"), commands.remove(spec, STAMP, "a.txt")):
        assert "--bwlimit" not in stays
    assert "--bwlimit" not in commands.copy(SPEC, "new.txt")


def test_rclone_has_the_clock_of_the_servers_zone_as_a_file_where_it_needs_one() -> None:
    hours = Bandwidth(1, "08:00", "22:00", "Asia/Tokyo")
    file = Path(commands.clock(replace(SPEC, bandwidth=hours))["TZ"])

    assert file.is_absolute() and b"JST" in file.read_bytes()
    unknown = replace(hours, zone="Nowhere/Land")
    assert commands.clock(replace(SPEC, bandwidth=unknown)) == {"TZ": "Nowhere/Land"}
    assert commands.clock(replace(SPEC, bandwidth=Bandwidth(1))) == commands.clock(SPEC) == {}


@pytest.mark.parametrize(
    "said",
    [
        "Scheduled bandwidth change. Limit set to 146.483Ki Byte/s",  # 1.75.2
        "Scheduled bandwidth change. Bandwidth limits disabled",
    ],
)
def test_a_change_by_the_clock_is_no_warning_and_no_cause_of_a_failure(said: str) -> None:
    transcript = Transcript()
    line = {"level": "notice", "msg": said, "source": "accounting/token_bucket.go:158"}

    (kind,) = transcript.feed([json.dumps(line).encode()])

    assert (kind, transcript.last_notice) == (LineKind.INFO, "")
