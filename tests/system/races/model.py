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
    orders: frozenset[tuple[str, int, frozenset[tuple[str, int]]]] = frozenset()
    """Name, total, and what of it came back: by each refund's name, minor units."""
    adjusted: frozenset[tuple[str, int]] = frozenset()
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
    part: str = ""
    """Of what is given back in parts, which."""

    @property
    def deed(self) -> str:
        """What it does, once."""
        return f"{self.kind} {self.name} {self.part}"

    @property
    def order_id(self) -> str:
        """The order that it is about, if it is about one."""
        return self.name.partition("/")[0] if self.kind in _OF_ORDERS else ""


_OF_ORDERS = frozenset({"earn", "refund", "unrefund", "amend"})
_ANOTHERS = frozenset({"order_belongs_to_another_member", "idempotency_mismatch"})
"""How what is done already, on another account, is refused."""
Pair = tuple[Member, Member]


def step(pair: Pair, call: Call) -> Pair | None:
    """Both members after a call; None if its answer cannot be."""
    one, other = pair[call.member], pair[1 - call.member]
    after: Any
    if call.kind == "claim" and call.refused == "order_belongs_to_another_member":  # another claim came first
        return pair
    if call.deed in one.done:
        after = one, other
    elif call.order_id and call.deed in other.done:
        after = _ANOTHERS
    elif call.order_id and _order(other, call.order_id):
        after = "order_belongs_to_another_member"
    else:
        after = _STEPS[call.kind](one, other, call)
    if after is _ANOTHERS:
        return pair if call.is_unknown or call.refused in _ANOTHERS else None
    if isinstance(after, str):
        return pair if call.is_unknown or call.refused == after else None
    if call.refused or (call.saw is not None and call.saw != after[0].seen):
        return None
    if call.kind != "read":
        after = replace(after[0], done=after[0].done | {call.deed}), after[1]
    return after if call.member == 0 else (after[1], after[0])


def _credited(one: Member, points: int) -> Member:
    pays = min(one.debt, points)
    return replace(one, debt=one.debt - pays, balance=one.balance + points - pays)


def _named(holds: frozenset[tuple[str, int]], name: str) -> tuple[str, int] | None:
    return next((hold for hold in holds if hold[0] == name), None)


def _debited(one: Member, points: int) -> Member:
    """Points go, and what is not there is owed."""
    takes = min(points, one.balance)
    return replace(one, balance=one.balance - takes, debt=one.debt + points - takes)


def _order(one: Member, order_id: str) -> tuple[str, int, frozenset[tuple[str, int]]] | None:
    return next((order for order in one.orders if order[0] == order_id), None)


def _kept(order: tuple[str, int, frozenset[tuple[str, int]]]) -> int:
    """The points of what is kept of an order."""
    return (order[1] - sum(amount for _, amount in order[2])) // POINTS_PER


def _changed(one: Member, before: Any, after: Any) -> Member:
    """An order is another, and its points with it."""
    one = replace(one, orders=one.orders - {before} | {after})
    more = _kept(after) - _kept(before)
    return _credited(one, more) if more > 0 else _debited(one, -more)


def _earn(one: Member, other: Member, call: Call) -> Any:
    order = (call.name, call.amount, frozenset[tuple[str, int]]())
    return _credited(replace(one, orders=one.orders | {order}), call.amount // POINTS_PER), other


def _refund(one: Member, other: Member, call: Call) -> Any:
    order = _order(one, call.order_id)
    if order is None:
        return "order_not_found"
    name, total, back = order
    if sum(amount for _, amount in back) + call.amount > total:
        return "refund_exceeds_order"
    return _changed(one, order, (name, total, back | {(call.name, call.amount)})), other


def _unrefund(one: Member, other: Member, call: Call) -> Any:
    order = _order(one, call.order_id)
    if order is None:
        return "order_not_found"
    gone = _named(order[2], call.name)
    if gone is None:
        return "refund_not_found"
    return _changed(one, order, (order[0], order[1], order[2] - {gone})), other


def _amend(one: Member, other: Member, call: Call) -> Any:
    order = _order(one, call.order_id)
    if order is None:
        return "order_not_found"
    if order[2]:
        return "invalid_state"
    return _changed(one, order, (order[0], call.amount, order[2])), other


def _order_of(deed: str) -> str:
    kind, name, _ = deed.split(" ", 2)
    return name.partition("/")[0] if kind in _OF_ORDERS else ""


def _claim(one: Member, other: Member, call: Call) -> Any:
    """The order moves with what was done to it, and to repeat any of that is this member's from then on."""
    order = _order(other, call.name)
    if order is None:
        return "invalid_state" if _order(one, call.name) else "order_not_found"
    theirs = frozenset(deed for deed in other.done if _order_of(deed) == call.name)
    other = replace(other, orders=other.orders - {order}, done=other.done - theirs)
    one = replace(one, orders=one.orders | {order}, done=one.done | theirs)
    return _credited(one, _kept(order)), _debited(other, _kept(order))


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
    """All that is left of it, or the part that is asked for."""
    hold = _named(one.captured, call.name)
    if hold is None or call.amount > hold[1]:
        return "invalid_state"
    points = call.amount or hold[1]
    left = {(call.name, hold[1] - points)} if hold[1] > points else set()
    return _credited(replace(one, captured=one.captured - {hold} | left), points), other


def _adjust(one: Member, other: Member, call: Call) -> Any:
    if one.balance < -call.amount:
        return "insufficient_points"
    one = replace(one, adjusted=one.adjusted | {(call.name, call.amount)})
    return (_credited(one, call.amount) if call.amount > 0 else _debited(one, -call.amount)), other


def _undo(one: Member, other: Member, call: Call) -> Any:
    points = dict(one.adjusted).get(call.name)
    if points is None:
        return "entry_not_found"
    return (_debited(one, points) if points > 0 else _credited(one, -points)), other


def _transfer(one: Member, other: Member, call: Call) -> Any:
    if one.balance < call.amount:
        return "insufficient_points"
    return replace(one, balance=one.balance - call.amount), _credited(other, call.amount)


def _read(one: Member, other: Member, _: Call) -> Any:
    return one, other


_STEPS = {
    "earn": _earn,
    "refund": _refund,
    "unrefund": _unrefund,
    "amend": _amend,
    "claim": _claim,
    "reserve": _reserve,
    "capture": _capture,
    "cancel": _cancel,
    "reverse": _reverse,
    "adjust": _adjust,
    "undo": _undo,
    "transfer": _transfer,
    "read": _read,
}
