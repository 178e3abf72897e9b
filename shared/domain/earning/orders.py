"""What an order or an action earns, line by line, rounded once; and what a refund takes back.

Order of the sums: base points on what is not excluded, then the tier's factor, then each rule as the program lists it.
Factors work on the base alone, so their order does not matter. Every piece is an exact fraction; the points shown for
a piece are what the running sum's rounding gained by it, so that the pieces add up to the total.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from types import MappingProxyType
from typing import NamedTuple

from shared.domain.account import UNTIL_APPROVED, Account, Entry, LotDay, OrderEarned, Piece, Use
from shared.domain.calendar import local_day, month_of, period_of
from shared.domain.errors import Fault, InvalidRequestError, RefundExceedsOrderError
from shared.domain.fields import Amount, Currency, Instant, PositiveAmount, Record, Reference, Text
from shared.domain.ledger import combined, draft, negative, take
from shared.domain.points.approvals import left_waiting
from shared.domain.points.campaigns import HELD_OUT, TREATED, USED_UP, budget_name, is_held_out, noted
from shared.domain.points.eligibility import Cap, capped, is_excluded, nothing_for_excluded
from shared.domain.points.expiry import lot_day, prolonged
from shared.domain.points.grants import granted, with_tier_raised
from shared.domain.points.limits import allowance, reached
from shared.domain.points.paid_plans import current_plan
from shared.domain.points.partner_funding import caps_of, drawn, given_back, require_may_earn, share_of, uses_of
from shared.domain.points.segments import bought, in_any, is_scored, returned
from shared.domain.points.tiers import held_tier
from shared.domain.program.campaigns import Campaign
from shared.domain.program.common import Rounding
from shared.domain.program.program import Action, Program
from shared.domain.program.rules import WEEKDAYS, Effect, Multiply, Rule, When

NO_BONUS_PERCENT = 100
NO_CAPS: Mapping[str, int] = MappingProxyType({})


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
    """The pieces of an earning, and what they use up of the member's limits and of budgets.

    `groups` says for each campaign that was open to the order whether the member was treated or held out.
    """

    breakdown: tuple[Piece, ...]
    uses: Mapping[str, Use]
    budgets: Mapping[str, int] = {}
    groups: Mapping[str, str] = {}
    cap: int | None = None

    @property
    def points(self) -> int:
        """All pieces together."""
        return sum(piece.points for piece in self.breakdown)


class _Bonus(NamedTuple):
    exact: Fraction
    flat: bool = False


class _Cart(NamedTuple):
    """An order, its lines that count, and what of it earns, in minor units; whose it is, in which tier, today."""

    order: Order
    counted: Sequence[Line]
    eligible: int
    account: Account | None
    tier_id: str
    today: date


def order_earnings(
    account: Account | None, program: Program, order: Order, now: datetime, caps: Mapping[str, int] = NO_CAPS
) -> Earned:
    """What `order` earns the account (None: somebody who is not yet a member).

    `caps` says what is left of budgets that are nearly used up, by name; of others there is enough.
    Raises InvalidRequestError if the order is in another currency than the program, or its lines exceed its total;
    ForbiddenError if it was placed with a partner whose orders earn nothing.
    """
    _check_order(program, order)
    partner = program.partner(order.partner_id)
    if partner is not None:
        require_may_earn(partner)
    if is_excluded(account, program):
        return Earned((nothing_for_excluded(),), {})
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
    pieces = [sums.piece("base", earning.description, base, cap=earning.base_max)]
    if tier.percent > NO_BONUS_PERCENT:
        text = f"{tier.name} earns {_factor(tier.percent)}x"
        extra = base * (tier.percent - NO_BONUS_PERCENT) / 100
        pieces.append(sums.piece(f"tier:{tier.tier_id}", text, extra))
    plan = current_plan(account, program) if account else None
    if plan is not None and plan.percent > NO_BONUS_PERCENT:
        text = f"{plan.name} earns {_factor(plan.percent)}x"
        extra = base * (plan.percent - NO_BONUS_PERCENT) / 100
        pieces.append(sums.piece(f"plan:{plan.plan_id}", text, extra))
    uses: dict[str, Use] = {}
    cart = _Cart(order, counted, eligible, account, tier.tier_id, today)
    for rule in earning.rules:
        bonus = _bonus(rule.when, rule.effect, program, cart)
        if bonus is None:
            continue
        piece = _limited(sums, rule, bonus, account, today)
        pieces.append(piece)
        if rule.limit and piece.points:
            uses[f"rule:{rule.rule_id}"] = Use(period=period_of(today, rule.limit.per), times=1, points=piece.points)
    more = _of_campaigns(sums, program, cart, caps)
    earned = more._replace(breakdown=(*pieces, *more.breakdown), uses={**uses, **more.uses})
    if partner is None:
        return _under_caps(account, program, earned, today, is_order=True)
    under = _under_caps(account, program, earned, today, is_order=True, also=caps_of(account, partner, today))
    return under._replace(uses={**under.uses, **uses_of(partner, under.points, today)})


def earn_order(
    account: Account,
    program: Program,
    order: Order,
    *,
    now: datetime,
    actor: str,
    fingerprint: str,
    caps: Mapping[str, int] = NO_CAPS,
) -> Entry:
    """Credit an order. Its points date from when it was placed, but never from later than now.

    `caps` and what is raised are those of order_earnings. Raises PartnerFundingExhaustedError or
    PartnerLimitReachedError if a partner does not pay for it.
    """
    earned = order_earnings(account, program, order, now, caps)
    placed_on = local_day(min(order.placed_at, now), program.time_zone)
    month = month_of(placed_on)
    spent = 0 if is_excluded(account, program) else order.total
    counts = earned.points if program.tiers.measure == "points" else spent
    details = OrderEarned(
        currency=order.currency,
        total=order.total,
        rounding=program.earning.rounding,
        month=month,
        measure=program.tiers.measure,
        cap=earned.cap,
    )
    where = {"channel": order.channel, "store_id": order.store_id, "touchpoint": order.touchpoint}
    source = {"order_id": order.order_id, **where, "partner_id": order.partner_id, **noted(earned.groups)}
    entry = _credit(account, program, earned, order.placed_at, now, counts, actor, fingerprint, source)
    entry = _paid_for(program, order, entry, local_day(now, program.time_zone), caps)
    remembered = {"activity": bought(month, order.total), "last_order_on": placed_on} if is_scored(program) else {}
    return entry.model_copy(update={"order": details, **remembered})


def _paid_for(program: Program, order: Order, entry: Entry, today: date, caps: Mapping[str, int]) -> Entry:
    """The entry, with the partner that pays for its points and what they take out of its budgets."""
    partner = program.partner(order.partner_id)
    if partner is None:
        return entry
    draws = drawn(partner, entry.points, today, caps)
    return entry.model_copy(update={"partner": share_of(partner), "budgets": {**entry.budgets, **draws}})


def earn_action(
    account: Account, program: Program, occasion: Occasion, *, now: datetime, actor: str, fingerprint: str
) -> Entry:
    """Credit an action; past its limit it is booked with no points, and the entry says when the limit frees.

    Where the action asks for approval, its points wait for it.

    Raises InvalidRequestError if the program does not know the action.
    """
    action = next((one for one in program.earning.actions if one.action_id == occasion.action), None)
    if action is None:
        known = ", ".join(one.action_id for one in program.earning.actions) or "none"
        raise InvalidRequestError(Fault("/action", f"{occasion.action!r} is not an action of the program: {known}"))
    earned = _action_earnings(account, program, action, now)
    counts = earned.points if program.tiers.measure == "points" else 0
    source = {"action": occasion.action, "reference": occasion.reference}
    entry = _credit(account, program, earned, occasion.occurred_at, now, counts, actor, fingerprint, source)
    return left_waiting(account, entry) if action.approval and entry.points else entry


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
    effects = taken_back(account, earn, takes)
    short = takes + sum(effects["lots"].values()) + sum(effects["pending"].values())
    debt = short if program.refund_debt == "allowed" else 0
    spent = amount if earn.qualifying else 0  # what somebody excluded spends counts for nothing
    counted = takes if order.measure == "points" else spent
    points = takes - short + debt
    of_partner = {"partner_id": earn.partner.partner_id} if earn.partner else {}
    return draft(
        account,
        "refund",
        occurred_at=refunded_at,
        recorded_at=now,
        points=-points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **effects,
        debt=debt,
        earned=-points,
        qualifying={order.month: -counted} if counted else {},
        source={"order_id": earn.source["order_id"], "refund_id": refund_id, **of_partner},
        partner=earn.partner,
        budgets=given_back(earn, points),
        refunded=refunded_before + amount,
        activity=returned(earn, amount, left - amount),
    )


def points_kept(earn: Entry, kept: int) -> int:
    """What an order would have earned on `kept` minor units of it, rounded once."""
    order = earn.order
    if order is None:
        raise AssertionError(f"{earn.entry_id} is not an order's entry")
    points = rounded(sum((piece.on(kept, order.total) for piece in earn.breakdown), Fraction(0)), order.rounding)
    return points if order.cap is None else min(points, order.cap)


def taken_back(account: Account, granted: Entry, points: int) -> dict[str, dict[LotDay, int]]:
    """As many of `points` as there are: the entry's pending ones, then its lot, then what expires soonest.

    Once a provisional member has agreed to the terms, what waited is among their other points; what waits then is for
    something else.
    """
    waited = UNTIL_APPROVED in granted.pending
    own = "" if waited else lot_day(granted.expires_on)
    pending_key = UNTIL_APPROVED if waited and account.status == "provisional" else f"{granted.available_on}/{own}"
    pending = min(points, account.pending.get(pending_key, 0))
    points = min(points - pending, account.balance)
    from_own = min(points, account.lots.get(own, 0))
    rest = take(combined(account.lots, {own: -from_own}), points - from_own)
    lots = combined(rest, {own: from_own})
    return {"lots": negative(lots), "pending": {pending_key: -pending} if pending else {}}


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


def _of_campaigns(sums: _RunningSum, program: Program, cart: _Cart, caps: Mapping[str, int]) -> Earned:
    """What campaigns add, within the members' limits and what is left of the budgets."""
    account, today = cart.account, cart.today
    pieces: list[Piece] = []
    uses, budgets, groups = dict[str, Use](), dict[str, int](), dict[str, str]()
    for campaign in program.campaigns:
        bonus = _bonus(campaign.when, campaign.effect, program, cart)
        if bonus is None:
            continue
        name, campaign_id = budget_name(campaign), campaign.campaign_id
        if account is not None and is_held_out(campaign, account.member_id):
            pieces.append(Piece(rule_id=name, points=0, description=f"{campaign.description} (hold-out)"))
            groups[campaign_id] = HELD_OUT
            continue
        left = caps.get(name) if campaign.budget else None
        piece = _within(sums, campaign, bonus, account, today, left)
        pieces.append(piece)
        groups[campaign_id] = USED_UP if left == 0 else TREATED
        if campaign.limit and piece.points:
            period = period_of(today, campaign.limit.per)
            uses[name] = Use(period=period, times=1, points=piece.points)
        if campaign.budget and piece.points:
            budgets[name] = piece.points
    return Earned(tuple(pieces), uses, budgets, groups)


