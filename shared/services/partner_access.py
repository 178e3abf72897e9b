"""What a partner may do with its token: credit, refund and redeem its own orders and rewards, and see no others."""

from shared.caller import Caller
from shared.domain import order_ids
from shared.domain.actors import is_partner
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
from shared.tables import keys, ledger, operation, programs

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


def own_id(partner: Partner, order_id: str) -> str:
    """The id that a partner's order is kept under: it is never another's, whatever numbers others use.

    What a partner booked before its orders were told from a shop's stays where it is.
    """
    at_first = order_ids.of_partner_at_first(partner.partner_id, order_id)
    is_at_first = has_sent(partner, ledger.load_entry(keys.of("earn", order_id=at_first)))
    return at_first if is_at_first else order_ids.of_partner(partner.partner_id, order_id)


def has_sent(partner: Partner, earned: Entry | None) -> bool:
    """Whether an order's entry, if it exists, was booked by the partner itself, not by the shop in its name."""
    return earned is not None and is_partner(earned.actor) and may_see(partner, earned.partner)


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
    known_as = order_ids.as_its_partner_knows_it(order_id, partner.partner_id)
    source = {**outcome.entry.source, "order_id": known_as}
    entry: Entry = outcome.entry.model_copy(update={"source": source})
    return outcome._replace(entry=entry)
