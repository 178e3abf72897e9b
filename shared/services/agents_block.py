"""What a cart would earn, as shopping agents are shown it."""

from datetime import datetime
from typing import NamedTuple

from pydantic import model_validator

from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.cashback import credit_earnings
from shared.domain.earning.order_points import order_earnings
from shared.domain.earning.orders import Line, Order
from shared.domain.errors import NotOfferedError
from shared.domain.fields import Amount, Currency, Flag, Record, Reference
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.members.members import IDENTIFIER_KINDS, Identifiers
from shared.domain.program.agents import Agents
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


class Buyer(Identifiers):
    """Who buys, as the agent says; `verified` if the storefront has verified it."""

    member_id: Reference | None = None
    verified: Flag = False

    @model_validator(mode="after")
    def _is_one(self) -> "Buyer":
        if len(self.model_dump(exclude_none=True, exclude={"verified"})) != 1:
            raise ValueError(f"give exactly one of member_id, {', '.join(IDENTIFIER_KINDS)}")
        if self.verified and self.member_id is None:
            raise ValueError("a verified buyer needs a member_id")
        return self


class Cart(Record):
    """What is in the cart, as in an order, and the buyer: a verified member, an unverified buyer, or none."""

    currency: Currency
    total: Amount
    lines: tuple[Line, ...] = ()
    channel: Reference | None = None
    store_id: Reference | None = None
    touchpoint: Reference | None = None
    buyer: Buyer | None = None


class ClaimedBlock(NamedTuple):
    """The block of a membership, and the claim that agents know the program by."""

    claim: str
    membership: MembershipBlock


def show_loyalty(cart: Cart, *, caller: Caller, now: datetime) -> ClaimedBlock:
    """What the cart would earn, for a verified member or for a newcomer; writes nothing.

    Raises NotOfferedError if the program has no section `agents`, MemberNotFoundError, MemberNotActiveError.
    """
    program = programs.load_program()
    agents = program.agents
    if agents is None:
        raise NotOfferedError("the program shows nothing to agents: it has no section agents")
    account = _verified(cart.buyer, program, caller, now)
    block = membership_block(
        account, program, _rewards(cart, account, program, agents, now), local_day(now, program.time_zone)
    )
    return ClaimedBlock(agents.claim, block)


def _verified(buyer: Buyer | None, program: Program, caller: Caller, now: datetime) -> Account | None:
    # Only a verified buyer's account is read, so an answer cannot reveal who is a member.
    if buyer is None or not buyer.verified:
        return None
    account = accounts.load_account(caller.authorized_member_id(str(buyer.member_id))).account
    account = up_to_date(account, program, now)
    accounts.require_open(account)
    return account


def _rewards(cart: Cart, account: Account | None, program: Program, agents: Agents, now: datetime) -> list[RewardBlock]:
    order = Order.model_validate({**cart.model_dump(exclude={"buyer"}), "order_id": "cart", "placed_at": now})
    tiers = tiers_of(account, program, local_day(now, program.time_zone)) if account else ()
    points = forecast(order_earnings(account, program, order, now).breakdown, tiers)
    currency = RewardCurrency(name=agents.currency_name, code=agents.currency_code)
    rewards = [RewardBlock(currency=currency, earning_forecast=points)]
    if program.cashback is not None:
        earned = credit_earnings(account, program, order)
        credit = RewardCurrency(name=agents.credit_name, code=program.currency, decimal_places=_decimal_places(program))
        rewards.append(RewardBlock(currency=credit, earning_forecast=forecast(earned.breakdown, ())))
    return rewards


def _decimal_places(program: Program) -> int:
    from iso4217 import Currency as Iso4217  # noqa: PLC0415 - parses its tables; only cashback needs it

    return Iso4217(program.currency).exponent or 0
