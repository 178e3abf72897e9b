"""Partners over HTTP: what their tokens open, whose things they see, and a ledger that agrees with the members'."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from infra import openapi
from infra.tools.verify import check
from shared import runtime, settings
from shared.domain import order_ids
from shared.domain.facets import Badge
from shared.domain.telling.events import Event, PartnerEvent, event_of
from shared.domain.telling.notifications import Message
from shared.services import announcements, partner_deposits
from shared.tables import accounts, budgets, client, keys, ledger, programs
from tests.functions.shop import (
    MEMBER,
    OPERATOR,
    PARTNER,
    STOREFRONT,
    Reply,
    Shop,
    assert_refused,
    check_every_account,
    stored,
)
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


def redeem(shop: Shop, member: str, what: Any, key: str, by: str = "cafe") -> Reply:
    """A partner's redemption, with a new code of the member's."""
    body = {**what, "code": shop.code(member)}
    return shop.post(f"/v1/members/{member}/redemptions", body, key=key, partner_id=by)


def limits(shop: Shop, **most: int) -> None:
    shop.change_program(partners=[{**CAFE, "limits": most}, HOTEL])


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
    spent = redeem(coalition, ada, {**MONEY, "capture": True}, "k").body
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


@pytest.mark.parametrize("older", [False, True], ids=["in shards", "half of it as before there were shards"])
def test_a_partners_month_adds_up_to_the_entries_of_its_members(coalition: Shop, *, older: bool) -> None:
    members = [coalition.enroll(name) for name in ("ada", "grace", "hedy")]
    pay_in(coalition, 500)
    for number, member in enumerate(members):
        for by in ("cafe", "hotel"):
            earn(coalition, member, f"{number}", 3000 + number, by)
        refund(coalition, member, 1500, f"{number}", partner_id="cafe")
        path = f"/v1/members/{member}/redemptions"
        cake = redeem(coalition, member, {"reward_id": "cake", "capture": True}, "k").body
        if number:
            coalition.post(f"{path}/{cake['redemption_id']}/reverse", partner_id="cafe")
    coalition.merge(members[0], members[2])
    coalition.pass_time(days=20)
    earn(coalition, members[0], "later")
    if older:
        for item in [item for item in stored("loyalty") if "partner_pk" in item][::2]:
            before = item["partner_pk"]["S"].rpartition("#")[0]
            client.client().put_item(TableName="loyalty", Item={**item, "partner_pk": {"S": before}})
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

    def at_cafe(key: str) -> Reply:
        return coalition.post(path, {**whole, "order_id": "1", "code": coalition.code(ada)}, key=key, partner_id="cafe")

    assert at_cafe("a").status == 201
    assert_refused(at_cafe("b"), 409, "order_paid")
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


# What a partner sees -------------------------------------------------------------------------------------------------

OF_ACCOUNT = frozenset(
    {
        "account",
        "badges",
        "badges_lost",
        "balance",
        "balance_after",
        "breakdown",
        "debt",
        "effects",
        "expiring",
        "held",
        "lifetime_earned",
        "lots",
        "next_reward",
        "pending",
        "pool",
        "pool_id",
        "progress",
        "sequence",
        "tier",
        "tier_lost",
    }
)
"""The names under which answers tell of an account: no answer to a partner has any."""


def names_in(value: Any) -> Iterator[str]:
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from names_in(one)
    yield from value if isinstance(value, dict) else ()


def asked_by_partners(shop: Shop, member: str) -> Iterator[tuple[str, Reply]]:
    """A good request to each route that a partner's token opens, by the route's name, and the answer."""
    own, path = {"partner_id": "cafe"}, f"/v1/members/{member}"
    order = {"type": "order", "order_id": "1", "currency": "USD", "total": 5000}
    quoted = {"currency": "USD", "total": 5000, "member_id": member}
    yield "POST /v1/earn/quote", shop.post("/v1/earn/quote", quoted, **own)
    yield "POST /v1/members/lookup", shop.post("/v1/members/lookup", {"code": shop.code(member)}, **own)
    for _ in range(2):
        yield "POST /v1/members/{member_id}/earn", shop.post(f"{path}/earn", order, **own)
    for amount in (5000, 5000):
        body = {"order_id": "1", "refund_id": "r", "amount": amount}
        yield "POST /v1/members/{member_id}/refunds", shop.post(f"{path}/refunds", body, **own)
    for step in ("capture", "cancel", "reverse"):
        body = {"reward_id": "cake", "capture": step == "reverse", "code": shop.code(member)}
        for _ in range(2):
            made = shop.post(f"{path}/redemptions", body, key=step, **own)
            yield "POST /v1/members/{member_id}/redemptions", made
        of_step = f"{path}/redemptions/{made.body['redemption_id']}/{step}"
        for _ in range(2):
            yield f"POST /v1/members/{{member_id}}/redemptions/{{redemption_id}}/{step}", shop.post(of_step, **own)
    body = {"reward_id": "bun", "capture": True, "code": shop.code(member)}
    code = {"code": shop.post(f"{path}/redemptions", body, key="bun", **own).body["voucher_code"]}
    for step, more in (("lookup", {}), ("use", {"reference": "T-1"}), ("undo", {"reference": "T-1"})):
        yield f"POST /v1/vouchers/{step}", shop.post(f"/v1/vouchers/{step}", code | more, **own)
    for part in ("", "/entries", "/settlements/2026-11"):
        name = part.replace("2026-11", "{month}")
        yield f"GET /v1/partners/{{partner_id}}{name}", shop.get(f"/v1/partners/me{part}", **own)


def test_no_answer_to_a_partner_tells_of_the_account(coalition: Shop) -> None:
    challenge = {"challenge_id": "one", "name": "One order", "goal": {"kind": "count", "of": "orders", "target": 1}}
    terms = {**CAFE, "counts_toward": ["tiers", "challenges", "campaigns"]}
    bun = {"reward_id": "bun", "name": "Bun", "kind": "partner", "partner_id": "cafe", "points": 5, "voucher": {}}
    coalition.change_program(
        challenges=[challenge],
        pools={"members_max": 3},
        partners=[terms, HOTEL],
        redeeming={"rewards": [*REWARDS, bun]},
    )
    ada = coalition.enroll("ada")
    coalition.order(ada, "A-1", 100_000)
    pool = coalition.post("/v1/pools", {"member_id": ada}, key="k").body["pool_id"]
    account = coalition.account(ada)
    assert account["tier"]["tier_id"] != "member", "there is a tier to be told of"
    asked = set()
    for name, reply in asked_by_partners(coalition, ada):
        asked.add(name)
        assert reply.status in {200, 201}, (name, reply.body)
        assert not OF_ACCOUNT & set(names_in(reply.body)), name
        text = json.dumps(reply.body)
        assert pool not in text, name
        assert f'"{account["tier"]["tier_id"]}"' not in text, name
    assert asked == {f"{one.method} {one.path}" for one in openapi.routes() if PARTNER in one.scopes}


def test_a_refusal_does_not_tell_a_partner_how_many_points_there_are(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    coalition.adjust(ada, 7 - coalition.balance(ada))
    reply = redeem(coalition, ada, {"reward_id": "cake"}, "k")
    assert_refused(reply, 409, "insufficient_points")
    assert not any(letter.isdigit() for letter in reply.body["detail"])
    assert "7 are there" in coalition.redeem(ada, "tea").body["detail"], "the shop is told"


def test_a_partner_claims_amends_and_lists_nothing(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    earn(coalition, ada)
    own = {"partner_id": "cafe"}
    path = f"/v1/members/{ada}"
    amendment = {"amendment_id": "e", "total": 100}
    with coalition.writing_nothing():
        for reply in (
            coalition.post(f"{path}/orders/1/amend", amendment, **own),
            coalition.post(f"{path}/orders/1/claim", {"claim_id": "c", "reason": "r"}, **own),
            coalition.post(f"{path}/refunds/r/reverse", {}, **own),
            coalition.post(f"{path}/codes", **own),
            coalition.get(f"{path}/orders/1", **own),
            coalition.get(f"{path}/redemptions", **own),
            coalition.get(f"{path}/redemptions/x", **own),
        ):
            assert_refused(reply, 403, "forbidden")


def test_a_partners_order_of_nothing_is_refused_and_the_shops_is_not(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    with coalition.writing_nothing():
        for reply in (
            earn(coalition, ada, total=0),
            coalition.post("/v1/earn/quote", {"currency": "USD", "total": 0, "member_id": ada}, partner_id="cafe"),
        ):
            assert_refused(reply, 422, "invalid_request")
            assert reply.pointers == ["/total"]
    assert coalition.order(ada, "A-1", 0).status == 201


# What a partner's orders count toward --------------------------------------------------------------------------------

BADGE = {
    "challenge_id": "one",
    "name": "One",
    "goal": {"kind": "count", "of": "orders", "target": 1},
    "points": 100,
    "repeatable": True,
}
CAMPAIGN = {
    "campaign_id": "five",
    "description": "Five more",
    "effect": {"kind": "add", "points": 5},
    "budget": {"points": 100},
}
REFERRALS = {"advocate_points": 10, "friend_points": 20, "minimum_spend": 1000}


def full_program(shop: Shop, *counts_toward: str) -> None:
    """Everything that an order can count toward, and what the cafe's do."""
    shop.change_program(
        partners=[{**CAFE, "counts_toward": counts_toward}, HOTEL],
        challenges=[BADGE],
        campaigns=[CAMPAIGN],
        referrals=REFERRALS,
        segments={"scoring": {}},
        earning={"welcome_points": 0},
    )


