"""Points reserved for rewards or as money, and what becomes of them."""

import json
from typing import Any

import pytest

from shared.domain.telling.events import event_of
from shared.tables import ledger
from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, assert_refused
from tests.shared.wire import Wire

HOLD_MINUTES = 30


def mug(**changes: Any) -> dict[str, Any]:
    return {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 50, **changes}


def offer(shop: Shop, *rewards: dict[str, Any]) -> None:
    shop.change_program(redeeming={"rewards": list(rewards)})


def member_with(shop: Shop, points: int, name: str = "ada") -> str:
    member = shop.enroll(name)
    shop.adjust(member, points - 100)
    return member


def state(shop: Shop, member: str, redemption_id: str) -> str:
    reply = shop.get(f"/v1/members/{member}/redemptions/{redemption_id}")
    assert reply.status == 200, reply.body
    return str(reply.body["state"])


# Reserving -----------------------------------------------------------------------------------------------------------


def test_a_reserved_reward_locks_its_points(shop: Shop) -> None:
    ada = member_with(shop, 500)
    reply = shop.redeem(ada, "five-off", order_id="A-7")
    assert (reply.status, reply.replayed) == (201, False)
    body = reply.body
    assert body.pop("account") == shop.account(ada)
    assert body == {
        "redemption_id": body["redemption_id"],
        "member_id": ada,
        "state": "reserved",
        "points": 450,
        "value": {"amount": 500, "currency": "USD"},
        "voucher_code": None,
        "returned": 0,
        "hold_expires_at": "2026-11-20T18:33:00Z",
        "reward_id": "five-off",
        "order_id": "A-7",
    }
    assert (shop.account(ada)["balance"], shop.account(ada)["held"]) == (50, 450)


def test_a_redemption_is_read_as_it_was_made(shop: Shop) -> None:
    ada = member_with(shop, 500)
    made = shop.redeem(ada).body
    read = shop.get(f"/v1/members/{ada}/redemptions/{made['redemption_id']}")
    assert read.body == {**made, "account": None}


def test_points_are_spent_as_money_on_an_order(shop: Shop) -> None:
    ada = member_with(shop, 500)
    body = shop.spend(ada, 500, 4200, order_id="A-7").body
    assert (body["points"], body["value"], body["reward_id"]) == (500, {"amount": 500, "currency": "USD"}, None)
    assert shop.balance(ada) == 0


def test_a_redemption_can_be_final_at_once(shop: Shop) -> None:
    ada = member_with(shop, 500)
    body = shop.redeem(ada, capture=True).body
    assert (body["state"], body["account"]["balance"], body["account"]["held"]) == ("captured", 350, 0)
    assert state(shop, ada, body["redemption_id"]) == "captured"
    assert [entry["type"] for entry in shop.entries(ada)[:2]] == ["capture", "reserve"]


def test_a_member_redeems_for_themselves(shop: Shop) -> None:
    ada = member_with(shop, 500)
    body = {"reward_id": "free-coffee"}
    reply = shop.post("/v1/members/me/redemptions", body, key="k", scope=MEMBER, member_id=ada)
    assert (reply.status, reply.body["member_id"]) == (201, ada)
    own = {"scope": MEMBER, "member_id": ada}
    cancelled = shop.post(f"/v1/members/me/redemptions/{reply.body['redemption_id']}/cancel", **own)
    assert (cancelled.status, cancelled.body["state"]) == (200, "cancelled")


def test_points_that_soon_expire_are_spent_first(shop: Shop) -> None:
    ada = shop.enroll("ada")
    shop.pass_time(days=60)
    shop.adjust(ada, 100)
    shop.redeem(ada, capture=True)
    assert shop.account(ada)["expiring"] == [{"on": "2028-01-31", "points": 50}]


@pytest.mark.parametrize("key", [None, " ", "a\nb"])
def test_nothing_is_redeemed_without_an_idempotency_key(shop: Shop, key: str | None) -> None:
    ada = member_with(shop, 500)
    with shop.writing_nothing():
        assert_refused(shop.redeem(ada, key=key), 400, "idempotency_key_required")


def test_a_redemption_is_made_once_and_remembered_when_the_points_are_gone(shop: Shop) -> None:
    ada = member_with(shop, 150)
    first = shop.redeem(ada)
    shop.move(ada, first.body["redemption_id"], "capture")
    shop.pass_time(days=500)
    with shop.writing_nothing():
        again = shop.redeem(ada)
    assert (again.status, again.replayed) == (200, True)
    assert again.body == {**first.body, "account": shop.account(ada)}


