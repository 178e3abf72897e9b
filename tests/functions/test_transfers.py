"""What the program says of transfers: whether there are any, how large, how often, and after how long a membership."""

import pytest

from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused

PER_MONTH = {"times": 2, "points": 50, "per": "month"}


@pytest.fixture
def pair(shop: Shop) -> tuple[str, str]:
    """Ada and Bob, with 100 points each."""
    return shop.enroll("ada"), shop.enroll("bob")


def send(shop: Shop, giver: str, to: str, points: int, key: str = "t", scope: str = MEMBER) -> Reply:
    body = {"to_member_id": to, "points": points}
    return shop.post(f"/v1/members/{giver}/transfers", body, key=key, scope=scope, member_id=giver)


def give(shop: Shop, giver: str, to: str, points: int, key: str) -> Reply:
    return shop.post(f"/v1/members/{giver}/gifts", {"to_member_id": to, "points": points}, key=key)


@pytest.mark.parametrize("scope", [MEMBER, OPERATOR])
def test_a_program_without_the_section_has_no_transfers(shop: Shop, pair: tuple[str, str], scope: str) -> None:
    with shop.writing_nothing():
        assert_refused(send(shop, *pair, 1, scope=scope), 409, "not_offered")
        assert_refused(give(shop, *pair, 1, "g"), 409, "not_offered")


def test_a_transfer_that_was_made_is_remembered_when_there_are_none_any_more(shop: Shop, pair: tuple[str, str]) -> None:
    shop.change_program(transfers={})
    assert send(shop, *pair, 1).status == 201
    shop.change_program(transfers=None)
    with shop.writing_nothing():
        assert send(shop, *pair, 1).replayed
        assert_refused(send(shop, *pair, 1, "other"), 409, "not_offered")


def test_one_transfer_has_at_most_so_many_points(shop: Shop, pair: tuple[str, str]) -> None:
    shop.change_program(transfers={"points_max": 30})
    with shop.writing_nothing():
        refused = send(shop, *pair, 31)
        assert_refused(refused, 422, "invalid_request")
        assert refused.pointers == ["/points"]
    assert send(shop, *pair, 30).status == 201


def test_a_month_has_so_many_transfers_of_so_many_points(shop: Shop, pair: tuple[str, str]) -> None:
    shop.change_program(transfers={"limit": PER_MONTH})
    assert send(shop, *pair, 20, "1").status == 201
    with shop.writing_nothing():
        refused = send(shop, *pair, 31, "2")
        assert_refused(refused, 409, "invalid_state")
        assert "20 points so far; it frees on 2026-12-01" in refused.body["detail"]
    assert send(shop, *pair, 30, "2").status == 201
    shop.pass_time(days=12)
    assert [send(shop, *pair, 1, key).status for key in ("3", "4")] == [201, 201]
    assert_refused(send(shop, *pair, 1, "5"), 409, "invalid_state")


def test_who_joined_lately_transfers_nothing_yet(shop: Shop, pair: tuple[str, str]) -> None:
    shop.change_program(transfers={"membership_days_min": 30})
    shop.pass_time(days=29)
    with shop.writing_nothing():
        refused = send(shop, *pair, 1)
        assert_refused(refused, 409, "invalid_state")
        assert "2026-12-20" in refused.body["detail"]
    shop.pass_time(days=1)
    assert send(shop, *pair, 1).status == 201


def test_gifts_and_transfers_count_toward_one_limit_together(shop: Shop, pair: tuple[str, str]) -> None:
    shop.change_program(transfers={}, gifts={}, sharing_limit={"points": 50, "per": "month"})
    assert give(shop, *pair, 30, "g").status == 201
    with shop.writing_nothing():
        refused = send(shop, *pair, 21)
        assert_refused(refused, 409, "invalid_state")
        assert "by gifts and transfers" in refused.body["detail"]
    assert send(shop, *pair, 20).status == 201
    with shop.writing_nothing():
        assert_refused(give(shop, *pair, 1, "h"), 409, "invalid_state")


def test_an_operator_transfers_no_more_than_one_may_adjust(shop: Shop, pair: tuple[str, str]) -> None:
    shop.change_program(transfers={}, operators={"adjustment_limit_points": 40})
    with shop.writing_nothing():
        assert_refused(send(shop, *pair, 41, scope=OPERATOR), 409, "invalid_state")
    assert send(shop, *pair, 40, scope=OPERATOR).status == 201
    assert send(shop, *pair, 41, "own").status == 201
