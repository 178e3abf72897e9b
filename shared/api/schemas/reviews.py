"""What waits for an operator's approval, as operators see it."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from shared.api.answers import Answer, json_answer
from shared.domain import order_ids
from shared.domain.fields import Record
from shared.domain.points.reviews import Review
from shared.services.asking import Asked


class ReviewAnswer(Record):
    """What waits for an operator's approval, or has been decided. `member_id` is empty if it is about nobody alone."""

    review_id: str
    kind: str
    member_id: str
    requested_by: str
    requested_at: datetime
    what: str
    details: dict[str, str]
    state: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    note: Annotated[str | None, Field(exclude_if=lambda note: note is None)] = None
    due_on: Annotated[date | None, Field(exclude_if=lambda day: day is None)] = None
    is_overdue: Annotated[bool, Field(exclude_if=lambda overdue: not overdue)] = False


def review_answer(review: Review, today: date) -> ReviewAnswer:
    """A review as operators see it."""
    names = ReviewAnswer.model_fields.keys() - {"is_overdue"}
    details = {name: order_ids.shown(text) if name == "order_id" else text for name, text in review.details.items()}
    shown = {name: getattr(review, name) for name in names} | {"details": details}
    return ReviewAnswer.model_validate({**shown, "is_overdue": review.is_overdue(today)})


def asked(waiting: Asked, today: date) -> Answer:
    """202 while the review waits; 200 once it is decided."""
    status = HTTPStatus.ACCEPTED if waiting.review.state == "open" else HTTPStatus.OK
    return json_answer(review_answer(waiting.review, today), status, replayed=waiting.replayed)
