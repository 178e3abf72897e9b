"""What the environment tells a function. Read when first needed; a missing name is an error, never an empty string."""

import os
from functools import cache


class MissingSettingError(RuntimeError):
    """The environment lacks a name that this function cannot work without."""


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise MissingSettingError(f"the environment variable {name} is not set")
    return value


@cache
def loyalty_table() -> str:
    """Name of the pseudonymous table: accounts, entries, the program."""
    return _required("LOYALTY_TABLE")


@cache
def people_table() -> str:
    """Name of the table of personal data."""
    return _required("PEOPLE_TABLE")


@cache
def identity_key() -> bytes:
    """Secret under which identifiers are hashed, at least 32 bytes, given as hexadecimal digits."""
    return bytes.fromhex(_required("IDENTITY_KEY"))


@cache
def due_shards() -> int:
    """Over how many partitions of the index `due` one day's accounts are spread."""
    return int(_required("DUE_SHARDS"))


@cache
def expiry_queue_url() -> str:
    """Queue that carries one message for each shard and date of an expiry run."""
    return _required("EXPIRY_QUEUE_URL")


@cache
def event_bus() -> str:
    """Bus that domain events are published on."""
    return _required("EVENT_BUS")


@cache
def sender_email() -> str:
    """Address that e-mails are sent from; verified in SES."""
    return _required("SENDER_EMAIL")
