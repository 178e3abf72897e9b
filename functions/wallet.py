"""Store credit: read it, and pay it out."""

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, ledger_answers, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.credit import CreditAnswer, credit_answer
from shared.api.schemas.entries import EntryAnswer, EntryPage, entry_answer
from shared.domain.fields import Record
from shared.domain.spending.store_credit import Payout
from shared.services import store_credit

app = resolver.resolver()


class PayoutAnswer(Record):
    """The entry that paid credit out, in minor units, and the wallet now."""

    payout_id: str
    entry: EntryAnswer
    credit: CreditAnswer


@app.get(
    "/v1/members/<member_id>/credit",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: CreditAnswer}, 404, 409),
    summary="Store credit: what can be spent, what is pending, held, owed and expiring",
    tags=["Credit"],
)
def read_credit(member_id: str) -> Answer:
    view = store_credit.read_credit(member_id, caller=auth.caller(app))
    return json_answer(credit_answer(view.wallet, view.program, clock.now()))


@app.get(
    "/v1/members/<member_id>/credit/entries",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: EntryPage}, 404, 409),
    summary="The wallet's ledger in minor units, newest first",
    tags=["Credit"],
)
def read_credit_entries(
    member_id: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    caller, place = auth.caller(app), paging.decode_place(cursor, int)
    page = store_credit.read_credit_history(member_id, limit, place, caller=caller)
    return json_answer(ledger_answers.entry_page(page, caller))


@app.post(
    "/v1/members/<member_id>/credit/payouts",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({201: PayoutAnswer, 200: PayoutAnswer}, 404, 409),
    summary="Pay credit out: to the shop's own store credit, or as cash if the program allows it",
    tags=["Credit"],
)
def pay_out_credit(member_id: str, request: Annotated[Payout, Body()]) -> Answer:
    caller = auth.caller(app)
    outcome = store_credit.pay_out_credit(member_id, request, caller=caller, now=clock.now())
    body = PayoutAnswer(
        payout_id=outcome.entry.source["payout_id"],
        entry=entry_answer(outcome.entry, caller),
        credit=credit_answer(outcome.accounts[1], outcome.program, outcome.now),
    )
    return json_answer(body, HTTPStatus.OK if outcome.replayed else HTTPStatus.CREATED, replayed=outcome.replayed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
