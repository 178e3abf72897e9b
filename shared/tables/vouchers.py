"""Vouchers by their code, and how much of each has been used.

A code stands under its hash alone. It is drawn from so many that nobody finds one by hashing all of them.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from shared import settings
from shared.domain.entry import Entry
from shared.domain.members.codes import read as as_typed
from shared.domain.vouchers import Voucher
from shared.tables import client, partitions, records
from shared.tables.client import Item, Key, Write
from shared.tables.ledger import entry_of


class Issued(NamedTuple):
    """What a code leads to: whose voucher it was when it was issued, its id, and how it was issued."""

    member_id: str
    voucher_id: str
    issue: Voucher


def code_key(code: str) -> Key:
    """Where the voucher with a code stands, however the code was typed."""
    digest = hashlib.sha256(f"voucher:{as_typed(code)}".encode()).hexdigest()
    return Key(f"VOUCHER_CODE#{digest}", "VOUCHER")


def used_key(voucher_id: str) -> Key:
    """Where it stands how much of a voucher has been used."""
    return Key(f"VOUCHER#{voucher_id}", "USED")


def load(code: str) -> Issued | None:
    """The voucher that has a code; None: nobody's."""
    item = client.get(settings.loyalty_table(), code_key(code))
    if item is None or "member_id" not in item:
        return None
    return Issued(item["member_id"]["S"], item["voucher_id"]["S"], records.read(Voucher, item))


def load_used(voucher_id: str) -> int:
    """How much of a voucher has been used."""
    return used_of(client.get(settings.loyalty_table(), used_key(voucher_id)))


def used_of(item: Item | None) -> int:
    """How much of a voucher has been used, by what was read."""
    return int(item["amount"]["N"]) if item else 0


def load_uses(voucher_id: str) -> list[Entry]:
    """The uses of a voucher, and those of them that were undone, in no order."""
    found = partitions.items(settings.loyalty_table(), used_key(voucher_id).pk, pages_max=1)
    return [entry_of(item) for item in found if "body" in item]


def changes(entry: Entry) -> Iterator[Write]:
    """The writes that make what an entry issues found by its code, and note what it uses."""
    for voucher_id, voucher in entry.vouchers.items():
        if entry.type in {"capture", "voucher_given"}:
            item = {
                **client.key_of(code_key(voucher.code)),
                "member_id": {"S": entry.member_id},
                "voucher_id": {"S": voucher_id},
                **records.attributes(voucher),
            }
            # One of the shop's own codes stands there since it was added, and is nobody's yet.
            yield {
                "Put": {
                    "TableName": settings.loyalty_table(),
                    "Item": item,
                    "ConditionExpression": "attribute_not_exists(member_id)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }
        if entry.voucher_used:
            yield {
                "Update": {
                    "TableName": settings.loyalty_table(),
                    "Key": client.key_of(used_key(voucher_id)),
                    "UpdateExpression": "ADD amount :units",
                    "ExpressionAttributeValues": {":units": {"N": str(entry.voucher_used)}},
                }
            }
