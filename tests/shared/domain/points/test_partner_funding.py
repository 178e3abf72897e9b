"""Partners: limits that say when they free, funding that is never overspent, settlements that add up."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    InvalidStateError,
    LoyaltyError,
    PartnerFundingExhaustedError,
    PartnerLimitReachedError,
)
from shared.domain.ledger import book, book_all
from shared.domain.points.partner_funding import (
    deposit_points,
    funding_name,
    month_name,
    points_for_partner,
    redeemed_name,
    require_partner,
    settle_up,
    settlement_month,
)
from shared.domain.program.partners import Partner
from shared.domain.program.program import Program
from shared.domain.spending.prices import Price
from shared.domain.spending.redemptions import Part, capture, lock, release, reverse
from tests.model.shop import Shop, a_program, at

CAFE: dict[str, Any] = {"partner_id": "cafe", "name": "Cafe", "point_cost": {"points": 3, "amount": 2}}
HOTEL: dict[str, Any] = {**CAFE, "partner_id": "hotel", "name": "Hotel", "funding": "prepaid", "may_redeem": True}
CAKE = {"reward_id": "cake", "name": "Cake", "kind": "partner", "partner_id": "hotel", "points": 7}


def a_shop(*partners: dict[str, Any], **changes: Any) -> Shop:
    program = a_program(partners=list(partners), redeeming={"rewards": [CAKE] if HOTEL in partners else []}, **changes)
    shop = Shop(program, at("2026-11-20T12:00"))
    shop.enroll("ada")
    shop.enroll("grace")
    return shop


def lines(entry: Entry) -> dict[str, int]:
    return {piece.rule_id: piece.points for piece in entry.breakdown}


def test_an_order_and_a_day_at_a_partner_earn_no_more_than_it_allows_and_the_entry_says_until_when() -> None:
    shop = a_shop({**CAFE, "limits": {"points_per_order": 30, "points_per_member_day": 50}})
    assert lines(shop.buy("ada", "1", 10_000, partner_id="cafe")) == {"base": 100, "cap:partner_order": -70}
    second = shop.buy("ada", "2", 2500, partner_id="cafe")
    assert (second.points, lines(second)["cap:partner_day"]) == (20, -5)
    assert second.breakdown[-1].description.endswith("frees on 2026-11-21")
    assert shop.buy("ada", "3", 2500).points == 25, "elsewhere there is no such limit"
    assert shop.buy("grace", "4", 2500, partner_id="cafe").points == 25
    shop.now += timedelta(days=1)
    assert shop.buy("ada", "5", 2500, partner_id="cafe").points == 25


def test_what_a_member_earns_in_a_month_is_limited_at_each_partner_apart() -> None:
    limits = {"limits": {"points_per_member_month": 30}}
    shop = a_shop({**CAFE, **limits}, {**CAFE, "partner_id": "baker", **limits})
    assert shop.buy("ada", "1", 2500, partner_id="cafe").points == 25
    shop.now += timedelta(days=1)
    second = shop.buy("ada", "2", 2500, partner_id="cafe")
    assert (second.points, lines(second)["cap:partner_month"]) == (5, -20)
    assert second.breakdown[-1].description.endswith("frees on 2026-12-01")
    assert shop.buy("ada", "3", 2500, partner_id="baker").points == 25
    shop.now = at("2026-12-01T00:00")
    assert shop.buy("ada", "4", 2500, partner_id="cafe").points == 25


def test_a_partners_reward_names_the_partner_in_every_entry() -> None:
    shop = a_shop(HOTEL)
    shop.adjust("ada", 20)
    expected = {"redemption_id": "R-1", "reward_id": "cake", "partner_id": "hotel"}
    for entry in (shop.reserve("ada", "R-1", "cake"), shop.capture("ada", "R-1"), shop.reverse("ada", "R-1")):
        assert entry.source == expected


def test_a_partners_month_is_not_exceeded_by_a_point_and_the_refusal_says_what_is_left_and_when_it_frees() -> None:
    shop = a_shop({**CAFE, "limits": {"points_per_month": 40}})
    shop.buy("ada", "1", 2500, partner_id="cafe")
    with pytest.raises(
        PartnerLimitReachedError, match="40 points a month, 15 are left, not 16; it frees on 2026-12-01"
    ):
        shop.buy("grace", "2", 1600, partner_id="cafe")
    shop.buy("grace", "3", 1500, partner_id="cafe")
    shop.refund("ada", "1", 2500)
    shop.buy("grace", "4", 2500, partner_id="cafe")
    shop.now = at("2026-12-01T00:00")
    shop.buy("ada", "5", 4000, partner_id="cafe")


def test_a_prepaid_partner_gives_what_its_deposits_pay_for_and_what_comes_back_may_be_given_again() -> None:
    shop = a_shop(HOTEL)
    with pytest.raises(PartnerFundingExhaustedError, match="pay for 0 more"):
        shop.buy("ada", "1", 1000, partner_id="hotel")
    assert shop.pay_in("hotel", 20) == 30
    shop.buy("ada", "1", 3000, partner_id="hotel")
    shop.refund("ada", "1", 1000)
    shop.buy("ada", "2", 1000, partner_id="hotel")
    with pytest.raises(PartnerFundingExhaustedError):
        shop.buy("ada", "3", 100, partner_id="hotel")


def test_a_deposit_buys_whole_points_of_those_who_pay_in_advance() -> None:
    shop = a_shop(CAFE, HOTEL)
    with pytest.raises(
        InvalidRequestError, match=r"^/amount: must be a multiple of 2, or part of a point would be lost: 20, say"
    ):
        deposit_points(require_partner(shop.program, "hotel"), 21)
    with pytest.raises(InvalidStateError, match="postpaid"):
        deposit_points(require_partner(shop.program, "cafe"), 20)


def test_a_partner_that_may_not_earn_does_not() -> None:
    shop = a_shop({**CAFE, "may_earn": False})
    with pytest.raises(ForbiddenError, match="earn no points in this program"):
        shop.quote("ada", 1000, partner_id="cafe")


def test_a_later_price_changes_nothing_of_what_was_earned_before() -> None:
    shop = a_shop(CAFE)
    shop.buy("ada", "1", 3000, partner_id="cafe")
    dearer = Partner.model_validate({**CAFE, "point_cost": {"points": 1, "amount": 9}})
    shop.program = shop.program.model_copy(update={"partners": (dearer,)})
    shop.refund("ada", "1", 1500)
    settled = settle_up(shop.ledgers["ada"])
    assert [settled.movements[one].amount for one in ("issued", "taken_back")] == [20, -10]


def test_an_order_with_somebody_the_program_does_not_know_is_the_shops_own() -> None:
    shop = a_shop(CAFE)
    entry = shop.buy("ada", "1", 1000, partner_id="stranger")
    assert (entry.partner, entry.budgets) == (None, {})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "refund", "reserve", "capture", "cancel", "reverse", "pay_in", "wait"]),
        st.sampled_from(["ada", "grace"]),
        st.sampled_from(["cafe", "hotel", None]),
        st.integers(1, 5000),
    ),
    max_size=40,
)


REFUSALS = {
    "partner_funding_exhausted",
    "partner_limit_reached",
    "insufficient_points",
    "refund_exceeds_order",
    "invalid_state",
}


class Play:
    """Members who buy at partners and elsewhere, bring things back, and eat cake at the hotel."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.orders: dict[str, str] = {}
        self.reserved: dict[str, str] = {}
        self.captured: dict[str, str] = {}

    def buy(self, number: str, member: str, partner_id: str | None, amount: int) -> None:
        self.shop.buy(member, number, amount, partner_id=partner_id)
        self.orders[number] = member

    def refund(self, _number: str, _member: str, _partner_id: str | None, amount: int) -> None:
        for order_id in list(self.orders)[amount % 3 :][:1]:
            self.shop.refund(self.orders[order_id], order_id, 1 + amount % 1000)

    def reserve(self, number: str, member: str, _partner_id: str | None, _amount: int) -> None:
        self.shop.reserve(member, number, "cake")
        self.reserved[number] = member

    def capture(self, *_: Any) -> None:
        for redemption_id in self._open():
            self.captured[redemption_id] = self.reserved.pop(redemption_id)
            self.shop.capture(self.captured[redemption_id], redemption_id)

    def cancel(self, *_: Any) -> None:
        for redemption_id in self._open():
            self.shop.cancel(self.reserved.pop(redemption_id), redemption_id)

    def reverse(self, *_: Any) -> None:
        for redemption_id in list(self.captured)[:1]:
            self.shop.reverse(self.captured.pop(redemption_id), redemption_id)

    def pay_in(self, _number: str, _member: str, _partner_id: str | None, amount: int) -> None:
        self.shop.pay_in("hotel", amount // 2 * 2 + 2)

    def wait(self, _number: str, _member: str, _partner_id: str | None, amount: int) -> None:
        self.shop.now += timedelta(days=amount % 20)

    def _open(self) -> list[str]:
        return [one for one, member in self.reserved.items() if one in self.shop.look(member).holds][:1]


def test_a_settlement_names_who_owes_its_net() -> None:
    nothing = settle_up([])
    owed_by = [nothing._replace(net=net).owed_by for net in (1, -1, 0)]
    assert owed_by == ["partner", "shop", "nobody"]


@given(STEPS)
def test_settlements_add_up_to_what_members_got_and_gave_and_no_funding_is_overspent(steps: Any) -> None:
    shop = a_shop({**CAFE, "limits": {"points_per_month": 60, "points_per_member_day": 45}}, HOTEL)
    play = Play(shop)
    for number, (step, member, partner_id, amount) in enumerate(steps):
        try:
            getattr(play, step)(str(number), member, partner_id, amount)
        except LoyaltyError as refused:
            assert refused.code in REFUSALS  # noqa: PT017 - anything else is a fault
    entries = [entry for ledger in shop.ledgers.values() for entry in ledger]
    for partner_id in ("cafe", "hotel"):
        own = [one for one in entries if one.source.get("partner_id") == partner_id]
        check_settlements(shop, partner_id, own)


def check_settlements(shop: Shop, partner_id: str, entries: list[Entry]) -> None:
    """Every month against its entries, each counted by what it did to its member's account."""
    moved = dict.fromkeys(("issued", "taken_back", "redeemed", "reversed"), 0)
    for month in sorted({settlement_month(entry, shop.program) for entry in entries}):
        own = [entry for entry in entries if settlement_month(entry, shop.program) == month]
        settled = settle_up(own)
        got = {
            "issued": sum(one.net_effect for one in own if one.type == "earn"),
            "taken_back": -sum(one.net_effect for one in own if one.type == "refund"),
            "redeemed": -sum(one.net_effect for one in own if one.type == "capture"),
            "reversed": sum(one.net_effect for one in own if one.type == "reverse"),
        }
        assert {name: line.points for name, line in settled.movements.items()} == got
        signed = got["issued"] - got["taken_back"] - got["redeemed"] + got["reversed"]
        settling = [one for one in own if one.type in {"earn", "refund", "capture", "reverse"}]
        assert sum(map(points_for_partner, settling)) == signed
        assert sum(line.amount for line in settled.movements.values()) - settled.prepaid.amount == settled.net
        owed = got["reversed"] - got["redeemed"] + (got["issued"] - got["taken_back"]) * (partner_id == "cafe")
        assert abs(settled.net - owed * 2 / 3) <= 0.5, "rounded once"
        moved = {name: moved[name] + points for name, points in got.items()}
        if partner_id == "cafe":
            of_month = sum(entry.budgets.get(month_name("cafe", month), 0) for entry in entries)
            assert 0 <= of_month <= 60
    if partner_id == "hotel":
        name = funding_name("hotel")
        left = shop.deposits.get(name, 0) - moved["issued"] + moved["taken_back"]
        assert left == shop.budgets.get(name, 0) >= 0


NAMES = ("ada", "grace")
MEMBER_DAY, PARTNER_DAY = 40, 60
REDEEMED = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(1, 50), st.sampled_from(["keep", "cancel", "reverse", "parts"])),
    min_size=1,
    max_size=10,
)


