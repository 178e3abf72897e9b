"""What a paid membership has brought in the term that was paid last: what a cancellation says, and may take off."""

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.kept_orders import kept
from shared.domain.facets import Membership
from shared.domain.lifecycle.kept_facets import Histories, sales_of
from shared.domain.program.paid_plans import Plan
from shared.domain.program.program import Program


def brings_points(plan: Plan | None) -> bool:
    """Whether orders earn more under a plan."""
    return plan is not None and (plan.percent > 100 or plan.tier_id is not None)  # noqa: PLR2004 - 100 is none


def points_brought(account: Account, program: Program, membership: Membership, histories: Histories) -> int:
    """Points that orders of the last term have earned by the plan: by its factor, and by its tier if that is above the
    member's own. What was returned brings none, nor does an order that was claimed: another's plan has earned it more.
    """
    rules = {f"plan:{membership.plan_id}"}
    own = program.tiers.rank(account.tier_status().tier_id) or 0
    if membership.tier_id and (program.tiers.rank(membership.tier_id) or 0) > own:
        rules.add(f"tier:{membership.tier_id}")
    sales = [
        sale
        for sale in sales_of(histories).values()
        if sale.entry.type == "earn"
        and sale.order.plan == membership.plan_id
        and local_day(sale.entry.recorded_at, program.time_zone) >= membership.term_began_on
    ]
    return sum(points for sale in sales for rule, points in kept(sale).by_rule.items() if rule in rules)
