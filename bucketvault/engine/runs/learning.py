"""Find out what a bucket does from a few of its answers, where a run needs to know.

Whether it is encrypted with a key of KMS: ETags of such objects look like an MD5 and are none.
rclone would send them along as the hash of what it uploads, and every upload is refused; a look
would take every object for another one. (docs.aws.amazon.com: "Common Response Headers")

Whether it has Object Lock: then it takes no upload without a hash.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from bucketvault.engine.catalogue import storages
from bucketvault.engine.domain.services import B2, R2, service_of
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.domain.usage import EndUse, Use
from bucketvault.engine.listing.asking import Asker
from bucketvault.engine.listing.bucket import Bucket, ListingError
from bucketvault.engine.listing.look import End
from bucketvault.engine.listing.merge import MD5, Difference, Stand, Why
from bucketvault.engine.listing.plan import Plan
from bucketvault.engine.rclone import errors
from bucketvault.engine.runs.ends import PLACE
from bucketvault.store.database import writing
from bucketvault.store.models import Provider

SAMPLES = 3  # objects that are asked for at an end
PATIENCE_S = 10.0
ENCRYPTION = "x-amz-server-side-encryption"  # "aws:kms" or "aws:kms:dsse": with a key of KMS
_WITHOUT_KMS = (R2.slug, B2.slug)
_WRONG = (Stand.TO_DO, Stand.FAILED)


def learned(
    spec: RunSpec,
    plan: Plan,
    ends: tuple[End, End],
    *,
    first: bool,
    count: Callable[[Use], None] = lambda use: None,
) -> RunSpec:
    """Return the settings of a run with what its look gives reason to ask for; stored, too.

    After the `first` look that is what is not known yet; after another one, when something is
    still wrong, also what may have changed since. Blocks for a few requests, which
    `count` gets; raises BusyError.
    """
    found = [spec.source, spec.destination]
    for number, end in enumerate(found):
        service = service_of(end.provider_type, end.endpoint).slug
        if end.traits.kms or service in _WITHOUT_KMS or (first and end.traits.kms is not None):
            continue
        keys = itertools.islice(_samples(plan, number, first=first), SAMPLES)
        asked = EndUse()
        wanted = (ends[number].prefix.encode() + key for key in keys)
        kms = has_kms(ends[number].bucket, wanted, asked)
        count(Use(destination=asked) if number else Use(asked))
        if kms or (first and kms is False):
            found[number] = replace(end, traits=replace(end.traits, kms=kms))
            _note(end, Traits(kms=kms))
    return replace(spec, source=found[0], destination=found[1])


def locked(spec: RunSpec, failed: Mapping[str, str]) -> tuple[RunSpec, list[str]]:
    """Return the settings with what the destination's answers tell, and names refused for good.

    `failed`: names, and what was said of each. A bucket with Object Lock takes no upload without a
    hash; with one it may. Raises BusyError.
    """
    end = spec.destination
    is_new = not end.traits.object_lock and any(map(errors.needs_checksum, failed.values()))
    refused = [
        name
        for name, said in failed.items()
        if errors.is_permanent(said) and not (is_new and errors.needs_checksum(said))
    ]
    if is_new:
        _note(end, Traits(object_lock=True))
        end = replace(end, traits=replace(end.traits, object_lock=True))
    return replace(spec, destination=end), refused


def _note(end: EndSpec, learned: Traits) -> None:
    """Store what a bucket does, unless its provider is at another place by now."""
    with writing():
        provider = Provider.get_or_none(Provider.id == end.provider_id)
        if all(getattr(provider, name, None) == getattr(end, name) for name in PLACE):
            storages.learn(end.provider_id, end.bucket, learned)


def has_kms(bucket: Bucket, keys: Iterable[bytes], use: EndUse) -> bool | None:
    """Return whether one of these objects is encrypted with a key of KMS; None: nobody said.

    `use` counts the requests.
    """
    told = []
    with Asker(bucket, patience_s=PATIENCE_S) as asker:
        for key in keys:
            with contextlib.suppress(ListingError):
                told.append(asker.ask("HEAD", key).headers[ENCRYPTION] or "")
        use.reads += asker.requests
    return any(each.startswith("aws:kms") for each in told) if told else None


def _samples(plan: Plan, number: int, *, first: bool) -> Iterator[bytes]:
    """Yield keys at one end whose ETag may be none: after a pass, of objects that are wrong."""
    stands = (Stand.TO_DO,) if first else _WRONG
    for found in itertools.chain.from_iterable(plan.differences(stand=each) for each in stands):
        if _is_told_by(found, number, first=first):
            yield found.key


def _is_told_by(found: Difference, number: int, *, first: bool) -> bool:
    end = found.copy if number else found.source
    if end is None or not MD5.fullmatch(end.etag):
        return False
    return first or number == 0 or found.why is Why.HASH
