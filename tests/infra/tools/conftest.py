"""Commands that go through whole tables, on the tables of the functions' tests."""

from tests.functions.conftest import database, moto, queues, shop, wire

__all__ = ["database", "moto", "queues", "shop", "wire"]
