"""Which entries were announced: a marker for each, so that a repeated delivery neither tells of it nor counts it again.

It outlives every way by which the stream's record may come again.
"""

from datetime import datetime, timedelta

from shared import settings
from shared.tables import client
from shared.tables.client import Key

KEPT = timedelta(days=45)
"""Longer than records that failed are kept to be sent again."""


def is_marked(entry_id: str) -> bool:
    """Whether an entry was announced."""
    return client.get(settings.loyalty_table(), _key(entry_id)) is not None


def mark(entry_id: str, now: datetime) -> bool:
    """Note that an entry was announced; False if another delivery of it was quicker."""
    forget_at = client.forget_at(now + KEPT)
    item = {**client.key_of(_key(entry_id)), "forget_at": forget_at}
    return client.put_if(settings.loyalty_table(), item, "attribute_not_exists(pk)")


def _key(entry_id: str) -> Key:
    return Key(f"ANNOUNCED#{entry_id}", "ANNOUNCED")
