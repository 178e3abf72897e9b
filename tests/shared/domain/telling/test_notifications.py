"""What members are told of what is booked, before it is known in which words; and of what ends soon."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from shared.domain.entry import Entry
from shared.domain.facets import TierStatus
from shared.domain.lifecycle.passing_of_time import Reminder
from shared.domain.members.members import Member
from shared.domain.subaccounts import owner_of
from shared.domain.telling.notifications import Note, is_wanted, notes_on, reminder_note, values_for
from tests.model.shop import Shop, a_program, at

NOW = at("2026-11-20 12:00")
TODAY = NOW.date()
CAKE = {"reward_id": "cake", "name": "Cake", "kind": "product", "sku": "CAKE", "points": 40}
TEA = {"reward_id": "tea", "name": "Tea", "kind": "product", "sku": "TEA", "points": 25}
REVIEW = {"action_id": "review", "description": "A review", "points": 5, "approval": True}
HABIT = {"challenge_id": "habit", "name": "Habit", "goal": {"kind": "count", "of": "orders", "target": 1}, "points": 3}
PLUS = {"plan_id": "plus", "name": "Plus", "price": 100, "months": 12}
EXPLAINED = {"how": "1 point per dollar", "reward_name": "Tea", "reward_points": 25}


def a_shop(**changes: Any) -> Shop:
    """Rewards for 25 and 40 points, and nobody is told that one is near; Ada and Bob."""
    plain = {"messages": {"nudge_within_points": 0}, "redeeming": {"rewards": [CAKE, TEA]}}
    shop = Shop(a_program(**{**plain, **changes}), NOW)
    shop.enroll("ada")
    shop.enroll("bob")
    return shop


def told(shop: Shop, *entries: Entry) -> list[Note]:
    return [note for one in entries for note in notes_on(one, shop.stored(one.member_id), shop.program)]


def said(shop: Shop, *entries: Entry) -> list[tuple[str, dict[str, Any]]]:
    """Of each note its kind and what it says; they are for the entry's member, once each."""
    notes = told(shop, *entries)
    assert {note.member_id for note in notes} <= {owner_of(one.member_id) for one in entries}
    assert len({note.message_id for note in notes}) == len(notes)
    return [(note.kind, dict(note.values)) for note in notes]


def test_a_welcome_says_what_it_came_with() -> None:
    shop = a_shop(earning={"welcome_points": 10})
    assert said(shop, *shop.ledgers["ada"]) == [("welcome", {"points": 10, "balance": 10})]
    assert [note.message_id for note in told(shop, *shop.ledgers["ada"])] == ["welcome:ada-1"]


def test_an_order_says_what_it_earned_and_from_when_on_and_explains_the_program_once() -> None:
    shop = a_shop(earning={"pending_days": 14})
    first, second = shop.buy("ada", "A-1", 1000), shop.buy("ada", "A-2", 0)
    assert said(shop, first) == [
        ("points_earned", {"points": 10, "available_on": "2026-12-04", "balance": 0}),
        ("programme_explained", {"points": 10, **EXPLAINED}),
    ]
    assert said(shop, second) == [("programme_explained", {"points": 0, **EXPLAINED})]
    assert told(shop, first)[1].message_id == told(shop, second)[0].message_id == "programme_explained:ada"


def test_a_program_without_rewards_names_none() -> None:
    shop = a_shop(redeeming={"rewards": []})
    nothing = {"reward_name": "", "reward_points": None}
    assert said(shop, shop.buy("ada", "A-1", 1000)) == [
        ("points_earned", {"points": 10, "available_on": None, "balance": 10}),
        ("programme_explained", {"points": 10, "how": "1 point per dollar", **nothing}),
    ]


def test_an_action_explains_nothing() -> None:
    shop = a_shop(earning={"actions": [{**REVIEW, "approval": False}]})
    assert [kind for kind, _ in said(shop, shop.act("ada", "review"))] == ["points_earned"]


def test_a_redemption_says_what_for_and_how_to_show_it() -> None:
    shop = a_shop()
    shop.adjust("ada", 60)
    reserved, captured = shop.reserve("ada", "R-1", "cake"), shop.capture("ada", "R-1")
    shop.reserve("ada", "R-2", 7)
    as_money = shop.capture("ada", "R-2")
    assert said(shop, reserved) == []
    code = {"voucher_code": "CODE-R-1"}
    assert said(shop, captured) == [("reward_redeemed", {"points": 40, "reward_name": "Cake", **code, "balance": 20})]
    code = {"voucher_code": "CODE-R-2"}
    assert said(shop, as_money) == [("reward_redeemed", {"points": 7, "reward_name": "", **code, "balance": 13})]


