"""A shop's own calls, made in this process: what a replay and the seeding are made of."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from shared import clock
from shared.api.schemas.orders import OrderEarn
from shared.caller import STOREFRONT, Caller
from shared.domain.errors import LoyaltyError, OrderBelongsToAnotherMemberError, TryAgainError
from shared.domain.members.members import Enrollment
from shared.domain.spending.prices import RewardRequest
from shared.services import earning, enrolment, redemptions, refunds
from shared.services.enrolment import Enrolled
from shared.services.refunds import Refund
from shared.tables import keys, ledger
from shared.tables.operation import Outcome

TRIES_MAX = 5
_PAUSE_SECONDS = 0.1

_Done = TypeVar("_Done")


class RefusedError(Exception):
    """The service refused a call; the message is the refusal's own detail."""


class Storefront:
    """Calls as `client_id`, with a storefront's scope."""

    def __init__(self, client_id: str) -> None:
        self._caller = Caller(client_id, frozenset({STOREFRONT}), None)

    def enroll(self, key: str, **details: object) -> Enrolled:
        """Enroll a member under an idempotency key. Raises RefusedError."""

        def join() -> Enrolled:
            request = Enrollment.model_validate(details)
            return enrolment.enroll_member(request, key=key, caller=self._caller, now=clock.now())

        return _insist(join)

    def earn(self, member_id: str, order: dict[str, Any]) -> Outcome:
        """Credit an order. Raises RefusedError."""

        def earn() -> Outcome:
            request = OrderEarn.model_validate({"type": "order", **order})
            return earning.earn_order(member_id, request, caller=self._caller, now=clock.now())

        return _insist(earn)

    def require_creditable(self, order: dict[str, Any]) -> None:
        """Raise RefusedError for an order that would not be credited to somebody who is not a member yet."""

        def ask() -> None:
            request = OrderEarn.model_validate({"type": "order", **order})
            earning.quote(request, None, caller=self._caller, now=clock.now())
            if ledger.load_entry(keys.of("earn", order_id=request.order_id)) is not None:
                raise OrderBelongsToAnotherMemberError("the order's points were credited to another member")

        _insist(ask)

    def refund(self, member_id: str, refund: dict[str, Any]) -> Outcome:
        """Take back what the returned part of an order earned. Raises RefusedError."""

        def refund_order() -> Outcome:
            request = Refund.model_validate(refund)
            return refunds.refund(member_id, request, caller=self._caller, now=clock.now())

        return _insist(refund_order)

    def redeem(self, member_id: str, key: str, **request: object) -> Outcome:
        """Spend points on a reward under an idempotency key. Raises RefusedError."""

        def redeem() -> Outcome:
            reward = RewardRequest.model_validate(request)
            return redemptions.redeem(member_id, reward, key=key, caller=self._caller, now=clock.now()).outcome

        return _insist(redeem)


def _insist(call: Callable[[], _Done]) -> _Done:
    """What a call comes to, made again while others are in its way. Raises RefusedError."""
    try:
        for _ in range(TRIES_MAX - 1):
            try:
                return call()
            except TryAgainError:
                time.sleep(_PAUSE_SECONDS)
        return call()
    except LoyaltyError as error:
        raise RefusedError(error.detail) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise RefusedError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
