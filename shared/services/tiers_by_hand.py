"""Tiers that operators set by hand until a day."""

from datetime import datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain import entry_types
from shared.domain.facets import TierByHand
from shared.domain.fields import Day, Record, Reference, Slug, Text
from shared.domain.points.tiers_by_hand import set_tier
from shared.tables import audit, keys, operation
from shared.tables.operation import Decision, Situation


class TierUntil(Record):
    """At least which tier a member holds through which day, why, and the reference of the case.

    The member reads `reason`, not `note`.
    """

    tier_id: Slug
    until: Day
    reason: Text
    note: Text | None = None
    reference: Reference


def set_by_hand(member_id: str, request: TierUntil, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Set a member's tier until a day. Raises InvalidRequestError for a tier or a day that cannot be."""
    member_id, fingerprint = caller.authorized_member_id(member_id), request_ids.fingerprint(request)
    trail = audit.trail(caller, entry_types.of("tier_set").audited_as, now, member_id, reference=request.reference)

    def decide(situation: Situation) -> Decision:
        entry = set_tier(
            situation.account,
            situation.program,
            TierByHand(tier_id=request.tier_id, until=request.until),
            reason=request.reason,
            note=request.note,
            reference=request.reference,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        return Decision([entry], trail)

    key = keys.of("tier_set", member_id=member_id, reference=request.reference)
    return operation.run([member_id], decide, key=key, fingerprint=fingerprint, now=now)