def test_a_refund_says_what_it_took_if_it_took_anything() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 1050)
    assert said(shop, shop.refund("ada", "A-1", 10)) == []
    assert said(shop, shop.refund("ada", "A-1", 400)) == [("points_refunded", {"points": 4, "balance": 6})]


def test_a_badge_is_called_what_the_program_calls_it_while_it_does() -> None:
    shop = a_shop(challenges=[{**HABIT, "challenge_id": "other", "name": "Other", "starts_on": "2027-01-01"}, HABIT])
    shop.buy("ada", "A-1", 1000)
    badge = shop.ledgers["ada"][-1]
    assert said(shop, badge) == [("badge_earned", {"badge_name": "Habit", "points": 3, "balance": 13})]
    shop.program = a_program()
    assert said(shop, badge) == [("badge_earned", {"badge_name": "habit", "points": 3, "balance": 13})]


def test_a_decision_on_an_action_names_it() -> None:
    other = {**REVIEW, "action_id": "other", "description": "Another"}
    shop = a_shop(earning={"actions": [other, REVIEW]})
    approved = shop.decide("ada", shop.act("ada", "review"), "approved")
    rejected = shop.decide("bob", shop.act("bob", "review"), "rejected")
    assert said(shop, approved) == [("action_approved", {"action_name": "A review", "points": 5, "balance": 5})]
    assert said(shop, rejected) == [("action_rejected", {"action_name": "A review", "balance": 0})]
    shop.program = a_program()
    assert said(shop, rejected) == [("action_rejected", {"action_name": "review", "balance": 0})]


def test_a_membership_is_told_of_when_it_begins_and_ends() -> None:
    shop = a_shop(memberships=[PLUS])
    paid = shop.pay_membership("ada", "plus")
    assert said(shop, paid) == [("membership_paid", {"plan_name": "Plus", "paid_through": "2027-11-19", "balance": 0})]
    assert said(shop, shop.cancel_membership("ada")) == [("membership_ended", {"plan_name": "Plus", "balance": 0})]
    shop.pay_membership("bob", "plus")
    shop.now = at("2027-11-20 00:00")
    shop.look("bob")
    ended = shop.ledgers["bob"][-1]
    assert ended.membership is not None
    assert ended.membership.state == "ended"
    assert said(shop, ended) == [("membership_ended", {"plan_name": "Plus", "balance": 0})]
    shop.program = a_program()
    assert said(shop, ended) == [("membership_ended", {"plan_name": "plus", "balance": 0})]


def test_who_has_not_agreed_yet_is_told_until_when_and_then_welcomed() -> None:
    shop = a_shop(automatic_enrolment={"consent_days": 30}, earning={"welcome_points": 10})
    opened = shop.open_provisional("card")
    assert said(shop, opened) == [("consent_requested", {"points": 0, "until": "2026-12-20", "balance": 0})]
    shop.buy("card", "A-1", 500)
    assert said(shop, shop.consent("card")) == [("welcome", {"points": 10, "balance": 15})]


def test_a_gift_is_told_to_whom_it_concerns() -> None:
    shop = a_shop(gifts={})
    shop.adjust("ada", 60)
    [offered] = told(shop, shop.offer_gift("ada", "bob", 20, "g"))
    assert (offered.kind, offered.member_id, dict(offered.values)) == ("gift_offered", "bob", {"points": 20})
    out, received = shop.accept_gift("ada", "bob", "g")
    assert said(shop, out) == []
    assert said(shop, received) == [("gift_received", {"points": 20, "balance": 20})]
    shop.offer_gift("ada", "bob", 9, "h")
    assert said(shop, shop.return_gift("ada", "bob", "h")) == [("gift_returned", {"points": 9, "balance": 40})]
    shop.offer_gift("ada", "bob", 7, "i")
    shop.now += timedelta(days=14)
    shop.look("ada")
    assert said(shop, shop.ledgers["ada"][-1]) == [("gift_returned", {"points": 7, "balance": 40})]


def test_a_hold_that_lapses_is_no_gift() -> None:
    shop = a_shop()
    shop.adjust("ada", 30)
    shop.reserve("ada", "R-1", "tea")
    shop.now += timedelta(days=1)
    shop.look("ada")
    assert shop.ledgers["ada"][-1].type == "lapse"
    assert said(shop, shop.ledgers["ada"][-1]) == []


def test_days_that_are_celebrated_say_with_how_much() -> None:
    shop = a_shop(celebrations={"birthday": {"points": 9}, "anniversary": {"points": 4, "starts_on": "2026-01-01"}})
    birthday = shop.birthday("ada", NOW - timedelta(days=90))
    assert birthday is not None
    assert said(shop, birthday) == [("birthday", {"points": 9, "balance": 9})]
    shop.now = at("2027-11-20 12:00")
    shop.look("bob")
    assert said(shop, shop.ledgers["bob"][-1]) == [("anniversary", {"points": 4, "balance": 4})]


