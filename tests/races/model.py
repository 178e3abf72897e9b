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
    after = _STEPS[call.kind](one, other, call)
    if isinstance(after, str):
        return pair if call.is_unknown or call.refused == after else None
    if call.refused or (call.saw is not None and call.saw != after[0].seen):
        return None
    return after if call.member == 0 else (after[1], after[0])


def _credited(one: Member, points: int) -> Member:
    pays = min(one.debt, points)
    return replace(one, debt=one.debt - pays, balance=one.balance + points - pays)


def _once(one: Member, call: Call) -> bool:
    return f"{call.kind} {call.name}" in one.done


def _did(one: Member, call: Call) -> Member:
    return replace(one, done=one.done | {f"{call.kind} {call.name}"})


def _earn(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
    order = (call.name, call.amount, 0)
    return _did(_credited(replace(one, orders=one.orders | {order}), call.amount // POINTS_PER), call), other


def _refund(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
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
    return _did(replace(one, orders=orders, balance=one.balance - takes, debt=one.debt + points - takes), call), other


def _reserve(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
    if one.balance < call.amount:
        return "insufficient_points"
    held = one.held | {(call.name, call.amount)}
    return _did(replace(one, balance=one.balance - call.amount, held=held), call), other


def _capture(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
    found = [hold for hold in one.held if hold[0] == call.name]
    if not found:
        return "invalid_state"
    return _did(replace(one, held=one.held - {found[0]}, captured=one.captured | {found[0]}), call), other


def _cancel(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
    found = [hold for hold in one.held if hold[0] == call.name]
    if not found:
        return "invalid_state"
    return _did(_credited(replace(one, held=one.held - {found[0]}), found[0][1]), call), other


def _reverse(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
    found = [hold for hold in one.captured if hold[0] == call.name]
    if not found:
        return "invalid_state"
    return _did(_credited(replace(one, captured=one.captured - {found[0]}), found[0][1]), call), other


def _adjust(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
    if call.amount > 0:
        return _did(_credited(one, call.amount), call), other
    if one.balance < -call.amount:
        return "insufficient_points"
    return _did(replace(one, balance=one.balance + call.amount), call), other


def _transfer(one: Member, other: Member, call: Call) -> Any:
    if _once(one, call):
        return one, other
    if one.balance < call.amount:
        return "insufficient_points"
    return _did(replace(one, balance=one.balance - call.amount), call), _credited(other, call.amount)


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
