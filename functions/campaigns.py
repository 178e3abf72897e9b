"""What campaigns are doing: their state, and what is left of their budgets."""

from datetime import date
from typing import Any

from shared import clock
from shared.api import paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.money import Money
from shared.caller import OPERATOR
from shared.domain.calendar import local_day
from shared.domain.earning.campaigns import budget_name, state
from shared.domain.errors import CampaignNotFoundError
from shared.domain.fields import Record
from shared.domain.points.budgets import Budget
from shared.domain.program.campaigns import Campaign
from shared.domain.program.program import Program
from shared.tables import budgets, programs

app = resolver.resolver()


class BudgetAnswer(Record):
    """A budget in points; `amount_left` is what the points left cost, rounded up to minor units."""

    total: int
    spent: int
    left: int
    amount_left: Money | None


class CampaignAnswer(Record):
    """A campaign today. `state`: `scheduled`, `running`, `used_up` (its budget) or `ended`."""

    campaign_id: str
    description: str
    state: str
    starts_on: date | None
    ends_on: date | None
    segments: tuple[str, ...]
    hold_out_percent: int
    budget: BudgetAnswer | None


class CampaignPage(Record):
    """A page of the campaigns, in the program's order."""

    items: tuple[CampaignAnswer, ...]
    next_cursor: str | None


@app.get(
    "/v1/campaigns",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: CampaignPage}),
    summary="The program's campaigns, with their state and what is left of their budgets",
    tags=["Campaigns"],
)
def read_campaigns(limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None) -> Answer:
    program = programs.load_program()
    campaigns, following = paging.page_of(program.campaigns, limit, cursor)
    items = tuple(_answer(campaign, program) for campaign in campaigns)
    return json_answer(CampaignPage(items=items, next_cursor=following))


@app.get(
    "/v1/campaigns/<campaign_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: CampaignAnswer}, 404),
    summary="A campaign, with its state and what is left of its budget",
    tags=["Campaigns"],
)
def read_campaign(campaign_id: str) -> Answer:
    program = programs.load_program()
    for campaign in program.campaigns:
        if campaign.campaign_id == campaign_id:
            return json_answer(_answer(campaign, program))
    raise CampaignNotFoundError(f"the program has no campaign {campaign_id!r}")


def _answer(campaign: Campaign, program: Program) -> CampaignAnswer:
    today = local_day(clock.now(), program.time_zone)
    budget = budgets.load(budget_name(campaign)) if campaign.budget else None
    return CampaignAnswer(
        campaign_id=campaign.campaign_id,
        description=campaign.description,
        state=state(campaign, today, budget.left if budget else None),
        starts_on=campaign.when.starts_on,
        ends_on=campaign.when.ends_on,
        segments=campaign.when.segments,
        hold_out_percent=campaign.hold_out_percent,
        budget=_budget_answer(budget, campaign, program) if budget else None,
    )


def _budget_answer(budget: Budget, campaign: Campaign, program: Program) -> BudgetAnswer:
    cost = campaign.budget.point_cost if campaign.budget else None
    amount = Money(amount=-(-budget.left * cost.amount // cost.points), currency=program.currency) if cost else None
    return BudgetAnswer(total=budget.total, spent=budget.spent, left=budget.left, amount_left=amount)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
