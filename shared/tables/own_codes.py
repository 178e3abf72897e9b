"""The shop's own codes for the vouchers of a reward: numbered as they were added, and taken in that order."""

from collections.abc import Sequence
from typing import NamedTuple

from shared import settings
from shared.domain.errors import TryAgainError
from shared.tables import client, vouchers
from shared.tables.client import CancelledError, Item, Key, Write

ADDED_TOGETHER = 40
"""Codes of one transaction: each is two of its at most 100 items."""
ATTEMPTS_MAX = 10


class Pool(NamedTuple):
    """How many codes were added, and how many of them are taken."""

    added: int = 0
    taken: int = 0

    @property
    def left(self) -> int:
        """How many codes wait."""
        return self.added - self.taken


def pool_key(reward_id: str) -> Key:
    """Where it stands how many codes of a reward there are."""
    return Key(f"CODES#{reward_id}", "POOL")


def numbered_key(reward_id: str, number: int) -> Key:
    """Where a code stands, counted from 1."""
    return Key(f"CODES#{reward_id}", f"CODE#{number:09}")


def pool_of(item: Item | None) -> Pool:
    """What an item says of a pool."""
    return Pool(int(item["added"]["N"]), int(item["taken"]["N"])) if item else Pool()


def code_of(item: Item) -> str:
    """The code that an item holds."""
    return str(item["code"]["S"])


def load(reward_id: str) -> Pool:
    """The pool of a reward."""
    return pool_of(client.get(settings.loyalty_table(), pool_key(reward_id)))


def take(reward_id: str, pool: Pool) -> Write:
    """A write that takes the next code of a pool, unless somebody has."""
    return _changed(reward_id, pool, pool._replace(taken=pool.taken + 1))


def add(reward_id: str, codes: Sequence[str]) -> int:
    """Add codes to a pool, all or some of them; how many were new. Those that any voucher has, or any pool, are not.

    Raises TryAgainError if others keep adding or taking.
    """
    added, waiting = 0, list(dict.fromkeys(codes))
    for attempt in range(ATTEMPTS_MAX):
        some = waiting[:ADDED_TOGETHER]
        if not some:
            return added
        pool, table = load(reward_id), settings.loyalty_table()
        writes: list[Write] = [_changed(reward_id, pool, pool._replace(added=pool.added + len(some)))]
        writes += [client.put_new(table, vouchers.code_key(one), reward_id={"S": reward_id}) for one in some]
        writes += [
            client.put_new(table, numbered_key(reward_id, pool.added + number), code={"S": one})
            for number, one in enumerate(some, start=1)
        ]
        try:
            client.transact(writes)
        except CancelledError as cancelled:
            known = {one for one in some if vouchers.code_key(one) in cancelled.keys}
            waiting = [one for one in waiting if one not in known]
            if not known:
                client.back_off(attempt)
            continue
        added, waiting = added + len(some), waiting[len(some) :]
    raise TryAgainError("others are adding or taking codes; the same request may be sent again")


def _changed(reward_id: str, before: Pool, after: Pool) -> Write:
    """A write that changes a pool, unless it is another by now."""
    values = {":added": before.added, ":taken": before.taken, ":more": after.added, ":now": after.taken}
    is_so = "added = :added AND taken = :taken"
    return {
        "Update": {
            "TableName": settings.loyalty_table(),
            "Key": client.key_of(pool_key(reward_id)),
            "UpdateExpression": "SET added = :more, taken = :now",
            "ConditionExpression": is_so if before.added else f"attribute_not_exists(pk) OR ({is_so})",
            "ExpressionAttributeValues": {name: {"N": str(number)} for name, number in values.items()},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