def test_a_redemption_is_remembered_when_its_reward_is_no_longer_offered(shop: Shop) -> None:
    ada = member_with(shop, 500)
    first = shop.redeem(ada, capture=True)
    offer(shop, mug())
    again = shop.redeem(ada, capture=True)
    assert (again.replayed, again.body["redemption_id"]) == (True, first.body["redemption_id"])


def test_one_key_is_one_redemption(shop: Shop) -> None:
    ada, grace = member_with(shop, 900), member_with(shop, 900, "grace")
    shop.redeem(ada)
    with shop.writing_nothing():
        for other in (
            shop.redeem(ada, "free-shipping"),
            shop.redeem(ada, capture=True),
            shop.redeem(ada, order_id="A-7"),
            shop.spend(ada, 100, 1000),
        ):
            assert_refused(other, 422, "idempotency_mismatch")
    assert not shop.redeem(grace).replayed


def test_nobody_spends_more_than_they_have(shop: Shop) -> None:
    ada = member_with(shop, 149)
    with shop.writing_nothing():
        assert_refused(shop.redeem(ada), 409, "insufficient_points")
        assert_refused(shop.spend(ada, 150, 5000), 409, "insufficient_points")
        assert_refused(shop.redeem("nobody"), 404, "member_not_found")


def test_points_past_their_date_are_not_spent_though_no_job_has_run(shop: Shop) -> None:
    ada = member_with(shop, 150)
    shop.pass_time(days=500)
    with shop.writing_nothing():
        assert_refused(shop.redeem(ada), 409, "insufficient_points")


def test_an_unknown_reward_is_not_found(shop: Shop) -> None:
    ada = member_with(shop, 500)
    with shop.writing_nothing():
        assert_refused(shop.redeem(ada, "free-tea"), 404, "reward_not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"order_total": 100, "currency": "USD"}, "/points"),
        ({"reward_id": "Free Coffee"}, "/reward_id"),
        ({"reward_id": "free-coffee", "points": 5}, "/points"),
        ({"reward_id": None}, "/reward_id"),
        ({"reward_id": "free-coffee", "capture": "now"}, "/capture"),
        ({"reward_id": "free-coffee", "capture": None}, "/capture"),
        ({"points": {}, "order_total": 100, "currency": "USD"}, "/points"),
        ({"points": 100, "currency": "USD"}, "/order_total"),
        ({"points": 0, "order_total": 100, "currency": "USD"}, "/points"),
        ({"points": 100, "order_total": -1, "currency": "USD"}, "/order_total"),
        ({"points": 100, "order_total": 1000, "currency": "EUR"}, "/currency"),
        ({"points": 500, "order_total": 499, "currency": "USD"}, "/points"),
    ],
)
def test_a_fault_in_a_redemption_is_named_with_its_place(shop: Shop, body: Any, pointer: str) -> None:
    ada = member_with(shop, 500)
    with shop.writing_nothing():
        reply = shop.post(f"/v1/members/{ada}/redemptions", body, key="k")
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


def test_points_as_money_follow_the_programs_rate_minimum_and_share(shop: Shop) -> None:
    rate = {"points": 100, "amount": 50, "minimum_points": 200, "order_share_percent": 50}
    shop.change_program(redeeming={"points_as_money": rate})
    ada = member_with(shop, 1000)
    with shop.writing_nothing():
        for points, order_total in ((198, 9000), (201, 9000), (400, 399)):
            reply = shop.spend(ada, points, order_total)
            assert_refused(reply, 422, "invalid_request")
            assert reply.pointers == ["/points"]
    assert shop.spend(ada, 400, 400).body["value"] == {"amount": 200, "currency": "USD"}


def test_a_program_without_points_as_money_takes_none(shop: Shop) -> None:
    shop.change_program(redeeming={"points_as_money": None})
    ada = member_with(shop, 1000)
    with shop.writing_nothing():
        assert_refused(shop.spend(ada, 100, 5000), 409, "reward_unavailable")


@pytest.mark.parametrize(
    "reward",
    [
        mug(starts_on="2026-11-21"),
        mug(ends_on="2026-11-19"),
        mug(minimum_tier="silver"),
        mug(stock=0),
    ],
)
def test_a_reward_that_is_not_for_this_member_today_is_not_given(shop: Shop, reward: dict[str, Any]) -> None:
    offer(shop, reward)
    ada = shop.enroll()
    with shop.writing_nothing():
        assert_refused(shop.redeem(ada, "mug"), 409, "reward_unavailable")


