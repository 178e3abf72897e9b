"""Finding members: by one identifier or a code, or by words of their name."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Self

from pydantic import model_validator

from shared.caller import Caller
from shared.domain.errors import ForbiddenError, MemberNotFoundError
from shared.domain.fields import Record, Reference, Text, require_exactly_one
from shared.domain.members.members import IDENTIFIER_KINDS, Identifiers, Member, identities
from shared.services import guess_limits, member_codes, partner_access
from shared.tables import audit, member_search, members, programs


class Search(Record):
    """Words of a name."""

    name: Text

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not member_search.words_of(self.name):
            raise ValueError("give at least one word of a name")
        return self


class LookUp(Identifiers):
    """Exactly one identifier, or a code that the member shows."""

    code: Reference | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        require_exactly_one(self, (*IDENTIFIER_KINDS, "code"))
        return self


class Found(NamedTuple):
    """Who has an identifier. `member` is their profile; None: the caller may learn the id alone."""

    member_id: str
    member: Member | None


class SearchPage(NamedTuple):
    """Members found, and after which place the next page begins; None: there are no more."""

    members: Sequence[Member]
    next_after: str | None


def look_up(request: LookUp, *, caller: Caller, now: datetime) -> Found:
    """Find the member with an identifier or a code. Partners may use what their tills see, and learn the id alone.

    Raises MemberNotFoundError, ForbiddenError for a partner with another identifier, and TooManyRequestsError for a
    caller who has guessed too often.
    """
    partner = partner_access.calling(caller)
    given = identities(request, programs.load_program().country)
    kind = given[0].kind if given else "code"
    if partner is not None and kind not in partner_access.LOOKED_UP_BY:
        raise ForbiddenError(f"partners look members up by {' or '.join(sorted(partner_access.LOOKED_UP_BY))}")
    guess_limits.require_may_guess(caller, now)
    member_id = members.find(given[0]) if given else member_codes.find(request.code or "", now)
    audit.record(caller, "member.looked_up", now, member_id, by=kind)
    if member_id is None:
        guess_limits.count(caller, now)
        raise MemberNotFoundError(f"no member has this {kind}")
    return Found(member_id, None if partner else members.load_member(member_id).member)


def search(request: Search, limit: int, after: str | None, *, caller: Caller, now: datetime) -> SearchPage:
    """At most `limit` members whose names have all of the words, in any order and case.

    A page may hold fewer, even none, while there are more.
    """
    found, more = members.search(member_search.words_of(request.name), limit, after)
    audit.record(caller, "members.searched", now, found=str(len(found)))
    return SearchPage(found, more)
