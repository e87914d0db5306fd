"""The store's fixtures, for the tests of this package."""

from tests.store_fixtures import data_folder, ends, new_database, open_store, vault

__all__ = ["data_folder", "ends", "new_database", "open_store", "vault"]