def test_a_reward_is_offered_on_its_first_and_last_day_to_who_has_the_tier(shop: Shop) -> None:
    offer(shop, mug(starts_on="2026-11-20", ends_on="2026-11-20", minimum_tier="bronze"))
    assert shop.redeem(shop.enroll(), "mug").status == 201


def test_so_many_redemptions_are_open_at_once_and_no_more(shop: Shop) -> None:
    offer(shop, mug(points=1))
    ada = shop.enroll()
    for number in range(20):
        assert shop.redeem(ada, "mug", key=f"k{number}").status == 201
    with shop.writing_nothing():
        assert_refused(shop.redeem(ada, "mug", key="k20"), 409, "invalid_state")


# The life of a redemption --------------------------------------------------------------------------------------------

PATHS: dict[str, list[str]] = {
    "reserved": [],
    "captured": ["capture"],
    "cancelled": ["cancel"],
    "reversed": ["capture", "reverse"],
}
MOVES = {
    ("reserved", "capture"): "captured",
    ("reserved", "cancel"): "cancelled",
    ("captured", "capture"): "captured again",
    ("captured", "reverse"): "reversed",
    ("cancelled", "cancel"): "cancelled again",
    ("reversed", "capture"): "captured again",
    ("reversed", "reverse"): "reversed again",
}


@pytest.mark.parametrize("step", ["capture", "cancel", "reverse"])
@pytest.mark.parametrize("begun", PATHS)
def test_a_redemption_takes_the_moves_of_its_state_and_no_other(shop: Shop, begun: str, step: str) -> None:
    ada = member_with(shop, 500)
    redemption_id = shop.redeem(ada).body["redemption_id"]
    first = {}
    for earlier in PATHS[begun]:
        first[earlier] = shop.move(ada, redemption_id, earlier)
    assert state(shop, ada, redemption_id) == begun

    outcome = MOVES.get((begun, step))
    if outcome is None:
        with shop.writing_nothing():
            reply = shop.move(ada, redemption_id, step)
        assert_refused(reply, 409, "invalid_state")
        assert begun in reply.body["detail"]
    elif outcome.endswith("again"):
        with shop.writing_nothing():
            reply = shop.move(ada, redemption_id, step)
        assert (reply.status, reply.replayed) == (200, True)
        assert reply.body == {**first[step].body, "account": shop.account(ada)}
    else:
        reply = shop.move(ada, redemption_id, step)
        assert (reply.status, reply.replayed, reply.body["state"]) == (200, False, outcome)
        assert state(shop, ada, redemption_id) == outcome


def test_a_captured_reward_is_paid_for_and_a_cancelled_or_reversed_one_is_not(shop: Shop) -> None:
    ada = member_with(shop, 500)
    ids = [shop.redeem(ada, key=f"k{number}").body["redemption_id"] for number in range(3)]
    assert (shop.account(ada)["balance"], shop.account(ada)["held"]) == (50, 450)
    shop.move(ada, ids[0], "capture")
    shop.move(ada, ids[1], "cancel")
    shop.move(ada, ids[2], "capture")
    assert (shop.account(ada)["balance"], shop.account(ada)["held"]) == (200, 0)
    assert shop.move(ada, ids[2], "reverse").body["account"]["balance"] == 350
    assert shop.account(ada)["expiring"] == [{"on": "2027-11-30", "points": 350}]


def test_a_hold_lapses_when_its_time_is_over_though_no_job_has_run(shop: Shop) -> None:
    ada = member_with(shop, 500)
    redemption_id = shop.redeem(ada).body["redemption_id"]
    shop.pass_time(minutes=HOLD_MINUTES, seconds=-1)
    assert state(shop, ada, redemption_id) == "reserved"
    assert shop.account(ada)["held"] == 150
    shop.pass_time(seconds=1)
    assert state(shop, ada, redemption_id) == "lapsed"
    assert (shop.account(ada)["balance"], shop.account(ada)["held"]) == (500, 0)
    with shop.writing_nothing():
        for step in ("capture", "cancel", "reverse"):
            reply = shop.move(ada, redemption_id, step)
            assert_refused(reply, 409, "invalid_state")
            assert "lapsed" in reply.body["detail"]


