"""Events of SES in, over EventBridge and at least once: bounces and complaints."""

from email.utils import parseaddr
from typing import Any

from shared import clock
from shared.domain.members.contact_preferences import SUPPRESSIONS
from shared.messaging.channels import MEMBER_TAG
from shared.services import mail_feedback

_TEMPORARY = frozenset({"Transient", "Undetermined"})
"""A full mailbox, or nobody knows: SES tries again, and so do we with the next message."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Take one event of SES. Raises TryAgainError if the profile was being changed; EventBridge sends it again."""
    detail = event["detail"]
    kind = detail["eventType"]
    if kind not in SUPPRESSIONS or detail.get("bounce", {}).get("bounceType") in _TEMPORARY:
        return {"suppressed": 0}
    members, addresses, now = detail["mail"].get("tags", {}).get(MEMBER_TAG, []), _addresses(detail), clock.now()
    return {"suppressed": sum(mail_feedback.suppress(member_id, kind, addresses, now) for member_id in members)}


def _addresses(detail: dict[str, Any]) -> set[str]:
    bounced = detail.get("bounce", {}).get("bouncedRecipients", [])
    complained = detail.get("complaint", {}).get("complainedRecipients", [])
    return {parseaddr(str(one["emailAddress"]))[1].lower() for one in (*bounced, *complained)}
