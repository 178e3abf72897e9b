"""Points that a household shares, and gifts."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.earning.order_points import earn_order
from shared.domain.entry import Entry
from shared.domain.errors import InsufficientPointsError, InvalidStateError, LoyaltyError, MemberFrozenError
from shared.domain.ledger import book
from shared.domain.lifecycle.closing import erase_whole, merge_whole
from shared.domain.points import freezing
from shared.domain.spending import gifts, redemptions, stakes, transfers
from shared.domain.spending.pools import bring, pools_of
from shared.domain.spending.prices import MoneyRequest
from shared.domain.telling.events import event_of
from tests.model.shop import Shop, a_program, at

DAYS_30 = {"kind": "term", "days": 30}


def a_household(*members: str, **changes: Any) -> Shop:
    """Members who share the pool p, and eve, who does not."""
    shop = Shop(a_program(**{"expiry": DAYS_30, "pools": {}, "gifts": {}, **changes}), at("2026-11-20 12:00"))
    for member in (*members, "eve"):
        shop.enroll(member)
    for member in members:
        shop.join_pool(member, "p")
    return shop


def earn(shop: Shop, member: str, order_id: str, points: int) -> list[Entry]:
    order = shop.order(order_id, points * 100)
    return shop.in_pools(
        lambda own: [
            earn_order(own[0], shop.program, order, now=shop.now, actor="storefront:till", fingerprint="request")
        ],
        member,
    )


def spend(shop: Shop, member: str, redemption_id: str, points: int) -> list[Entry]:
    def decide(own: Sequence[Account]) -> list[Entry]:
        request = MoneyRequest(points=points, order_total=1_000_000, currency="USD")
        named: dict[str, Any] = {"redemption_id": redemption_id, "now": shop.now, "actor": "storefront:till"}
        reserved = redemptions.reserve(own[0], shop.program, request, fingerprint="request", **named)
        return [
            reserved,
            redemptions.capture(book(own[0], reserved), shop.program, voucher_code="CODE", **named),
        ]

    return shop.in_pools(decide, member)


def send(shop: Shop, giver: str, receiver: str, points: int) -> list[Entry]:
    named: dict[str, Any] = {"transfer_id": "t", "now": shop.now, "actor": "member:app", "fingerprint": "request"}
    return shop.in_pools(lambda own: transfers.transfer(own[0], own[1], shop.program, points, **named), giver, receiver)


def test_whoever_brings_a_pool_along_keeps_what_they_had_put_in_and_spent() -> None:
    shop = a_household()
    for member in ("ada", "bob"):
        shop.enroll(member)
        shop.book(
            bring(
                shop.look(member),
                shop.pool("p"),
                shop.program,
                contributed=80 if member == "ada" else 0,
                spent=20,
                change_id=f"c-{member}",
                now=shop.now,
                actor="import",
                fingerprint="request",
            )
        )
    pool = shop.pool("p")
    assert pool.pool_members == ("ada", "bob")
    assert {name: use.points for name, use in pool.uses.items()} == {
        "contributed:ada": 80,
        "spent:ada": 20,
        "spent:bob": 20,
    }
    assert pool.balance == 0


def test_points_go_to_the_pool_with_their_dates_and_the_oldest_are_drawn_first() -> None:
    shop = a_household("ada", "bob")
    earn(shop, "ada", "A-1", 10)
    shop.now += timedelta(days=5)
    earn(shop, "bob", "B-1", 10)
    assert shop.pool("p").lots == {"2026-12-20": 10, "2026-12-25": 10}
    entries = spend(shop, "bob", "R-1", 12)
    assert [(entry.member_id, entry.type) for entry in entries] == [
        ("p~pool", "pool_out"),
        ("bob", "pool_in"),
        ("bob", "reserve"),
        ("bob", "capture"),
    ]
    assert shop.pool("p").lots == {"2026-12-25": 8}
    assert (shop.look("bob").totals.captured, shop.look("bob").balance, shop.look("ada").balance) == (12, 0, 0)
    shop.now += timedelta(days=40)
    assert shop.pool("p").totals.expired == 8


def test_no_more_is_drawn_than_ones_own_points_that_have_just_come_do_not_cover() -> None:
    shop = a_household("ada", "bob", earning={"pending_days": 5})
    earn(shop, "ada", "A-1", 10)
    earn(shop, "bob", "B-1", 20)
    shop.now += timedelta(days=5)
    spend(shop, "bob", "R-1", 1)
    entries = spend(shop, "ada", "R-2", 15)
    assert [(entry.member_id, entry.points) for entry in entries if entry.type == "pool_out"] == [("p~pool", -5)]
    assert shop.pool("p").balance == 14


def test_two_things_decided_at_once_draw_together_what_they_need() -> None:
    shop = a_household("ada")
    earn(shop, "ada", "A-1", 20)

    def decide(own: Sequence[Account]) -> list[Entry]:
        by: dict[str, Any] = {"now": shop.now, "actor": "storefront:till", "fingerprint": "request"}
        request = MoneyRequest(points=6, order_total=1_000_000, currency="USD")
        first = redemptions.reserve(own[0], shop.program, request, redemption_id="R-1", **by)
        return [
            first,
            redemptions.reserve(book(own[0], first), shop.program, request, redemption_id="R-2", **by),
        ]

    entries = shop.in_pools(decide, "ada")
    assert [(entry.type, entry.points) for entry in entries] == [
        ("pool_out", -12),
        ("pool_in", 12),
        ("reserve", -6),
        ("reserve", -6),
    ]


def test_who_owes_points_joins_no_pool_and_is_told_how_many() -> None:
    shop = a_household("ada")
    shop.enroll("bob")
    shop.buy("bob", "A-1", 1000)
    shop.reserve("bob", "R-1", 10)
    shop.capture("bob", "R-1")
    shop.refund("bob", "A-1", 400)
    with pytest.raises(InvalidStateError, match="owes 4 points"):
        shop.join_pool("bob", "p")


def test_nobodys_activity_prolongs_what_is_in_a_pool() -> None:
    shop = a_household("ada", "bob", expiry={"kind": "inactivity", "months": 1})
    earn(shop, "ada", "A-1", 10)
    shop.now += timedelta(days=5)
    earn(shop, "bob", "B-1", 10)
    assert shop.pool("p").lots == {"2026-12-20": 10, "2026-12-25": 10}
    assert {name: use.points for name, use in shop.pool("p").uses.items()} == {
        "contributed:ada": 10,
        "contributed:bob": 10,
    }


def test_what_is_owed_is_settled_from_the_pool_first() -> None:
    shop = a_household("ada", "bob")
    shop.buy("ada", "A-1", 1000)
    spend(shop, "ada", "R-1", 10)
    shop.refund("ada", "A-1", 400)
    assert (shop.look("ada").debt, shop.pool("p").balance) == (4, 0)
    earn(shop, "bob", "B-1", 9)
    spend(shop, "ada", "R-2", 1)
    assert (shop.look("ada").debt, shop.look("ada").balance, shop.pool("p").balance) == (0, 0, 4)


def test_who_leaves_takes_their_own_part_each_lot_with_its_day_and_the_soonest_first() -> None:
    shop = a_household("ada", "bob", "cy")
    earn(shop, "ada", "A-1", 10)
    shop.now += timedelta(days=5)
    earn(shop, "bob", "B-1", 20)
    spend(shop, "bob", "R-1", 4)
    assert shop.pool("p").lots == {"2026-12-20": 6, "2026-12-25": 20}
    shop.leave_pool("bob")
    assert (shop.look("bob").lots, shop.pool("p").lots) == ({"2026-12-20": 6, "2026-12-25": 10}, {"2026-12-25": 10})
    assert put_in(shop) == {"contributed:ada": 10, "contributed:bob": 4, "spent:bob": 4}
    shop.leave_pool("cy")
    assert (shop.look("cy").lots, shop.pool("p").balance) == ({}, 10)
    shop.leave_pool("ada")
    assert (shop.look("ada").lots, shop.pool("p").lots) == ({"2026-12-25": 10}, {})


def test_who_leaves_takes_no_more_than_is_there_and_the_last_nothing_that_others_have_a_stake_in() -> None:
    shop = a_household("ada", "bob")
    earn(shop, "ada", "A-1", 10)
    spend(shop, "bob", "R-1", 7)
    shop.leave_pool("ada")
    assert (shop.look("ada").balance, shop.pool("p").balance) == (3, 0)
    earn(shop, "bob", "B-1", 12)
    assert (shop.look("ada").balance, shop.pool("p").balance) == (3, 12)
    shop.leave_pool("bob")
    assert (shop.look("bob").balance, shop.pool("p").balance) == (5, 7)
    assert put_in(shop) == {"contributed:ada": 7, "contributed:bob": 7, "spent:bob": 7}
    shop.join_pool("ada", "p")
    shop.leave_pool("ada")
    assert (shop.look("ada").balance, shop.pool("p").balance) == (10, 0)


def test_the_last_to_leave_takes_what_is_nobodys_which_counts_as_spent() -> None:
    shop = a_household("ada", "bob")
    earn(shop, "ada", "A-1", 10)
    spend(shop, "bob", "R-1", 7)
    shop.book(erase_whole(shop.look("ada"), shop.wallet("ada"), [shop.pool("p")], shop.program, **by_olga(shop)))
    earn(shop, "bob", "B-1", 5)
    shop.leave_pool("bob")
    assert (shop.look("bob").balance, shop.pool("p").balance) == (5, 0)
    assert put_in(shop) == {"contributed:ada": 7, "spent:ada": 7, "contributed:bob": 5, "spent:bob": 12}


def test_what_a_member_owes_who_leaves_is_paid_from_their_own_part_alone() -> None:
    shop = a_household("ada", "bob")
    shop.buy("ada", "A-1", 1000)
    spend(shop, "ada", "R-1", 8)
    shop.refund("ada", "A-1", 500)
    earn(shop, "bob", "B-1", 20)
    assert (shop.look("ada").debt, shop.look("ada").balance, shop.pool("p").balance) == (5, 0, 22)
    shop.leave_pool("ada")
    assert (shop.look("ada").debt, shop.look("ada").balance, shop.pool("p").balance) == (3, 0, 20)


def test_a_move_into_a_pool_gives_no_grace_to_a_lot_whose_day_the_pool_has_booked_as_expired() -> None:
    shop = a_household("ada", redeeming={"returned_points_grace_days": 30}, time_zone="Pacific/Kiritimati")
    earn(shop, "ada", "A-1", 10)
    shop.adjust("eve", 7)
    [day] = shop.pool("p").lots
    shop.now = at(f"{day} 12:00")  # there it is the next day
    assert shop.pool("p").lots == {}
    shop.program = shop.program.model_copy(update={"time_zone": "UTC"})
    assert shop.look("eve").lots == {day: 7}
    shop.join_pool("eve", "p")
    assert shop.pool("p").lots == {f"{date.fromisoformat(day) + timedelta(days=1)}+": 7}


def test_a_pool_is_left_before_a_member_goes_and_the_survivor_shares_on() -> None:
    shop = a_household("ada", "bob")
    earn(shop, "ada", "A-1", 10)
    earn(shop, "bob", "B-1", 5)
    shop.adjust("eve", 7)
    pool = shop.pool("p")
    named: dict[str, Any] = {"now": shop.now, "actor": "operator:olga"}
    wallets = shop.wallet("eve"), shop.wallet("ada")
    shop.book(merge_whole(shop.look("eve"), shop.look("ada"), wallets, [pool], shop.program, **named))
    assert shop.pool("p").balance == 22
    shop.book(erase_whole(shop.look("ada"), shop.wallet("ada"), [shop.pool("p")], shop.program, **named))
    assert (shop.pool("p").balance, shop.pool("p").pool_members) == (5, ("bob",))
    assert shop.look("ada").totals.forfeited == 17
    shop.book(erase_whole(shop.look("bob"), shop.wallet("bob"), [shop.pool("p")], shop.program, **named))
    assert (shop.pool("p").balance, shop.look("bob").totals.forfeited) == (0, 5)


def test_who_is_merged_takes_their_part_of_a_pool_along_to_who_goes_on_for_them() -> None:
    shop = a_household("ada", "bob")
    earn(shop, "ada", "A-1", 10)
    earn(shop, "bob", "B-1", 5)
    wallets, pool = (shop.wallet("ada"), shop.wallet("eve")), shop.pool("p")
    named: dict[str, Any] = {"now": shop.now, "actor": "olga"}
    shop.book(merge_whole(shop.look("ada"), shop.look("eve"), wallets, [pool], shop.program, **named))
    assert (shop.look("eve").lots, shop.pool("p").lots) == ({"2026-12-20": 10}, {"2026-12-20": 5})
    shop.join_pool("eve", "p")
    wallets = shop.wallet("bob"), shop.wallet("eve")
    shop.book(merge_whole(shop.look("bob"), shop.look("eve"), wallets, [shop.pool("p")], shop.program, **named))
    assert (shop.pool("p").balance, shop.pool("p").pool_members) == (15, ("eve",))
    assert put_in(shop) == {"contributed:eve": 15}


def by_olga(shop: Shop) -> dict[str, Any]:
    return {"now": shop.now, "actor": "operator:olga"}


def freeze(shop: Shop, member: str, step: Literal["freeze", "unfreeze"] = "freeze") -> list[Entry]:
    turn = freezing.freeze if step == "freeze" else freezing.unfreeze
    cause: dict[str, Any] = {"reason": "a doubt", "reference": f"case-{shop.look(member).sequence}"}
    named: dict[str, Any] = {**cause, "now": shop.now, "actor": "operator:olga", "fingerprint": "request"}
    return shop.in_pools(lambda own: [turn(own[0], shop.program, **named)], member)


def put_in(shop: Shop) -> dict[str, int]:
    return {name: use.points for name, use in shop.pool("p").uses.items() if use.points}


def test_a_frozen_members_part_leaves_the_pool_and_comes_back_with_them() -> None:
    shop = a_household("ada", "bob")
    earn(shop, "ada", "A-1", 10)
    shop.now += timedelta(days=5)
    earn(shop, "bob", "B-1", 10)
    spend(shop, "ada", "R-1", 4)
    assert [(entry.member_id, entry.type) for entry in freeze(shop, "ada")] == [
        ("p~pool", "pool_out"),
        ("ada", "pool_in"),
        ("ada", "freeze"),
    ]
    assert (shop.look("ada").lots, shop.pool("p").lots) == ({"2026-12-20": 6}, {"2026-12-25": 10})
    assert put_in(shop) == {"contributed:ada": 4, "spent:ada": 4, "contributed:bob": 10}

    with pytest.raises(InsufficientPointsError):
        spend(shop, "bob", "R-2", 11)
    with pytest.raises(MemberFrozenError):
        spend(shop, "ada", "R-2", 1)
    earn(shop, "ada", "A-2", 3)
    assert (shop.look("ada").balance, shop.pool("p").balance) == (9, 10)
    spend(shop, "bob", "R-2", 10)

    freeze(shop, "ada", "unfreeze")
    assert (shop.look("ada").balance, shop.pool("p").balance) == (0, 9)
    assert put_in(shop) == {"contributed:ada": 13, "spent:ada": 4, "contributed:bob": 10, "spent:bob": 10}


def test_what_others_have_spent_of_a_frozen_members_part_is_gone_and_theirs_stays_with_them() -> None:
    shop = a_household("ada", "bob")
    shop.buy("ada", "A-1", 1000)
    earn(shop, "ada", "A-0", 0)
    spend(shop, "bob", "R-1", 7)
    freeze(shop, "ada")
    assert (shop.look("ada").balance, shop.pool("p").balance) == (3, 0)
    freeze(shop, "bob")
    assert (shop.look("bob").balance, shop.pool("p").balance) == (0, 0)
    shop.refund("ada", "A-1", 500)
    assert (shop.look("ada").balance, shop.look("ada").debt) == (0, 2)
    freeze(shop, "bob", "unfreeze")
    earn(shop, "bob", "B-1", 5)
    freeze(shop, "ada", "unfreeze")
    assert (shop.look("ada").debt, shop.pool("p").balance) == (2, 5)
    earn(shop, "ada", "A-2", 1)
    assert (shop.look("ada").debt, shop.pool("p").balance) == (0, 4)


def hold(shop: Shop, member: str, redemption_id: str, points: int) -> list[Entry]:
    request = MoneyRequest(points=points, order_total=1_000_000, currency="USD")
    named: dict[str, Any] = {"redemption_id": redemption_id, "now": shop.now, "actor": "member:app"}
    return shop.in_pools(
        lambda own: [redemptions.reserve(own[0], shop.program, request, fingerprint="request", **named)], member
    )


def cancel(shop: Shop, member: str, redemption_id: str) -> list[Entry]:
    named: dict[str, Any] = {"occurred_at": shop.now, "now": shop.now, "actor": "member:app"}
    return shop.in_pools(
        lambda own: [redemptions.release(own[0], shop.program, redemption_id, "cancel", **named)], member
    )


def capture(shop: Shop, member: str, redemption_id: str) -> Entry:
    named: dict[str, Any] = {"voucher_code": "CODE", "now": shop.now, "actor": "storefront:till"}
    entries = shop.in_pools(lambda own: [redemptions.capture(own[0], shop.program, redemption_id, **named)], member)
    return next(entry for entry in entries if entry.type == "capture")


def reverse(
    shop: Shop, member: str, captured: Entry, points: int | None = None, before: int = 0, key: str = "part"
) -> list[Entry]:
    [redemption_id] = captured.closed
    part = redemptions.Part(reversal_id=key, points=points) if points else None
    named: dict[str, Any] = {"now": shop.now, "actor": "storefront:till", "part": part, "returned_before": before}
    return shop.in_pools(
        lambda own: [redemptions.reverse(own[0], shop.program, captured, redemption_id, **named)], member
    )


def test_points_that_have_had_their_grace_are_known_by_it_in_the_pool_and_get_no_more() -> None:
    shop = a_household("ada", "bob", redeeming={"returned_points_grace_days": 3})
    earn(shop, "ada", "A-1", 10)
    hold(shop, "bob", "R-1", 4)
    first = capture(shop, "bob", "R-1")
    [(day, _)] = shop.pool("p").lots.items()
    shop.now = at(f"{date.fromisoformat(day) + timedelta(days=1)} 12:00")
    reverse(shop, "bob", first)
    until = date.fromisoformat(day) + timedelta(days=3)
    assert shop.pool("p").lots == {f"{until}+": 4}
    hold(shop, "ada", "R-2", 4)
    second = capture(shop, "ada", "R-2")
    shop.now = at(f"{until + timedelta(days=1)} 12:00")
    reverse(shop, "ada", second)
    assert shop.pool("p").lots == {}


def bought_by(shop: Shop, member: str, points: int) -> Entry:
    return next(entry for entry in spend(shop, member, f"R-{member}", points) if entry.type == "capture")


class TestWhatComesBack:
    def test_what_lapses_before_a_member_leaves_stays_with_the_pool(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 11)
        earn(shop, "bob", "B-1", 1)
        hold(shop, "bob", "R-1", 9)
        shop.now += timedelta(hours=1)
        assert shop.look("bob").lots == {"2026-12-20": 9}
        shop.leave_pool("bob")
        assert (shop.look("bob").balance, shop.pool("p").balance) == (1, 11)

    def test_what_is_reversed_after_leaving_makes_up_for_others_points_first(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 11)
        earn(shop, "bob", "B-1", 2)
        captured = bought_by(shop, "bob", 9)
        shop.leave_pool("bob")
        assert (shop.look("bob").balance, shop.pool("p").balance) == (0, 4)
        reverse(shop, "bob", captured, 5)
        assert (shop.look("bob").balance, shop.pool("p").balance) == (0, 9)
        reverse(shop, "bob", captured, 4, before=5, key="rest")
        assert (shop.look("bob").balance, shop.pool("p").balance) == (2, 11)
        shop.leave_pool("ada")
        assert (shop.look("ada").balance, shop.pool("p").balance) == (11, 0)

    def test_it_goes_to_the_pool_that_it_was_drawn_from_and_the_rest_to_the_one_that_is_shared_now(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 11)
        earn(shop, "bob", "B-1", 2)
        captured = bought_by(shop, "bob", 9)
        shop.leave_pool("bob")
        shop.join_pool("bob", "q")
        reverse(shop, "bob", captured)
        assert (shop.look("bob").balance, shop.pool("p").balance, shop.pool("q").balance) == (0, 11, 2)

    def test_what_it_has_paid_of_a_debt_is_owed_again(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 9)
        captured = bought_by(shop, "bob", 9)
        shop.leave_pool("bob")
        shop.buy("bob", "B-1", 600)
        shop.reserve("bob", "own", 6)
        shop.refund("bob", "B-1", 600)
        assert shop.look("bob").debt == 6
        reverse(shop, "bob", captured)
        assert (shop.look("bob").debt, shop.look("bob").balance, shop.pool("p").lots) == (6, 0, {"2026-12-20": 9})

    def test_what_was_captured_before_holds_named_their_pools_is_the_members_own(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 9)
        captured = bought_by(shop, "bob", 9)
        old = {name: one.model_copy(update={"drawn": None}) for name, one in captured.closed.items()}
        shop.leave_pool("bob")
        reverse(shop, "bob", captured.model_copy(update={"closed": old}))
        assert (shop.look("bob").balance, shop.pool("p").balance) == (9, 0)

    def test_after_a_merge_it_makes_up_for_what_the_one_who_is_gone_had_spent(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 9)
        captured = bought_by(shop, "bob", 9)
        wallets = shop.wallet("bob"), shop.wallet("eve")
        shop.book(
            merge_whole(shop.look("bob"), shop.look("eve"), wallets, [shop.pool("p")], shop.program, **by_olga(shop))
        )
        reverse(shop, "eve", captured)
        assert (shop.look("eve").balance, shop.pool("p").balance) == (0, 9)

    def test_whoever_is_frozen_lets_go_of_others_points_and_brings_back_what_is_reversed(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 11)
        earn(shop, "bob", "B-1", 2)
        captured = bought_by(shop, "bob", 3)
        hold(shop, "bob", "R-2", 6)
        freeze(shop, "bob")
        assert (shop.look("bob").holds, shop.look("bob").balance, shop.pool("p").balance) == ({}, 0, 10)
        reverse(shop, "bob", captured)
        assert (shop.look("bob").balance, shop.pool("p").balance) == (2, 11)
        shop.leave_pool("bob")
        assert (shop.look("bob").balance, shop.pool("p").balance) == (2, 11)

    def test_goods_bought_with_a_households_points_bring_nobody_those_of_others(self) -> None:
        """The order goes into the pool, another reserves it all and leaves, and the order comes back."""
        shop = a_household("ada", "bob")
        shop.buy("ada", "A-1", 2000)
        earn(shop, "ada", "A-0", 0)
        earn(shop, "bob", "B-1", 2)
        hold(shop, "bob", "R-1", 22)
        shop.leave_pool("bob")
        assert (shop.look("bob").holds, shop.look("bob").balance, shop.pool("p").balance) == ({}, 2, 20)
        shop.refund("ada", "A-1", 2000)
        earn(shop, "ada", "A-2", 1)
        assert (shop.look("ada").debt, shop.look("bob").balance, shop.pool("p").balance) == (0, 2, 1)

    def test_an_offered_gift_of_others_points_lapses_as_its_giver_leaves(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 9)
        named: dict[str, Any] = {"to": "eve", "gift_id": "g", "now": shop.now, "actor": "member:app"}
        shop.in_pools(lambda own: [gifts.offer(own[0], shop.program, 9, fingerprint="request", **named)], "bob")
        shop.leave_pool("bob")
        assert (shop.look("bob").balance, shop.pool("p").balance) == (0, 9)
        [let_go] = [entry for entry in shop.ledgers["bob"] if gifts.lapsed_gift(entry)]
        assert event_of(let_go).type == "gift.lapsed"
        with pytest.raises(InvalidStateError):
            gifts.give_back(shop.look("bob"), shop.program, "g", to="eve", now=shop.now, actor="member:app")


class TestExpiry:
    def test_what_expires_lessens_what_they_take_along_who_had_put_it_in(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 11)
        shop.now += timedelta(days=20)
        earn(shop, "bob", "B-1", 11)
        shop.now += timedelta(days=15)
        assert shop.pool("p").lots == {"2027-01-09": 11}
        assert put_in(shop) == {"contributed:ada": 11, "expired:ada": 11, "contributed:bob": 11}
        freeze(shop, "ada")
        assert (shop.look("ada").balance, shop.pool("p").balance) == (0, 11)
        shop.leave_pool("ada")
        assert (shop.look("ada").balance, shop.pool("p").balance) == (0, 11)
        shop.leave_pool("bob")
        assert (shop.look("bob").balance, shop.pool("p").balance) == (11, 0)

    @pytest.mark.parametrize("how", ["erase", "merge"])
    def test_nor_do_they_who_go_for_good_take_any(self, how: str) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 11)
        shop.now += timedelta(days=20)
        earn(shop, "bob", "B-1", 11)
        shop.now += timedelta(days=15)
        ada, pools = shop.look("ada"), [shop.pool("p")]
        if how == "erase":
            shop.book(erase_whole(ada, shop.wallet("ada"), pools, shop.program, **by_olga(shop)))
        else:
            wallets = shop.wallet("ada"), shop.wallet("eve")
            shop.book(merge_whole(ada, shop.look("eve"), wallets, pools, shop.program, **by_olga(shop)))
        assert (shop.look("eve").balance, shop.pool("p").balance) == (0, 11)

    def test_whose_points_were_spent_makes_no_difference_what_expires_is_the_soonest(self) -> None:
        shop = a_household("ada", "bob")
        earn(shop, "ada", "A-1", 10)
        shop.now += timedelta(days=20)
        earn(shop, "bob", "B-1", 10)
        spend(shop, "bob", "R-1", 4)
        shop.now += timedelta(days=15)
        assert put_in(shop) == {"contributed:ada": 10, "expired:ada": 6, "contributed:bob": 10, "spent:bob": 4}
        shop.leave_pool("ada")
        assert (shop.look("ada").balance, shop.pool("p").balance) == (4, 6)

    def test_of_one_day_each_loses_in_proportion_and_nothing_is_counted_twice(self) -> None:
        shop = a_household("ada", "bob", "cy")
        earn(shop, "ada", "A-1", 10)
        earn(shop, "bob", "B-1", 21)
        spend(shop, "cy", "R-1", 5)
        shop.now += timedelta(days=35)
        assert put_in(shop)["expired:ada"] + put_in(shop)["expired:bob"] == 26
        assert put_in(shop)["expired:ada"] == 8


def test_nobody_shares_two_pools_and_no_pool_has_too_many() -> None:
    shop = a_household("ada", "bob", pools={"members_max": 2})
    with pytest.raises(InvalidStateError, match="at most 2 members"):
        shop.join_pool("eve", "p")
    with pytest.raises(InvalidStateError, match="shares a pool already"):
        shop.join_pool("ada", "q")


def test_a_gift_keeps_its_dates_and_has_expired_after_them_unless_the_shop_returns_it() -> None:
    shop = a_household(gifts={"accept_days": 40})
    shop.enroll("ada")
    shop.adjust("eve", 10)
    for number, points in enumerate((4, 3, 2, 1)):
        shop.offer_gift("eve", "ada", points, f"g{number}")
    shop.accept_gift("eve", "ada", "g0")
    assert shop.look("ada").lots == {"2026-12-20": 4}
    shop.now += timedelta(days=35)
    taken = shop.accept_gift("eve", "ada", "g1")
    assert (taken.out.expired, taken.into.points) == ({"2026-12-20": 3}, 0)
    assert shop.return_gift("eve", "ada", "g2").expired == {"2026-12-20": 2}
    assert (shop.look("ada").lots, shop.look("eve").lots) == ({}, {})
    shop.return_gift("eve", "ada", "g3", "operator:olga")
    assert shop.look("eve").lots == {"2027-01-03+": 1}
    assert (shop.look("eve").totals.transferred_out, shop.look("eve").totals.expired) == (4, 5)
    with pytest.raises(InvalidStateError):
        shop.accept_gift("eve", "ada", "g3")


names = st.sampled_from(["ada", "bob", "cy", "eve"])
amounts = st.integers(1, 30)
deeds = st.tuples(
    st.sampled_from(["earn", "spend", "send", "give", "accept", "leave", "join", "wait"]), names, names, amounts
)


@settings(max_examples=80, deadline=None)
@given(
    policy=st.sampled_from([DAYS_30, {"kind": "inactivity", "months": 1}, {"kind": "never"}]),
    pending_days=st.sampled_from([0, 3]),
    deeds=st.lists(deeds, max_size=25),
)
def test_no_point_is_made_or_lost_by_sharing(
    policy: Any, pending_days: int, deeds: list[tuple[str, str, str, int]]
) -> None:
    """All accounts are checked after every entry; points only change places by pool moves, transfers and gifts."""
    shop = a_household("ada", "bob", "cy", expiry=policy, earning={"pending_days": pending_days})
    gifts: list[tuple[str, str, str]] = []
    for number, (deed, name, other, amount) in enumerate(deeds):
        can_spend = shop.look(name).balance + sum(shop.look(one).balance for one in pools_of([shop.look(name)]))
        try:
            _do(shop, deed, name, other, amount, f"{number}", gifts)
            assert deed != "spend" or amount <= can_spend
        except LoyaltyError:
            assert deed != "spend" or amount > can_spend
            continue
        if deed in {"earn", "spend"} and shop.look(name).pool_id:
            assert shop.look(name).lots == {}
    between = {"pool_in", "pool_out", "transfer_in", "transfer_out", "gift_in", "gift_out"}
    entries = [entry for ledger in shop.ledgers.values() for entry in ledger]
    assert sum(entry.net_effect for entry in entries if entry.type in between) == 0
    moves = {(entry.source["move_id"], entry.type): entry for entry in entries if "move_id" in entry.source}
    for (move_id, kind), entry in moves.items():
        if kind == "pool_in":  # each lot keeps its last day; what is missing has settled what was owed
            given = moves[move_id, "pool_out"].lots
            assert all(points <= -given.get(day, 0) for day, points in entry.lots.items())
    keys = [(entry.member_id, entry.source["move_id"]) for entry in entries if "move_id" in entry.source]
    assert len(keys) == len(set(keys))


def _do(
    shop: Shop, deed: str, name: str, other: str, amount: int, mark: str, gifts: list[tuple[str, str, str]]
) -> None:
    if deed == "earn":
        earn(shop, name, mark, amount)
    elif deed == "spend":
        spend(shop, name, mark, amount)
    elif deed == "send" and name != other:
        send(shop, name, other, amount)
    elif deed == "give" and name != other:
        shop.offer_gift(name, other, amount, mark)
        gifts.append((name, other, mark))
    elif deed == "accept" and gifts:
        shop.accept_gift(*gifts.pop())
    elif deed == "leave" and shop.look(name).pool_id:
        _leave(shop, name)
    elif deed == "join":
        shop.join_pool(name, "p")
    elif deed == "wait":
        shop.now += timedelta(days=amount)


def _leave(shop: Shop, name: str) -> None:
    """Who leaves gets their stake, as far as it is there; the last gets also what is nobody's."""
    pool, member = shop.pool("p"), shop.look(name)
    own = max(0, min(stakes.own_points(pool, name), pool.balance))
    if pool.pool_members == (name,):
        own = max(own, pool.balance - stakes.claimed_by_former(pool, name))
    shop.leave_pool(name)
    after = shop.look(name)
    assert after.balance - after.debt == member.balance - member.debt + own
    assert shop.pool("p").balance == pool.balance - own


