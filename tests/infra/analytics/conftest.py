"""Reports on the tables of the functions' tests."""

from tests.functions.conftest import database, moto, shop, wire

__all__ = ["database", "moto", "shop", "wire"]
