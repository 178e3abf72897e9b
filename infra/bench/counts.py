"""What operations ask of DynamoDB: requests, counted on the wire, and units, as the engine bills them.

Counts, so they are the same on every machine and at every load; `test_guard` holds them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from infra.bench.world import PARTNERS, World, new_order, unique
from shared.caller import OPERATOR, PARTNER

REDEMPTION = {"points": 100, "order_total": 10_000, "currency": "USD"}
REQUESTS_MAX: Mapping[str, int] = {
    "earn": 2,
    "reserve": 2,
    "capture": 2,
    "cancel": 2,
    "adjust": 2,
    "refund": 3,
    "reverse": 2,
    "account": 1,
    "replay": 3,
}
"""Round trips. A refund and a reversal look at three items, all in one request, TransactGetItems.

This refund is of an order that a tier rests on, so it reads the entries too. A replayed order says how it stands.
"""
WRITE_UNITS_MAX = 5
LINES = (1, 3, 20, 200)
FEW_LINES = 3
"""An order of so many lines costs no more than one without."""
AMOUNT_OF_LINE = 10
PARTNER_WRITE_UNITS_MAX = 6
"""A partner's entries are in one more index."""
_POINTS = 100_000


def requests(world: World) -> dict[str, list[str]]:
    """The names of the requests of one call of each operation, the program in memory as it nearly always is."""
    member_id = world.enroll()
    path = f"/v1/members/{member_id}"
    order_id = world.earn(member_id, _POINTS * 100)
    held, cancelled = _reserved(world, path), _reserved(world, path)
    order = {"order_id": unique("order"), "type": "order", "currency": "USD", "total": 100}
    order["placed_at"] = world.ok("account", "GET", f"{path}/account")["as_of"]
    refund = {"order_id": order_id, "refund_id": "1", "amount": 500, "refunded_at": order["placed_at"]}
    adjustment = {"points": 5, "reason": "a kindness", "reference": unique("case")}

    def step(redemption: str, name: str) -> Callable[[], Any]:
        return lambda: world.ok("redeem", "POST", f"{path}/redemptions/{redemption}/{name}", scope=OPERATOR)

    operations: dict[str, Callable[[], Any]] = {
        "earn": lambda: world.ok("earn", "POST", f"{path}/earn", order),
        "replay": lambda: world.ok("earn", "POST", f"{path}/earn", order),
        "reserve": lambda: _reserved(world, path),
        "capture": step(held, "capture"),
        "cancel": step(cancelled, "cancel"),
        "reverse": step(held, "reverse"),
        "refund": lambda: world.ok("orders", "POST", f"{path}/refunds", refund),
        "adjust": lambda: world.ok("operators", "POST", f"{path}/adjustments", adjustment, scope=OPERATOR),
        "account": lambda: world.ok("account", "GET", f"{path}/account"),
    }
    asked = {}
    for name, operation in operations.items():
        with world.requests() as sent:
            operation()
        asked[name] = sent
    return asked


def write_units(world: World) -> dict[str, dict[str, float]]:
    """Write units of an earn and of a partner's, for the table and for each index, as the engine's answer states them.

    The member has earned before on the same day, as with all orders but the first of a day: that one may also move
    the account in the index of due days, which is a unit for each of the two places.
    """
    world.use_program(partners=PARTNERS)
    member_id = world.enroll()
    world.earn(member_id)
    world.earn(member_id, scope=PARTNER, partner_id="cafe")
    with metered(world) as earn:
        world.earn(member_id)
    with metered(world) as of_partner:
        world.earn(member_id, scope=PARTNER, partner_id="cafe")
    first = world.enroll()
    with metered(world) as first_of_member:
        world.earn(first)
    return {"earn": earn, "partner's earn": of_partner, "a member's first earn": first_of_member}


def write_units_by_lines(world: World) -> dict[int, float]:
    """Write units of an earn by the number of the order's lines; each is `AMOUNT_OF_LINE` minor units of an article."""
    member_id = world.enroll()
    world.earn(member_id)
    units = {}
    for number in LINES:
        lines = [{"sku": f"SKU-{one:05}", "category": "tea", "amount": AMOUNT_OF_LINE} for one in range(number)]
        order = {**new_order(number * AMOUNT_OF_LINE), "lines": lines}
        with metered(world) as earn:
            world.ok("earn", "POST", f"/v1/members/{member_id}/earn", order)
        units[number] = written(earn)
    return units


@contextmanager
def metered(world: World) -> Iterator[dict[str, float]]:
    """Units of what is written while it lasts, by table and index; and under `read`, units of what is read."""
    units: dict[str, float] = {}

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def note(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        for table in [consumed] if isinstance(consumed, dict) else consumed:
            if "Write" not in model.name and "Put" not in model.name:
                units["read"] = units.get("read", 0) + table["CapacityUnits"]
                continue
            of_indexes = {name: one["CapacityUnits"] for name, one in table.get("GlobalSecondaryIndexes", {}).items()}
            own = table["CapacityUnits"] - sum(of_indexes.values())
            for name, number in {"table": own, **of_indexes}.items():
                units[name] = units.get(name, 0) + number

    events = world.client.meta.events
    events.register("before-parameter-build.dynamodb", ask)
    events.register("after-call.dynamodb", note)
    try:
        yield units
    finally:
        events.unregister("before-parameter-build.dynamodb", ask)
        events.unregister("after-call.dynamodb", note)


def written(units: Mapping[str, float]) -> float:
    """All write units among those that were metered."""
    return sum(number for name, number in units.items() if name != "read")


def _reserved(world: World, path: str) -> str:
    body = world.ok("redeem", "POST", f"{path}/redemptions", REDEMPTION, key=unique("redemption"))
    return str(body["redemption_id"])
