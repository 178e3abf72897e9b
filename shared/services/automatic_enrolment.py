"""Crediting an order to whoever has an identifier; somebody unknown becomes a provisional member.

A provisional member earns before they have agreed to the terms. Their points wait for the consent.
"""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.earning.orders import Order, placed
from shared.domain.earning.provisional import open_provisional
from shared.domain.errors import (
    LoyaltyError,
    MemberNotActiveError,
    MemberNotFoundError,
    OrderBelongsToAnotherMemberError,
    TryAgainError,
)
from shared.domain.ledger import book
from shared.domain.lifecycle.whole_order import credited
from shared.domain.members.members import Identity, OneIdentifier, identities, lapsed, provisional
from shared.domain.points.segments import first_traits
from shared.domain.program.program import Program
from shared.services import earning
from shared.tables import accounts, keys, ledger, members, operation, programs, upkeep
from shared.tables.client import CancelledError

OPENING_ATTEMPTS_MAX = 3


def earn_by_identifier(identifier: OneIdentifier, order: Order, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Credit an order to the member with an identifier, or to a new provisional member.

    It is the same request as crediting the order to the member by id: a till that has learned the id may send either.
    Raises MemberNotFoundError if nobody has the identifier and the program opens no member by it, what the rules
    refuse, and TryAgainError when others kept opening the same member.
    """
    program = programs.load_program()
    [identity] = identities(identifier, program.country)
    for _ in range(OPENING_ATTEMPTS_MAX):
        member_id = members.find(identity)
        try:
            if member_id is not None:
                return earning.earn_order(member_id, order, caller=caller, now=now)
            return _opened(identity, order, program, caller, now)
        except MemberNotActiveError:
            if member_id is None:
                raise
            # Their time to consent is over, and nothing has been done about it yet.
            _let_lapse(member_id, now)
        except CancelledError:
            _require_unlocked(identity)
            continue  # somebody else has just opened the same one
        except OrderBelongsToAnotherMemberError:
            if members.find(identity) == member_id:
                raise
            continue  # the same request has just been answered for whoever has the identifier now
    raise TryAgainError("other requests are opening the same member; the same request may be sent again")


def _opened(
    identity: Identity, order: Order, program: Program, caller: Caller, now: datetime, gone: int = 0
) -> operation.Outcome:
    """A new provisional member with the order's points, or the entry that exists if this was done before.

    `gone` members were opened for this very order, and lapsed or were erased before it was credited. Raises
    MemberNotFoundError if the program opens none by this identifier, InvalidRequestError if nobody could be written to
    by it, CancelledError if others opened the same one.
    """
    terms = program.automatic_enrolment
    if terms is None or identity.kind not in terms.identifiers:
        raise MemberNotFoundError(
            f"no member has this {identity.kind}, and the program enrolls nobody automatically by it"
        )
    identities(OneIdentifier.model_validate({identity.kind: identity.value}), program.country, is_new=True)
    # The order is part of the id: whoever comes again after having lapsed is somebody new.
    whose, order_id = (request_ids.part(text, "|") for text in (identity.value, order.order_id))
    cause = f"provisional:{identity.kind}:{whose}|{order_id}"
    member_id = members.new_member_id(f"{cause}|{gone}" if gone else cause)
    fingerprint, email = request_ids.fingerprint(order), identity.value if identity.kind == "email" else None
    traits = first_traits(program, None, (), email)
    first = open_provisional(member_id, program, now=now, actor=caller.actor, fingerprint=fingerprint, traits=traits)
    profile = provisional(identity, member_id=member_id, channel=order.channel, now=now)
    try:
        account = book(Account(member_id=member_id), first)
        told = placed(order, program, now)
        entries = credited(account, program, told, now=now, actor=caller.actor, fingerprint=fingerprint)
        draws = any(entry.budgets for entry in entries)
        outcome = operation.enroll([first, *(() if draws else entries)], members.writes(None, profile), program, now)
    except (CancelledError, LoyaltyError):
        existing = ledger.load_entry(keys.of("earn", order_id=order.order_id))
        if existing is None:
            if _is_gone(member_id):
                return _opened(identity, order, program, caller, now, gone + 1)
            raise
        if existing.member_id != member_id:
            _require_unlocked(identity)
            raise OrderBelongsToAnotherMemberError("the order's points were credited to another member") from None
        return earning.earn_order(member_id, order, caller=caller, now=now)
    if draws:
        return earning.earn_order(member_id, order, caller=caller, now=now)
    return outcome._replace(entry=entries[0])


def _require_unlocked(identity: Identity) -> None:
    if members.is_locked(identity):
        raise MemberNotActiveError("the member with this identifier is to be erased") from None


def _is_gone(member_id: str) -> bool:
    try:
        return accounts.load_account(member_id).account.status in {"lapsed", "erased"}
    except MemberNotFoundError:
        return False


def _let_lapse(member_id: str, now: datetime) -> None:
    """Book that a provisional member's time to consent is over, and free the identifiers that they were found by."""
    upkeep.catch_up(member_id, now)
    if accounts.load_account(member_id).account.status == "lapsed":
        members.forget(member_id, lapsed)
