"""Vouchers over HTTP: found by their code, used once or little by little, given back by reference, and over one day."""

from datetime import date
from typing import Any

import pytest

from infra.tools.verify import check
from shared import settings
from shared.domain.telling.notifications import Note
from shared.services import reminders
from shared.tables import client
from tests.functions.run_queues import Queues
from tests.functions.shop import MEMBER, OPERATOR, PARTNER, STOREFRONT, Reply, Shop, assert_refused
from tests.shared.wire import Wire

CAKE = {"reward_id": "cake", "name": "Cake", "kind": "product", "sku": "CAKE", "points": 100}
CARD = {"reward_id": "card", "name": "Gift card", "kind": "gift_card", "value": 2500, "points": 1000}
BUN = {"reward_id": "bun", "name": "Bun", "kind": "partner", "partner_id": "cafe", "points": 50}
CAFE = {"partner_id": "cafe", "name": "Cafe", "may_redeem": True, "point_cost": {"points": 2, "amount": 1}}
REWARDS = [
    {**CAKE, "voucher": {"valid_days": 30}},
    {**CARD, "voucher": {"in_parts": True}},
    {**BUN, "voucher": {}},
    {"reward_id": "plain", "name": "Plain", "kind": "free_shipping", "points": 10},
]


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with points, in a shop with vouchers."""
    redeeming = {"rewards": REWARDS, "points_as_money": {"points": 1, "amount": 1}}
    shop.change_program(redeeming=redeeming, partners=[CAFE], messages={"reminder_days": [7, 1]})
    member = shop.enroll("ada")
    shop.adjust(member, 20_000)
    return member


def bought(shop: Shop, member: str, reward: str = "cake", key: str = "k", **more: Any) -> tuple[str, str]:
    """The code of a voucher for a reward, and its redemption."""
    reply = shop.redeem(member, reward, key=key, capture=True, **more)
    assert reply.status == 201, reply.body
    return reply.body["voucher_code"], reply.body["redemption_id"]


def use(shop: Shop, code: str, reference: str = "T-1", *, scope: str = STOREFRONT, **more: Any) -> Reply:
    return shop.post("/v1/vouchers/use", {"code": code, "reference": reference, **more}, scope=scope)


def undo(shop: Shop, code: str, reference: str = "T-1") -> Reply:
    return shop.post("/v1/vouchers/undo", {"code": code, "reference": reference})


def look_up(shop: Shop, code: str, **options: Any) -> Reply:
    return shop.post("/v1/vouchers/lookup", {"code": code}, **options)


def state(shop: Shop, code: str) -> str:
    return str(look_up(shop, code).body["voucher"]["state"])


def listed(shop: Shop, member: str, **options: Any) -> list[dict[str, Any]]:
    reply = shop.get(f"/v1/members/{member}/vouchers", **options)
    assert reply.status == 200, reply.body
    return list(reply.body["items"])


def test_a_voucher_is_found_by_its_code_however_that_is_typed(shop: Shop, ada: str) -> None:
    code, redemption_id = bought(shop, ada)
    expected = {
        "voucher_id": redemption_id,
        "member_id": ada,
        "state": "live",
        "reward_id": "cake",
        "name": "Cake",
        "value": None,
        "left": None,
        "quantity": 1,
        "quantity_left": 1,
        "in_parts": False,
        "ends_on": "2026-12-20",
    }
    for typed in (code, code.lower(), code.replace("-", ""), f" {code} "):
        assert look_up(shop, typed).body == {"voucher": expected, "uses": []}
    assert listed(shop, ada) == [{**expected, "code": code}]
    assert listed(shop, "me", scope=MEMBER, member_id=ada) == [{**expected, "code": code}]


def test_a_voucher_is_used_once_with_the_store_noted(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada)
    first = use(shop, code, store_id="Main Street")
    assert (first.status, first.replayed) == (200, False)
    assert (first.body["voucher"]["state"], first.body["voucher"]["quantity_left"]) == ("used", 0)
    expected = {
        "reference": "T-1",
        "store_id": "Main Street",
        "amount": None,
        "quantity": 1,
        "used_at": shop.now.isoformat().replace("+00:00", "Z"),
        "undone_at": None,
    }
    assert first.body["use"] == expected
    again = use(shop, code.lower(), store_id="Main Street")
    assert (again.status, again.replayed, again.body) == (200, True, first.body)
    assert_refused(use(shop, code, "T-2"), 409, "voucher_used")
    assert_refused(use(shop, code, store_id="Elsewhere"), 422, "idempotency_mismatch")
    assert look_up(shop, code).body["uses"] == [expected]
    assert listed(shop, ada) == []


def test_what_is_sent_again_is_answered_again(shop: Shop, ada: str) -> None:
    first = shop.redeem(ada, "cake", key="at once", capture=True)
    again = shop.redeem(ada, "cake", key="at once", capture=True)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert again.body["voucher_code"] == first.body["voucher_code"]
    reserved = shop.redeem(ada, "cake", key="first reserved").body["redemption_id"]
    captured = [shop.move(ada, reserved, "capture") for _ in range(2)]
    assert captured[0].body["voucher_code"] == captured[1].body["voucher_code"]
    assert [one.status for one in captured] == [200, 200]
    assert len(listed(shop, ada)) == 2


def test_a_use_that_is_undone_can_be_made_again_under_another_reference(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada)
    assert_refused(undo(shop, code), 409, "invalid_state")
    use(shop, code)
    shop.pass_time(hours=1)
    back = undo(shop, code)
    assert (back.status, back.replayed, back.body["voucher"]["state"]) == (200, False, "live")
    assert back.body["use"]["undone_at"] == shop.now.isoformat().replace("+00:00", "Z")
    assert undo(shop, code).replayed
    late = use(shop, code)
    assert (late.replayed, late.body["use"]["undone_at"]) == (True, back.body["use"]["undone_at"])
    assert use(shop, code, "T-2").body["voucher"]["state"] == "used"
    assert [one["undone_at"] is None for one in look_up(shop, code).body["uses"]] == [False, True]


def test_money_is_used_little_by_little_where_the_reward_says_so(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada, "card")
    assert use(shop, code, "T-1", amount=900).body["voucher"]["left"] == {"amount": 1600, "currency": "USD"}
    assert_refused(use(shop, code, "T-2", amount=1601), 409, "voucher_used")
    assert use(shop, code, "T-2", quantity=1).pointers == ["/quantity"]
    assert use(shop, code, "T-3", amount=600).body["use"]["amount"] == {"amount": 600, "currency": "USD"}
    assert undo(shop, code, "T-1").body["voucher"]["left"]["amount"] == 1900
    assert use(shop, code, "T-4").body["use"]["amount"]["amount"] == 1900
    assert state(shop, code) == "used"


def test_what_is_used_all_at_once_is_not_used_in_parts(shop: Shop, ada: str) -> None:
    code, redemption_id = bought(shop, ada, quantity=3)
    assert shop.get(f"/v1/members/{ada}/redemptions/{redemption_id}").body["points"] == 300
    refused = use(shop, code, quantity=1)
    assert_refused(refused, 422, "invalid_request")
    assert refused.pointers == ["/quantity"]
    assert use(shop, code, amount=3).pointers == ["/amount"]
    assert_refused(use(shop, code, quantity=4), 409, "voucher_used")
    assert use(shop, code, quantity=3).body["use"]["quantity"] == 3


def test_a_used_vouchers_redemption_comes_back_only_after_its_use_is_undone(shop: Shop, ada: str) -> None:
    code, redemption_id = bought(shop, ada)
    use(shop, code)
    with shop.writing_nothing():
        assert_refused(shop.move(ada, redemption_id, "reverse"), 409, "voucher_used")
    undo(shop, code)
    assert shop.move(ada, redemption_id, "reverse").body["state"] == "reversed"
    assert (state(shop, code), listed(shop, ada)) == ("taken_back", [])
    assert_refused(use(shop, code, "T-2"), 409, "invalid_state")


def test_a_partner_does_not_learn_that_a_voucher_was_used_which_is_not_its_own(shop: Shop, ada: str) -> None:
    code, redemption_id = bought(shop, ada)
    use(shop, code)
    refused = shop.post(f"/v1/members/{ada}/redemptions/{redemption_id}/reverse", partner_id="cafe")
    assert_refused(refused, 404, "redemption_not_found")


def test_a_part_comes_back_as_far_as_its_voucher_is_not_used(shop: Shop, ada: str) -> None:
    code, redemption_id = bought(shop, ada, "card")
    path = f"/v1/members/{ada}/redemptions/{redemption_id}/reverse"
    use(shop, code, amount=1000)
    assert_refused(shop.post(path, {"reversal_id": "V-1", "points": 601}), 409, "voucher_used")
    assert shop.post(path, {"reversal_id": "V-1", "points": 600}).status == 200
    assert (state(shop, code), listed(shop, ada)) == ("taken_back", [])
    # What is given back is worth what is still paid for, and no more.
    assert undo(shop, code).body["voucher"]["left"]["amount"] == 1000


def test_more_than_was_paid_does_not_come_back_though_no_voucher_was_used(shop: Shop, ada: str) -> None:
    _, redemption_id = bought(shop, ada, "card")
    path = f"/v1/members/{ada}/redemptions/{redemption_id}/reverse"
    with shop.writing_nothing():
        assert_refused(shop.post(path, {"reversal_id": "V-1", "points": 1001}), 409, "invalid_state")


def test_an_order_that_comes_back_leaves_the_voucher_with_whoever_has_it(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada, "card", order_id="A-1")
    shop.order(ada, "A-1", 5000)
    use(shop, code, "A-1")
    body = {"order_id": "A-1", "refund_id": "R-1", "amount": 5000, "refunded_at": shop.now.isoformat()}
    refunded = shop.post(f"/v1/members/{ada}/refunds", {**body, "return_spent": True})
    assert refunded.body["returned_points"] == 0
    assert undo(shop, code, "A-1").status == 200
    assert (state(shop, code), len(listed(shop, ada))) == ("live", 1)


def test_what_is_left_after_the_last_day_is_gone(shop: Shop, ada: str) -> None:
    code, redemption_id = bought(shop, ada)
    shop.pass_time(days=30)
    assert state(shop, code) == "live"
    shop.pass_time(days=1)
    assert (state(shop, code), listed(shop, ada)) == ("expired", [])
    assert_refused(use(shop, code), 409, "voucher_expired")
    assert shop.move(ada, redemption_id, "reverse").status == 200


def test_a_use_undone_after_the_last_day_leaves_the_grace_days_of_that_day(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada)
    use(shop, code)
    shop.pass_time(days=40)
    back = undo(shop, code).body["voucher"]
    assert (back["state"], back["ends_on"]) == ("live", "2027-01-03")
    late, _ = bought(shop, ada, key="late")
    use(shop, late, "T-9")
    shop.pass_time(days=30 + 14 + 1)
    assert undo(shop, late, "T-9").body["voucher"]["state"] == "expired"


def test_the_member_is_reminded_of_a_voucher_that_ends(
    shop: Shop, ada: str, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[Note] = []
    monkeypatch.setattr("shared.messaging.message_queue.enqueue", notes.extend)
    code, _ = bought(shop, ada)
    other, _ = bought(shop, ada, key="other")
    for day in (13, 19):
        shop.now = shop.now.replace(month=12, day=day)
        reminders.begin(shop.now)
        queues.deliver()
        use(shop, other)
    told = [(note.member_id, note.kind, dict(note.values)) for note in notes if note.kind == "voucher_expiring"]
    values = {"reward_name": "Cake", "voucher_code": code, "last_day": "2026-12-20"}
    expected = [{**values, "days": 7}, {**values, "voucher_code": other, "days": 7}, {**values, "days": 1}]
    assert len(told) == len(expected)
    assert all((ada, "voucher_expiring", one) in told for one in expected)


def test_a_partner_finds_and_uses_vouchers_of_its_own_rewards_alone(shop: Shop, ada: str) -> None:
    bun, _ = bought(shop, ada, "bun")
    cake, _ = bought(shop, ada, key="cake")
    body = {"code": bun, "reference": "T-1"}
    assert look_up(shop, bun, partner_id="cafe").status == 200
    assert_refused(look_up(shop, cake, partner_id="cafe"), 404, "voucher_not_found")
    assert_refused(shop.post("/v1/vouchers/use", {**body, "code": cake}, partner_id="cafe"), 404, "voucher_not_found")
    used = shop.post("/v1/vouchers/use", body, partner_id="cafe")
    assert (used.status, set(used.body)) == (200, {"voucher", "use"})
    assert shop.post("/v1/vouchers/undo", body, partner_id="cafe").status == 200


def test_who_tries_codes_is_held_up(shop: Shop, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bun, _ = bought(shop, ada, "bun")
    monkeypatch.setattr("shared.services.guess_limits.PARTNER_GUESSES_MAX", 2)
    for _ in range(2):
        assert_refused(look_up(shop, "AAAAA-AAAAA-AAAAA", partner_id="cafe"), 404, "voucher_not_found")
    assert_refused(look_up(shop, bun, partner_id="cafe"), 429, "too_many_requests")
    assert look_up(shop, bun).status == 200


def test_a_frozen_members_voucher_waits(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada)
    shop.post(f"/v1/members/{ada}/freeze", {"reason": "r", "reference": "f"}, scope=OPERATOR)
    assert_refused(use(shop, code), 409, "member_frozen")


def test_a_merged_members_vouchers_go_on_with_the_survivor(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada)
    part, _ = bought(shop, ada, "card", key="card")
    use(shop, part, amount=100)
    grace = shop.enroll("grace")
    shop.merge(grace, ada)
    assert {one["code"] for one in listed(shop, grace)} == {code, part}
    assert use(shop, code).body["voucher"]["member_id"] == grace
    assert undo(shop, part).body["voucher"]["left"]["amount"] == 2500


def test_an_erased_members_vouchers_end(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada)
    shop.erase(ada)
    assert state(shop, code) == "taken_back"
    assert_refused(use(shop, code), 409, "member_not_active")


def test_so_many_vouchers_wait_at_most(shop: Shop, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.domain.spending.vouchers.LIVE_MAX", 2)
    codes = [bought(shop, ada, key=key)[0] for key in ("k1", "k2")]
    assert_refused(shop.redeem(ada, "cake", key="k3", capture=True), 409, "invalid_state")
    assert shop.redeem(ada, "plain", key="k4", capture=True).status == 201
    use(shop, codes[0])
    assert shop.redeem(ada, "cake", key="k3", capture=True).status == 201


def test_a_reward_without_vouchers_redeems_as_ever(shop: Shop, ada: str, wire: Wire) -> None:
    programmed = shop.balance(ada)
    wire.requests.clear()
    code, _ = bought(shop, ada, "plain")
    assert len(wire.requests) == 2
    assert_refused(look_up(shop, code), 404, "voucher_not_found")
    assert shop.balance(ada) == programmed - 10


def test_a_voucher_with_its_redemption_takes_two_requests(shop: Shop, ada: str, wire: Wire) -> None:
    wire.requests.clear()
    bought(shop, ada)
    assert len(wire.requests) == 2


def test_quantity_counts_toward_limit_and_stock(shop: Shop, ada: str) -> None:
    limited = {**CAKE, "stock": 5, "limit": {"times": 3, "per": "month"}, "voucher": {"in_parts": True}}
    shop.change_program(redeeming={"rewards": [limited]})
    code, redemption_id = bought(shop, ada, quantity=2)
    assert_refused(shop.redeem(ada, "cake", key="k2", quantity=2), 409, "reward_unavailable")
    use(shop, code, quantity=1)
    assert listed(shop, ada)[0]["quantity_left"] == 1
    undo(shop, code)
    shop.move(ada, redemption_id, "reverse")
    grace = shop.enroll("grace")
    shop.adjust(grace, 1000, "g")
    bought(shop, ada, key="k3", quantity=3)
    assert_refused(shop.redeem(grace, "cake", key="k4", quantity=3), 409, "reward_unavailable")
    assert shop.redeem(grace, "cake", key="k5", quantity=2).status == 201


def test_the_tables_sums_are_those_of_the_entries(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada, "card")
    use(shop, code, amount=300)
    use(shop, code, "T-2", amount=400)
    undo(shop, code)
    assert settings.loyalty_table()
    assert check(client.client(), settings.loyalty_table()).violations == []


def test_no_entry_account_or_event_tells_a_code(shop: Shop, ada: str) -> None:
    code, _ = bought(shop, ada)
    use(shop, code)
    undo(shop, code)
    assert code not in str(shop.entries(ada)) + str(shop.account(ada))
    assert date.fromisoformat(listed(shop, ada)[0]["ends_on"]) == date(2026, 12, 20)


@pytest.mark.parametrize("scope", [MEMBER, PARTNER])
def test_members_use_no_vouchers_themselves(shop: Shop, ada: str, scope: str) -> None:
    code, _ = bought(shop, ada)
    assert use(shop, code, scope=scope).status == 403