def test_points_that_come_back_from_before_are_put_in_and_not_a_negative_spending() -> None:
    shop = a_household()
    shop.enroll("ada")
    shop.adjust("ada", 10)
    shop.reserve("ada", "R-1", 6)
    shop.join_pool("ada", "p")
    named: dict[str, Any] = {"occurred_at": shop.now, "now": shop.now, "actor": "storefront:till"}
    shop.in_pools(lambda own: [redemptions.release(own[0], shop.program, "R-1", "cancel", **named)], "ada")
    assert {name: use.points for name, use in shop.pool("p").uses.items()} == {"contributed:ada": 10}


turns = st.tuples(
    st.sampled_from(
        (
            *("earn", "hold", "give", "capture", "spend", "let_go", "reverse"),
            *("leave", "join", "freeze", "unfreeze", "pause", "wait"),
        )
    ),
    st.sampled_from(["ada", "bob"]),
    st.integers(1, 12),
)


@settings(max_examples=60, deadline=None)
@given(
    policy=st.sampled_from([DAYS_30, {"kind": "inactivity", "months": 1}, {"kind": "never"}]),
    turns=st.lists(turns, min_size=18, max_size=30),
)
@example(policy=DAYS_30, turns=[("hold", "bob", 12), ("leave", "bob", 1)])
@example(policy=DAYS_30, turns=[("hold", "bob", 12), ("freeze", "bob", 1)])
@example(policy=DAYS_30, turns=[("spend", "bob", 12), ("leave", "bob", 1), ("reverse", "bob", 1)])
@example(policy=DAYS_30, turns=[(one, "bob", 3) for one in ("hold", "pause", "spend", "leave", "reverse")])
def test_nobody_ever_takes_what_others_have_put_in(policy: Any, turns: list[tuple[str, str, int]]) -> None:
    """What is taken beyond one's own was spent, and all stakes together are what is in the pool."""
    shop = a_household("ada", "bob", expiry=policy)
    earn(shop, "ada", "first", 12)
    open_: list[tuple[str, str]] = []
    captured: list[tuple[str, Entry]] = []
    for number, (deed, name, amount) in enumerate(turns):
        try:
            _turn(shop, deed, name, amount, f"{number}", open_, captured)
        except LoyaltyError:
            continue
        pool = shop.pool("p")
        owns = {one: stakes.own_points(pool, one) for one in ("ada", "bob")}
        assert sum(owns.values()) == pool.balance
        for one, own in owns.items():
            member = shop.look(one)
            assert sum(stakes.stake_of(pool, one).values()) == max(0, own)
            if not member.pool_id or member.frozen:
                assert max(0, -own) <= member.totals.captured + member.totals.expired