def test_both_sides_of_a_referral_are_told_if_it_paid() -> None:
    shop = a_shop(referrals={"advocate_points": 8, "friend_points": 2, "return_days": 0})
    shop.bring("ada", "eve")
    shop.buy("eve", "A-1", 1000)
    assert said(shop, shop.ledgers["eve"][-1]) == [("referral_rewarded", {"points": 2, "balance": 12})]
    assert said(shop, *shop.follow_friend("ada", "eve")) == [("referral_rewarded", {"points": 8, "balance": 8})]


def test_credit_is_told_to_the_member_whose_wallet_it_is_in() -> None:
    shop = a_shop(cashback={"amount": 10, "per_amount": 100})
    opened, earned = shop.cash_back("ada", "A-1", 1500)
    assert said(shop, opened) == []
    assert said(shop, earned) == [("credit_earned", {"amount": 150})]
    assert told(shop, earned)[0].member_id == "ada"
    paid = shop.pay_out("ada", 40)
    assert said(shop, paid) == [("credit_paid_out", {"amount": 40})]
    assert told(shop, paid)[0].member_id == "ada"


def test_a_pool_is_nobodys_alone() -> None:
    shop = a_shop(pools={})
    shop.adjust("ada", 60)
    shop.join_pool("ada", "pool-1")
    assert told(shop, *shop.ledgers[shop.pool("pool-1").member_id]) == []


def test_a_tier_that_is_reached_is_told_with_what_it_brings() -> None:
    levels = [
        {"tier_id": "bronze", "name": "Bronze", "threshold": 0},
        {"tier_id": "silver", "name": "Silver", "threshold": 5, "benefits": ["A cake", "A tea"]},
    ]
    shop = a_shop(tiers={"levels": levels}, redeeming={"rewards": []})
    reached = {"tier_name": "Silver", "benefits": ("A cake", "A tea"), "balance": 10}
    assert said(shop, shop.buy("ada", "A-1", 1000))[-1] == ("tier_reached", reached)
    assert [kind for kind, _ in said(shop, shop.buy("ada", "A-2", 1000))] == ["points_earned", "programme_explained"]
    assert "tier_reached" not in [kind for kind, _ in said(shop, *shop.merge("ada", "bob"))]


def test_how_little_is_missing_is_told_once_a_month_for_each_reward() -> None:
    shop = a_shop(messages={"nudge_within_points": 5})
    assert "nudge" not in [kind for kind, _ in said(shop, shop.buy("ada", "A-1", 1900))]
    near = [note for note in told(shop, shop.buy("ada", "A-2", 100)) if note.kind == "nudge"]
    assert [(note.message_id, dict(note.values)) for note in near] == [
        ("nudge:ada:tea:2026-11", {"reward_name": "Tea", "missing": 5})
    ]
    assert near[0].member_id == "ada"
    shop.now = at("2026-12-01 00:00")
    [again] = [note for note in told(shop, shop.buy("ada", "A-3", 100)) if note.kind == "nudge"]
    assert (again.message_id, again.values["missing"]) == ("nudge:ada:tea:2026-12", 4)
    shop.buy("ada", "A-4", 1900)
    assert "nudge" not in [kind for kind, _ in said(shop, *shop.ledgers["ada"][-1:])]


@pytest.mark.parametrize(
    ("steps", "reached"),
    [
        ([24], None),
        ([25], ("Tea", 25)),
        ([24, 1], ("Tea", 25)),
        ([25, 1], None),
        ([40], ("Cake", 40)),
        ([25, 15], ("Cake", 40)),
        ([40, -1, 1], ("Cake", 40)),
    ],
)
def test_of_the_rewards_that_come_within_reach_the_dearest_is_told(
    steps: Sequence[int], reached: tuple[str, int] | None
) -> None:
    shop = a_shop()
    for points in steps:
        entry = shop.adjust("ada", points)
    found = [values for kind, values in said(shop, entry) if kind == "reward_reached"]
    expected = {"reward_name": reached[0], "points": reached[1], "balance": sum(steps)} if reached else None
    assert found == ([expected] if expected else [])


def test_a_reward_that_is_spent_again_or_not_offered_is_not_within_reach() -> None:
    shop = a_shop(redeeming={"rewards": [{**TEA, "ends_on": "2026-11-19"}, CAKE]})
    assert said(shop, shop.adjust("ada", 30)) == []
    entry = shop.adjust("ada", 10)
    shop.reserve("ada", "R-1", "cake")
    assert said(shop, entry) == []


