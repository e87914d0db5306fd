"""Plans of a look, as tests need them: keys by what they are."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bucketvault.engine.domain.findings import Findings
from bucketvault.engine.listing.merge import Difference, Stand, Totals, What, Why
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.listing.plan import Plan, PlanWriter
from bucketvault.engine.runs.looking import findings_of

THEN = "2026-11-22T03:41:00.000Z"


def difference(
    key: str, what: What, why: Why = Why.HASH, stand: Stand = Stand.TO_DO, size: int = 3
) -> Difference:
    name = key.encode()
    source = None if what is What.GONE else Entry(name, size, "e1", THEN)
    copy = None if what in (What.NEW, What.LOST) else Entry(name, 2, "e2", THEN)
    return Difference(name, what, why if source and copy else Why.ABSENT, source, copy, stand=stand)


def write_plan(folder: Path, differences: Iterable[Difference]) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    totals = Totals()
    with PlanWriter(folder) as plan:
        for found in sorted(differences, key=lambda each: each.key):
            totals.add(found)
            plan.add(found)
        plan.finish(totals)
    return Plan(folder)


def a_plan(
    folder: Path,
    *,
    removed: Iterable[str] = (),
    replaced: Iterable[str] = (),
    altered: Iterable[str] = (),
    new: Iterable[str] = (),
) -> Plan:
    kinds = {What.GONE: removed, What.CHANGED: replaced, What.ALTERED: altered, What.NEW: new}
    return write_plan(folder, [difference(key, what) for what in kinds for key in kinds[what]])


def found_of(plan: Plan, of: int) -> Findings:
    """Return the findings of this plan in a copy of so many objects."""
    return replace(findings_of(plan.totals()), destination_objects=of, bytes=0)
