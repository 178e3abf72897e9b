"""Many earn requests in one, and what is answered to each."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.api.ledger_answers import booked_answer
from shared.api.problems import STATUS, Problem, details_of
from shared.api.schemas.entries import BookedAnswer
from shared.api.schemas.orders import ActionEarn, OrderEarn
from shared.caller import Caller
from shared.domain.errors import LoyaltyError
from shared.domain.fields import Record, Reference, require_exactly_one
from shared.domain.members.members import OneIdentifier
from shared.services.earn_batches import ITEMS_MAX, Item
from shared.tables.operation import Outcome

_WHOSE = ("member_id", "identifier")


class _Whose(Record):
    """To whom an item is credited."""

    member_id: Reference | None = None
    identifier: OneIdentifier | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        require_exactly_one(self, _WHOSE)
        return self


class BatchOrder(OrderEarn, _Whose):
    """An order, and whose it is."""


class BatchAction(ActionEarn, _Whose):
    """An action, and whose it is."""


class EarnBatch(Record):
    """Earn requests, each with the id or an identifier of its member."""

    items: Annotated[
        tuple[Annotated[BatchOrder | BatchAction, Field(discriminator="type")], ...],
        Field(min_length=1, max_length=ITEMS_MAX),
    ]

    def requests(self) -> list[Item]:
        """What each item asks for: the very request that it would be alone, so that either is the other's replay."""
        return [_request(item) for item in self.items]


class EarnBatchItem(Record):
    """What an item would have been answered alone, with its status: 201 booked, 200 booked before, else a problem."""

    status: int
    answer: BookedAnswer | Problem


class EarnBatchAnswer(Record):
    """An answer to each item, in their order."""

    items: tuple[EarnBatchItem, ...]


def earn_batch_answer(outcomes: Sequence[Outcome | LoyaltyError], caller: Caller) -> EarnBatchAnswer:
    """What came of each item."""
    return EarnBatchAnswer(items=tuple(_answer(outcome, caller) for outcome in outcomes))


def _request(item: BatchOrder | BatchAction) -> Item:
    alone = OrderEarn if isinstance(item, BatchOrder) else ActionEarn
    whose = item.identifier or item.member_id or ""
    return Item(whose, alone.model_validate(item.model_dump(exclude=set(_WHOSE))))


def _answer(outcome: Outcome | LoyaltyError, caller: Caller) -> EarnBatchItem:
    if isinstance(outcome, LoyaltyError):
        return EarnBatchItem(status=STATUS[outcome.code], answer=Problem.model_validate(details_of(outcome)))
    status = HTTPStatus.OK if outcome.replayed else HTTPStatus.CREATED
    return EarnBatchItem(status=status, answer=booked_answer(outcome, caller))
