"""What became of e-mails: a bounce or a complaint switches the channel off, until the address changes.

SES tells it over EventBridge, at least once; to be told again changes nothing.
"""

from datetime import datetime
from typing import Any

from shared import clock, telemetry
from shared.domain.calendar import local_day
from shared.domain.errors import MemberNotFoundError
from shared.domain.members.contact_preferences import SUPPRESSIONS, suppressed
from shared.messaging.channels import MEMBER_TAG
from shared.tables import members as people
from shared.tables import programs

_TEMPORARY = frozenset({"Transient", "Undetermined"})
"""A full mailbox, or nobody knows: SES tries again, and so do we with the next message."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Take one event of SES. Raises TryAgainError if the profile was being changed; EventBridge sends it again."""
    detail = event["detail"]
    kind = detail["eventType"]
    if kind not in SUPPRESSIONS or detail.get("bounce", {}).get("bounceType") in _TEMPORARY:
        return {"suppressed": 0}
    members = detail["mail"].get("tags", {}).get(MEMBER_TAG, [])
    return {"suppressed": sum(_suppress(member_id, kind, _addresses(detail)) for member_id in members)}


def _suppress(member_id: str, kind: str, addresses: set[str]) -> bool:
    """Switch e-mail off if it is the member's address of today that is meant."""
    try:
        before = people.load_member(member_id)
    except MemberNotFoundError:
        return False
    if (before.member.email or "").lower() not in addresses:
        return False
    now: datetime = clock.now()
    today = local_day(now, programs.load_program().time_zone)
    after = suppressed(before.member, "email", SUPPRESSIONS[kind], today)
    if after != before.member:
        people.save(before, after)
        telemetry.count(EmailsSuppressed=1)
    return True


def _addresses(detail: dict[str, Any]) -> set[str]:
    bounced = detail.get("bounce", {}).get("bouncedRecipients", [])
    complained = detail.get("complaint", {}).get("complainedRecipients", [])
    return {str(one["emailAddress"]).strip("<> ").lower() for one in (*bounced, *complained)}
