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
    Untried.FAILED_BEFORE: "needs what failed above",
    Untried.REFUSED_BEFORE: "needs what was refused above",
    Untried.NO_BUCKET: "needs a bucket: import one first",
    Untried.NOT_ASKED: "Test writing tries it",
    Untried.NO_OBJECT: "no object to read was found",
    Untried.NO_TIME: "the test ended before",
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
