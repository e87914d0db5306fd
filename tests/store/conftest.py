"""The store's fixtures, for the tests of this package."""

from tests.store_fixtures import data_folder, new_database, open_store, vault

__all__ = ["data_folder", "new_database", "open_store", "vault"]
