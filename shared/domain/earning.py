"""What an order or an action earns, line by line, rounded once; and what a refund takes back.

Order of the sums: base points on what is not excluded, then the tier's factor, then each rule as the program lists it.
Factors work on the base alone, so their order does not matter. Every piece is an exact fraction; the points shown for
a piece are what the running sum's rounding gained by it, so that the pieces add up to the total.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from shared.domain.account import Account, Entry, LotDay, OrderEarned, Piece, Use
from shared.domain.calendar import local_day, month_of, period_frees_on, period_of
from shared.domain.crediting import granted, with_tier_raised
from shared.domain.errors import Fault, InvalidRequestError, RefundExceedsOrderError
from shared.domain.expiry import lot_day, prolonged
from shared.domain.fields import Amount, Currency, Instant, PositiveAmount, Record, Reference, Text
from shared.domain.ledger import combined, draft, negative, take
from shared.domain.program import WEEKDAYS, Action, Multiply, Program, Rounding, Rule
from shared.domain.terms.common import Limit
from shared.domain.tiers import held_tier

NO_BONUS_PERCENT = 100


class Line(Record):
    """One article of an order; `amount` is for all of its `quantity`, in minor units."""

    sku: Reference
    category: Reference | None = None
    quantity: PositiveAmount = 1
    amount: Amount


class Order(Record):
    """What was bought. `total` is what counts toward points; lines may not add up to more."""

    order_id: Reference
    placed_at: Instant
    currency: Currency
    total: Amount
    lines: tuple[Line, ...] = ()
    channel: Reference | None = None
    store_id: Reference | None = None
    touchpoint: Reference | None = None
    partner_id: Reference | None = None


class Occasion(Record):
    """An action that a member took."""

    action: Reference
    reference: Reference
    occurred_at: Instant
    note: Text | None = None


class Earned(NamedTuple):
    """The pieces of an earning, and what they use up of the member's limits."""

    breakdown: tuple[Piece, ...]
    uses: Mapping[str, Use]

    @property
    def points(self) -> int:
        """All pieces together."""
        return sum(piece.points for piece in self.breakdown)


class _Bonus(NamedTuple):
    exact: Fraction
    flat: bool = False


def order_earnings(account: Account | None, program: Program, order: Order, now: datetime) -> Earned:
    """What `order` earns the account (None: somebody who is not yet a member).

    Raises InvalidRequestError if the order is in another currency than the program, or its lines exceed its total.
    """
    _check_order(program, order)
    earning = program.earning
    today = local_day(now, program.time_zone)
    tier = held_tier(account, program.tiers, today) if account else program.tiers.levels[0]
    if order.total < earning.minimum_spend:
        return Earned(
            (Piece(rule_id="base", points=0, description=f"Orders below {earning.minimum_spend} earn nothing"),), {}
        )
    counted = [line for line in order.lines if not _excluded(program, line)]
    eligible = order.total - sum(line.amount for line in order.lines) + sum(line.amount for line in counted)
    base = Fraction(eligible * earning.points, earning.per_amount)
    sums = _RunningSum(earning.rounding, earning.minimum_spend)
    pieces = [sums.piece("base", earning.description, base)]
    if tier.percent > NO_BONUS_PERCENT:
        text = f"{tier.name} earns {_factor(tier.percent)}x"
        extra = base * (tier.percent - NO_BONUS_PERCENT) / 100
        pieces.append(sums.piece(f"tier:{tier.tier_id}", text, extra))
    uses: dict[str, Use] = {}
    for rule in earning.rules:
        bonus = _bonus(rule, program, order, counted, eligible, tier.tier_id)
        if bonus is None:
            continue
        piece = _limited(sums, rule, bonus, account, today)
        pieces.append(piece)
        if rule.limit and piece.points:
            uses[f"rule:{rule.rule_id}"] = Use(period=period_of(today, rule.limit.per), times=1, points=piece.points)
    return Earned(tuple(pieces), uses)


def earn_order(
    account: Account, program: Program, order: Order, *, now: datetime, actor: str, fingerprint: str
) -> Entry:
    """Credit an order. Its points date from when it was placed, but never from later than now.

    Raises as order_earnings does.
    """
    earned = order_earnings(account, program, order, now)
    month = month_of(local_day(min(order.placed_at, now), program.time_zone))
    counts = earned.points if program.tiers.measure == "points" else order.total
    details = OrderEarned(
        currency=order.currency,
        total=order.total,
        rounding=program.earning.rounding,
        month=month,
        measure=program.tiers.measure,
    )
    where = {"channel": order.channel, "store_id": order.store_id, "touchpoint": order.touchpoint}
    source = {"order_id": order.order_id, **where, "partner_id": order.partner_id}
    entry = _credit(account, program, earned, order.placed_at, now, counts, actor, fingerprint, source)
    return entry.model_copy(update={"order": details})


