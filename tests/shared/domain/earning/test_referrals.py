"""A friend's purchase pays off for both, once, and not for good if it is returned."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.earning.referral_fraud import alike, why_refused, why_suspicious
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.members.members import Enrollment, Member, joined
from shared.domain.program.program import Program
from shared.domain.program.referrals import Referrals
from tests.model.shop import Shop, a_program, at

TERMS: dict[str, Any] = {"advocate_points": 100, "friend_points": 50, "minimum_spend": 2000, "return_days": 30}
NOW = at("2026-11-20T13:00")


def a_shop(program: Program | None = None, **terms: Any) -> Shop:
    shop = Shop(program or a_program(referrals={**TERMS, **terms}), NOW)
    shop.enroll("ada")
    return shop


def test_the_advocates_points_wait_from_the_purchase_on_until_it_cannot_be_returned() -> None:
    shop = a_shop()
    shop.bring("ada", "grace")
    shop.buy("grace", "A-1", 2_000, at("2026-11-21T10:00"))
    shop.now = at("2026-11-25T10:00")
    [reward] = shop.follow_friend("ada", "grace")
    assert str(reward.available_on) == "2026-12-20"
    shop.now = at("2026-12-19T23:59")
    assert shop.look("ada").balance == 0
    shop.now = at("2026-12-20T00:00")
    assert shop.look("ada").balance == 100


def test_only_one_purchase_pays_off() -> None:
    shop = a_shop()
    shop.bring("ada", "grace")
    for number in range(3):
        shop.buy("grace", f"A-{number}", 2_000)
        shop.follow_friend("ada", "grace")
    assert shop.look("grace").balance == 60 + 50
    assert shop.look("ada").pending_points == 100


def test_a_purchase_counts_from_joining_on_and_for_so_many_days() -> None:
    shop = a_shop(purchase_days=10)
    shop.bring("ada", "grace")
    shop.buy("grace", "A-1", 2_000, at("2026-11-19T23:00"))
    shop.now = at("2026-12-01T00:00")
    shop.buy("grace", "A-2", 2_000)
    assert shop.look("grace").referred == shop.stored("grace").referred
    assert shop.follow_friend("ada", "grace") == []
    shop.buy("grace", "A-3", 2_000, at("2026-11-30T23:00"))
    assert len(shop.follow_friend("ada", "grace")) == 1


def test_points_for_joining_come_at_once_and_go_with_the_order() -> None:
    shop = a_shop(friend_gets_them="on_joining")
    shop.bring("ada", "grace")
    assert shop.look("grace").balance == 50
    shop.buy("grace", "A-1", 3_000)
    assert shop.look("grace").balance == 80
    shop.follow_friend("ada", "grace")
    shop.refund("grace", "A-1", 3_000)
    shop.follow_friend("ada", "grace")
    assert (shop.look("grace").balance, shop.look("ada").pending_points) == (0, 0)


def test_what_was_bought_during_a_review_counts_once_it_is_approved() -> None:
    shop = a_shop()
    shop.bring("ada", "grace", "in_review")
    shop.buy("grace", "A-1", 3_000)
    assert shop.follow_friend("ada", "grace") == []
    shop.refund("grace", "A-1", 3_000)
    shop.buy("grace", "A-2", 3_000)
    shop.review_friend("grace", is_approved=True)
    assert shop.look("grace").balance == 80
    assert len(shop.follow_friend("ada", "grace")) == 1
    with pytest.raises(InvalidStateError):
        shop.review_friend("grace", is_approved=True)


def test_a_referral_that_is_refused_never_pays() -> None:
    shop = a_shop()
    shop.bring("ada", "grace", "in_review")
    shop.review_friend("grace", is_approved=False)
    shop.buy("grace", "A-1", 3_000)
    assert shop.follow_friend("ada", "grace") == []
    assert shop.look("grace").balance == 30


def test_a_reversal_frees_the_limit_in_its_own_period() -> None:
    shop = a_shop(limit={"times": 1, "per": "month"})
    for friend in ("grace", "bob"):
        shop.bring("ada", friend)
    shop.buy("grace", "A-1", 3_000)
    shop.follow_friend("ada", "grace")
    shop.refund("grace", "A-1", 3_000)
    shop.follow_friend("ada", "grace")
    shop.buy("bob", "A-2", 3_000)
    [reward] = shop.follow_friend("ada", "bob")
    assert reward.points == 100


def test_a_friend_merged_into_another_member_takes_the_referral_along() -> None:
    shop = a_shop()
    shop.bring("ada", "grace")
    shop.enroll("grace-2")
    shop.merge("grace", "grace-2")
    referred = shop.look("grace-2").referred
    assert referred is not None
    assert (referred.advocate, referred.friend) == ("ada", "grace")


def test_the_first_referrer_keeps_a_friend_through_a_merge() -> None:
    shop = a_shop()
    shop.enroll("bob")
    shop.bring("ada", "grace")
    shop.bring("bob", "grace-2")
    shop.merge("grace-2", "grace")
    referred = shop.look("grace").referred
    assert referred is not None
    assert referred.advocate == "ada"


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        ("ada@example.com", "ada+shop@example.com", True),
        ("a.d.a@gmail.com", "ada@googlemail.com", True),
        ("a.da@example.com", "ada@example.com", False),
        ("ada@example.com", "ada@example.org", False),
        ("+@example.com", "@example.com", False),
    ],
)
def test_addresses_that_reach_one_person_are_alike(one: str, other: str, are_alike: bool) -> None:
    assert (alike(one) == alike(other)) == are_alike


@pytest.mark.parametrize(
    ("friend", "advocate", "looks"),
    [
        ({"email": "a.da@example.com"}, {"email": "ada@example.com"}, True),
        ({"email": "ada@example.com"}, {"email": "ada@example.org"}, False),
        ({"email": "ada.b@example.com"}, {"email": "ada@example.com"}, False),
        ({"name": "Lovelace,  ADA"}, {"name": "Ada Lovelace"}, True),
        ({"name": "Áda Lovelace"}, {"name": "ada lovelace"}, True),
        ({"name": "Ada"}, {"name": "Ada"}, False),
        ({"name": "Ada Byron"}, {"name": "Ada Lovelace"}, False),
        ({}, {}, False),
    ],
)
def test_an_operator_looks_at_friends_of_a_like_name_or_address(
    friend: dict[str, str], advocate: dict[str, str], looks: bool
) -> None:
    ada, again = a_member("ada", external_id="1", **advocate), a_member("again", external_id="2", **friend)
    terms = Referrals.model_validate(TERMS)
    assert why_refused(again, ada, []) is None
    assert (why_suspicious(again, ada, [], terms) is not None) == looks


def test_nobody_is_brought_by_their_own_phone_however_it_is_written() -> None:
    ada, again = a_member("ada", phone="+1 212 555 0100"), a_member("ada-2", phone="(212) 555-0100")
    assert why_refused(again, ada, []) is not None
    assert why_refused(a_member("bob", card_number="C"), ada, []) is None
    assert why_refused(again, a_member("bob", card_number="C"), [ada]) is not None


@pytest.mark.parametrize(
    "terms",
    [
        {"advocate_points": 0},
        {"advocate_points": 1, "share_url": "http://shop.example/{code}"},
        {"advocate_points": 1, "share_url": "https://shop.example/join"},
        {"advocate_points": 1, "starts_on": "2026-02-01", "ends_on": "2026-01-01"},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own
        Referrals.model_validate(terms)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_bought_spent_and_returned_the_books_balance_and_nobody_is_paid_twice(data: st.DataObject) -> None:
    debt = data.draw(st.sampled_from(("allowed", "forgiven")))
    when = data.draw(st.sampled_from(("on_joining", "on_first_purchase")))
    terms = {**TERMS, "friend_gets_them": when, "limit": {"times": 2, "per": "month"}}
    shop = a_shop(a_program(referrals=terms, refund_debt=debt, earning={"pending_days": data.draw(st.integers(0, 9))}))
    friends = ["grace", "bob", "eve"]
    for friend in friends:
        shop.bring("ada", friend)
    left: dict[str, int] = {}
    for number in range(data.draw(st.integers(1, 14))):
        friend = data.draw(st.sampled_from(friends))
        step = data.draw(st.sampled_from(("buy", "refund", "follow", "spend", "wait")))
        mine = [order for order in left if order.startswith(friend) and left[order]]
        if step == "buy":
            total = left[f"{friend}-{number}"] = data.draw(st.integers(1, 6_000))
            shop.buy(friend, f"{friend}-{number}", total)
        elif step == "refund" and mine:
            order = data.draw(st.sampled_from(mine))
            amount = data.draw(st.integers(1, left[order]))
            left[order] -= amount
            shop.refund(friend, order, amount)
        elif step == "spend" and shop.look("ada").balance:
            shop.adjust("ada", -data.draw(st.integers(1, shop.look("ada").balance)))
        elif step == "wait":
            shop.now += data.draw(st.timedeltas(min_value=NOW - NOW, max_value=at("2027-02-01T00:00") - NOW))
        else:
            shop.follow_friend("ada", friend)
    for friend in friends:
        shop.follow_friend("ada", friend)
        assert shop.follow_friend("ada", friend) == []
    _check_rewards(shop, friends, when)


def _check_rewards(shop: Shop, friends: list[str], when: str) -> None:
    """Each side has the reward of a referral once: whatever came back was taken back before it was paid again."""
    for friend in friends:
        referred = shop.stored(friend).referred
        assert referred is not None
        pays_friend = referred.state == "rewarded" or (referred.state == "open" and when == "on_joining")
        assert _kept_rewards(shop.ledgers[friend], friend) == pays_friend
        assert _kept_rewards(shop.ledgers["ada"], friend) == (referred.state == "rewarded")


def _kept_rewards(ledger: list[Entry], friend: str) -> int:
    paid, back = (
        [entry.source["role"] for entry in ledger if entry.type == type_ and entry.source["friend"] == friend]
        for type_ in ("referral", "referral_reversal")
    )
    assert len({*paid}) == len(paid)
    assert len({*back}) == len(back)
    assert {*back} <= {*paid}
    return len(paid) - len(back)


def a_member(member_id: str, **details: str) -> Member:
    request = Enrollment.model_validate(details)
    return joined(request, member_id=member_id, referral_code="CODE", country="US", now=NOW)
