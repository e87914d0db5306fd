"""Words for the rights of a key, as pages and commands show them."""

from bucketvault import humanize
from bucketvault.engine.probe.results import Right, RightResult, TrialResult, Untried

RIGHT_WORDS = {
    Right.CONNECT: "Reach the endpoint",
    Right.KEYS: "Sign in",
    Right.LIST_BUCKETS: "List buckets",
    Right.LIST_OBJECTS: "List objects",
    Right.READ: "Read an object",
    Right.WRITE: "Write an object",
    Right.OVERWRITE: "Replace an object",
    Right.SET_ASIDE: "Copy inside the bucket",
    Right.DELETE: "Delete an object",
}
_UNTRIED = {
    Untried.FAILED_BEFORE: "not tested: a step above failed",
    Untried.REFUSED_BEFORE: "not tested: a permission above was denied",
    Untried.NO_BUCKET: "not tested: add a bucket first",
    Untried.NOT_ASKED: "not tested: use Test writing",
    Untried.NO_OBJECT: "not tested: no object found",
    Untried.NO_TIME: "not tested: the test ended first",
}


def right_note(right: RightResult) -> str:
    """Return the provider's code, and what was seen."""
    note = right.note
    if right.untried is not None:
        note = _UNTRIED[right.untried]
    elif right.right is Right.LIST_OBJECTS and right.outcome == TrialResult.WORKS:
        note = f"in {right.note}"
    elif right.right is Right.LIST_BUCKETS and right.outcome == TrialResult.WORKS:
        note = humanize.many(right.number, "bucket")
    elif right.right is Right.LIST_BUCKETS and right.outcome == TrialResult.REFUSED:
        note = "type a bucket's name below"
    return " · ".join(part for part in (right.code, note) if part)
