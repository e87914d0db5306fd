"""Numbers of a look: the findings of a run, and its proof."""

from pathlib import Path

import pytest

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.listing.merge import Stand, Totals, What
from bucketvault.engine.listing.plan import Plan, PlanWriter
from bucketvault.engine.runs import looking
from bucketvault.errors import RunFailedError
from bucketvault.vocabulary import HoldReason, Reason
from tests.engine.runs.plans import difference
from tests.support.specs import run_spec

AT = "2026-11-30T03:41:00+00:00"


def plan_of(folder: Path, *found: tuple[str, What, Stand]) -> Plan:
    """Write a plan of these keys; ten objects more are right, four of them by size only."""
    totals = Totals(copy_objects=20, same_hash=6, same_size=4)
    with PlanWriter(folder) as writer:
        for name, what, stand in sorted(found):
            each = difference(name, what, stand=stand, size=7)
            totals.add(each)
            writer.add(each)
        at_source = sum(what is not What.GONE for _, what, _ in found)
        totals.source_objects, totals.source_bytes = 10 + at_source, 700
        writer.finish(totals)
    return Plan(folder)


def test_findings_are_what_is_to_do_and_name_what_somebody_else_did(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        ("new", What.NEW, Stand.TO_DO),
        ("lost", What.LOST, Stand.TO_DO),
        ("changed", What.CHANGED, Stand.TO_DO),
        ("altered", What.ALTERED, Stand.TO_DO),
        ("gone", What.GONE, Stand.TO_DO),
        ("empty/", What.NEW, Stand.CANNOT),
    )

    assert looking.findings_of(plan.totals()) == Findings(2, 2, 1, 20, 1, 1, 28)


def test_a_proof_counts_every_object_of_the_source_once_and_names_what_is_not_right(
    tmp_path: Path,
) -> None:
    plan = plan_of(
        tmp_path,
        ("n1", What.NEW, Stand.TO_DO),
        ("n2", What.LOST, Stand.FAILED),
        ("n3", What.NEW, Stand.STRAY),
        ("d1", What.CHANGED, Stand.FAILED),
        ("d2", What.ALTERED, Stand.STRAY),
        ("g1", What.GONE, Stand.TO_DO),
        ("x/", What.NEW, Stand.CANNOT),
        ("y/", What.GONE, Stand.CANNOT),
        ("s1", What.NEW, Stand.SINCE),
        ("s2", What.CHANGED, Stand.SINCE),
        ("s3", What.GONE, Stand.SINCE),
    )

    proof = looking.proof_of(plan, AT, {"d1": "It is locked."})

    assert (proof.at, proof.present, proof.same_hash, proof.same_size_only) == (AT, 10, 6, 4)
    assert (proof.missing, proof.different, proof.left) == (3, 2, 1)
    assert (proof.cannot_copy, proof.since) == (1, 3)
    counted = proof.present + proof.missing + proof.different + proof.cannot_copy + 2  # since
    assert proof.source_objects == counted == 18
    assert {kind: sorted(names) for kind, names in proof.names.items()} == {
        "missing": ["n1", "n2", "n3"],
        "different": ["d1", "d2"],
        "left": ["g1"],
        "cannot_copy": ["x/"],
        "failed": [["d1", "It is locked."]],
    }
    assert not proof.is_good


def test_what_cannot_be_copied_or_changed_since_leaves_a_copy_proven(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ("x/", What.NEW, Stand.CANNOT), ("s", What.NEW, Stand.SINCE))

    assert looking.proof_of(plan, AT, {}).is_good


def test_of_many_names_a_proof_has_the_first_ones(tmp_path: Path) -> None:
    many = [(f"n{number:03}", What.NEW, Stand.TO_DO) for number in range(200)]

    proof = looking.proof_of(plan_of(tmp_path, *many), AT, {})

    assert proof.missing == 200
    assert proof.names["missing"] == [name for name, _, _ in many[:10]]


def test_an_empty_source_is_never_copied() -> None:
    with pytest.raises(RunFailedError) as refused:
        looking.refuse_empty(Totals(copy_objects=3), run_spec("photos", "copies"))

    assert refused.value.reason == Reason.BRAKE
    assert refused.value.codes["hold_reason"] == HoldReason.EMPTY_SOURCE
    assert "photos is empty" in refused.value.summary
