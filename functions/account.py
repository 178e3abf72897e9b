"""What a member or a storefront reads."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import clock
from shared.api import auth, ledger_answers, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import AccountAnswer, account_answer
from shared.api.schemas.entries import EntryPage
from shared.api.schemas.rewards import RewardPage, reward_answer
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.spending.pools import pool_among, united
from shared.tables import accounts, programs, stock

app = resolver.resolver()


@app.get(
    "/v1/members/<member_id>/account",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: AccountAnswer}, 404),
    summary="Balances, tier and progress, expiring points, next reward",
    tags=["Account"],
)
def read_account(member_id: str) -> Answer:
    account, *others = accounts.load_with_pool(auth.caller(app).authorized_member_id(member_id))
    return json_answer(account_answer(account, programs.load_program(), clock.now(), others))


@app.get(
    "/v1/members/<member_id>/entries",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: EntryPage}, 404),
    summary="The ledger, newest first; after it, those of members merged into this one",
    tags=["Account"],
)
def read_entries(
    member_id: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    account = accounts.load_account(auth.caller(app).authorized_member_id(member_id)).account
    return json_answer(ledger_answers.history(account, limit, cursor))


@app.get(
    "/v1/rewards",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: RewardPage}, 404),
    summary="The catalogue; with a member, what is affordable and eligible",
    tags=["Redemptions"],
)
def read_rewards(
    member_id: Annotated[str | None, Query()] = None,
    limit: paging.PageLimit = paging.PAGE_DEFAULT,
    cursor: paging.PageCursor = None,
) -> Answer:
    program, now = programs.load_program(), clock.now()
    today = local_day(now, program.time_zone)
    account: Account | None = None
    if member_id is not None:
        whole = accounts.load_with_pool(auth.caller(app).authorized_member_id(member_id))
        settled = [up_to_date(one, program, now) for one in whole]
        account = united(settled[0], pool_among(settled[0], settled))
    rewards, following = paging.page_of(program.redeeming.rewards, limit, cursor)
    taken = stock.stock_taken(reward.reward_id for reward in rewards if reward.stock is not None)
    items = [reward_answer(reward, program, taken.get(reward.reward_id, 0), account, today) for reward in rewards]
    return json_answer(RewardPage(items=tuple(items), next_cursor=following))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
