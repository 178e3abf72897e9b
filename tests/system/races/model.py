"""Two members who send each other points, by sums alone: what each answer of the API may be.

Written from the contract, for a program of one point a dollar without tiers, expiry and waiting. It shares no code with
the rules.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

POINTS_PER = 100


class Seen(NamedTuple):
    """What an answer shows of an account."""

    balance: int
    held: int
    debt: int


@dataclass(frozen=True)
class Member:
    """A member's points; redemptions and orders by their names."""

    balance: int = 0
    debt: int = 0
    held: frozenset[tuple[str, int]] = frozenset()
    captured: frozenset[tuple[str, int]] = frozenset()
    orders: frozenset[tuple[str, int, int]] = frozenset()
    """Name, total, and what of it came back."""
    done: frozenset[str] = frozenset()
    """Names of what happens once."""

    @property
    def seen(self) -> Seen:
        """As the API shows it."""
        return Seen(self.balance, sum(points for _, points in self.held), self.debt)


@dataclass(frozen=True)
class Call:
    """One request of a member, and its answer: `refused` with a code, or what it `saw` of the member's account."""

    kind: str
    member: int
    name: str = ""
    amount: int = 0
    refused: str = ""
    saw: Seen | None = None
    is_unknown: bool = field(default=False, compare=False)


Pair = tuple[Member, Member]


def step(pair: Pair, call: Call) -> Pair | None:
    """Both members after a call; None if its answer cannot be."""
    one, other = pair[call.member], pair[1 - call.member]
    deed = f"{call.kind} {call.name}"
    after = (one, other) if deed in one.done else _STEPS[call.kind](one, other, call)
    if isinstance(after, str):
        return pair if call.is_unknown or call.refused == after else None
    if call.refused or (call.saw is not None and call.saw != after[0].seen):
        return None
    if call.kind != "read":
        after = replace(after[0], done=one.done | {deed}), after[1]
    return after if call.member == 0 else (after[1], after[0])


def _credited(one: Member, points: int) -> Member:
    pays = min(one.debt, points)
    return replace(one, debt=one.debt - pays, balance=one.balance + points - pays)


def _named(holds: frozenset[tuple[str, int]], name: str) -> tuple[str, int] | None:
    return next((hold for hold in holds if hold[0] == name), None)


def _earn(one: Member, other: Member, call: Call) -> Any:
    order = (call.name, call.amount, 0)
    return _credited(replace(one, orders=one.orders | {order}), call.amount // POINTS_PER), other


def _refund(one: Member, other: Member, call: Call) -> Any:
    order_id = call.name.partition("/")[0]
    found = [order for order in one.orders if order[0] == order_id]
    if not found:
        return "order_not_found"
    [(_, total, before)] = found
    after = before + call.amount
    if after > total:
        return "refund_exceeds_order"
    points = (total - before) // POINTS_PER - (total - after) // POINTS_PER
    takes = min(points, one.balance)
    orders = one.orders - {found[0]} | {(order_id, total, after)}
    return replace(one, orders=orders, balance=one.balance - takes, debt=one.debt + points - takes), other


def _reserve(one: Member, other: Member, call: Call) -> Any:
    if one.balance < call.amount:
        return "insufficient_points"
    held = one.held | {(call.name, call.amount)}
    return replace(one, balance=one.balance - call.amount, held=held), other


def _capture(one: Member, other: Member, call: Call) -> Any:
    hold = _named(one.held, call.name)
    if hold is None:
        return "invalid_state"
    return replace(one, held=one.held - {hold}, captured=one.captured | {hold}), other


def _cancel(one: Member, other: Member, call: Call) -> Any:
    hold = _named(one.held, call.name)
    if hold is None:
        return "invalid_state"
    return _credited(replace(one, held=one.held - {hold}), hold[1]), other


def _reverse(one: Member, other: Member, call: Call) -> Any:
    hold = _named(one.captured, call.name)
    if hold is None:
        return "invalid_state"
    return _credited(replace(one, captured=one.captured - {hold}), hold[1]), other


def _adjust(one: Member, other: Member, call: Call) -> Any:
    if call.amount > 0:
        return _credited(one, call.amount), other
    if one.balance < -call.amount:
        return "insufficient_points"
    return replace(one, balance=one.balance + call.amount), other


def _transfer(one: Member, other: Member, call: Call) -> Any:
    if one.balance < call.amount:
        return "insufficient_points"
    return replace(one, balance=one.balance - call.amount), _credited(other, call.amount)


def _read(one: Member, other: Member, _: Call) -> Any:
    return one, other


_STEPS = {
    "earn": _earn,
    "refund": _refund,
    "reserve": _reserve,
    "capture": _capture,
    "cancel": _cancel,
    "reverse": _reverse,
    "adjust": _adjust,
    "transfer": _transfer,
    "read": _read,
}
