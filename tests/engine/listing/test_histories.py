"""Whatever happens at both ends, in a pass and between looks: nothing wrong counts as right."""

from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bucketvault.engine.listing.ledger import Record
from bucketvault.engine.listing.merge import Difference, Merge, Stand, Tries, What
from bucketvault.engine.listing.page import Entry
from bucketvault.vocabulary import ComparisonMode
from tests.engine.listing.test_merge import md5

KEYS = [b"a", b"b", b"c"]
AT_SOURCE = (What.NEW, What.LOST, What.CHANGED, What.ALTERED)

CONTENTS = ["a", "b", "ab", "cd"]
OUTCOMES = ["done", "done", "transient", "refused", "rubbish"]


@dataclass(frozen=True)
class Thing:
    """One object. In parts, its ETag tells nothing of its content to who did not write it."""

    content: str
    etag: str
    modified: str


@dataclass
class World:
    """Two buckets, the ledger between runs, and a clock that never stands."""

    random: Random
    mode: ComparisonMode
    source: dict[bytes, Thing] = field(default_factory=dict)
    copy: dict[bytes, Thing] = field(default_factory=dict)
    ledger: list[Record] = field(default_factory=list)
    ticks: int = 0

    def thing(self, content: str, *, parts: bool, end: str) -> Thing:
        self.ticks += 1
        etag = md5(end + content) + "-2" if parts else md5(content)
        minutes, seconds = divmod(self.ticks, 60)
        return Thing(content, etag, f"2026-11-22T03:{minutes:02}:{seconds:02}.000Z")

    def listed(self, bucket: dict[bytes, Thing]) -> list[Entry]:
        return [
            Entry(key, len(bucket[key].content), bucket[key].etag, bucket[key].modified)
            for key in sorted(bucket)
        ]

    # ---- what happens

    def _some(self) -> list[bytes]:
        return [key for key in KEYS if self.random.random() < 0.35]

    def users_write(self) -> None:
        """The source changes: objects come, change and go."""
        for key in self._some():
            if self.random.random() < 0.3:
                self.source.pop(key, None)
            else:
                content, parts = self.random.choice(CONTENTS), self.random.random() < 0.6
                self.source[key] = self.thing(content, parts=parts, end="source")

    def strangers_write(self, tried: set[bytes]) -> None:
        """Somebody else writes into the copy, as far as listings can ever tell so."""
        proven = {record.key for record in self.ledger} - tried
        for key in self._some():
            if key not in self.copy:
                continue
            if self.random.random() < 0.3:
                del self.copy[key]
            elif key in proven:
                self.copy[key] = self.thing(
                    self.random.choice(CONTENTS), parts=True, end="stranger"
                )
            else:
                self.copy[key] = self.thing("longer", parts=True, end="stranger")

    def tries(self, found: Difference, outcome: str) -> None:
        """A pass does one difference, or not."""
        key = found.key
        if outcome == "done" and found.what is What.GONE:
            if key not in self.source:
                self.copy.pop(key, None)
        elif key in self.source and found.what is not What.GONE:
            content = self.source[key].content
            parts = "-" in self.source[key].etag
            if outcome == "done":
                self.copy[key] = self.thing(content, parts=parts, end="copy")
            elif outcome == "rubbish":
                rubbish = self.thing("x" * len(content), parts=True, end="copy")
                self.copy[key] = replace(rubbish, etag=md5(rubbish.modified) + "-2")

    # ---- looks

    def look(self, tries: Tries | None = None) -> list[Difference]:
        def read(source: Entry, copy: Entry) -> bool:
            return self.source[source.key].content == self.copy[copy.key].content

        merge = Merge(self.mode, tries=tries, read=read)
        found = list(merge.of(self.listed(self.source), self.listed(self.copy), self.ledger))
        self.ledger = []
        for one in found:
            record = one.before if isinstance(one, Difference) else one
            if record is not None:
                self.ledger.append(record)
            if isinstance(one, Record):
                assert self.source[one.key].content == self.copy[one.key].content
        totals = merge.totals
        differ = sum(totals.count(stand, *AT_SOURCE) for stand in Stand)
        assert totals.source_objects == len(self.source) == totals.present + differ
        return [one for one in found if isinstance(one, Difference)]

    def run(self, *, calm: bool = False) -> None:
        plan = self.look()
        assert all(found.stand is Stand.TO_DO for found in plan)
        then = dict(self.source)
        failed, errored = set[bytes](), set[bytes]()
        to_do = plan
        for _ in range(3):
            if not calm:
                self.users_write()
            for found in to_do:
                outcome = "done" if calm else self.random.choice(OUTCOMES)
                self.tries(found, outcome)
                if outcome != "done":
                    errored.add(found.key)
                if outcome == "refused":
                    failed.add(found.key)
            if not calm:
                self.users_write()
                self.strangers_write({found.key for found in plan})
            found_now = self.look(Tries(plan, failed, errored))
            for found in found_now:
                changed = self.source.get(found.key) != then.get(found.key)
                assert changed or found.stand is not Stand.SINCE
                stands = {Stand.SINCE, Stand.STRAY}
                if found.key in failed:  # refused for good, whatever the source has now
                    stands.add(Stand.FAILED)
                assert not changed or found.stand in stands
                assert found.stand is not Stand.TO_DO or found.key not in failed
            to_do = [found for found in found_now if found.stand is Stand.TO_DO]
            if not to_do:
                return


@pytest.mark.parametrize("mode", [ComparisonMode.CHECKSUM, ComparisonMode.CHECKSUM_AND_TIME])
@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_no_history_makes_a_wrong_copy_right_and_the_next_calm_run_mends_it(
    mode: ComparisonMode, seed: int
) -> None:
    world = World(Random(seed), mode)
    for _ in range(3):
        world.users_write()
        world.strangers_write(set())
        world.run()

    world.run(calm=True)

    assert {key: one.content for key, one in world.source.items()} == {
        key: one.content for key, one in world.copy.items()
    }
    assert world.look() == []
