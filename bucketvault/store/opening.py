"""Opening a data folder: its folders, its database, its vault."""

from bucketvault.config import Config
from bucketvault.store.copies import refuse_to_begin_anew
from bucketvault.store.database import open_database
from bucketvault.store.secrets import Vault


def open_store(config: Config, *, check: bool = False) -> Vault:
    """Make the folders, open the database and give the vault. Raises DatabaseError, ConfigError.

    With `check`, a damaged database is found now, and not at the first run. One that is lost is
    not begun anew: BrokenDatabaseError.
    """
    refuse_to_begin_anew(config)
    config.make_folders()
    open_database(config.database, check=check)
    return Vault(config.key_file)