def _within(
    sums: _RunningSum, campaign: Campaign, bonus: _Bonus, account: Account | None, today: date, left: int | None
) -> Piece:
    """A campaign's piece: at most what the member's limit and the budget leave, the tighter of which it names."""
    name, text = budget_name(campaign), campaign.description
    cap = allowance(account, name, campaign.limit, today)
    if left is not None and left < bonus.exact and (cap is None or left < cap):
        cap = left
        text = f"{text} ({f'the last {left} points of' if left else 'nothing is left of'} the campaign's budget)"
    elif cap is not None and campaign.limit and cap < bonus.exact:
        text = f"{text} ({reached(campaign.limit, today)})"
    minimum_spend = campaign.when.minimum_spend
    return sums.piece(name, text, bonus.exact, flat=bonus.flat, cap=cap, minimum_spend=minimum_spend)


def _bonus(when: When, effect: Effect, program: Program, cart: _Cart) -> _Bonus | None:
    order, counted, eligible = cart.order, cart.counted, cart.eligible
    day = local_day(order.placed_at, program.time_zone)
    allowed = (
        (when.channels, order.channel),
        (when.store_ids, order.store_id),
        (when.partner_ids, order.partner_id),
        (when.tiers, cart.tier_id),
        (when.weekdays, WEEKDAYS[day.weekday()]),
    )
    if order.total < when.minimum_spend or not when.covers(day):
        return None
    is_allowed = all(not values or value in values for values, value in allowed)
    if not is_allowed or not in_any(cart.account, program, when.segments, cart.today):
        return None
    amount, items = eligible, sum(line.quantity for line in counted)
    if when.categories or when.skus:
        lines = [line for line in counted if line.category in when.categories or line.sku in when.skus]
        if not lines:
            return None
        amount, items = sum(line.amount for line in lines), sum(line.quantity for line in lines)
    if isinstance(effect, Multiply):
        base = Fraction(amount * program.earning.points, program.earning.per_amount)
        return _Bonus(base * (effect.percent - NO_BONUS_PERCENT) / 100)
    if effect.per == "item":
        return _Bonus(Fraction(effect.points * items))
    return _Bonus(Fraction(effect.points), flat=True) if amount else None


