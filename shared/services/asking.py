"""Asking operators: opening a review, and what another operator's agreement is to the service that books it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.errors import IdempotencyMismatchError, InvalidStateError, TryAgainError
from shared.domain.points.reviews import Review
from shared.tables import client, reviews
from shared.tables.client import CancelledError, Key, Write
from shared.tables.operation import Situation


class Asked(NamedTuple):
    """A review that an operator asked for; `replayed` if it existed already."""

    review: Review
    replayed: bool


class Hand(NamedTuple):
    """Who does by hand what one operator may do alone or two together, when, and what is written with it.

    `agreed` is the review in which the one who acts has approved what another asked for.
    """

    actor: str
    now: datetime
    trail: Sequence[Write]
    agreed: Review | None = None

    @property
    def requested_by(self) -> str | None:
        """Who asked for it, where another has agreed."""
        return self.agreed.requested_by if self.agreed else None

    def reads(self) -> Sequence[Key]:
        """What is read with the accounts."""
        return [reviews.key_of(self.agreed.review_id)] if self.agreed else []

    def writes(self, situation: Situation) -> Sequence[Write]:
        """What is written with what is booked. Raises InvalidStateError if the review has been decided meanwhile."""
        if self.agreed:
            require_open(reviews.among(situation.items, self.agreed.review_id) or self.agreed)
        return self.trail


def ask(review: Review, also: Sequence[Write]) -> Asked:
    """Open a review that nothing is booked for yet, with `also`; or find the one that exists.

    Raises IdempotencyMismatchError if another request opened it, TryAgainError if another write was in the way.
    """
    existing = open_once(review, also)
    if existing is None:
        return Asked(review, replayed=False)
    if existing.fingerprint != review.fingerprint:
        raise IdempotencyMismatchError("the reference was used before with another payload")
    return Asked(existing, replayed=True)


def open_once(review: Review, also: Sequence[Write] = ()) -> Review | None:
    """Open a review with `also`, or answer the one that exists: None if this one is open now. Raises TryAgainError."""
    try:
        client.transact([*reviews.put(review), *also])
    except CancelledError as cancelled:
        item = cancelled.failed.get(0)
        if item is None:
            raise TryAgainError("another write was in the way; the same request may be sent again") from cancelled
        return reviews.review_of(item)
    return None


def require_open(review: Review) -> None:
    """Raises InvalidStateError for a review that has been decided."""
    if review.state != "open":
        raise InvalidStateError(f"the review was {review.state} by {review.decided_by} at {review.decided_at}")
