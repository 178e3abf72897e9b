"""How far campaigns have come: their state today, and what is left of their budgets."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from shared.domain.calendar import local_day
from shared.domain.earning.campaigns import budget_name, state
from shared.domain.errors import CampaignNotFoundError
from shared.domain.points.budgets import Budget
from shared.domain.program.campaigns import Campaign
from shared.domain.program.program import Program
from shared.tables import budgets


class Progress(NamedTuple):
    """A campaign, its state today, and its budget; None: it has none."""

    campaign: Campaign
    state: str
    budget: Budget | None


def progress_of(campaigns: Iterable[Campaign], program: Program, now: datetime) -> list[Progress]:
    """The progress of each campaign. Reads each budget from the table, so ask for one page at a time."""
    today = local_day(now, program.time_zone)
    found = [(one, budgets.load(budget_name(one)) if one.budget else None) for one in campaigns]
    return [Progress(one, state(one, today, budget.left if budget else None), budget) for one, budget in found]


def read_campaign(campaign_id: str, program: Program, now: datetime) -> Progress:
    """The progress of one campaign of the program. Raises CampaignNotFoundError."""
    found = [one for one in program.campaigns if one.campaign_id == campaign_id]
    if not found:
        raise CampaignNotFoundError(f"the program has no campaign {campaign_id!r}")
    [progress] = progress_of(found, program, now)
    return progress
