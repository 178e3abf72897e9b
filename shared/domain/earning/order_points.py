"""The points of an order, line by line, rounded once.

Order of the sums: base points on what is not excluded, then the tier's factor, then the paid plan's, then each rule as
the program lists it, then campaigns. Factors work on the base alone, so their order does not matter.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of
from shared.domain.earning.bonuses import Cart, factors, from_campaigns, from_rules
from shared.domain.earning.earnings import Earned, under_caps
from shared.domain.earning.kept_orders import Sale, counts_for, kept, without_uses
from shared.domain.earning.orders import Line, Order, base_of, check_order, lines_of, order_entry, purchase_of
from shared.domain.earning.terms import terms_of_points
from shared.domain.entry import Entry
from shared.domain.points.budgets import NO_CAPS
from shared.domain.points.grants import with_tier_raised
from shared.domain.points.paid_plans import current_plan
from shared.domain.points.partner_funding import caps_of, drawn, require_may_earn, share_of, uses_of
from shared.domain.points.segments import bought, is_scored
from shared.domain.points.tiers import held_tier
from shared.domain.program.partners import Counted
from shared.domain.program.program import Program


def order_earnings(
    account: Account | None, program: Program, order: Order, now: datetime, caps: Mapping[str, int] = NO_CAPS
) -> Earned:
    """What `order` earns the account (None: somebody who is not yet a member).

    `caps` says what is left of budgets that are nearly used up, by name; of others there is enough.
    Raises InvalidRequestError if the order is in another currency than the program, or its lines exceed its total;
    ForbiddenError if it was placed with a partner whose orders earn nothing.
    """
    check_order(program, order)
    partner = program.partner(order.partner_id)
    if partner is not None:
        require_may_earn(partner)
    base = base_of(account, program, terms_of_points(program), order)
    if isinstance(base, Earned):
        return base
    today = local_day(now, program.time_zone)
    tier = held_tier(account, program.tiers, today) if account else program.tiers.levels[0]
    plan = current_plan(account, program) if account else None
    return _earned(program, Cart(order, base, account, tier, plan, today, _counted(program, order)), caps)


def _earned(program: Program, cart: Cart, caps: Mapping[str, int]) -> Earned:
    """What a cart earns by all rules and under all caps."""
    base, account, today, partner = cart.base, cart.account, cart.today, program.partner(cart.order.partner_id)
    of_person, rules = factors(cart), from_rules(program, cart)
    campaigns = from_campaigns(program, cart, caps) if counts_for("campaigns", cart.counts_toward) else Earned(())
    breakdown = (base.piece, *of_person, *rules.breakdown, *campaigns.breakdown)
    earned = campaigns._replace(breakdown=breakdown, uses={**rules.uses, **campaigns.uses})
    if partner is None:
        return under_caps(account, program, earned, today, is_order=True)
    under = under_caps(account, program, earned, today, is_order=True, also=caps_of(account, partner, today))
    return under._replace(uses={**under.uses, **uses_of(account, partner, under.points, today)})


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
    today, measure = local_day(now, program.time_zone), program.tiers.measure
    spent = 0 if earned.is_excluded else order.total
    counted = _counted(program, order)
    tier, plan = held_tier(account, program.tiers, today), current_plan(account, program)
    entry = order_entry(
        account,
        program,
        terms_of_points(program),
        order,
        earned,
        member=account,
        measure=measure,
        counts=(earned.points if measure == "points" else spent) if counts_for("tiers", counted) else 0,
        counts_toward=counted,
        held=(tier.tier_id if program.tiers.rank(tier.tier_id) else None, plan.plan_id if plan else None),
        now=now,
        actor=actor,
        fingerprint=fingerprint,
    )
    entry = _paid_for(program, order, with_tier_raised(account, program, entry, today), today, caps)
    if not is_scored(program) or not counts_for("segments", counted):
        return entry
    placed_on = local_day(min(order.placed_at, now), program.time_zone)
    return entry.model_copy(update={"activity": bought(month_of(placed_on), order.total), "last_order_on": placed_on})


def amended_order(
    account: Account, program: Program, sale: Sale, total: int, lines: Sequence[Line], caps: Mapping[str, int]
) -> dict[str, Any]:
    """What an order's entry would say, had the order been of this total and these lines from the start.

    `program` is the version that it was credited by. It earns in the tier and plan that it was credited in, within what
    limits and budgets leave without it: `account` counts for limits what it did on the day on which the order was
    credited first. In segments it is the member of now who counts. Raises InvalidRequestError as `check_order` does.
    """
    order, bought = purchase_of(sale, total, lines), sale.order
    check_order(program, order)
    details = {"total": total, "lines": lines_of(order)}
    if sale.is_excluded:
        return {"order": bought.model_copy(update=details), "breakdown": sale.breakdown, "uses": {}, "budgets": {}}
    earned = base_of(account, program, terms_of_points(program), order)
    if not isinstance(earned, Earned):
        rank = program.tiers.rank(bought.tier) if bought.tier else None
        tier = program.tiers.levels[rank or 0]
        plan = program.plan(bought.plan) if bought.plan else None
        day = sale.booked_on(program.time_zone)
        counted = kept(sale)
        left = {name: points + counted.by_budget.get(name, 0) for name, points in caps.items()}
        cart = Cart(order, earned, without_uses(account, sale, counted), tier, plan, day, bought.counts_toward)
        earned = _earned(program, cart, left)
    return {
        "order": bought.model_copy(update={**details, "cap": earned.cap}),
        "breakdown": earned.breakdown,
        "uses": earned.uses,
        "budgets": earned.budgets,
    }


def _counted(program: Program, order: Order) -> tuple[Counted, ...] | None:
    """What an order counts toward beside points: a partner's what its terms say. None: everything."""
    partner = program.partner(order.partner_id)
    return None if partner is None else partner.counts_toward


def _paid_for(program: Program, order: Order, entry: Entry, today: date, caps: Mapping[str, int]) -> Entry:
    """The entry, with the partner that pays for its points and what they take out of its budgets."""
    partner = program.partner(order.partner_id)
    if partner is None:
        return entry
    draws = drawn(partner, entry.points, today, caps)
    return entry.model_copy(update={"partner": share_of(partner), "budgets": {**entry.budgets, **draws}})
