"""Copies in words: how many a source has, and what protects each. Pure; see `page.py`."""

import datetime as dt

from bucketvault.engine.domain.services import OTHER, service_of
from bucketvault.engine.domain.spec import EndSpec
from bucketvault.engine.domain.traits import Traits
from bucketvault.engine.views.copies import SourceCopies
from bucketvault.engine.views.situation import Tone
from bucketvault.humanize import age, many


def verdict(of: SourceCopies, now: dt.datetime) -> tuple[Tone, str]:
    """Return how safe a source is: `3 copies with 2 providers, newest proof 6 h ago.`"""
    number, rest = len(of.proven), len(of.backups) - len(of.proven)
    if of.newest is None:
        return Tone.BAD, "No proven copy yet."
    if number == 1:
        told = f"1 copy, proven {age(of.newest, now)}."
    else:
        where = many(of.providers, "provider")
        told = f"{number} copies with {where}, newest proof {age(of.newest, now)}."
    more = f" {rest} not proven." if rest else ""
    stale = all(row.proof_is_old or not row.enabled for row in of.proven)
    return (Tone.WARN if rest or stale else Tone.OK), f"{told}{more}"


def region(end: EndSpec) -> str:
    """Return where a bucket is: `Amazon S3, eu-central-1`, or the host of an unknown service."""
    service = service_of(end.provider_type, end.endpoint)
    name = end.endpoint.partition("://")[2] if service is OTHER else service.name
    return ", ".join(part for part in (name, end.region) if part)


def protection(traits: Traits) -> tuple[str, str]:
    """Return what keeps old versions safe at a destination, and advice."""
    if traits.object_lock:
        return "Object Lock", "objects cannot be deleted before their retention ends."
    if traits.versioning:
        return "Versioned", "the service keeps deleted objects too; a lifecycle rule limits them."
    if traits.versioning is None:
        return "Versioning unknown", "the connection test on the provider's page finds it out."
    return "Not versioned", "anyone with this key can delete the copy. Turn on versioning."
