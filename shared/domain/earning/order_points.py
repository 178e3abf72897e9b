"""The points of an order, line by line, rounded once.

Order of the sums: base points on what is not excluded, then the tier's factor, then the paid plan's, then each rule as
the program lists it, then campaigns. Factors work on the base alone, so their order does not matter.
"""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType

from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of
from shared.domain.earning.bonuses import Cart, factors, from_campaigns, from_rules
from shared.domain.earning.earnings import Earned, under_caps
from shared.domain.earning.orders import Order, base_of, check_order, order_entry
from shared.domain.earning.terms import terms_of_points
from shared.domain.entry import Entry
from shared.domain.points.grants import with_tier_raised
from shared.domain.points.partner_funding import caps_of, drawn, require_may_earn, share_of, uses_of
from shared.domain.points.segments import bought, is_scored
from shared.domain.points.tiers import held_tier
from shared.domain.program.program import Program

NO_CAPS: Mapping[str, int] = MappingProxyType({})


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
    cart = Cart(order, base, account, tier, today)
    of_person, rules, campaigns = factors(program, cart), from_rules(program, cart), from_campaigns(program, cart, caps)
    breakdown = (base.piece, *of_person, *rules.breakdown, *campaigns.breakdown)
    earned = campaigns._replace(breakdown=breakdown, uses={**rules.uses, **campaigns.uses})
    if partner is None:
        return under_caps(account, program, earned, today, is_order=True)
    under = under_caps(account, program, earned, today, is_order=True, also=caps_of(account, partner, today))
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
    today, measure = local_day(now, program.time_zone), program.tiers.measure
    spent = 0 if earned.is_excluded else order.total
    entry = order_entry(
        account,
        program,
        terms_of_points(program),
        order,
        earned,
        member=account,
        measure=measure,
        counts=earned.points if measure == "points" else spent,
        now=now,
        actor=actor,
        fingerprint=fingerprint,
    )
    entry = _paid_for(program, order, with_tier_raised(account, program, entry, today), today, caps)
    if not is_scored(program):
        return entry
    placed_on = local_day(min(order.placed_at, now), program.time_zone)
    return entry.model_copy(update={"activity": bought(month_of(placed_on), order.total), "last_order_on": placed_on})


def _paid_for(program: Program, order: Order, entry: Entry, today: date, caps: Mapping[str, int]) -> Entry:
    """The entry, with the partner that pays for its points and what they take out of its budgets."""
    partner = program.partner(order.partner_id)
    if partner is None:
        return entry
    draws = drawn(partner, entry.points, today, caps)
    return entry.model_copy(update={"partner": share_of(partner), "budgets": {**entry.budgets, **draws}})
