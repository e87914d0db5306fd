"""Tables of `setup.toml`, for tests of very many backups at once."""

from tests.support.servers import ServerProcess


def provider(name: str, server: ServerProcess, *buckets: str) -> str:
    """Return the tables of a server, and of buckets there."""
    table = (
        f'[[provider]]\nname = "{name}"\nprovider_type = "{server.provider_type}"\n'
        f'endpoint = "{server.endpoint}"\nregion = "{server.region}"\n'
        f'access_key_id = "{server.access_key_id}"\n'
        f'secret_access_key = "{server.secret_access_key}"\n'
    )
    storages = (
        f'[[storage]]\nprovider = "{name}"\nbucket_name = "{bucket}"\n' for bucket in buckets
    )
    return "".join((table, *storages))


def backup(name: str, at: str, source: tuple[str, str], destination: tuple[str, str]) -> str:
    """Return the table of a daily backup; `at` is UTC, an end a provider's name and a bucket.

    It copies from a folder of its own name to another one.
    """
    ends = (
        f'{end} = {{provider = "{provider}", bucket = "{bucket}", path = "{name}"}}\n'
        for end, (provider, bucket) in (("source", source), ("destination", destination))
    )
    about = f'[[backup]]\nname = "{name}"\nschedule = "daily"\nat = "{at}"\ntime_zone = "UTC"\n'
    return "".join((about, *ends))
