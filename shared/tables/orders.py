"""What a table keeps of an order beside its entries: how it stands now, so that one read tells what is left of it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shared import settings
from shared.domain.earning.kept_orders import NOTHING_RETURNED, Returned, returned_of
from shared.domain.entry import Entry
from shared.domain.subaccounts import is_wallet
from shared.tables import client, keys
from shared.tables.client import Item, Key, Write


class OrderState(NamedTuple):
    """What has come back of an order, and where its last amendment and its last claim stand, if it has any."""

    returned: Returned = NOTHING_RETURNED
    amendment: Key | None = None
    claim: Key | None = None


def state_of(item: Item | None) -> OrderState:
    """How an order stands, by the item that says so; without one nothing has happened to it."""
    if item is None:
        return OrderState()
    lines = json.loads(item["lines"]["S"]) if "lines" in item else {}
    returned = Returned(
        int(item["amount"]["N"]),
        {sku: (quantity, amount) for sku, (quantity, amount) in lines.items()},
        int(item["changes"]["N"]) if "changes" in item else 0,
    )
    pk = item["pk"]["S"]
    amendment, claim = (Key(pk, item[name]["S"]) if name in item else None for name in ("amendment", "claim"))
    return OrderState(returned, amendment, claim)


def load_state(order_id: str) -> OrderState:
    """How an order stands."""
    return state_of(client.get(settings.loyalty_table(), keys.refunded_key(order_id)))


def load_states(order_ids: Sequence[str]) -> dict[str, OrderState]:
    """How some orders stand, by their ids."""
    found: dict[str, OrderState] = {}
    for start in range(0, len(order_ids), client.READS_TOGETHER_MAX):
        some = order_ids[start : start + client.READS_TOGETHER_MAX]
        items = client.get_together(settings.loyalty_table(), [keys.refunded_key(one) for one in some])
        found |= {order_id: state_of(item) for order_id, item in zip(some, items, strict=True)}
    return found


def item_of(key: Key, state: OrderState) -> Item:
    """The item that says how an order stands."""
    places = {"amendment": state.amendment, "claim": state.claim}
    of_places = {name: {"S": place.sk} for name, place in places.items() if place}
    return {**client.key_of(key), **_numbers(state.returned), **of_places}


def changes(entry: Entry) -> Iterator[Write]:
    """The write that keeps how an order stands, if the entry changes that."""
    if entry.refunded is None or is_wallet(entry.member_id):
        return
    values = _numbers(returned_of(entry))
    place = keys.entry_key(entry).sk
    values |= {"amendment": {"S": place}} if entry.type == "amend" else {}
    values |= {"claim": {"S": place}} if entry.type == "claim_in" else {}
    drop = " REMOVE amendment" if entry.type == "claim_in" else ""
    yield {
        "Update": {
            "TableName": settings.loyalty_table(),
            "Key": client.key_of(keys.refunded_key(entry.source["order_id"])),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values) + drop,
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
        }
    }


def _numbers(returned: Returned) -> dict[str, Any]:
    return {
        "amount": {"N": str(returned.amount)},
        "changes": {"N": str(returned.changes)},
        "lines": {"S": json.dumps(returned.lines, separators=(",", ":"))},
    }