def friend(shop: Shop) -> str:
    code = shop.get(f"/v1/members/{shop.enroll('advocate')}").body["referral_code"]
    return shop.enroll("friend", referral_code=code)


def counted(shop: Shop, member: str) -> set[str]:
    """What some order of the member has counted toward, by the account."""
    account = accounts.load_account(member).account
    found = {
        "tiers": sum(account.qualifying.values()) > 0,
        "challenges": account.badges.get("one", Badge(on=shop.now.date(), times=0)).times > 0,
        "referrals": account.referred is not None and account.referred.state == "rewarded",
        "campaigns": budgets.load("campaign:five").spent > 0,
        "segments": any(one.orders for one in account.activity.values()),
    }
    return {name for name, is_so in found.items() if is_so}


ALL = ("tiers", "challenges", "referrals", "campaigns", "segments")


@pytest.mark.parametrize("named", [(), *((one,) for one in ALL), ALL], ids=str)
def test_a_partners_order_counts_toward_what_its_terms_name_and_a_refund_undoes_that(
    coalition: Shop, named: tuple[str, ...]
) -> None:
    full_program(coalition, *named)
    ada = friend(coalition)
    points = earn(coalition, ada).body["entry"]["points"]
    assert points == 50 + 5 * ("campaigns" in named)
    badge, reward = 100 * ("challenges" in named), 20 * ("referrals" in named)
    assert coalition.balance(ada) == points + badge + reward
    # A badge's points never count toward tiers by themselves, whoever's order brought it.
    assert counted(coalition, ada) == set(named)
    assert refund(coalition, ada, 5000, partner_id="cafe").status == 201
    assert counted(coalition, ada) <= {"referrals"}, "the referral's own points come back by the stream"
    assert coalition.balance(ada) == reward
    check_every_account()


