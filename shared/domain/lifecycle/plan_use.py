"""What a paid membership has brought in the term that was paid last: what a cancellation says, and may take off."""

from collections.abc import Sequence

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.kept_orders import kept
from shared.domain.entry import Entry
from shared.domain.facets import Membership
from shared.domain.lifecycle.kept_facets import Histories, sales_of
from shared.domain.program.paid_plans import Plan
from shared.domain.program.program import Program


def brings_points(plan: Plan | None) -> bool:
    """Whether orders earn more under a plan."""
    return plan is not None and (plan.percent > 100 or plan.tier_id is not None)  # noqa: PLR2004 - 100 is none


def points_brought(account: Account, program: Program, membership: Membership, histories: Histories) -> int:
    """Points that orders of the last term have earned by the plan: by its factor, and by its tier if that is above the
    member's own, as it was when the order was credited. What was returned brings none, nor does an order that was
    claimed from others: another's plan has earned it more.
    """
    own = {name: histories[name] for name in account.ids if name in histories}
    earned = {
        one.source["order_id"]: one
        for each in own.values()
        for one in each
        if one.type == "earn" and one.order and one.order.plan == membership.plan_id
    }
    brought = 0
    for order_id, sale in sales_of(own).items():
        first = earned.get(order_id)
        if first is None or local_day(first.recorded_at, program.time_zone) < membership.term_began_on:
            continue
        rules = {f"plan:{membership.plan_id}"}
        if _lifts(program, membership, own[first.member_id], first):
            rules.add(f"tier:{membership.tier_id}")
        brought += sum(points for rule, points in kept(sale).by_rule.items() if rule in rules)
    return brought


def _lifts(program: Program, membership: Membership, ledger: Sequence[Entry], earn: Entry) -> bool:
    """Whether an order was credited in the plan's tier because that was above the member's own by then."""
    reached = [one.tier.tier_id for one in ledger if one.tier and one.sequence < earn.sequence]
    own = program.tiers.rank(reached[-1]) if reached else None
    return membership.tier_id is not None and (program.tiers.rank(membership.tier_id) or 0) > (own or 0)