def test_a_lapse_is_booked_with_the_next_movement(shop: Shop) -> None:
    ada = member_with(shop, 150)
    redemption_id = shop.redeem(ada).body["redemption_id"]
    shop.pass_time(minutes=HOLD_MINUTES)
    assert shop.redeem(ada, key="spend-2").status == 201
    assert [entry["type"] for entry in shop.entries(ada)[:3]] == ["reserve", "lapse", "reserve"]
    assert state(shop, ada, redemption_id) == "lapsed"
    with shop.writing_nothing():
        for step in ("capture", "cancel", "reverse"):
            assert_refused(shop.move(ada, redemption_id, step), 409, "invalid_state")


def test_a_replayed_reservation_is_told_as_it_was_made(shop: Shop) -> None:
    ada = member_with(shop, 150)
    first = shop.redeem(ada)
    shop.move(ada, first.body["redemption_id"], "cancel")
    again = shop.redeem(ada)
    assert again.replayed
    assert again.body == {**first.body, "account": shop.account(ada)}


@pytest.mark.parametrize(("steps", "last"), [(["cancel"], "cancel"), (["capture", "reverse"], "reverse")])
def test_points_that_come_back_after_their_date_get_days_of_grace(shop: Shop, steps: list[str], last: str) -> None:
    shop.change_program(redeeming={"hold_minutes": 60 * 24 * 30})
    ada = member_with(shop, 150)
    shop.pass_time(days=370)  # 25 November 2027; the points end with the month
    redemption_id = shop.redeem(ada).body["redemption_id"]
    for step in steps[:-1]:
        shop.move(ada, redemption_id, step)
    shop.pass_time(days=10)
    assert shop.move(ada, redemption_id, last).status == 200
    assert shop.account(ada)["expiring"] == [{"on": "2027-12-14", "points": 150}], "counted from the lot's own last day"


@pytest.mark.parametrize("step", ["capture", "cancel", "reverse"])
def test_what_a_member_never_redeemed_is_not_found(shop: Shop, step: str) -> None:
    ada = member_with(shop, 500)
    with shop.writing_nothing():
        assert_refused(shop.move(ada, "unknown", step), 404, "redemption_not_found")
        assert_refused(shop.move("nobody", "unknown", step), 404, "member_not_found")
        assert_refused(shop.get(f"/v1/members/{ada}/redemptions/unknown"), 404, "redemption_not_found")


@pytest.mark.parametrize("begun", PATHS)
def test_anothers_redemption_is_not_found_whatever_its_state(shop: Shop, begun: str) -> None:
    ada, grace = member_with(shop, 500), member_with(shop, 500, "grace")
    redemption_id = shop.redeem(ada).body["redemption_id"]
    for step in PATHS[begun]:
        shop.move(ada, redemption_id, step)
    with shop.writing_nothing():
        for step in ("capture", "cancel", "reverse"):
            assert_refused(shop.move(grace, redemption_id, step), 404, "redemption_not_found")
        assert_refused(shop.get(f"/v1/members/{grace}/redemptions/{redemption_id}"), 404, "redemption_not_found")


def test_each_redemption_has_a_voucher_of_its_own(shop: Shop) -> None:
    ada = member_with(shop, 500)
    made = [shop.redeem(ada, key=f"k{number}", capture=True).body for number in range(3)]
    assert len({body["voucher_code"] for body in made}) == 3
    assert {len(body["voucher_code"]) for body in made} == {17}


def test_a_voucher_is_the_same_wherever_and_however_often_it_is_asked_for(shop: Shop) -> None:
    ada = member_with(shop, 500)
    at_once = shop.redeem(ada, key="at once", capture=True)
    reserved = shop.redeem(ada, key="reserved").body["redemption_id"]
    captured = shop.move(ada, reserved, "capture")
    again = [shop.redeem(ada, key="at once", capture=True), shop.move(ada, reserved, "capture")]
    assert [one.body["voucher_code"] for one in again] == [one.body["voucher_code"] for one in (at_once, captured)]
    path = f"/v1/members/{ada}/redemptions"
    codes = {one.body["redemption_id"]: one.body["voucher_code"] for one in (at_once, captured)}
    assert {one: shop.get(f"{path}/{one}").body["voucher_code"] for one in codes} == codes
    assert {one["redemption_id"]: one["voucher_code"] for one in shop.get(path).body["items"]} == codes


