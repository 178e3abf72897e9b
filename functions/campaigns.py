"""What campaigns are doing: their state, and what is left of their budgets."""

from datetime import date
from typing import Any

from shared import clock
from shared.api import paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.money import Money, money_of
from shared.caller import OPERATOR
from shared.domain.fields import Record
from shared.domain.program.program import Program
from shared.services import campaigns
from shared.services import program as program_service
from shared.services.campaigns import Progress

app = resolver.resolver()


class BudgetAnswer(Record):
    """A budget in points; `amount_left` is what the points left cost, rounded up to minor units.

    More than `total` may be `spent`, by orders that are kept after all: nothing is left until as much has come back.
    """

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
    program = program_service.read_program()
    page, following = paging.page_of(program.campaigns, limit, cursor)
    items = tuple(_answer(one, program) for one in campaigns.progress_of(page, program, clock.now()))
    return json_answer(CampaignPage(items=items, next_cursor=following))


@app.get(
    "/v1/campaigns/<campaign_id>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: CampaignAnswer}, 404),
    summary="A campaign, with its state and what is left of its budget",
    tags=["Campaigns"],
)
def read_campaign(campaign_id: str) -> Answer:
    program = program_service.read_program()
    return json_answer(_answer(campaigns.read_campaign(campaign_id, program, clock.now()), program))


def _answer(progress: Progress, program: Program) -> CampaignAnswer:
    campaign = progress.campaign
    return CampaignAnswer(
        campaign_id=campaign.campaign_id,
        description=campaign.description,
        state=progress.state,
        starts_on=campaign.when.starts_on,
        ends_on=campaign.when.ends_on,
        segments=campaign.when.segments,
        hold_out_percent=campaign.hold_out_percent,
        budget=_budget_answer(progress, program),
    )


def _budget_answer(progress: Progress, program: Program) -> BudgetAnswer | None:
    budget, rule = progress.budget, progress.campaign.budget
    if budget is None or rule is None:
        return None
    amount = rule.point_cost.rounded_up(budget.left) if rule.point_cost else None
    return BudgetAnswer(total=budget.total, spent=budget.spent, left=budget.left, amount_left=money_of(amount, program))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
