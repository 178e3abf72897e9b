"""What waits for an operator's approval: who asked for what, and what became of it."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal, NamedTuple

from shared.domain.fields import Stored

ReviewKind = Literal["action", "referral", "adjustment", "erasure", "program", "rate", "merge", "claim", "undo"]
Ruling = Literal["approved", "rejected"]


class Review(Stored):
    """A question to operators. Its id comes from its cause, so that one cause asks once.

    `what` says in plain text what is asked; `details` hold what booking the decision needs. No personal data.
    `member_id` is empty if it is about no single member.
    """

    review_id: str
    kind: ReviewKind
    member_id: str
    requested_by: str
    requested_at: datetime
    what: str
    details: Mapping[str, str] = {}
    fingerprint: str = ""
    """Of the request that asked, where that may be sent again."""
    state: Literal["open", "approved", "rejected"] = "open"
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    """Why it was rejected, in words for the member."""
    note: str | None = None
    """What only operators read of it."""
    due_on: date | None = None
    """The day by which it is to be decided, where a law says so."""

    def is_overdue(self, today: date) -> bool:
        """Whether it should have been decided before today."""
        return self.state == "open" and self.due_on is not None and self.due_on < today


class Verdict(NamedTuple):
    """An operator's decision on a review, and when; `fingerprint` tells it from another on the same review."""

    decision: Ruling
    actor: str
    at: datetime
    reason: str | None = None
    fingerprint: str = ""
    note: str | None = None


def decided(review: Review, verdict: Verdict) -> Review:
    """The review after the verdict."""
    update = {
        "state": verdict.decision,
        "decided_by": verdict.actor,
        "decided_at": verdict.at,
        "reason": verdict.reason,
        "note": verdict.note,
    }
    return review.model_copy(update=update)
