"""Words for an endpoint while it is typed: whose it is, its region, what will be saved of it."""

from typing import NamedTuple
from urllib.parse import urlsplit

from bucketvault.engine.domain import pasted
from bucketvault.engine.domain.places import b2_region
from bucketvault.engine.domain.services import AWS, OTHER, Service, service_at
from bucketvault.pages.providers.kinds import COMPATIBLE, R2, Kind
from bucketvault.vocabulary import ProviderType


class Recognised(NamedTuple):
    """A typed endpoint as far as it is known; `words` are empty where nothing is."""

    service: Service
    region: str = ""  # that the endpoint itself says
    words: str = ""
    region_words: str = ""


def recognise(provider_type: ProviderType, endpoint: str, region: str) -> Recognised:
    """Return what a typed endpoint is; `region`: as far as a person typed it."""
    try:
        meant = pasted.address(provider_type, endpoint, region)
    except pasted.WrongEndpoint as refusal:
        return Recognised(OTHER, words=str(refusal))
    service = service_at(meant.endpoint) if meant.endpoint else OTHER
    if meant.note and not meant.endpoint:
        service = AWS
    if service is OTHER:
        return Recognised(OTHER)
    found = meant.region or service.region_of(meant.endpoint)
    told = f"{service.name}'s region of this endpoint." if found else ""
    if not found and service is not AWS:
        told = f"{service.name} needs no region."
    return Recognised(service, found, f"Recognised: {service.name}. {meant.note}".strip(), told)


def name_of(kind: Kind, endpoint: str, region: str) -> str:
    """Return what a provider is called that gets no name; empty where its address is not known."""
    try:
        meant = pasted.address(kind.provider_type, endpoint, region.strip())
        host = urlsplit(meant.endpoint).netloc
    except (pasted.WrongEndpoint, ValueError):
        return ""
    service = service_at(meant.endpoint) if host else OTHER
    where = meant.region or b2_region(meant.endpoint) or service.region_of(meant.endpoint)
    if kind is R2:
        return kind.title
    if kind is not COMPATIBLE:
        return f"{kind.title} {where}" if where else ""
    if not host:  # Amazon's own, of which only the region is kept
        return f"{AWS.name} {where}" if where else ""
    return f"{service.name} {where}".strip() if service is not OTHER else host.rpartition("@")[2]
