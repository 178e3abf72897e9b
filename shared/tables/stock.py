"""How many pieces of a limited reward are gone."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shared import settings
from shared.domain.entry import Entry
from shared.domain.errors import RewardUnavailableError
from shared.domain.ledger import combined
from shared.domain.program.program import Program
from shared.tables import client, keys
from shared.tables.client import CancelledError, Write


def stock_taken(reward_ids: Iterable[str]) -> dict[str, int]:
    """How many pieces of each limited reward are gone."""
    names = list(reward_ids)
    taken: dict[str, int] = {}
    for start in range(0, len(names), client.READS_TOGETHER_MAX):
        some = names[start : start + client.READS_TOGETHER_MAX]
        items = client.get_together(settings.loyalty_table(), [keys.stock_key(name) for name in some])
        taken |= {name: int(item["taken"]["N"]) if item else 0 for name, item in zip(some, items, strict=True)}
    return taken


def changes(entries: Sequence[Entry], program: Program) -> Iterator[Write]:
    """One write for each reward: what the entries together take from its shelf or put back."""
    for reward_id, change in combined(*(entry.stock for entry in entries)).items():
        update: dict[str, Any] = {
            "TableName": settings.loyalty_table(),
            "Key": client.key_of(keys.stock_key(reward_id)),
            "UpdateExpression": "ADD taken :pieces",
            "ExpressionAttributeValues": {":pieces": {"N": str(-change)}},
        }
        reward = program.reward(reward_id)
        if change < 0 and reward is not None and reward.stock is not None:
            untouched = "attribute_not_exists(taken) OR " if reward.stock else ""
            update["ConditionExpression"] = f"{untouched}taken < :stock"
            update["ExpressionAttributeValues"][":stock"] = {"N": str(reward.stock)}
        yield {"Update": update}


def require_left(cancelled: CancelledError, entries: Sequence[Entry]) -> None:
    """Raises RewardUnavailableError if nothing but a reward's stock, which alone shows no item, stood in the way."""
    taken = [reward_id for entry in entries for reward_id, change in entry.stock.items() if change < 0]
    if cancelled.failed and taken and not any(cancelled.failed.values()):
        raise RewardUnavailableError(f"{', '.join(taken)}: none is left")
