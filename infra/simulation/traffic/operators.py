"""What operators do by hand: adjustments, decisions, freezes."""

from datetime import datetime

from infra.simulation.fake_dynamodb import Key
from infra.simulation.traffic.knowledge import Knowledge
from infra.simulation.traffic.requests import OLGA, OTTO, Request
from shared.services import adjustments, approvals, freezes
from shared.services.adjustments import Adjustment, Undo
from shared.services.approvals import Done, Rejection
from shared.services.asking import Asked
from shared.services.freezes import Cause
from shared.tables.operation import Outcome


class Operators:
    """Requests of operators."""

    def __init__(self, known: Knowledge) -> None:
        self._known, self._random = known, known.random

    def adjust(self) -> Request[Outcome | Asked]:
        """Give or take points; above the program's limit a second operator has to approve."""
        member_id, reference = self._known.member(), self._known.new("j")
        points = self._random.choice((3, 15, 60, -1, -4, -25))
        body = Adjustment(points=points, reason="to set it right", reference=reference)
        key: Key | None = (f"MEMBER#{member_id}", f"ADJUST#{reference}")
        if self._known.may_be_asked_for():
            key = None

        def call(now: datetime) -> Outcome | Asked:
            return adjustments.adjust_points(member_id, body, caller=OLGA, now=now)

        def learn(done: Outcome | Asked) -> None:
            if isinstance(done, Asked):
                self._known.reviews.append(done.review.review_id)
            else:
                self._known.adjustments.append((member_id, reference, done.entry.entry_id))

        return Request("adjust", call, key, learn)

    def undo(self) -> Request[Outcome | Asked] | None:
        """Take an adjustment back."""
        if not self._known.adjustments:
            return None
        member_id, reference, entry_id = self._random.choice(self._known.adjustments[-5:])
        body = Undo(reason="a slip")

        def call(now: datetime) -> Outcome | Asked:
            return adjustments.undo_adjustment(member_id, entry_id, body, caller=OLGA, now=now)

        key: Key | None = (f"MEMBER#{entry_id.rpartition('-')[0]}", f"ADJUST_UNDONE#{reference}")
        if self._known.may_be_asked_for():
            key = None

        def learn(done: Outcome | Asked) -> None:
            if isinstance(done, Asked):
                self._known.reviews.append(done.review.review_id)

        return Request("undo", call, key, learn)

    def decide(self) -> Request[Done] | None:
        """Approve what waits, or reject it."""
        if not self._known.reviews:
            return None
        review_id = self._random.choice(self._known.reviews[-6:])
        if self._random.randrange(3):
            return Request("approve", lambda now: approvals.approve(review_id, caller=OTTO, now=now))
        body = Rejection(reason="no")
        return Request("reject", lambda now: approvals.reject(review_id, body, caller=OTTO, now=now))

    def freeze(self) -> Request[Outcome]:
        """Let a member spend nothing."""
        member_id, cause = self._known.member(), Cause(reason="a doubt", reference=self._known.new("f"))
        key = (f"MEMBER#{member_id}", f"FREEZE#{cause.reference}")
        return Request("freeze", lambda now: freezes.freeze_member(member_id, cause, caller=OLGA, now=now), key)

    def unfreeze(self) -> Request[Outcome]:
        """Let a member spend again."""
        member_id, cause = self._known.member(), Cause(reason="all is well", reference=self._known.new("f"))
        key = (f"MEMBER#{member_id}", f"UNFREEZE#{cause.reference}")
        return Request("unfreeze", lambda now: freezes.unfreeze_member(member_id, cause, caller=OLGA, now=now), key)