def earn_action(
    account: Account, program: Program, occasion: Occasion, *, now: datetime, actor: str, fingerprint: str
) -> Entry:
    """Credit an action; past its limit it is booked with no points, and the entry says when the limit frees.

    Raises InvalidRequestError if the program does not know the action.
    """
    action = next((one for one in program.earning.actions if one.action_id == occasion.action), None)
    if action is None:
        known = ", ".join(one.action_id for one in program.earning.actions) or "none"
        raise InvalidRequestError(Fault("/action", f"{occasion.action!r} is not an action of the program: {known}"))
    earned = _action_earnings(account, program, action, now)
    counts = earned.points if program.tiers.measure == "points" else 0
    source = {"action": occasion.action, "reference": occasion.reference}
    return _credit(account, program, earned, occasion.occurred_at, now, counts, actor, fingerprint, source)


def refund_order(
    account: Account,
    program: Program,
    earn: Entry,
    *,
    refund_id: str,
    amount: int,
    refunded_before: int,
    refunded_at: datetime,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Take back what an order's returned part has earned: `amount` now, after `refunded_before`, both minor units.

    The member keeps what the order would have earned on what is kept of it, rounded once over all refunds. Points come
    from the order's own lot, then from those that expire soonest; what is not there becomes debt, or is forgiven.
    Raises RefundExceedsOrderError if more would be returned than was paid.
    """
    order = earn.order
    if order is None:
        raise AssertionError(f"{earn.entry_id} is not an order's entry")
    left = order.total - refunded_before
    if amount > left:
        raise RefundExceedsOrderError(
            f"the order was {order.total} minor units, {refunded_before} are refunded, {left} can be; not {amount}"
        )
    takes = points_kept(earn, left) - points_kept(earn, left - amount)
    effects = _taken_from(account, earn, takes)
    short = takes + sum(effects["lots"].values()) + sum(effects["pending"].values())
    debt = short if program.refund_debt == "allowed" else 0
    counted = takes if order.measure == "points" else amount
    return draft(
        account,
        "refund",
        occurred_at=refunded_at,
        recorded_at=now,
        points=-(takes - short + debt),
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **effects,
        debt=debt,
        earned=-(takes - short + debt),
        qualifying={order.month: -counted} if counted else {},
        source={"order_id": earn.source["order_id"], "refund_id": refund_id},
        refunded=refunded_before + amount,
    )


def points_kept(earn: Entry, kept: int) -> int:
    """What an order would have earned on `kept` minor units of it, rounded once."""
    order = earn.order
    if order is None:
        raise AssertionError(f"{earn.entry_id} is not an order's entry")
    return rounded(sum((piece.on(kept, order.total) for piece in earn.breakdown), Fraction(0)), order.rounding)


def rounded(exact: Fraction, how: Rounding) -> int:
    """Whole points: down, up, or to the nearest with halves up."""
    if how == "nearest":
        return floor(exact + Fraction(1, 2))
    return floor(exact) if how == "down" else ceil(exact)


class _RunningSum:
    """Hands each piece the points that rounding the sum so far, with it, gains.

    Below the `minimum_spend` of all earning no piece is worth anything, whatever its own.
    """

    def __init__(self, rounding: Rounding, minimum_spend: int) -> None:
        self._rounding: Rounding = rounding
        self._minimum_spend = minimum_spend
        self._exact = Fraction(0)

    def piece(
        self,
        rule_id: str,
        description: str,
        exact: Fraction,
        *,
        flat: bool = False,
        cap: int | None = None,
        minimum_spend: int = 0,
    ) -> Piece:
        before = rounded(self._exact, self._rounding)
        self._exact += exact if cap is None else min(exact, Fraction(cap))
        points = rounded(self._exact, self._rounding) - before
        return Piece(
            rule_id=rule_id,
            points=points,
            description=description,
            exact=None if exact == points else str(exact),
            flat=flat,
            cap=cap,
            minimum_spend=max(minimum_spend, self._minimum_spend),
        )


def _check_order(program: Program, order: Order) -> None:
    faults = []
    if order.currency != program.currency:
        faults.append(Fault("/currency", f"must be {program.currency}, the program's currency"))
    of_lines = sum(line.amount for line in order.lines)
    if of_lines > order.total:
        faults.append(Fault("/lines", f"the lines add up to {of_lines}, more than the total {order.total}"))
    if faults:
        raise InvalidRequestError(*faults)


def _excluded(program: Program, line: Line) -> bool:
    return line.category in program.earning.excluded_categories or line.sku in program.earning.excluded_skus


def _bonus(
    rule: Rule, program: Program, order: Order, counted: Iterable[Line], eligible: int, tier_id: str
) -> _Bonus | None:
    when = rule.when
    day = local_day(order.placed_at, program.time_zone)
    allowed = (
        (when.channels, order.channel),
        (when.store_ids, order.store_id),
        (when.partner_ids, order.partner_id),
        (when.tiers, tier_id),
        (when.weekdays, WEEKDAYS[day.weekday()]),
    )
    if order.total < when.minimum_spend or not when.covers(day):
        return None
    if any(values and value not in values for values, value in allowed):
        return None
    amount, items = eligible, sum(line.quantity for line in counted)
    if when.categories or when.skus:
        lines = [line for line in counted if line.category in when.categories or line.sku in when.skus]
        if not lines:
            return None
        amount, items = sum(line.amount for line in lines), sum(line.quantity for line in lines)
    if isinstance(rule.effect, Multiply):
        base = Fraction(amount * program.earning.points, program.earning.per_amount)
        return _Bonus(base * (rule.effect.percent - NO_BONUS_PERCENT) / 100)
    if rule.effect.per == "item":
        return _Bonus(Fraction(rule.effect.points * items))
    return _Bonus(Fraction(rule.effect.points), flat=True) if amount else None


def _limited(sums: _RunningSum, rule: Rule, bonus: _Bonus, account: Account | None, today: date) -> Piece:
    cap = _left(account, f"rule:{rule.rule_id}", rule.limit, today)
    description = rule.description
    if cap is not None and bonus.exact > cap and rule.limit:
        description = f"{description} ({_reached(rule.limit, today)})"
    return sums.piece(
        rule.rule_id, description, bonus.exact, flat=bonus.flat, cap=cap, minimum_spend=rule.when.minimum_spend
    )


def _action_earnings(account: Account, program: Program, action: Action, now: datetime) -> Earned:
    today = local_day(now, program.time_zone)
    name = f"action:{action.action_id}"
    cap = _left(account, name, action.limit, today)
    points = action.points if cap is None else min(action.points, cap)
    text = action.description
    if action.limit and points < action.points:
        text = f"{text} ({_reached(action.limit, today)})"
    uses = {}
    if action.limit and points:
        uses[name] = Use(period=period_of(today, action.limit.per), times=1, points=points)
    return Earned((Piece(rule_id=name, points=points, description=text),), uses)


def _left(account: Account | None, name: str, limit: Limit | None, today: date) -> int | None:
    """Points that a limit still allows; None: as many as come."""
    if limit is None:
        return None
    use = account.uses.get(name) if account else None
    if use is None or use.period != period_of(today, limit.per):
        return limit.points
    if limit.times is not None and use.times >= limit.times:
        return 0
    return None if limit.points is None else max(0, limit.points - use.points)


def _reached(limit: Limit, today: date) -> str:
    parts = [f"{limit.times} times" if limit.times else "", f"{limit.points} points" if limit.points else ""]
    frees_on = period_frees_on(today, limit.per)
    until = f", frees on {frees_on}" if frees_on else ""
    return f"limit of {' and '.join(part for part in parts if part)} per {limit.per} reached{until}"


def _credit(
    account: Account,
    program: Program,
    earned: Earned,
    occurred_at: datetime,
    now: datetime,
    counts: int,
    actor: str,
    fingerprint: str,
    source: Mapping[str, str | None],
) -> Entry:
    today = local_day(now, program.time_zone)
    began_on = local_day(min(occurred_at, now), program.time_zone)
    effects = granted(account, program, earned.points, began_on, today)
    effects["lots"] = combined(effects["lots"], prolonged(account, program, began_on))
    entry = draft(
        account,
        "earn",
        occurred_at=occurred_at,
        recorded_at=now,
        points=earned.points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **effects,
        earned=earned.points,
        qualifying={month_of(began_on): counts} if counts else {},
        uses=earned.uses,
        source={name: value for name, value in source.items() if value is not None},
        breakdown=earned.breakdown,
    )
    return with_tier_raised(account, program, entry, today)


def _taken_from(account: Account, earn: Entry, points: int) -> dict[str, dict[LotDay, int]]:
    """As many of `points` as there are: the order's pending ones, then its lot, then what expires soonest."""
    own = lot_day(earn.expires_on)
    pending_key = f"{earn.available_on}/{own}"
    pending = min(points, account.pending.get(pending_key, 0))
    points = min(points - pending, account.balance)
    from_own = min(points, account.lots.get(own, 0))
    rest = take(combined(account.lots, {own: -from_own}), points - from_own)
    lots = combined(rest, {own: from_own})
    return {"lots": negative(lots), "pending": {pending_key: -pending} if pending else {}}


def _factor(percent: int) -> str:
    return f"{percent // 100}.{percent % 100:02}".rstrip("0").rstrip(".")
