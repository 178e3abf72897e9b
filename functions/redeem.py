"""Reserve, capture, cancel, reverse; read what was redeemed; and use the vouchers that it brings."""

from http import HTTPStatus
from typing import Annotated, Any, Self

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import model_validator

from shared import clock
from shared.api import auth, idempotency, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import account_answer
from shared.api.schemas.redemptions import (
    PartnerRedemptionAnswer,
    RedemptionAnswer,
    RedemptionPage,
    partner_redemption,
    redemption_answer,
)
from shared.api.schemas.vouchers import (
    FoundVoucherAnswer,
    UsedVoucherAnswer,
    VoucherList,
    found_voucher,
    own_voucher,
    used_voucher,
)
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT, Caller
from shared.domain.fields import PositiveAmount, PositivePoints, Record, Reference
from shared.domain.spending.prices import Spending
from shared.domain.spending.redemptions import Part, returned_by
from shared.domain.spending.spent_on_orders import REVERSAL_OF_REFUND
from shared.domain.spending.vouchers import Use
from shared.services import own_codes, redemption_lists, redemptions, vouchers
from shared.services.own_codes import Added, Codes
from shared.services.redemption_lists import Place
from shared.services.redemptions import Redemption
from shared.services.vouchers import Undo
from shared.tables import programs

app = resolver.resolver()


class Reversal(Record):
    """Which part of a redemption comes back, under the caller's own id; without one, all that is left."""

    reversal_id: Reference | None = None
    points: PositivePoints | None = None
    credit: PositiveAmount | None = None

    @model_validator(mode="after")
    def _names_a_part(self) -> Self:
        amounts = [one for one in (self.points, self.credit) if one is not None]
        if len(amounts) != (self.reversal_id is not None):
            raise ValueError("name the part by a reversal_id with points or with credit, or send nothing at all")
        if self.reversal_id is not None and self.reversal_id.startswith(REVERSAL_OF_REFUND):
            raise ValueError(f"a reversal_id that begins with {REVERSAL_OF_REFUND} is a refund's")
        return self

    @property
    def part(self) -> Part | None:
        """The part; None: all that is left."""
        if self.reversal_id is None:
            return None
        return Part(reversal_id=self.reversal_id, points=self.points, credit=self.credit)


class VoucherCode(Record):
    """A voucher's code, as it was shown or typed."""

    code: Reference


ALL_THAT_IS_LEFT = Reversal.model_construct()


@app.post(
    "/v1/members/<member_id>/redemptions",
    security=routes.open_to(STOREFRONT, MEMBER, PARTNER),
    responses=routes.json_responses(
        {201: RedemptionAnswer | PartnerRedemptionAnswer, 200: RedemptionAnswer | PartnerRedemptionAnswer},
        400,
        404,
        409,
    ),
    summary=(
        "Reserve points for a reward or as money, or store credit, or capture them at once;"
        " a partner needs a code of the member's, and gets the redemption without the account"
    ),
    tags=["Redemptions"],
)
def redeem(member_id: str, request: Annotated[Spending, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now, name = auth.caller(app), clock.now(), idempotency.required_key(key)
    redemption = redemptions.redeem(member_id, request, key=name, caller=caller, now=now)
    return _shown(caller, redemption, HTTPStatus.OK if redemption.outcome.replayed else HTTPStatus.CREATED)


@app.get(
    "/v1/members/<member_id>/redemptions",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: RedemptionPage}, 404, 409),
    summary="A member's redemptions, newest first; after them, those of members merged into this one",
    tags=["Redemptions"],
)
def list_redemptions(
    member_id: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    place = Place(*paging.decode_cursor(cursor, int, int, int)) if cursor else None
    page = redemption_lists.list_redemptions(member_id, limit, place, caller=auth.caller(app), now=clock.now())
    items = tuple(redemption_answer(one.reserved, one.state, page.program, returned=one.returned) for one in page.items)
    following = paging.encode_cursor(*page.next_place) if page.next_place else None
    return json_answer(RedemptionPage(items=items, next_cursor=following))


@app.get(
    "/v1/members/<member_id>/redemptions/<redemption_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: RedemptionAnswer}, 404, 409),
    summary="A redemption's state",
    tags=["Redemptions"],
)
def read_redemption(member_id: str, redemption_id: str) -> Answer:
    found = redemptions.read(member_id, redemption_id, caller=auth.caller(app), now=clock.now())
    answer = redemption_answer(found.reserved, found.state, programs.load_program(), returned=found.returned)
    return json_answer(answer)


@app.post(
    "/v1/members/<member_id>/redemptions/<redemption_id>/capture",
    security=routes.open_to(STOREFRONT, OPERATOR, PARTNER),
    responses=routes.json_responses({200: RedemptionAnswer | PartnerRedemptionAnswer}, 404, 409),
    summary="Make a reserved redemption final",
    tags=["Redemptions"],
)
def capture_redemption(member_id: str, redemption_id: str) -> Answer:
    caller, now = auth.caller(app), clock.now()
    return _shown(caller, redemptions.capture_redemption(member_id, redemption_id, caller=caller, now=now))


@app.post(
    "/v1/members/<member_id>/redemptions/<redemption_id>/cancel",
    security=routes.open_to(STOREFRONT, MEMBER, OPERATOR, PARTNER),
    responses=routes.json_responses({200: RedemptionAnswer | PartnerRedemptionAnswer}, 404, 409),
    summary="Release the hold",
    tags=["Redemptions"],
)
def cancel_redemption(member_id: str, redemption_id: str) -> Answer:
    caller, now = auth.caller(app), clock.now()
    return _shown(caller, redemptions.cancel_redemption(member_id, redemption_id, caller=caller, now=now))


@app.post(
    "/v1/members/<member_id>/redemptions/<redemption_id>/reverse",
    security=routes.open_to(OPERATOR, STOREFRONT, PARTNER),
    responses=routes.json_responses({200: RedemptionAnswer | PartnerRedemptionAnswer}, 404, 409),
    summary="Give captured points back to the lots they came from: a part of them, or without a body all that is left",
    tags=["Redemptions"],
)
def reverse_redemption(
    member_id: str, redemption_id: str, request: Annotated[Reversal, Body()] = ALL_THAT_IS_LEFT
) -> Answer:
    caller, now = auth.caller(app), clock.now()
    return _shown(
        caller, redemptions.reverse_redemption(member_id, redemption_id, request.part, caller=caller, now=now)
    )


@app.get(
    "/v1/members/<member_id>/vouchers",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: VoucherList}, 404, 409),
    summary="The vouchers that a member can use, with their codes",
    tags=["Vouchers"],
)
def list_vouchers(member_id: str) -> Answer:
    found = vouchers.list_live(member_id, caller=auth.caller(app), now=clock.now())
    return json_answer(VoucherList(items=tuple(map(own_voucher, found))))