def _limited(sums: _RunningSum, rule: Rule, bonus: _Bonus, account: Account | None, today: date) -> Piece:
    cap = allowance(account, f"rule:{rule.rule_id}", rule.limit, today)
    description = rule.description
    if cap is not None and bonus.exact > cap and rule.limit:
        description = f"{description} ({reached(rule.limit, today)})"
    return sums.piece(
        rule.rule_id, description, bonus.exact, flat=bonus.flat, cap=cap, minimum_spend=rule.when.minimum_spend
    )


def _action_earnings(account: Account, program: Program, action: Action, now: datetime) -> Earned:
    if is_excluded(account, program):
        return Earned((nothing_for_excluded(),), {})
    today = local_day(now, program.time_zone)
    name, rests = f"action:{action.action_id}", f"cool_off:{action.action_id}"
    cap = allowance(account, name, action.limit, today)
    points = action.points if cap is None else min(action.points, cap)
    text = action.description
    if action.limit and points < action.points:
        text = f"{text} ({reached(action.limit, today)})"
    frees_on = _cools_off_until(account, rests, action.cool_off_days)
    if frees_on is not None and today < frees_on:
        points, text = 0, f"{action.description} (once in {action.cool_off_days} days, frees on {frees_on})"
    elif action.approval and account.status != "active":
        points, text = 0, f"{action.description} (for those who have agreed to the terms)"
    uses = {}
    if action.limit and points:
        uses[name] = Use(period=period_of(today, action.limit.per), times=1, points=points)
    if action.cool_off_days and points:
        uses[rests] = Use(period=today.isoformat(), times=1)
    earned = Earned((Piece(rule_id=name, points=points, description=text),), uses)
    return _under_caps(account, program, earned, today, is_order=False)


