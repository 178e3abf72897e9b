"""What a partner may do with its token: credit, refund and redeem its own orders and rewards, and see no others."""

from shared.caller import Caller
from shared.domain.entry import Entry
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    InsufficientPointsError,
    InvalidRequestError,
    RewardNotFoundError,
    RewardUnavailableError,
)
from shared.domain.lots import PartnerShare
from shared.domain.program.partners import Partner
from shared.domain.program.program import PartnerReward, Program
from shared.domain.spending.prices import CreditRequest, MoneyRequest, Request
from shared.tables import operation, programs

LOOKED_UP_BY = frozenset({"card_number", "external_id", "code"})
"""What partners know members by; the other identifiers are personal."""


def calling(caller: Caller) -> Partner | None:
    """The partner that calls; None: the caller is none. Raises ForbiddenError if the program does not have it."""
    partner_id = caller.partner_id
    if partner_id is None:
        return None
    partner = programs.load_program().partner(partner_id)
    if partner is None:
        raise ForbiddenError(f"the program has no partner {partner_id!r}")
    return partner


def own_id(partner: Partner | None, order_id: str) -> str:
    """The id that a caller's order is kept under. A partner's gets a prefix: other shops may use the same numbers."""
    return order_id if partner is None else f"{partner.partner_id}/{order_id}"


def require_own_name(partner: Partner, partner_id: str | None) -> None:
    """Raises InvalidRequestError if a partner names another one."""
    if partner_id not in {None, partner.partner_id}:
        raise InvalidRequestError(
            Fault("/partner_id", f"must be {partner.partner_id}, the token's own partner, or left out")
        )


def told(partner: Partner | None, error: InsufficientPointsError) -> InsufficientPointsError:
    """The refusal as the caller may hear it: no partner learns how many points there are."""
    return error if partner is None else InsufficientPointsError("the member does not have that many points")


def may_see(partner: Partner | None, share: PartnerShare | None) -> bool:
    """Whether the caller may see an order or redemption: partners see their own alone."""
    return partner is None or (share is not None and share.partner_id == partner.partner_id)


def require_may_take(partner: Partner, request: Request, program: Program) -> None:
    """Raises a refusal unless the partner may take points for the request: for its own rewards, or as money."""
    if isinstance(request, CreditRequest):
        raise ForbiddenError("store credit can be spent at the shop only, not at partners")
    if isinstance(request, MoneyRequest):
        if not partner.takes_points_as_money:
            raise RewardUnavailableError(f"{partner.name} does not take points as money")
        return
    reward = program.reward(request.reward_id)
    if not isinstance(reward, PartnerReward) or reward.partner_id != partner.partner_id:
        raise RewardNotFoundError(f"{partner.name} has no reward {request.reward_id!r}")
    if not partner.may_redeem:
        raise ForbiddenError(f"{partner.name} may not redeem rewards in this program")


def shown(partner: Partner | None, outcome: operation.Outcome) -> operation.Outcome:
    """The outcome with the order's id as its partner knows it."""
    order_id = outcome.entry.source.get("order_id")
    if partner is None or order_id is None:
        return outcome
    source = {**outcome.entry.source, "order_id": order_id.removeprefix(own_id(partner, ""))}
    entry: Entry = outcome.entry.model_copy(update={"source": source})
    return outcome._replace(entry=entry)
