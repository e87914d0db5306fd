"""Finds both ends of a run as rclone reaches them: the keys of now, the places that were frozen."""

from dataclasses import replace

from bucketvault.engine.catalogue import providers
from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.errors import BucketvaultError
from bucketvault.store.database import connection
from bucketvault.store.models import Provider
from bucketvault.store.secrets import Vault

PLACE = ("provider_type", "endpoint", "region")


def remotes_of(spec: RunSpec, vault: Vault) -> tuple[Remote, Remote]:
    """Return source and destination of a run, with its traits and the class of its copy.

    Raises BucketvaultError where a provider is at another place by now, VaultError.
    """
    source, destination = (_remote(end, vault) for end in (spec.source, spec.destination))
    return source, replace(destination, storage_class=spec.storage_class)


def _remote(end: EndSpec, vault: Vault) -> Remote:
    with connection():
        provider = Provider.get_or_none(Provider.id == end.provider_id)
    if provider is None:
        raise _changed(end.provider)
    remote = providers.decrypted_remote(provider, vault)
    if any(getattr(end, name) != getattr(remote, name) for name in PLACE):
        raise _changed(end.provider)
    return replace(remote, traits=end.traits)


def _changed(provider: str) -> BucketvaultError:
    return BucketvaultError(
        f"The provider {provider} was changed or deleted after this run began.",
        "The next run uses the current settings.",
    )