def test_orders_of_long_ago_that_come_back_bring_a_member_nothing(coalition: Shop) -> None:
    full_program(coalition)
    ada = coalition.enroll("ada")
    for number in range(3):
        assert earn(coalition, ada, str(number), 2000).status == 201
        assert refund(coalition, ada, 2000, str(number), partner_id="cafe").status == 201
    account = coalition.account(ada)
    assert (account["balance"], account["badges"], account["lifetime_earned"]) == (0, [], 0)
    assert budgets.load("campaign:five").left == 100


def test_an_order_of_any_size_at_a_partner_lifts_nobody_to_a_tier_by_spend(coalition: Shop) -> None:
    coalition.change_program(tiers={"measure": "spend"})
    ada, grace = coalition.enroll("ada"), coalition.enroll("grace")
    before = coalition.account(ada)["tier"]
    earn(coalition, ada, total=10**9)
    assert coalition.account(ada)["tier"] == before
    coalition.order(grace, "A-1", 10**9)
    assert coalition.account(grace)["tier"]["tier_id"] != before["tier_id"], "the shop's own does"


def test_the_shops_own_orders_count_toward_everything(coalition: Shop) -> None:
    full_program(coalition)
    ada = friend(coalition)
    coalition.order(ada, "A-1", 5000)
    assert counted(coalition, ada) == set(ALL)
    assert coalition.refund(ada, 5000, "A-1").status == 201
    assert budgets.load("campaign:five").left == 100, "a refund gives the budget back"


