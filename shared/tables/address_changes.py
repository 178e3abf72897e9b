"""Changes of members' addresses, beside their profiles in the table of personal data. The database forgets them.

Each is written in one transaction with the profile, whose revision guards it: nothing here has a condition of its own.
"""

from collections.abc import Iterable
from datetime import timedelta

from shared import settings
from shared.domain.members.address_changes import AddressChange
from shared.tables import client, members, partitions, records
from shared.tables.client import Key, Write

KEPT = timedelta(days=1)
"""For how long one that is over is kept, to say so to whoever is late."""
_PLACE = "CHANGE#"


def load(member_id: str, change_id: str) -> AddressChange | None:
    """One change, if there is still one."""
    item = client.get(settings.people_table(), _key(member_id, change_id))
    return records.read(AddressChange, item) if item else None


def of_member(member_id: str) -> list[AddressChange]:
    """All that are kept of a member."""
    items = partitions.items(settings.people_table(), members.member_key(member_id).pk)
    return [records.read(AddressChange, item) for item in items if item["sk"]["S"].startswith(_PLACE)]


def put(member_id: str, change: AddressChange) -> Write:
    """The write that keeps a change."""
    key = client.key_of(_key(member_id, change.change_id))
    forget_at = {"forget_at": client.forget_at(change.ends_at + KEPT)}
    item = {**key, **records.attributes(change), **forget_at}
    return {"Put": {"TableName": settings.people_table(), "Item": item}}


def remove(member_id: str, changes: Iterable[AddressChange]) -> list[Write]:
    """The writes that forget changes."""
    table = settings.people_table()
    keys = [client.key_of(_key(member_id, change.change_id)) for change in changes]
    return [{"Delete": {"TableName": table, "Key": key}} for key in keys]


def _key(member_id: str, change_id: str) -> Key:
    return Key(members.member_key(member_id).pk, f"{_PLACE}{change_id}")