def _cools_off_until(account: Account, name: str, days: int | None) -> date | None:
    """The day on which an action pays again; None: it does not rest."""
    last = account.uses.get(name)
    if days is None or last is None or not last.times:
        return None
    return date.fromisoformat(last.period) + timedelta(days=days)


def _under_caps(
    account: Account | None,
    program: Program,
    earned: Earned,
    today: date,
    *,
    is_order: bool,
    also: Sequence[Cap] = (),
) -> Earned:
    under = capped(account, program, earned.breakdown, today, is_order=is_order, also=also)
    cut = earned.points - sum(piece.points for piece in under.pieces)
    budgets = _really_drawn(earned, cut)
    return earned._replace(breakdown=under.pieces, uses={**earned.uses, **under.uses}, budgets=budgets, cap=under.cap)


def _really_drawn(earned: Earned, cut: int) -> dict[str, int]:
    """What budgets pay for once a cap has cut so many points: those of the last pieces go first.

    Campaigns come on top of all else, so a budget pays for nothing that the order would have earned without it.
    """
    drawn_points: dict[str, int] = {}
    for piece in reversed(earned.breakdown):
        lost = min(cut, piece.points)
        cut -= lost
        if piece.rule_id in earned.budgets and piece.points > lost:
            drawn_points[piece.rule_id] = piece.points - lost
    return drawn_points


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
        budgets=earned.budgets,
        source={name: value for name, value in source.items() if value is not None},
        breakdown=earned.breakdown,
    )
    return with_tier_raised(account, program, entry, today)


def _factor(percent: int) -> str:
    return f"{percent // 100}.{percent % 100:02}".rstrip("0").rstrip(".")