def test_a_refund_goes_by_what_counted_when_the_order_was_credited(coalition: Shop) -> None:
    """Terms that change, or an entry of before there were any, change nothing of an order that is booked."""
    full_program(coalition, *ALL)
    ada = coalition.enroll("ada")
    earn(coalition, ada)
    assert (coalition.balance(ada), budgets.load("campaign:five").spent) == (155, 5)
    full_program(coalition)
    forget_what_counts(ada, order_ids.of_partner("cafe", "1"))
    assert refund(coalition, ada, 5000, partner_id="cafe").status == 201
    assert counted(coalition, ada) == set()
    assert (coalition.balance(ada), budgets.load("campaign:five").spent) == (0, 0)
    check_every_account()


def forget_what_counts(member: str, order_id: str) -> None:
    """Leave the order's entry as releases wrote it that did not note what it counts toward."""
    key = keys.of("earn", order_id=order_id, member_id=member)
    item = client.get(settings.loyalty_table(), key)
    assert item is not None
    body = json.loads(item["body"]["S"])
    assert body["order"].pop("counts_toward") == list(ALL)
    client.client().put_item(TableName=settings.loyalty_table(), Item={**item, "body": {"S": json.dumps(body)}})


# A member's code -----------------------------------------------------------------------------------------------------


