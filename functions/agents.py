"""What shopping agents ask: what a cart would earn, and for whom."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import model_validator

from shared import clock
from shared.api import auth, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.caller import STOREFRONT
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.cashback import credit_earnings
from shared.domain.earning.order_points import order_earnings
from shared.domain.earning.orders import Line, Order
from shared.domain.errors import InvalidStateError, MemberNotActiveError
from shared.domain.fields import Amount, Currency, Flag, Record, Reference
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.members.members import IDENTIFIER_KINDS, Identifiers
from shared.domain.program.program import Program
from shared.domain.telling.agents_block import (
    MembershipBlock,
    RewardBlock,
    RewardCurrency,
    forecast,
    membership_block,
    tiers_of,
)
from shared.tables import accounts, programs

app = resolver.resolver()


class Buyer(Identifiers):
    """Who is said to be buying; `verified` if the storefront knows that it is they."""

    member_id: Reference | None = None
    verified: Flag = False

    @model_validator(mode="after")
    def _is_one(self) -> "Buyer":
        if len(self.model_dump(exclude_none=True, exclude={"verified"})) != 1:
            raise ValueError(f"give exactly one of member_id, {', '.join(IDENTIFIER_KINDS)}")
        if self.verified and self.member_id is None:
            raise ValueError("who is verified is known by their member_id")
        return self


class Cart(Record):
    """What is in the cart, as in an order, and who is there: a verified member, somebody unverified, or nobody."""

    currency: Currency
    total: Amount
    lines: tuple[Line, ...] = ()
    channel: Reference | None = None
    store_id: Reference | None = None
    touchpoint: Reference | None = None
    buyer: Buyer | None = None


class LoyaltyAnswer(Record):
    """The membership by the claim that the program is known under."""

    loyalty: dict[str, MembershipBlock]


@app.post(
    "/v1/ucp/loyalty",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({200: LoyaltyAnswer}, 404, 409),
    summary="The Universal Commerce Protocol's loyalty block for a cart; writes nothing",
    tags=["Agents"],
)
def show_loyalty(request: Annotated[Cart, Body()]) -> Answer:
    caller, now, program = auth.caller(app), clock.now(), programs.load_program()
    agents = program.agents
    if agents is None:
        raise InvalidStateError("the program says nothing to agents: it has no section agents")
    account: Account | None = None
    if request.buyer is not None and request.buyer.verified:
        # Nobody else is looked for: so an answer cannot tell who is a member.
        account = accounts.load_account(caller.authorized_member_id(str(request.buyer.member_id))).account
        account = up_to_date(account, program, now)
        if not account.is_open:
            raise MemberNotActiveError(f"the member {account.member_id} was {account.status}")
    today = local_day(now, program.time_zone)
    order = Order.model_validate({**request.model_dump(exclude={"buyer"}), "order_id": "cart", "placed_at": now})
    tiers = tiers_of(account, program, today) if account else ()
    points = forecast(order_earnings(account, program, order, now).breakdown, tiers)
    currency = RewardCurrency(name=agents.currency_name, code=agents.currency_code)
    rewards = [RewardBlock(currency=currency, earning_forecast=points)]
    if program.cashback is not None:
        earned = credit_earnings(account, program, order)
        credit = RewardCurrency(name=agents.credit_name, code=program.currency, decimal_places=_decimal_places(program))
        rewards.append(RewardBlock(currency=credit, earning_forecast=forecast(earned.breakdown, ())))
    return json_answer(LoyaltyAnswer(loyalty={agents.claim: membership_block(account, program, rewards, today)}))


def _decimal_places(program: Program) -> int:
    from iso4217 import Currency as Iso4217  # noqa: PLC0415 - parses its tables; only cashback needs it

    return Iso4217(program.currency).exponent or 0


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