@app.post(
    "/v1/rewards/<reward_id>/codes",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: Added}, 404),
    summary="Add codes of the shop's own for a reward's vouchers; those that are known are passed over",
    tags=["Vouchers"],
)
def add_codes(reward_id: str, request: Annotated[Codes, Body()]) -> Answer:
    auth.caller(app)
    return json_answer(own_codes.add(reward_id, request))


@app.post(
    "/v1/vouchers/lookup",
    security=routes.open_to(STOREFRONT, OPERATOR, PARTNER),
    responses=routes.json_responses({200: FoundVoucherAnswer}, 404),
    summary="Find a voucher by its code; a partner finds those of its own rewards",
    tags=["Vouchers"],
)
def look_up_voucher(request: Annotated[VoucherCode, Body()]) -> Answer:
    return json_answer(found_voucher(vouchers.look_up(request.code, caller=auth.caller(app), now=clock.now())))


@app.post(
    "/v1/vouchers/use",
    security=routes.open_to(STOREFRONT, OPERATOR, PARTNER),
    responses=routes.json_responses({200: UsedVoucherAnswer}, 404, 409),
    summary="Use a voucher, or a part of it where its reward says so, under the shop's own reference",
    tags=["Vouchers"],
)
def use_voucher(request: Annotated[Use, Body()]) -> Answer:
    used = vouchers.use(request, caller=auth.caller(app), now=clock.now())
    return json_answer(used_voucher(used), replayed=used.replayed)


@app.post(
    "/v1/vouchers/undo",
    security=routes.open_to(STOREFRONT, OPERATOR, PARTNER),
    responses=routes.json_responses({200: UsedVoucherAnswer}, 404, 409),
    summary="Undo a use of a voucher by its reference: what it took can be used again",
    tags=["Vouchers"],
)
def undo_voucher(request: Annotated[Undo, Body()]) -> Answer:
    used = vouchers.undo(request, caller=auth.caller(app), now=clock.now())
    return json_answer(used_voucher(used), replayed=used.replayed)


def _shown(caller: Caller, redemption: Redemption, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    outcome, returned = redemption.outcome, returned_by(redemption.outcome.entry)
    if caller.partner_id is not None:
        seen = partner_redemption(outcome.entry, redemption.state, outcome.program, returned)
        return json_answer(seen, status, replayed=outcome.replayed)
    account = account_answer(outcome.accounts[0], outcome.program, outcome.now, outcome.accounts[1:])
    body = redemption_answer(outcome.entry, redemption.state, outcome.program, account, returned)
    return json_answer(body, status, replayed=outcome.replayed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
