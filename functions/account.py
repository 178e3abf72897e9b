"""What members and storefronts read: accounts, their histories, the catalogue of rewards."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from shared import clock
from shared.api import auth, ledger_answers, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import AccountAnswer, account_answer
from shared.api.schemas.entries import EntryPage
from shared.api.schemas.rewards import RewardPage, reward_page
from shared.domain.fields import LOCALE_PATTERN, as_bcp_47
from shared.services import accounts, rewards

app = resolver.resolver()


@app.get(
    "/v1/members/<member_id>/account",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: AccountAnswer}, 404, 409),
    summary="Balances, tier and progress, expiring points, next reward",
    tags=["Account"],
)
def read_account(member_id: str) -> Answer:
    view = accounts.read_account(member_id, caller=auth.caller(app))
    return json_answer(account_answer(view.account, view.program, clock.now(), view.others))


@app.get(
    "/v1/members/<member_id>/entries",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: EntryPage}, 404, 409),
    summary="The ledger, newest first; after it, those of members merged into this one",
    tags=["Account"],
)
def read_entries(
    member_id: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    place = paging.decode_place(cursor, int)
    caller = auth.caller(app)
    page = accounts.read_history(member_id, limit, place, caller=caller)
    return json_answer(ledger_answers.entry_page(page, caller))


@app.get(
    "/v1/rewards",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: RewardPage}, 404),
    summary="The catalogue; with a member, what is affordable and eligible",
    tags=["Redemptions"],
)
def read_rewards(
    member_id: Annotated[str | None, Query()] = None,
    locale: Annotated[
        str | None, Query(pattern=LOCALE_PATTERN, description="de-AT; the nearest language that the rewards have")
    ] = None,
    limit: paging.PageLimit = paging.PAGE_DEFAULT,
    cursor: paging.PageCursor = None,
) -> Answer:
    start, caller, now = paging.decode_start(cursor), auth.caller(app), clock.now()
    catalogue = rewards.read_rewards(member_id, limit, start, caller=caller, now=now)
    following = None if catalogue.next_start is None else paging.encode_cursor(catalogue.next_start)
    return json_answer(reward_page(catalogue, following, as_bcp_47(locale) if locale else None))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
