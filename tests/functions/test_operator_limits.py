"""What one operator may do alone adds up over a member's day, and another has to agree to the rest."""

import pytest

from tests.functions.shop import OPERATOR, STOREFRONT, Reply, Shop, assert_refused
from tests.shared.wire import Wire


@pytest.fixture
def ada(shop: Shop) -> str:
    shop.change_program(operators={"adjustment_limit_points": 1000}, transfers={}, gifts={})
    return shop.enroll("ada")


def adjust(shop: Shop, member: str, points: int, reference: str, caller: str = "olga") -> Reply:
    return shop.adjust(member, points, reference, caller)


def undo(shop: Shop, member: str, entry_id: str) -> Reply:
    return shop.post(f"/v1/members/{member}/entries/{entry_id}/undo", {"reason": "a slip"}, scope=OPERATOR)


class TestAdjustments:
    def test_what_one_operator_gives_adds_up_over_the_day(self, shop: Shop, ada: str) -> None:
        before = shop.balance(ada)
        assert [adjust(shop, ada, 400, f"case-{number}").status for number in range(3)] == [201, 201, 202]
        assert adjust(shop, ada, 200, "case-4").status == 201
        assert adjust(shop, ada, 1, "case-5").status == 202
        assert shop.balance(ada) == before + 1000
        assert adjust(shop, ada, 400, "case-0").replayed

    def test_no_change_of_the_time_zone_and_back_makes_a_day_anew(self, shop: Shop, ada: str) -> None:
        before = shop.balance(ada)
        booked = 0
        for number, zone in enumerate(("Pacific/Kiritimati", "Pacific/Pago_Pago") * 3):
            shop.change_program(time_zone=zone)
            booked += adjust(shop, ada, 600, f"{number}-a").status == 201
            booked += adjust(shop, ada, 400, f"{number}-b").status == 201
        assert (booked, shop.balance(ada)) == (2, before + 1000)

    def test_what_is_left_of_a_day_counts_beside_what_was_used_of_it(self, shop: Shop, ada: str) -> None:
        shop.change_program(time_zone="Pacific/Kiritimati")
        assert adjust(shop, ada, 600, "1").status == 201
        shop.change_program(time_zone="Pacific/Pago_Pago")
        assert [adjust(shop, ada, points, f"of {points}").status for points in (401, 400, 1)] == [202, 201, 202]

    def test_giving_and_taking_count_together(self, shop: Shop, ada: str) -> None:
        assert [adjust(shop, ada, 600, "1").status, adjust(shop, ada, -400, "2").status] == [201, 201]
        assert [adjust(shop, ada, -1, "3").status, adjust(shop, ada, 1, "4").status] == [202, 202]

    def test_another_operator_another_member_and_another_day_count_anew(self, shop: Shop, ada: str) -> None:
        grace = shop.enroll("grace")
        assert adjust(shop, ada, 1000, "1").status == 201
        assert adjust(shop, ada, 1000, "2", "otto").status == 201
        assert adjust(shop, grace, 1000, "3").status == 201
        assert adjust(shop, ada, 1000, "4").status == 202
        shop.pass_time(days=1)
        assert adjust(shop, ada, 1000, "5").status == 201

    def test_what_another_operator_approved_counts_for_neither(self, shop: Shop, ada: str) -> None:
        review_id = adjust(shop, ada, 5000, "1").body["review_id"]
        assert shop.post(f"/v1/reviews/{review_id}/approve", scope=OPERATOR, caller="otto").status == 200
        assert adjust(shop, ada, 1000, "2", "olga").status == 201
        assert adjust(shop, ada, 1000, "3", "otto").status == 201

    def test_of_two_at_once_only_one_finds_room(self, shop: Shop, ada: str, wire: Wire) -> None:
        before = shop.balance(ada)
        wire.before("TransactWriteItems", lambda: adjust(shop, ada, 600, "first"))
        assert adjust(shop, ada, 600, "second").status == 202
        assert shop.balance(ada) == before + 600

    def test_an_undo_gives_its_part_of_the_day_back(self, shop: Shop, ada: str) -> None:
        entry_id = adjust(shop, ada, 1000, "1").body["entry"]["entry_id"]
        assert adjust(shop, ada, 1000, "2").status == 202
        assert undo(shop, ada, entry_id).status == 201
        assert adjust(shop, ada, 1000, "3").status == 201
        assert adjust(shop, ada, 1, "4").status == 202

    def test_an_undo_gives_nothing_back_for_points_that_were_forgiven(self, shop: Shop, ada: str) -> None:
        shop.change_program(refund_debt="forgiven")
        given = adjust(shop, ada, 1000, "1").body["entry"]["entry_id"]
        shop.redeem(ada, capture=True)
        left = shop.balance(ada)
        assert undo(shop, ada, given).status == 201
        assert shop.balance(ada) == 0
        assert adjust(shop, ada, left + 1, "2").status == 202
        assert adjust(shop, ada, left, "3").status == 201

    def test_a_merge_makes_no_room(self, shop: Shop, ada: str) -> None:
        grace = shop.enroll("grace")
        assert adjust(shop, ada, 1000, "1").status == 201
        shop.merge(grace, ada)
        assert adjust(shop, grace, 1, "2").status == 202


class TestTransfers:
    def test_they_count_toward_the_same_day_on_both_sides(self, shop: Shop, ada: str) -> None:
        grace, hedy = shop.enroll("grace"), shop.enroll("hedy")
        for member in (ada, hedy):
            shop.order(member, f"of-{member}", total=200_000)
        assert shop.transfer(ada, grace, 600, "1").status == 201
        with shop.writing_nothing():
            refused = shop.transfer(ada, hedy, 600, "2")
            assert_refused(refused, 409, "invalid_state")
            assert "600 are moved already" in refused.body["detail"]
            assert_refused(shop.transfer(hedy, grace, 600, "3"), 409, "invalid_state")
        assert shop.transfer(hedy, grace, 400, "4").status == 201
        assert shop.transfer(ada, grace, 1, "1").status == 422


def test_a_gift_that_an_operator_makes_of_a_members_points_counts_too(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(ada, total=200_000)
    assert by_hand_gift(shop, ada, grace, 600, "1").status == 201
    with shop.writing_nothing():
        assert_refused(by_hand_gift(shop, ada, grace, 401, "2"), 409, "invalid_state")
    assert by_hand_gift(shop, ada, grace, 401, "2", scope=STOREFRONT).status == 201


def by_hand_gift(shop: Shop, giver: str, to: str, points: int, key: str, scope: str = OPERATOR) -> Reply:
    body = {"to_member_id": to, "points": points}
    return shop.post(f"/v1/members/{giver}/gifts", body, key=key, scope=scope, caller="olga")
