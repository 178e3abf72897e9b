"""The shop's own tags on members, which segments look at."""

from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import Field

from shared import request_ids
from shared.caller import Caller
from shared.domain.errors import NothingChangesError
from shared.domain.facets import Traits
from shared.domain.fields import Flag, Record
from shared.domain.points.segments import TAGS_MAX, change_traits, retagged
from shared.domain.program.segments import Tag
from shared.services import caller_keys
from shared.tables import accounts, keys, operation
from shared.tables.operation import Decision, Situation

Tags = Annotated[tuple[Tag, ...], Field(max_length=TAGS_MAX)]


class Tagging(Record):
    """Tags to give a member, and then those to take away."""

    add: Tags = ()
    remove: Tags = ()
    excluded: Flag | None = None
    """False: the member earns again, whom an address has excluded. Their next address is compared anew."""


class Tagged(NamedTuple):
    """A member's traits after a change of tags; `replayed` if the same request had made it before."""

    member_id: str
    traits: Traits
    replayed: bool


def change_tags(member_id: str, request: Tagging, *, key: str, caller: Caller, now: datetime) -> Tagged:
    """Add and remove tags, and lift an exclusion; `key` tells the request from others of the caller for the member.

    A request that changes nothing books nothing. Raises MemberNotFoundError, MemberNotActiveError, and
    InvalidRequestError for too many tags.
    """
    member_id = caller.authorized_member_id(member_id)
    return caller_keys.under(
        caller, ("tags", member_id, key), lambda reference: _tagged(member_id, request, reference, caller, now)
    )


def _tagged(member_id: str, request: Tagging, reference: str, caller: Caller, now: datetime) -> Tagged:
    fingerprint = request_ids.fingerprint(request)

    def decide(situation: Situation) -> Decision:
        entry = change_traits(
            situation.account,
            situation.program,
            retagged(situation.account.traits, request.add, request.remove, request.excluded),
            reference=reference,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        return Decision([entry])

    at = keys.of("traits", member_id=member_id, reference=reference)
    try:
        outcome = operation.run([member_id], decide, key=at, fingerprint=fingerprint, now=now, actor=caller.actor)
    except NothingChangesError:
        return Tagged(member_id, accounts.load_account(member_id).account.traits, replayed=False)
    return Tagged(member_id, outcome.entry.traits or Traits(), outcome.replayed)
