"""Traits of a bucket come back from the database, and grow."""

import json

from bucketvault.engine.domain.traits import Traits


def test_only_what_is_known_is_kept_and_it_comes_back() -> None:
    traits = Traits(kms=True, copies_inside=False)

    kept = json.loads(json.dumps(traits.to_json()))

    assert kept == {"kms": True, "copies_inside": False}
    assert Traits.from_json(kept) == traits


def test_what_another_version_wrote_is_not_known() -> None:
    assert Traits.from_json({"kms": "yes", "of_tomorrow": True, "versioning": 1}) == Traits()


def test_what_is_learned_stands_beside_what_was_known() -> None:
    known = Traits(kms=False, versioning=True)

    assert known.with_learned(Traits(kms=True)) == Traits(kms=True, versioning=True)