@given(REDEEMED)
def test_what_a_partner_redeems_in_a_day_is_what_its_redemptions_still_hold(
    steps: list[tuple[str, int, str]],
) -> None:
    terms = {"redeemed_points_per_member_day": MEMBER_DAY, "redeemed_points_per_day": PARTNER_DAY}
    shop = a_shop({**CAFE, "takes_points_as_money": True, "limits": terms})
    program, today = shop.program, shop.now.date()
    partner = require_partner(program, "cafe")
    name, by = redeemed_name("cafe", today), {"now": shop.now, "actor": "partner:cafe"}
    accounts = {one: Account(member_id=one, lots={"never": 10**6}, booked_at=shop.now) for one in NAMES}
    taken = dict.fromkeys(NAMES, 0)
    for number, (whose, points, end) in enumerate(steps):
        account, left = accounts[whose], {name: PARTNER_DAY - sum(taken.values())}
        has_room = points <= min(MEMBER_DAY - taken[whose], left[name])
        cost, redemption_id = Price(points, None, None), str(number)
        more: dict[str, Any] = {"order_id": None, "fingerprint": "", "at": partner, "caps": left, **by}
        if not has_room:
            with pytest.raises(PartnerLimitReachedError, match="frees on"):
                lock(account, program, cost, redemption_id=redemption_id, **more)
            continue
        entries = [lock(account, program, cost, redemption_id=redemption_id, **more)]
        entries += ended(book_all(account, entries), program, redemption_id, end, points, by)
        accounts[whose] = book_all(account, entries)
        drawn = sum(entry.budgets.get(name, 0) for entry in entries)
        assert drawn == (points if end == "keep" else 0)
        taken[whose] += drawn
        use = accounts[whose].uses["partner_redeemed:cafe"]
        assert use.points == taken[whose] <= MEMBER_DAY
    assert sum(taken.values()) <= PARTNER_DAY


def ended(
    account: Account, program: Program, redemption_id: str, end: str, points: int, by: dict[str, Any]
) -> list[Entry]:
    """What a redemption ends with: nothing, a cancellation, or a reversal of all at once or in two parts."""
    if end == "keep":
        return []
    if end == "cancel":
        return [release(account, program, redemption_id, "cancel", occurred_at=by["now"], **by)]
    captured = capture(account, program, redemption_id, voucher_code="V-1", **by)
    after = book(account, captured)
    if end == "reverse" or points == 1:
        return [captured, reverse(after, program, captured, redemption_id, **by)]
    first = Part(reversal_id="a", points=points // 2)
    one = reverse(after, program, captured, redemption_id, part=first, **by)
    rest = reverse(book(after, one), program, captured, redemption_id, returned_before=points // 2, **by)
    return [captured, one, rest]
