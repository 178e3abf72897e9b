"""When what is told now may have happened: lately, and not in the future; a replay is one however late."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.functions.shop import Reply, Shop, assert_refused

Tell = Callable[[Shop, str, datetime | None], Reply]


def order(shop: Shop, member: str, at: datetime | None, order_id: str = "A-1") -> Reply:
    return shop.post(f"/v1/members/{member}/earn", _dated("placed_at", at, order_id=order_id, **_ORDER))


def order_by_card(shop: Shop, member: str, at: datetime | None) -> Reply:
    body = {"order_id": "A-2", "identifier": {"card_number": member[:20]}, **_ORDER}
    return shop.post("/v1/earn", _dated("placed_at", at, **body))


def action(shop: Shop, member: str, at: datetime | None) -> Reply:
    body = {"type": "action", "action": "review", "reference": "r-1"}
    return shop.post(f"/v1/members/{member}/earn", _dated("occurred_at", at, **body))


def refund(shop: Shop, member: str, at: datetime | None) -> Reply:
    body = {"order_id": "earlier", "refund_id": "R-1", "amount": 100}
    return shop.post(f"/v1/members/{member}/refunds", _dated("refunded_at", at, **body))


_ORDER = {"type": "order", "currency": "USD", "total": 1000}
TOLD: list[tuple[Tell, str]] = [
    (order, "/placed_at"),
    (order_by_card, "/placed_at"),
    (action, "/occurred_at"),
    (refund, "/refunded_at"),
]
told = pytest.mark.parametrize(("tell", "pointer"), TOLD, ids=lambda one: getattr(one, "__name__", ""))


def _dated(name: str, at: datetime | None, **body: Any) -> dict[str, Any]:
    return body if at is None else {**body, name: at.isoformat()}


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member of a shop that enrolls whoever has a card, with an order of sixty days ago."""
    shop.change_program(automatic_enrolment={"consent_days": 30})
    member = shop.enroll("ada")
    shop.order(member, "earlier", 1000)
    shop.pass_time(days=60)
    return member


@told
def test_left_out_it_is_now(shop: Shop, ada: str, tell: Tell, pointer: str) -> None:
    reply = tell(shop, ada, None)
    assert (reply.status, reply.body["entry"]["occurred_at"]) == (201, shop.now.isoformat().replace("+00:00", "Z"))
    shop.pass_time(days=1)
    again = tell(shop, ada, None)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, reply.body["entry"])
    assert_refused(tell(shop, ada, shop.now), 422, "idempotency_mismatch")
    assert pointer


@told
def test_it_lies_at_most_ten_minutes_ahead(shop: Shop, ada: str, tell: Tell, pointer: str) -> None:
    with shop.writing_nothing():
        for ahead in (timedelta(minutes=10, seconds=1), timedelta(days=4000)):
            reply = tell(shop, ada, shop.now + ahead)
            assert_refused(reply, 422, "in_the_future")
            assert reply.pointers == [pointer]
    assert tell(shop, ada, shop.now + timedelta(minutes=10)).status == 201


@told
def test_it_lies_at_most_so_many_days_back_as_the_program_says(shop: Shop, ada: str, tell: Tell, pointer: str) -> None:
    late = timedelta(days=30, seconds=1)
    with shop.writing_nothing():
        reply = tell(shop, ada, shop.now - late)
        assert_refused(reply, 422, "too_late")
        assert reply.pointers == [pointer]
        assert "30 days" in reply.body["detail"]
    shop.change_program(earning={"late_days": 3})
    assert "3 days" in tell(shop, ada, shop.now - timedelta(days=4)).body["detail"]
    shop.change_program(earning={"late_days": 31})
    assert tell(shop, ada, shop.now - late).status == 201


@told
def test_a_replay_is_one_however_late(shop: Shop, ada: str, tell: Tell, pointer: str) -> None:
    at = shop.now
    first = tell(shop, ada, at)
    shop.pass_time(days=29 if tell is order_by_card else 700)
    shop.change_program(earning={"late_days": 0})
    with shop.writing_nothing():
        again = tell(shop, ada, at)
    assert (again.status, again.replayed, again.body["entry"]) == (200, True, first.body["entry"])
    assert pointer


def test_a_refund_dated_before_its_order_counts_as_made_with_it(shop: Shop, ada: str) -> None:
    placed_at = shop.now - timedelta(days=2)
    order(shop, ada, placed_at, "B-1")
    body = {"order_id": "B-1", "refund_id": "R-9", "amount": 100}
    reply = shop.post(f"/v1/members/{ada}/refunds", _dated("refunded_at", placed_at - timedelta(days=5), **body))
    assert reply.status == 201
    assert reply.body["entry"]["occurred_at"] == placed_at.isoformat().replace("+00:00", "Z")
