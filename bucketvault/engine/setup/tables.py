"""The tables of `setup.toml` and their keys: what reads a file and what writes one share them.

A field that is declared with its rule is a key of its table here, in both directions.
"""

from collections.abc import Mapping

from bucketvault.engine import price_list, settings
from bucketvault.engine.alerts import targets
from bucketvault.engine.domain import rules
from bucketvault.engine.domain.fields import (
    TEXT,
    YES_OR_NO,
    BackupFields,
    ProviderFields,
    Ruled,
    StorageFields,
    ruled_fields,
)

ADDRESS = ("endpoint", "account_id", "region")
END_KEYS = ("provider", "bucket", "path")  # of a Backup's end, `source` or `destination`
TABLES: Mapping[str, Mapping[str, Ruled]] = {  # in the order in which they are applied
    "settings": settings.RULES,
    "prices": price_list.RULES,
    "alert": targets.RULES,
    "provider": ruled_fields(ProviderFields),
    # the last of both: only for what is made from the file, so that it is what it was elsewhere
    "storage": {
        **ruled_fields(StorageFields),
        "as_listed": Ruled(rules.yes_or_no_rule, "", "as_listed", YES_OR_NO),
    },
    "backup": {
        **ruled_fields(BackupFields),
        "archive_key": Ruled(rules.archive_key_rule, "", "kept_versions", TEXT),
    },
}
SHAPES = {"settings": "[settings]", "prices": "[prices.SERVICE]"}  # of tables that have no list
# The keys that say which one of its kind a table is about; of the others it is `name`.
NAMED_BY = {
    "settings": (),
    "prices": (price_list.SERVICE,),
    "storage": ("provider", "bucket_name"),
}
# What the file calls a field that has another name inside.
FILE_NAMES = {name: each.key for of in TABLES.values() for name, each in of.items()}


def named_by(kind: str) -> tuple[str, ...]:
    """Return the keys that say which one of its kind a table is about."""
    return NAMED_BY.get(kind, ("name",))