def test_a_code_names_its_member_for_five_minutes_and_looking_up_does_not_use_it_up(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    issued = coalition.post("/v1/members/me/codes", scope=MEMBER, member_id=ada)
    assert issued.status == 201
    code, text = issued.body["code"], issued.body["text"]
    assert re.fullmatch("[2-9A-HJKMNP-Z]{8}", code)
    assert datetime.fromisoformat(issued.body["expires_at"]) == coalition.now + timedelta(minutes=5)
    for shown in (code, text, code.lower(), f" {code[:4]}-{code[4:]} "):
        found = coalition.post("/v1/members/lookup", {"code": shown}, partner_id="cafe")
        assert (found.status, found.body) == (200, {"member_id": ada}), shown
    assert coalition.post("/v1/members/lookup", {"code": code}).body["external_id"] == "ada", "the shop sees more"
    assert code not in str(stored("loyalty")), "a code is kept under a keyed hash alone"
    coalition.pass_time(minutes=5)
    assert_refused(coalition.post("/v1/members/lookup", {"code": code}), 404, "member_not_found")
    both = {"code": code, "external_id": "ada"}
    assert_refused(coalition.post("/v1/members/lookup", both), 422, "invalid_request")


def test_a_partner_redeems_with_the_members_code_once_and_a_replay_needs_none(coalition: Shop) -> None:
    ada, grace = coalition.enroll("ada"), coalition.enroll("grace")
    coalition.adjust(ada, 500)
    path, own = f"/v1/members/{ada}/redemptions", {"partner_id": "cafe"}
    code, foreign, late = coalition.code(ada), coalition.code(grace), coalition.code(ada)
    with coalition.writing_nothing():
        missing = coalition.post(path, {"reward_id": "cake"}, key="k", **own)
        assert_refused(missing, 422, "invalid_request")
        assert missing.pointers == ["/code"]
    made = coalition.post(path, {"reward_id": "cake", "code": code}, key="k", **own)
    assert made.status == 201
    for again in ({"reward_id": "cake"}, {"reward_id": "cake", "code": code}, {"reward_id": "cake", "code": late}):
        replay = coalition.post(path, again, key="k", **own)
        assert (replay.status, replay.replayed, replay.body) == (200, True, made.body)
    for wrong in (code, foreign, "AAAAAAAA", "x"):
        refused = coalition.post(path, {"reward_id": "cake", "code": wrong}, key="k2", **own)
        assert_refused(refused, 409, "code_expired")
    assert coalition.post("/v1/members/lookup", {"code": code}).status == 404, "a used code names nobody"
    coalition.pass_time(minutes=5)
    assert_refused(coalition.post(path, {"reward_id": "cake", "code": late}, key="k2", **own), 409, "code_expired")
    assert coalition.balance(ada) == 570


def test_a_refused_redemption_leaves_the_code_as_it_is(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    coalition.adjust(ada, -coalition.balance(ada))
    path, body = f"/v1/members/{ada}/redemptions", {"reward_id": "cake", "code": coalition.code(ada)}
    assert_refused(coalition.post(path, body, key="k", partner_id="cafe"), 409, "insufficient_points")
    coalition.adjust(ada, 30, "case-2")
    assert coalition.post(path, body, key="k", partner_id="cafe").status == 201


def test_only_a_partners_redemption_takes_a_code(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    coalition.adjust(ada, 500)
    body = {"reward_id": "tea", "code": coalition.code(ada)}
    for scope in (STOREFRONT, MEMBER):
        reply = coalition.post(f"/v1/members/{ada}/redemptions", body, key="k", scope=scope, member_id=ada)
        assert_refused(reply, 422, "invalid_request")
        assert reply.pointers == ["/code"]
    assert coalition.redeem(ada, "tea").status == 201, "the shop and the member need none"


def test_a_code_goes_on_with_who_the_member_has_become(coalition: Shop) -> None:
    ada, gone = coalition.enroll("ada"), coalition.enroll("gone")
    coalition.adjust(ada, 500)
    code = coalition.code(gone)
    coalition.merge(ada, gone)
    assert coalition.post("/v1/members/lookup", {"code": code}, partner_id="cafe").body == {"member_id": ada}
    body = {"reward_id": "cake", "code": code}
    made = coalition.post(f"/v1/members/{gone}/redemptions", body, key="k", partner_id="cafe")
    assert (made.status, made.body["member_id"]) == (201, ada)
    other = coalition.code(ada)
    coalition.erase(ada)
    assert_refused(coalition.post("/v1/members/lookup", {"code": other}), 404, "member_not_found")
    assert_refused(coalition.post(f"/v1/members/{ada}/codes"), 409, "member_not_active")


def test_of_two_redemptions_with_one_code_at_once_one_is_made(coalition: Shop, wire: Wire) -> None:
    ada = coalition.enroll("ada")
    coalition.adjust(ada, 500)
    path, body = f"/v1/members/{ada}/redemptions", {"reward_id": "cake", "code": coalition.code(ada)}
    others: list[Reply] = []
    wire.before("TransactWriteItems", lambda: others.append(coalition.post(path, body, key="k2", partner_id="cafe")))
    first = coalition.post(path, body, key="k1", partner_id="cafe")
    assert [one.status for one in others] == [201]
    assert_refused(first, 409, "code_expired")
    assert coalition.balance(ada) == 570


# Limits of what a partner redeems ------------------------------------------------------------------------------------


def test_a_partner_redeems_no_more_of_a_member_in_a_day_than_its_terms_say(coalition: Shop) -> None:
    limits(coalition, redeemed_points_per_member_day=50)
    ada, grace = coalition.enroll("ada"), coalition.enroll("grace")
    for member in (ada, grace):
        coalition.adjust(member, 500, f"c-{member}")
    held = redeem(coalition, ada, {"reward_id": "cake"}, "k1").body
    path = f"/v1/members/{ada}/redemptions"
    body = {"reward_id": "cake", "code": coalition.code(ada)}
    with coalition.writing_nothing():
        refused = coalition.post(path, body, key="k2", partner_id="cafe")
    assert_refused(refused, 409, "partner_limit_reached")
    assert "20 are left" in refused.body["detail"]
    assert redeem(coalition, grace, {"reward_id": "cake"}, "k1").status == 201, "the limit is each member's"
    assert coalition.redeem(ada, "tea").status == 201, "what the member asks for is not the partner's doing"
    coalition.post(f"{path}/{held['redemption_id']}/cancel", partner_id="cafe")
    assert coalition.post(path, body, key="k2", partner_id="cafe").status == 201
    coalition.pass_time(days=1)
    assert redeem(coalition, ada, {"reward_id": "cake"}, "k3").status == 201


@pytest.mark.parametrize("end", ["cancel", "lapse", "reverse", "part"])
def test_a_partners_day_is_counted_over_all_members_and_given_back(coalition: Shop, end: str) -> None:
    limits(coalition, redeemed_points_per_day=60)
    members = [coalition.enroll(name) for name in ("ada", "grace", "hedy")]
    for member in members:
        coalition.adjust(member, 500, f"c-{member}")
    cake: dict[str, Any] = {"reward_id": "cake", "capture": end in {"reverse", "part"}}
    made = [redeem(coalition, member, cake, "k") for member in members]
    assert [one.status for one in made] == [201, 201, 409]
    assert_refused(made[2], 409, "partner_limit_reached")
    name = "partner:cafe:redeemed:2026-11-20"
    assert budgets.load(name).left == 0
    first, second = (
        f"/v1/members/{member}/redemptions/{one.body['redemption_id']}"
        for member, one in zip(members[:2], made, strict=False)
    )
    coalition.post(f"{second}/capture", partner_id="cafe")
    if end == "lapse":
        coalition.pass_time(minutes=31)
        coalition.order(members[0], "A-1", 100)
    elif end == "part":
        for number, points in enumerate((10, 20)):
            part = {"reversal_id": f"v{number}", "points": points}
            assert coalition.post(f"{first}/reverse", part, partner_id="cafe").status == 200
            assert budgets.load(name).left == (10, 30)[number]
    else:
        assert coalition.post(f"{first}/{end}", partner_id="cafe").status == 200
    assert budgets.load(name).left == 30
    assert redeem(coalition, members[2], cake, "again").status == 201
    assert redeem(coalition, members[1], cake, "more").code == "partner_limit_reached"
    assert not check(client.client(), settings.loyalty_table()).violations
    check_every_account()


def test_terms_without_limits_set_none(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    coalition.adjust(ada, 500)
    for number in range(4):
        assert redeem(coalition, ada, {"reward_id": "cake", "capture": True}, str(number)).status == 201
    assert not [item for item in stored("loyalty") if ":redeemed:" in item["pk"]["S"]]


def test_the_shop_reads_amends_and_claims_a_partners_order_by_the_name_that_it_is_shown_under(coalition: Shop) -> None:
    ada, bob = coalition.enroll("ada"), coalition.enroll("bob")
    assert earn(coalition, ada, "1").status == 201
    path = f"/v1/members/{ada}/orders/cafe%2F1"
    assert coalition.get(path).body["order_id"] == "cafe/1"
    assert coalition.post(f"{path}/amend", {"amendment_id": "E-1", "total": 4000}).status == 201
    claim = {"claim_id": "C-1", "reason": "wrong card"}
    assert coalition.post(f"/v1/members/{bob}/orders/cafe%2F1/claim", claim, scope=OPERATOR).status == 201


def test_what_the_shop_takes_for_a_partners_order_comes_back_with_the_order(coalition: Shop) -> None:
    ada = coalition.enroll("ada")
    earn(coalition, ada, total=5000)
    paid = {"capture": True, "order_id": "cafe/1"}
    reply = coalition.spend(ada, 40, 5000, key="pay", **paid)
    assert reply.status == 201
    assert coalition.entries(ada)[0]["source"]["order_id"] == "cafe/1"
    assert coalition.balance(ada) == 100 + 50 - 40
    body = {"order_id": "cafe/1", "refund_id": "r", "amount": 2500, "return_spent": True}
    assert coalition.post(f"/v1/members/{ada}/refunds", body).body["returned_points"] == 20
    assert coalition.balance(ada) == 100 + 25 - 20