def test_no_entry_account_or_event_tells_a_voucher(shop: Shop) -> None:
    ada = member_with(shop, 500)
    code = shop.redeem(ada, capture=True).body["voucher_code"]
    answers = [shop.get(f"/v1/members/{ada}/{rest}", scope=OPERATOR) for rest in ("entries", "account")]
    assert [answer.status for answer in answers] == [200, 200]
    events = [event_of(entry) for entry in ledger.load_whole_history(ada)]
    assert "redemption.captured" in {event.type for event in events}
    told = [*(json.dumps(answer.body) for answer in answers), *(event.model_dump_json() for event in events)]
    assert code
    assert not any(code in text for text in told)


@pytest.mark.parametrize("at_once", [True, False])
def test_an_export_has_a_voucher_from_the_capture_until_all_has_come_back(shop: Shop, *, at_once: bool) -> None:
    ada = member_with(shop, 500)
    path = f"/v1/members/{ada}/export"
    redemption_id = shop.redeem(ada, capture=at_once).body["redemption_id"]
    if not at_once:
        assert '"voucher_code": "' not in json.dumps(shop.get(path, scope=OPERATOR).body)
        assert shop.move(ada, redemption_id, "capture").status == 200
    code = shop.get(f"/v1/members/{ada}/redemptions/{redemption_id}").body["voucher_code"]
    assert code in json.dumps(shop.get(path, scope=OPERATOR).body)
    assert shop.move(ada, redemption_id, "reverse").status == 200
    assert '"voucher_code": "' not in json.dumps(shop.get(path, scope=OPERATOR).body)


def test_a_voucher_is_there_once_it_is_captured_and_gone_when_it_is_reversed(shop: Shop) -> None:
    ada = member_with(shop, 500)
    redemption_id = shop.redeem(ada).body["redemption_id"]
    path = f"/v1/members/{ada}/redemptions/{redemption_id}"
    seen = [shop.get(path).body["voucher_code"]]
    for step in ("capture", "reverse"):
        code = shop.move(ada, redemption_id, step).body["voucher_code"]
        assert shop.get(path).body["voucher_code"] == code
        seen.append(code)
    assert [code is not None for code in seen] == [False, True, False]


@pytest.mark.parametrize("step", ["capture", "cancel", "reverse"])
def test_a_move_whose_answer_is_lost_is_made_once(shop: Shop, wire: Wire, step: str) -> None:
    ada = member_with(shop, 500)
    redemption_id = shop.redeem(ada, capture=step == "reverse").body["redemption_id"]
    wire.lose("TransactWriteItems")
    with shop.writing_nothing():
        assert_refused(shop.move(ada, redemption_id, step), 503, "try_again")
    wire.lose_answer("TransactWriteItems")
    reply = shop.move(ada, redemption_id, step)
    assert (reply.status, reply.replayed, reply.body["account"]) == (200, True, shop.account(ada))
    assert [entry["type"] for entry in shop.entries(ada)].count(step) == 1


# What is limited -----------------------------------------------------------------------------------------------------


def stock_left(shop: Shop) -> int:
    [reward] = shop.get("/v1/rewards").body["items"]
    return int(reward["stock_left"])


def test_no_more_of_a_limited_reward_are_given_than_there_are(shop: Shop) -> None:
    offer(shop, mug(stock=3))
    members = [shop.enroll(f"m{number}") for number in range(4)]
    replies = [shop.redeem(member, "mug", capture=True) for member in members]
    assert [reply.status for reply in replies] == [201, 201, 201, 409]
    assert replies[3].code == "reward_unavailable"
    assert shop.balance(members[3]) == 100
    assert stock_left(shop) == 0


def test_what_is_left_is_told_of_each_of_many_rewards(shop: Shop) -> None:
    offer(shop, *(mug(reward_id=f"mug-{number}", stock=3, points=1) for number in range(60)))
    ada = shop.enroll()
    taken = (0, 24, 25, 49, 50, 59)
    for number in taken:
        shop.redeem(ada, f"mug-{number}", key=f"spend-{number}")
    left = [reward["stock_left"] for reward in shop.pages("/v1/rewards", 100)]
    assert left == [2 if number in taken else 3 for number in range(60)]


def test_a_reservation_that_is_repeated_takes_one_piece(shop: Shop) -> None:
    offer(shop, mug(stock=1))
    ada = shop.enroll()
    shop.redeem(ada, "mug")
    assert shop.redeem(ada, "mug").replayed
    assert stock_left(shop) == 0


