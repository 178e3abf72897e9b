"""What comes on top of an order's base points: factors of tiers and paid plans, the program's rules, campaigns."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from math import floor
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day, local_time
from shared.domain.earning.campaigns import HELD_OUT, TREATED, USED_UP, budget_name, is_held_out
from shared.domain.earning.earnings import Earned, RunningSum
from shared.domain.earning.kept_orders import lines_mask
from shared.domain.earning.orders import Base, Order
from shared.domain.entry import Piece
from shared.domain.facets import Use
from shared.domain.points.limits import allowance, one_more, reached
from shared.domain.points.segments import in_any
from shared.domain.program.campaigns import Campaign
from shared.domain.program.common import Limit
from shared.domain.program.paid_plans import Plan
from shared.domain.program.program import Program, Tier
from shared.domain.program.rules import WEEKDAYS, Effect, Multiply, Rule, When

NO_BONUS_PERCENT = 100


class Cart(NamedTuple):
    """An order and what of it earns; whose it is (None: not yet a member), in which tier and paid plan, today.

    `counts_toward` is what it counts toward beside points; None: everything.
    """

    order: Order
    base: Base
    account: Account | None
    tier: Tier
    plan: Plan | None
    today: date
    counts_toward: tuple[str, ...] | None = None


class _Bonus(NamedTuple):
    """What a rule adds: `exact` points, and which of the order's lines bring them, as `Piece` notes it."""

    exact: Fraction
    lines: str | None
    flat: bool = False
    by_items: bool = False
    steps: Fraction | None = None


def factors(cart: Cart) -> list[Piece]:
    """What the member's tier and paid plan add."""
    plan = cart.plan
    held = [(f"tier:{cart.tier.tier_id}", cart.tier.name, cart.tier.percent)]
    if plan is not None:
        held.append((f"plan:{plan.plan_id}", plan.name, plan.percent))
    return [
        cart.base.sums.piece(
            rule_id,
            f"{name} earns {_factor(percent)}x",
            cart.base.exact * (percent - NO_BONUS_PERCENT) / 100,
            lines=cart.base.mask,
            steps=cart.base.steps,
        )
        for rule_id, name, percent in held
        if percent > NO_BONUS_PERCENT
    ]


def from_rules(program: Program, cart: Cart) -> Earned:
    """What the program's rules add, within the member's limits."""
    pieces: list[Piece] = []
    uses: dict[str, Use] = {}
    for rule in program.earning.rules:
        bonus = _bonus(rule.when, rule.effect, program, cart)
        if bonus is None:
            continue
        piece = _limited(cart.base.sums, rule, bonus, cart.account, cart.today)
        pieces.append(piece)
        if rule.limit and _is_worth(piece, bonus):
            name = f"rule:{rule.rule_id}"
            uses[name] = _counted(cart, name, rule.limit, piece.points)
    return Earned(tuple(pieces), uses)


def from_campaigns(program: Program, cart: Cart, caps: Mapping[str, int]) -> Earned:
    """What campaigns add, within the members' limits and what is left of the budgets.

    `caps` says what is left of budgets that are nearly used up, by name; of others there is enough.
    """
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
        piece = _within(cart.base.sums, campaign, bonus, account, today, left)
        pieces.append(piece)
        groups[campaign_id] = USED_UP if left == 0 else TREATED
        if campaign.limit and _is_worth(piece, bonus):
            uses[name] = _counted(cart, name, campaign.limit, piece.points)
        if campaign.budget and piece.points:
            budgets[name] = piece.points
    return Earned(tuple(pieces), uses, budgets, groups)


def _within(
    sums: RunningSum, campaign: Campaign, bonus: _Bonus, account: Account | None, today: date, left: int | None
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
    return _piece(sums, name, text, bonus, cap, minimum_spend)


def _bonus(when: When, effect: Effect, program: Program, cart: Cart) -> _Bonus | None:
    order, base = cart.order, cart.base
    if not _applies(when, program, cart):
        return None
    counted, amount, mask = list(base.counted), base.eligible, base.mask
    if when.categories or when.skus:
        lines = order.lines
        counted = [one for one in counted if lines[one].category in when.categories or lines[one].sku in when.skus]
        if not counted:
            return None
        amount, mask = sum(lines[one].amount for one in counted), lines_mask(counted, with_rest=False)
    if isinstance(effect, Multiply):
        steps, is_whole = Fraction(amount, program.earning.per_amount), program.earning.whole_steps
        worth = (Fraction(floor(steps)) if is_whole else steps) * program.earning.points
        bonus = worth * (effect.percent - NO_BONUS_PERCENT) / 100
        return _Bonus(bonus, mask, steps=steps if is_whole else None)
    if effect.per == "item":
        items = sum(order.lines[one].quantity for one in counted)
        return _Bonus(Fraction(effect.points * items), mask, by_items=True)
    return _Bonus(Fraction(effect.points), mask, flat=True) if amount else None


def _applies(when: When, program: Program, cart: Cart) -> bool:
    order = cart.order
    day = local_day(order.placed_at, program.time_zone)
    allowed = (
        (when.channels, order.channel),
        (when.store_ids, order.store_id),
        (when.partner_ids, order.partner_id),
        (when.tiers, cart.tier.tier_id),
        (when.weekdays, WEEKDAYS[day.weekday()]),
        (when.payment_methods, order.payment_method),
    )
    if order.total < when.minimum_spend or not when.covers(day):
        return False
    if when.hours is not None and not when.hours.cover(local_time(order.placed_at, program.time_zone)):
        return False
    if when.codes and not set(when.codes) & set(order.codes):
        return False
    is_allowed = all(not values or value in values for values, value in allowed)
    return is_allowed and in_any(cart.account, program, when.segments, cart.today)


def _is_worth(piece: Piece, bonus: _Bonus) -> bool:
    """Whether a bonus is worth anything, though the sum may have been rounded so that its piece has no point."""
    return bonus.exact > 0 and piece.cap != 0


def _counted(cart: Cart, name: str, limit: Limit, points: int) -> Use:
    """What a bonus counts for its limit. Without a point it counts no time, until a return has the sum rounded anew."""
    return one_more(cart.account, name, limit, cart.today, points, times=1 if points else 0)


def _limited(sums: RunningSum, rule: Rule, bonus: _Bonus, account: Account | None, today: date) -> Piece:
    cap = allowance(account, f"rule:{rule.rule_id}", rule.limit, today)
    description = rule.description
    if cap is not None and bonus.exact > cap and rule.limit:
        description = f"{description} ({reached(rule.limit, today)})"
    return _piece(sums, rule.rule_id, description, bonus, cap, rule.when.minimum_spend)


def _piece(
    sums: RunningSum, rule_id: str, description: str, bonus: _Bonus, cap: int | None, minimum_spend: int
) -> Piece:
    return sums.piece(
        rule_id,
        description,
        bonus.exact,
        flat=bonus.flat,
        cap=cap,
        minimum_spend=minimum_spend,
        lines=bonus.lines,
        by_items=bonus.by_items,
        steps=bonus.steps,
    )


def _factor(percent: int) -> str:
    return f"{percent // 100}.{percent % 100:02}".rstrip("0").rstrip(".")
