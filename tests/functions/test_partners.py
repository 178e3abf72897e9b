"""Partners over HTTP: what their tokens open, whose things they see, and a ledger that agrees with the members'."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from shared import runtime
from shared.domain import order_ids
from shared.domain.telling.events import Event, PartnerEvent, event_of
from shared.domain.telling.notifications import Message
from shared.services import announcements, partner_deposits
from shared.tables import keys, ledger, programs
from tests.functions.shop import OPERATOR, PARTNER, Reply, Shop, assert_refused, stored
from tests.shared.wire import Wire

CAFE = {
    "partner_id": "cafe",
    "name": "Cafe",
    "may_redeem": True,
    "takes_points_as_money": True,
    "point_cost": {"points": 2, "amount": 1},
}
HOTEL = {
    "partner_id": "hotel",
    "name": "Hotel",
    "funding": "prepaid",
    "alert_below": 50,
    "point_cost": {"points": 1, "amount": 1},
}
REWARDS = [
    {"reward_id": "cake", "name": "Cake", "kind": "partner", "partner_id": "cafe", "points": 30},
    {"reward_id": "night", "name": "Night", "kind": "partner", "partner_id": "hotel", "points": 30},
    {"reward_id": "tea", "name": "Tea", "kind": "product", "sku": "TEA", "points": 30},
]
MONEY = {"points": 20, "order_total": 1000, "currency": "USD"}


@pytest.fixture
def coalition(shop: Shop) -> Shop:
    shop.change_program(partners=[CAFE, HOTEL], redeeming={"rewards": REWARDS})
    return shop


@pytest.fixture
def told() -> "Iterator[list[PartnerEvent]]":
    events: list[PartnerEvent] = []

    class Outbox:
        def send(self, message: Message) -> None:
            """Nobody reads mail here."""

        def publish(self, published: Sequence[Event | PartnerEvent]) -> None:
            events.extend(event for event in published if isinstance(event, PartnerEvent))

    with runtime.use(channels=Outbox()):
        yield events


def earn(shop: Shop, member: str, order_id: str = "1", total: int = 5000, by: str = "cafe", **details: Any) -> Reply:
    order = {"type": "order", "order_id": order_id, "placed_at": shop.now.isoformat(), "currency": "USD"}
    return shop.post(f"/v1/members/{member}/earn", {**order, "total": total, **details}, partner_id=by)


def pay_in(shop: Shop, amount: int, reference: str = "d-1", partner: str = "hotel", **more: Any) -> Reply:
    body = {"amount": amount, "currency": "USD", "reference": reference, **more}
    return shop.post(f"/v1/partners/{partner}/deposits", body, scope=OPERATOR)


def refund(shop: Shop, member: str, amount: int, order_id: str = "1", **options: Any) -> Reply:
    body = {"order_id": order_id, "refund_id": "r", "amount": amount, "refunded_at": shop.now.isoformat()}
    return shop.post(f"/v1/members/{member}/refunds", body, **options)


def test_a_partners_token_opens_its_paths_and_no_other(coalition: Shop) -> None:
    ada = coalition.enroll("ada", email="ada@example.org")
    coalition.adjust(ada, 500)
    own = {"partner_id": "cafe"}
    for path in (f"/v1/members/{ada}/account", f"/v1/members/{ada}/entries", f"/v1/members/{ada}", "/v1/rewards"):
        assert_refused(coalition.get(path, **own), 403, "forbidden")
    reply = coalition.post(f"/v1/members/{ada}/adjustments", {"points": 5, "reason": "r", "reference": "c"}, **own)
    assert_refused(reply, 403, "forbidden")
    paid_in = {"amount": 1, "currency": "USD", "reference": "d"}
    assert_refused(coalition.post("/v1/partners/cafe/deposits", paid_in, **own), 403, "forbidden")
    action = {"type": "action", "action": "review", "reference": "r", "occurred_at": coalition.now.isoformat()}
    assert_refused(coalition.post(f"/v1/members/{ada}/earn", action, **own), 403, "forbidden")
    assert coalition.post("/v1/members/lookup", {"external_id": "ada"}, **own).body == {"member_id": ada}
    assert_refused(coalition.post("/v1/members/lookup", {"email": "ada@example.org"}, **own), 403, "forbidden")
    assert_refused(coalition.post("/v1/members/lookup", {"card_number": "C-9"}, **own), 404, "member_not_found")
    assert coalition.post("/v1/earn/quote", {"currency": "USD", "total": 500, "member_id": ada}, **own).status == 200


@pytest.mark.parametrize("claims", [{"scope": PARTNER}, {"partner_id": "stranger"}])
def test_a_token_of_no_partner_of_the_program_opens_nothing(coalition: Shop, claims: dict[str, str]) -> None:
    ada = coalition.enroll("ada")
    body = {"order_id": "1", "refund_id": "r", "amount": 1, "refunded_at": coalition.now.isoformat()}
    assert_refused(coalition.post(f"/v1/members/{ada}/refunds", body, **claims), 403, "forbidden")
    assert coalition.get("/v1/partners/me", **claims).status in {403, 404}


def test_a_partners_orders_bear_its_name_and_are_numbered_without_regard_to_others(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    pay_in(coalition, 1000)
    assert_refused(earn(coalition, ada, partner_id="hotel"), 422, "invalid_request")
    for by in ("cafe", "hotel"):
        reply = earn(coalition, ada, "1", by=by)
        assert (reply.status, reply.body["entry"]["source"]) == (201, {"order_id": "1", "partner_id": by})
    assert coalition.order(ada, "1").status == 201
    assert earn(coalition, ada, "1").replayed
    assert_refused(earn(coalition, ada, "1", total=1), 422, "idempotency_mismatch")
    assert_refused(refund(coalition, ada, 10, "2", partner_id="cafe"), 404, "order_not_found")
    assert refund(coalition, ada, 5000, partner_id="cafe").body["entry"]["points"] == -50
    assert refund(coalition, ada, 5000, "hotel/1").status == 201, "the shop's till takes back anything"


def test_a_partner_takes_points_for_its_own_rewards_and_sees_no_other_redemption(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    coalition.adjust(ada, 500)
    path = f"/v1/members/{ada}/redemptions"
    for reward, by, status, code in (
        ("tea", "cafe", 404, "reward_not_found"),
        ("night", "cafe", 404, "reward_not_found"),
        ("night", "hotel", 403, "forbidden"),
    ):
        assert_refused(coalition.post(path, {"reward_id": reward}, key="k", partner_id=by), status, code)
    assert_refused(coalition.post(path, MONEY, key="k", partner_id="hotel"), 409, "reward_unavailable")
    spent = coalition.post(path, {**MONEY, "capture": True}, key="k", partner_id="cafe").body
    theirs = coalition.redeem(ada, "tea", key="k").body
    assert spent["redemption_id"] != theirs["redemption_id"]
    for redemption, by in ((spent, "hotel"), (theirs, "cafe")):
        for step in ("capture", "cancel", "reverse"):
            reply = coalition.post(f"{path}/{redemption['redemption_id']}/{step}", partner_id=by)
            assert_refused(reply, 404, "redemption_not_found")
    steps = f"{path}/{spent['redemption_id']}"
    assert coalition.post(f"{steps}/capture", partner_id="cafe").replayed
    assert coalition.post(f"{steps}/reverse", partner_id="cafe").body["state"] == "reversed"


def test_a_deposit_counts_once_under_its_reference(coalition: Shop) -> None:
    first = pay_in(coalition, 70)
    assert (first.status, first.body["points"], first.body["funds"]["left"]) == (201, 70, 70)
    again = pay_in(coalition, 70)
    assert (again.status, again.replayed, again.body["funds"]["left"]) == (200, True, 70)
    assert_refused(pay_in(coalition, 71), 422, "idempotency_mismatch")
    assert_refused(pay_in(coalition, 7, partner="cafe"), 409, "invalid_state")
    assert_refused(pay_in(coalition, 7, partner="nobody"), 404, "partner_not_found")
    assert_refused(pay_in(coalition, 7, currency="EUR"), 422, "invalid_request")
    funds = coalition.get("/v1/partners/hotel", scope=OPERATOR).body["funds"]
    assert (funds["deposited"], funds["spent"], funds["left"]) == (70, 0, 70)


def test_an_order_that_the_deposits_do_not_cover_earns_nothing_until_more_is_paid_in(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    pay_in(coalition, 40)
    reply = earn(coalition, ada, by="hotel")
    assert_refused(reply, 409, "partner_funding_exhausted")
    assert reply.body["detail"].endswith("pay for 40 more")
    pay_in(coalition, 10, "d-2")
    assert earn(coalition, ada, by="hotel").status == 201
    assert coalition.get("/v1/partners/me", partner_id="hotel").body["funds"]["left"] == 0


def test_the_month_of_a_partner_is_told_of_and_not_exceeded(coalition: Shop) -> None:
    coalition.change_program(partners=[{**CAFE, "limits": {"points_per_month": 60}}, HOTEL])
    ada, grace = coalition.enroll("ada"), coalition.enroll("grace")
    earn(coalition, ada)
    refused = earn(coalition, grace, "2")
    assert_refused(refused, 409, "partner_limit_reached")
    assert "10 are left" in refused.body["detail"]
    month = coalition.get("/v1/partners/cafe", scope=OPERATOR).body["month"]
    assert month == {"points_max": 60, "left": 10, "frees_on": "2026-12-01"}
    assert earn(coalition, grace, "3", 1000).status == 201
    coalition.change_program(partners=[{**CAFE, "limits": {"points_per_month": 100}}, HOTEL])
    assert earn(coalition, grace, "4", 4000).status == 201
    assert earn(coalition, ada, "5", 100).code == "partner_limit_reached"


def test_others_hear_once_of_each_time_that_deposits_run_low(coalition: Shop, told: list[PartnerEvent]) -> None:
    ada = coalition.enroll("ada")
    pay_in(coalition, 100)
    orders: list[str] = []

    def buy(total: int) -> None:
        orders.append(str(len(orders)))
        assert earn(coalition, ada, orders[-1], total, "hotel").status == 201
        entry = ledger.load_history(ada, 1)[0]
        announcements.announce(entry, coalition.now)
        announcements.announce(entry, coalition.now)

    for total in (3000, 2000, 1000, 500):
        buy(total)
    assert [event.points_left for event in told] == [40]
    pay_in(coalition, 100, "d-2")
    buy(9000)
    assert [(event.event_id, event.points_left) for event in told][1:] == [("partner-hotel-low-2", 45)]
    runtime.forget()
    assert partner_deposits.look_at_all(programs.load_program(), coalition.now) == 1
    assert len(told) == 2


def test_a_partners_order_takes_no_more_requests_than_another(coalition: Shop, wire: Wire) -> None:
    ada = coalition.enroll("ada")
    pay_in(coalition, 10_000)
    earn(coalition, ada, "1", by="hotel")
    del wire.requests[:]
    earn(coalition, ada, "2", by="hotel")
    assert wire.requests == ["TransactGetItems", "TransactWriteItems"]


def test_a_partners_month_adds_up_to_the_entries_of_its_members(coalition: Shop) -> None:
    members = [coalition.enroll(name) for name in ("ada", "grace", "hedy")]
    pay_in(coalition, 500)
    for number, member in enumerate(members):
        for by in ("cafe", "hotel"):
            earn(coalition, member, f"{number}", 3000 + number, by)
        refund(coalition, member, 1500, f"{number}", partner_id="cafe")
        path = f"/v1/members/{member}/redemptions"
        cake = coalition.post(path, {"reward_id": "cake", "capture": True}, key="k", partner_id="cafe").body
        if number:
            coalition.post(f"{path}/{cake['redemption_id']}/reverse", partner_id="cafe")
    coalition.merge(members[0], members[2])
    coalition.pass_time(days=20)
    earn(coalition, members[0], "later")
    entries = [ledger.entry_of(item) for item in stored("loyalty") if "sequence" in item and "body" in item]
    listed = []
    for month, by in (("2026-11", "cafe"), ("2026-11", "hotel"), ("2026-12", "cafe"), ("2026-12", "hotel")):
        path = f"/v1/partners/{by}"
        own = [
            one
            for one in entries
            if one.source.get("partner_id") == by and one.recorded_at.isoformat().startswith(month)
        ]
        settled = coalition.get(f"{path}/settlements/{month}", partner_id=by).body
        got = {one["movement"]: (one["entries"], one["points"]) for one in settled["movements"]}
        wanted = {}
        for movement, type_ in zip(got, ("earn", "refund", "capture", "reverse"), strict=True):
            effects = [abs(one.net_effect) for one in own if one.type == type_]
            wanted[movement] = (len(effects), sum(effects))
        assert got == wanted
        net = sum(one["amount"] for one in settled["movements"]) - settled["prepaid"]["amount"]
        assert settled["net"]["amount"] == net
        assert settled["owed_by"] == ("partner" if net > 0 else "shop" if net else "nobody")
        assert settled["is_final"] == (month == "2026-11")
        pages = pages_of(coalition, f"{path}/entries", month)
        assert [one["entry_id"] for one in pages] == [
            one.entry_id for one in sorted(own, key=lambda one: (one.recorded_at, one.entry_id))
        ]
        listed += pages
    assert {one["entry_id"] for one in listed} == {one.entry_id for one in entries if one.partner}


def pages_of(shop: Shop, path: str, month: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    query = {"limit": "2", "month": month}
    for _ in range(20):
        page = shop.get(path, query=query, scope=OPERATOR).body
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        query["cursor"] = page["next_cursor"]
    raise AssertionError(f"{path} has no end")


@pytest.mark.parametrize("month", ["2026-13", "now", "2026-1"])
def test_a_month_is_a_month(coalition: Shop, month: str) -> None:
    assert_refused(coalition.get(f"/v1/partners/cafe/settlements/{month}", scope=OPERATOR), 422, "invalid_request")
    query = {"month": month}
    assert_refused(coalition.get("/v1/partners/cafe/entries", query=query, scope=OPERATOR), 422, "invalid_request")


# Whose order it is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["shop", "partner"])
def test_a_shops_order_is_no_partners_whatever_its_id(coalition: Shop, first: str) -> None:
    ada = coalition.enroll("ada")
    before = coalition.balance(ada)
    book = {
        "shop": lambda: coalition.order(ada, "cafe/1", total=4000),
        "partner": lambda: earn(coalition, ada, "1", total=5000),
    }
    booked = {name: book[name]() for name in sorted(book, reverse=first == "shop")}
    assert {name: (reply.status, reply.replayed) for name, reply in booked.items()} == {
        "shop": (201, False),
        "partner": (201, False),
    }
    assert coalition.balance(ada) == before + 90
    assert [book[name]().replayed for name in book] == [True, True]
    assert_refused(refund(coalition, ada, 4500, "cafe/1"), 409, "refund_exceeds_order")
    assert refund(coalition, ada, 5000, "1", partner_id="cafe").status == 201
    assert coalition.balance(ada) == before + 40
    assert refund(coalition, ada, 4000, "cafe/1").status == 201
    assert coalition.balance(ada) == before


def test_what_redemptions_pay_of_a_partners_order_counts_for_no_shops(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    coalition.adjust(ada, 2000)
    path = f"/v1/members/{ada}/redemptions"
    whole = {"points": 1000, "order_total": 1000, "currency": "USD"}
    assert coalition.post(path, {**whole, "order_id": "1"}, key="a", partner_id="cafe").status == 201
    assert_refused(coalition.post(path, {**whole, "order_id": "1"}, key="b", partner_id="cafe"), 409, "order_paid")
    assert coalition.post(path, {**whole, "order_id": "cafe/1"}, key="c").status == 201


def test_a_partners_order_is_shown_and_found_under_one_name(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    earned = earn(coalition, ada, "1").body["entry"]
    assert earned["source"]["order_id"] == "1"
    assert coalition.entries(ada)[0]["source"]["order_id"] == "cafe/1"
    [*_, event] = [event_of(entry) for entry in ledger.load_whole_history(ada)[::-1]]
    assert event.source["order_id"] == "cafe/1"
    month = coalition.now.strftime("%Y-%m")
    listed = coalition.get("/v1/partners/cafe/entries", query={"month": month}, scope=OPERATOR).body["items"]
    assert [one["order_id"] for one in listed] == ["1"]
    assert refund(coalition, ada, 5000, "cafe/1").status == 201
    undo = f"/v1/members/{ada}/refunds/r/reverse"
    assert coalition.post(undo, {"order_id": "cafe/1"}).status == 201
    assert coalition.order(ada, "cafe/1", total=100).status == 201
    assert_refused(refund(coalition, ada, 5000, "cafe/1"), 409, "refund_exceeds_order")


def test_what_a_partner_booked_before_its_orders_were_told_from_a_shops_is_replayed_and_refunded(
    coalition: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = coalition.enroll("ada")
    before = coalition.balance(ada)
    with monkeypatch.context() as then:
        then.setattr(order_ids, "of_partner", order_ids.of_partner_at_first)
        assert earn(coalition, ada, "1").status == 201
    assert ledger.load_entry(keys.of("earn", order_id="cafe/1"))
    again = earn(coalition, ada, "1")
    assert (again.status, again.replayed, again.body["entry"]["source"]["order_id"]) == (200, True, "1")
    assert_refused(earn(coalition, ada, "1", total=5001), 422, "idempotency_mismatch")
    assert refund(coalition, ada, 5000, "1", partner_id="cafe").status == 201
    assert coalition.balance(ada) == before
    assert earn(coalition, ada, "1").body["entry"]["order"] == {"total": 5000, "refunded": 5000, "points_kept": 0}


def test_an_order_that_the_shop_books_in_a_partners_name_is_not_one_that_the_partner_sends(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    assert coalition.order(ada, "cafe/1", partner_id="cafe").status == 201
    assert earn(coalition, ada, "1").status == 201
