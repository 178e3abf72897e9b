"""Crediting what a till has kept while it was offline: many orders and actions in one request, each for itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain.earning.actions import Occasion
from shared.domain.earning.orders import Order
from shared.domain.errors import LoyaltyError, MemberMergedError, MemberNotFoundError
from shared.domain.members.members import OneIdentifier, identities
from shared.domain.spending.merges import MERGES_MAX
from shared.services import automatic_enrolment, earning
from shared.tables import members, programs
from shared.tables.operation import Outcome

ITEMS_MAX = 25
"""A batch is answered well within the time of one request, also when each of its accounts is busy."""


class Item(NamedTuple):
    """What to credit, and to whom: a member's id, or an identifier of theirs."""

    member: str | OneIdentifier
    request: Order | Occasion


def earn_each(items: Sequence[Item], *, caller: Caller, now: datetime) -> list[Outcome | LoyaltyError]:
    """Credit items in their order; what came of each, or why it was refused. None keeps another from being booked.

    Each has the key that it has alone, so a batch may be sent again, whole or in parts.
    """
    return [_outcome(item, caller, now) for item in items]


def _outcome(item: Item, caller: Caller, now: datetime) -> Outcome | LoyaltyError:
    try:
        return _earned(item, caller, now)
    except LoyaltyError as error:
        return error


def _earned(item: Item, caller: Caller, now: datetime) -> Outcome:
    """Credit an item, to whom its member has become by merges. Raises what the rules refuse."""
    member, request = item
    if isinstance(member, OneIdentifier):
        if isinstance(request, Order):
            return automatic_enrolment.earn_by_identifier(member, request, caller=caller, now=now)
        member = _known(member)
    for _ in range(MERGES_MAX):
        try:
            return _earned_by_id(member, request, caller, now)
        except MemberMergedError as merged:
            member = merged.merged_into
    return _earned_by_id(member, request, caller, now)


def _earned_by_id(member_id: str, request: Order | Occasion, caller: Caller, now: datetime) -> Outcome:
    if isinstance(request, Order):
        return earning.earn_order(member_id, request, caller=caller, now=now)
    return earning.earn_for_action(member_id, request, caller=caller, now=now)


def _known(identifier: OneIdentifier) -> str:
    """Who has an identifier: an action enrolls nobody. Raises MemberNotFoundError."""
    [identity] = identities(identifier, programs.load_program().country)
    member_id = members.find(identity)
    if member_id is None:
        raise MemberNotFoundError(f"no member has this {identity.kind}")
    return member_id
