"""The store's tests look at the same shop as the functions' tests do."""

from tests.functions.conftest import database, moto, shop, wire

__all__ = ["database", "moto", "shop", "wire"]