def _turn(
    shop: Shop,
    deed: str,
    name: str,
    amount: int,
    mark: str,
    open_: list[tuple[str, str]],
    captured: list[tuple[str, Entry]],
) -> None:
    """One of them does something; what they take of what is within reach is `amount` twelfths."""
    if deed in {"hold", "give", "spend"}:
        reach = shop.look(name).balance + sum(shop.pool("p").balance for _ in pools_of([shop.look(name)]))
        _hold_or_give(shop, deed, name, -(-reach * amount // 12) or 1, mark)
        held = gifts.hold_of(mark) if deed == "give" else mark
        open_.append((name, held))
    if deed == "spend":
        captured.append((name, capture(shop, name, mark)))
    elif deed in {"capture", "let_go"} and open_:
        captured += _ended(shop, deed, *open_.pop(amount % len(open_)))
    elif deed == "reverse" and captured:
        reverse(shop, *captured.pop(amount % len(captured)))
    elif deed in {"freeze", "unfreeze"}:
        freeze(shop, name, "freeze" if deed == "freeze" else "unfreeze")
    elif deed == "leave" and shop.look(name).pool_id:
        shop.leave_pool(name)
    elif deed == "pause":
        shop.now += timedelta(hours=1)
    elif deed in {"earn", "join", "wait"}:
        _do(shop, deed, name, "", amount, mark, [])


def _ended(shop: Shop, deed: str, owner: str, held: str) -> list[tuple[str, Entry]]:
    """What is held is captured or let go, a gift always the latter; what has been captured."""
    is_open = held in shop.look(owner).holds
    if is_open and deed == "capture" and not held.startswith("gift:"):
        return [(owner, capture(shop, owner, held))]
    if is_open:
        cancel(shop, owner, held)
    return []


def _hold_or_give(shop: Shop, deed: str, name: str, points: int, mark: str) -> None:
    if deed != "give":
        hold(shop, name, mark, points)
        return
    named: dict[str, Any] = {"to": "eve", "gift_id": mark, "now": shop.now, "actor": "member:app"}
    shop.in_pools(lambda own: [gifts.offer(own[0], shop.program, points, fingerprint="request", **named)], name)
