"""Many at once, through the running server and on an engine that shows races."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from tests.system.conftest import Server

AT_ONCE = 16


def test_sixteen_redemptions_of_one_balance_succeed_as_often_as_it_allows(server: Server) -> None:
    member = server.enroll("racer")
    server.order(member, "race-1", 120_000)
    balance = server.account(member)["balance"]
    assert balance == 1_300
    request = {"points": 200, "order_total": 10_000, "currency": "USD"}
    spend = partial(server.post, f"/v1/members/{member}/redemptions", request)

    answers = _at_once([partial(spend, key=f"race-{number}") for number in range(AT_ONCE)])

    codes = Counter(answer.json().get("code", "reserved") for answer in answers)
    assert codes == {"reserved": balance // 200, "insufficient_points": AT_ONCE - balance // 200}
    assert {answer.status_code for answer in answers} == {201, 409}
    assert server.account(member)["balance"] == balance % 200
    assert server.is_sound()


def test_sixteen_redemptions_of_one_order_pay_no_more_than_it_comes_to(server: Server) -> None:
    members = [server.enroll(f"payer-{number}") for number in range(AT_ONCE)]
    for number, member in enumerate(members):
        server.order(member, f"race-paid-{number}", 30_000)
    request = {"points": 200, "order_total": 700, "currency": "USD", "order_id": "race-basket"}
    paths = [f"/v1/members/{member}/redemptions" for member in members]

    answers = _at_once([partial(server.post, path, request, key=f"paid-{path}") for path in paths])
    # Whoever was told to try again, does.
    answers += [server.post(path, request, key=f"paid-{path}") for path in paths]

    codes = Counter(answer.json().get("code", answer.status_code) for answer in answers)
    assert codes[201] == 3
    assert set(codes) <= {201, 200, "order_paid", "try_again"}
    assert server.is_sound()


def test_one_order_sent_sixteen_times_at_once_is_credited_once(server: Server) -> None:
    member = server.enroll("impatient")
    before = server.account(member)["balance"]

    answers = _at_once([partial(server.order, member, "race-2", 5_000)] * AT_ONCE)

    codes = Counter(answer.json().get("code", answer.status_code) for answer in answers)
    # The clock that `placed_at` comes from runs on, so all but the first are the same order with another payload.
    assert codes[201] == 1
    assert codes["idempotency_mismatch"] == AT_ONCE - 1
    assert server.account(member)["balance"] == before + 50


def test_members_who_send_each_other_points_lose_none(server: Server) -> None:
    server.change_program(transfers={})
    ada, grace = server.enroll("ada-racing"), server.enroll("grace-racing")
    total = sum(server.account(member)["balance"] for member in (ada, grace))
    calls = [
        partial(
            server.post,
            f"/v1/members/{giver}/transfers",
            {"to_member_id": taker, "points": 10},
            key=f"gift-{number}",
            scope="operator",
        )
        for number, (giver, taker) in enumerate([(ada, grace), (grace, ada)] * (AT_ONCE // 2))
    ]

    answers = _at_once(calls)

    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert sum(server.account(member)["balance"] for member in (ada, grace)) == total
    assert server.is_sound()


def test_tills_that_use_one_voucher_at_once_use_it_once(server: Server) -> None:
    tea = {"reward_id": "tea", "name": "Tea", "kind": "product", "sku": "TEA", "points": 10, "voucher": {}}
    redeeming = server.call("GET", "/v1/program/whole", scope="operator").json()["redeeming"]
    server.change_program(redeeming={**redeeming, "rewards": [*redeeming["rewards"], tea]})
    member = server.enroll("guest")
    bought = {"reward_id": "tea", "capture": True}
    code = server.post(f"/v1/members/{member}/redemptions", bought, key="tea").json()["voucher_code"]
    calls = [
        partial(server.post, "/v1/vouchers/use", {"code": code, "reference": f"till-{number}", "store_id": "Main"})
        for number in range(AT_ONCE)
    ]

    answers = _at_once(calls)

    codes = Counter(answer.json().get("code", answer.status_code) for answer in answers)
    assert codes == {200: 1, "voucher_used": AT_ONCE - 1}
    assert {answer.status_code for answer in answers} == {200, 409}
    assert [one["undone_at"] for one in server.post("/v1/vouchers/lookup", {"code": code}).json()["uses"]] == [None]
    assert server.is_sound()


def _at_once(calls: list[partial[httpx.Response]]) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
