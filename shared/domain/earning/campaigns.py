"""What campaigns add to an order, within their budgets, and who is held out of them."""

import hashlib
from collections.abc import Mapping
from datetime import date

from shared.domain.points.partner_funding import limited_total
from shared.domain.program.campaigns import Campaign
from shared.domain.program.program import Program

HELD_OUT, TREATED, USED_UP = "held_out", "treated", "used_up"


def is_held_out(campaign: Campaign, member_id: str) -> bool:
    """Whether a member is in the share that gets nothing.

    SHA-256 over both ids, its first 64 bits modulo 100: the same answer for ever and anywhere, drawn anew for each
    campaign. Who is held out stays so when the share grows. Member ids are random, so nobody can choose a group.
    """
    digest = hashlib.sha256(f"hold-out:{campaign.campaign_id}:{member_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100 < campaign.hold_out_percent


def budget_name(campaign: Campaign) -> str:
    """Under which name a campaign's budget is kept and its entries draw on it."""
    return f"campaign:{campaign.campaign_id}"


def budget_total(program: Program, name: str) -> int | None:
    """The points that the program gives a budget; None if the budget of that name is not the program's."""
    for campaign in program.campaigns:
        if campaign.budget is not None and budget_name(campaign) == name:
            return campaign.budget.total
    return limited_total(program, name)


def noted(groups: Mapping[str, str]) -> dict[str, str]:
    """How an entry's source and its event say in which group of which campaign a member was: one short text."""
    return {"campaigns": " ".join(f"{name}={group}" for name, group in sorted(groups.items()))} if groups else {}


def groups_of(source: Mapping[str, str]) -> dict[str, str]:
    """What `noted` was given: the member's group by campaign id."""
    return dict(one.split("=", 1) for one in source.get("campaigns", "").split())


def state(campaign: Campaign, today: date, left: int | None) -> str:
    """`scheduled`, `running`, `used_up` (nothing is left of its budget) or `ended`."""
    if campaign.when.ends_on is not None and campaign.when.ends_on < today:
        return "ended"
    if campaign.when.starts_on is not None and today < campaign.when.starts_on:
        return "scheduled"
    return "used_up" if left == 0 else "running"