@pytest.mark.parametrize(
    ("about", "points", "kind", "message_id", "values"),
    [
        ("points", 4, "points_expiring", "expiring:ada:2026-11-27:7", {"points": 4, "balance": 30}),
        ("erasure", 4, "erasure_warning", "erasure:ada:2026-11-27:7", {}),
    ],
)
def test_what_ends_soon_is_told_with_its_last_day(
    about: Any, points: int, kind: str, message_id: str, values: dict[str, Any]
) -> None:
    shop = a_shop()
    shop.adjust("ada", 30)
    reminder = Reminder(TODAY, 7, date(2026, 11, 27), points, about)
    note = reminder_note(shop.look("ada"), shop.program, reminder, date(2026, 11, 22))
    assert note is not None
    assert (note.kind, note.message_id, note.member_id) == (kind, message_id, "ada")
    assert note.values == {"last_day": "2026-11-27", "days": 5, **values}


def test_a_tier_in_danger_and_credit_that_ends_are_told_in_their_own_words() -> None:
    shop = a_shop(cashback={"amount": 10, "per_amount": 100})
    shop.cash_back("ada", "A-1", 1500)
    about_tier = Reminder(TODAY, 7, date(2026, 11, 27), 12, "tier")
    tier = reminder_note(shop.look("ada"), shop.program, about_tier, TODAY)
    assert tier is not None
    assert (tier.kind, tier.message_id, tier.member_id) == ("tier_warning", "tier:ada:2026-11-27:7", "ada")
    assert tier.values == {
        "tier_name": "Bronze",
        "review_on": "2026-11-27",
        "days": 7,
        "missing": 12,
        "measure": "points",
    }
    credit = reminder_note(shop.wallet("ada"), shop.program, Reminder(TODAY, 7, date(2026, 11, 27), 150), TODAY)
    assert credit is not None
    assert (credit.kind, credit.message_id) == ("credit_expiring", "expiring:ada~credit:2026-11-27:7")
    assert (credit.member_id, credit.values) == ("ada", {"amount": 150, "last_day": "2026-11-27", "days": 7})


def test_of_a_pools_points_nobody_is_reminded() -> None:
    shop = a_shop(pools={})
    shop.join_pool("ada", "pool-1")
    reminder = Reminder(TODAY, 7, date(2026, 11, 27), 4)
    assert reminder_note(shop.pool("pool-1"), shop.program, reminder, TODAY) is None


def test_an_audience_is_of_its_own_kind_alone() -> None:
    tagged = {"segment_id": "s", "name": "S", "all": [{"tiers": ["gold"]}]}
    audience = {"kind": "nudge", "segments": ["s"]}
    shop = a_shop(segments={"named": [tagged]}, messages={"audiences": [audience], "never_send": ["welcome"]})
    account = shop.look("ada")

    def wanted(kind: Any) -> bool:
        return is_wanted(Note(message_id="m", member_id="ada", kind=kind), account, shop.program, TODAY)

    assert [wanted(kind) for kind in ("nudge", "points_earned", "welcome")] == [False, True, False]
    account = account.model_copy(update={"tier": TierStatus(tier_id="gold", since=TODAY)})
    assert wanted("nudge")


def test_a_template_gets_what_the_note_says_and_what_all_have() -> None:
    shop = a_shop()
    shop.adjust("ada", 30)
    member = Member(member_id="ada", enrolled_at=NOW, email="ada@example.org", name="Ada")
    note = Note(
        message_id="m", member_id="ada", kind="nudge", values={"balance": 7, "last_day": "2026-11-27", "days": 9}
    )

    def values(on: date) -> dict[str, Any] | None:
        return values_for(note, member, shop.look("ada"), shop.program, "en", on)

    common = {"program_name": "Tea Club", "locale": "en", "currency": "USD", "unsubscribe_url": ""}
    own = {"balance": 7, "last_day": "2026-11-27"}
    assert values(TODAY) == {**common, **own, "member_name": "Ada", "days": 7}
    assert values(date(2026, 11, 27)) == {**common, **own, "member_name": "Ada", "days": 0}
    assert values(date(2026, 11, 28)) is None
    plain = Note(message_id="m", member_id="ada", kind="nudge")
    nameless = member.model_copy(update={"name": None})
    found = values_for(plain, nameless, shop.look("ada"), shop.program, "de", TODAY)
    assert found == {**common, "locale": "de", "member_name": "", "balance": 30}
    review = plain.model_copy(update={"values": {"review_on": "2026-11-19"}})
    assert values_for(review, member, shop.look("ada"), shop.program, "en", TODAY) is None