def test_a_reservation_that_is_repeated_after_it_lapsed_is_the_same_again_and_its_state_is_read(shop: Shop) -> None:
    ada = member_with(shop, 500)
    reserved = shop.redeem(ada)
    shop.pass_time(minutes=HOLD_MINUTES)
    again = shop.redeem(ada)
    assert (again.status, again.replayed, again.body["redemption_id"]) == (200, True, reserved.body["redemption_id"])
    assert again.body["state"] == "reserved"
    path = f"/v1/members/{ada}/redemptions/{reserved.body['redemption_id']}"
    assert shop.get(path).body["state"] == "lapsed"
    assert_refused(shop.post(f"{path}/capture"), 409, "invalid_state")


def cancelled(shop: Shop, member: str, first: Reply) -> None:
    shop.move(member, first.body["redemption_id"], "cancel")


def lapsed(shop: Shop, member: str, first: Reply) -> None:
    shop.pass_time(minutes=HOLD_MINUTES)
    assert shop.adjust(member, 1).status == 201
    assert shop.get(f"/v1/members/{member}/redemptions/{first.body['redemption_id']}").body["state"] == "lapsed"


def reversed_(shop: Shop, member: str, first: Reply) -> None:
    for step in ("capture", "reverse"):
        shop.move(member, first.body["redemption_id"], step)


@pytest.mark.parametrize("undone", [cancelled, lapsed, reversed_])
def test_a_piece_that_was_not_had_in_the_end_is_put_back(shop: Shop, undone: Any) -> None:
    offer(shop, mug(stock=1))
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    first = shop.redeem(ada, "mug")
    assert_refused(shop.redeem(grace, "mug"), 409, "reward_unavailable")
    undone(shop, ada, first)
    assert stock_left(shop) == 1
    assert shop.redeem(grace, "mug").status == 201
    assert_refused(shop.redeem(ada, "mug", key="spend-2"), 409, "reward_unavailable")


def test_pieces_whose_holds_lapsed_together_are_all_put_back(shop: Shop) -> None:
    offer(shop, mug(stock=2, points=10))
    ada = shop.enroll()
    for number in range(2):
        shop.redeem(ada, "mug", key=f"k{number}")
    assert_refused(shop.redeem(ada, "mug", key="k2"), 409, "reward_unavailable")
    shop.pass_time(minutes=HOLD_MINUTES)
    assert shop.redeem(ada, "mug", key="k3").status == 201
    assert stock_left(shop) == 1


def test_the_last_piece_goes_to_one_of_two_who_reach_for_it(shop: Shop, wire: Wire) -> None:
    offer(shop, mug(stock=1))
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    wire.before("TransactWriteItems", lambda: shop.redeem(grace, "mug"))
    reply = shop.redeem(ada, "mug")
    assert_refused(reply, 409, "reward_unavailable")
    assert (shop.balance(ada), shop.balance(grace)) == (100, 50)


def test_a_member_has_a_reward_as_often_as_its_limit_allows(shop: Shop) -> None:
    offer(shop, mug(points=10, limit={"times": 2, "per": "month"}))
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    for number in range(2):
        assert shop.redeem(ada, "mug", key=f"k{number}", capture=True).status == 201
    with shop.writing_nothing():
        reply = shop.redeem(ada, "mug", key="k2")
    assert_refused(reply, 409, "reward_unavailable")
    assert "2026-12-01" in reply.body["detail"]
    assert shop.redeem(grace, "mug").status == 201
    shop.pass_time(days=11)
    assert shop.redeem(ada, "mug", key="k2").status == 201


@pytest.mark.parametrize("undone", [cancelled, lapsed, reversed_])
def test_a_reward_that_was_not_had_in_the_end_does_not_count_to_its_limit(shop: Shop, undone: Any) -> None:
    offer(shop, mug(points=10, limit={"times": 1, "per": "lifetime"}))
    ada = shop.enroll()
    first = shop.redeem(ada, "mug")
    assert_refused(shop.redeem(ada, "mug", key="k2"), 409, "reward_unavailable")
    undone(shop, ada, first)
    assert shop.redeem(ada, "mug", key="k3").status == 201


def test_a_redemption_stays_what_it_was_when_the_program_changes(shop: Shop) -> None:
    ada = member_with(shop, 500)
    redemption_id = shop.redeem(ada, "five-off").body["redemption_id"]
    offer(shop, mug())
    captured = shop.move(ada, redemption_id, "capture").body
    assert (captured["points"], captured["value"]) == (450, {"amount": 500, "currency": "USD"})
    by_operator = shop.post(f"/v1/members/{ada}/redemptions/{redemption_id}/reverse", scope=OPERATOR)
    assert (by_operator.body["state"], shop.balance(ada)) == ("reversed", 500)
