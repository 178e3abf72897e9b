"""Segments and campaigns, as a marketing team and its customers meet them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Server, serving
from tests.system.stories.program import use_program

AT_ONCE = 16
SEGMENTS = {
    "scoring": {"frequency_orders": [1, 2, 3, 4]},
    "named": [
        {
            "segment_id": "tea-lovers",
            "name": "Californians who like tea and buy often",
            "all": [{"tags": ["tea"]}, {"places": ["US-CA"]}, {"frequency": [3, 4, 5]}],
            "none": [{"tags": ["staff"]}],
        }
    ],
}
TEA_WEEKS = {
    "campaign_id": "tea-weeks",
    "description": "Tea weeks: double points",
    "when": {"segments": ["tea-lovers"]},
    "effect": {"kind": "multiply", "percent": 200},
    "budget": {"points": 150},
}


def earned(server: Server, member: str, order_id: str, total: int) -> dict[str, Any]:
    """The entry of an order placed now."""
    answer = server.order(member, order_id, total)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["entry"])


def state(server: Server, campaign_id: str) -> dict[str, Any]:
    """The campaign as an operator sees it."""
    answer = server.call("GET", f"/v1/campaigns/{campaign_id}", scope="operator")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_campaign_doubles_the_points_of_a_segment_until_its_budget_is_spent(server: Server) -> None:
    use_program(server, segments=SEGMENTS, campaigns=[TEA_WEEKS])
    ada = server.enroll("campaign-ada")
    assert [earned(server, ada, f"campaign-{number}", 1_000)["points"] for number in range(2)] == [10, 10]

    # She buys often by now; the shop learns that she likes tea, and she says where she lives.
    tags = server.post(f"/v1/members/{ada}/tags", {"add": ["tea"]}, key="campaign-tags")
    assert tags.json()["tags"] == ["tea"]
    server.call("PATCH", f"/v1/members/{ada}", {"place": "US-CA"})

    doubled = earned(server, ada, "campaign-2", 10_000)
    assert doubled["points"] == 200
    assert doubled["breakdown"][-1] == {
        "rule_id": "campaign:tea-weeks",
        "points": 100,
        "description": "Tea weeks: double points",
    }
    assert state(server, "tea-weeks")["budget"] == {"total": 150, "spent": 100, "left": 50, "amount_left": None}

    # Who is held back, such as staff, gets nothing of it.
    server.post(f"/v1/members/{ada}/tags", {"add": ["staff"]}, key="campaign-staff")
    assert earned(server, ada, "campaign-3", 10_000)["points"] == 100
    server.post(f"/v1/members/{ada}/tags", {"remove": ["staff"]}, key="campaign-no-staff")

    # The last order gets the exact rest, the next one nothing, and a returned one gives its part back to the budget.
    last = earned(server, ada, "campaign-4", 10_000)
    assert (last["points"], last["breakdown"][-1]["points"]) == (150, 50)
    after = earned(server, ada, "campaign-5", 10_000)
    assert "nothing is left" in after["breakdown"][-1]["description"]
    assert state(server, "tea-weeks")["state"] == "used_up"
    refund = {"order_id": "campaign-4", "refund_id": "r", "amount": 10_000, "refunded_at": last["occurred_at"]}
    assert server.post(f"/v1/members/{ada}/refunds", refund).json()["entry"]["points"] == -150
    assert state(server, "tea-weeks")["budget"]["left"] == 50

    # Marketing puts more in, and it goes on.
    use_program(server, segments=SEGMENTS, campaigns=[{**TEA_WEEKS, "budget": {"points": 1_000}}])
    assert earned(server, ada, "campaign-6", 1_000)["breakdown"][-1]["points"] == 10
    assert state(server, "tea-weeks")["budget"]["left"] == 890
    assert server.is_sound()


def test_a_share_is_held_out_and_the_ledger_tells_what_the_campaign_did(server: Server) -> None:
    campaign = {**TEA_WEEKS, "campaign_id": "measured", "when": {}, "budget": None, "hold_out_percent": 50}
    use_program(server, campaigns=[campaign])
    for number in range(10):
        earned(server, server.enroll(f"measured-{number}"), f"measured-{number}", 1_000 + number)
    report = server.command("campaign", "measured")
    assert report.returncode == 0, report.stderr
    assert "treated" in report.stdout
    assert "held_out" in report.stdout


@pytest.mark.process
def test_many_at_once_spend_a_small_budget_to_the_point(tmp_path: Path) -> None:
    # A server of its own: the stories that share one replace each other's program.
    with serving(tmp_path, "--empty") as server:
        use_program(server, campaigns=[{**TEA_WEEKS, "when": {}, "budget": {"points": 505}}])
        members = [server.enroll(f"racer-{number}") for number in range(AT_ONCE)]
        orders = [(member, f"race-{turn}-{member}") for turn in range(6) for member in members]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda order: server.order(order[0], order[1], 1_000), orders))
        while refused := [order for order, answer in zip(orders, answers, strict=True) if answer.status_code == 503]:
            orders, answers = refused, [server.order(order[0], order[1], 1_000) for order in refused]

        assert {answer.status_code for answer in answers} <= {200, 201, 422}
        given = sum(server.account(member)["lifetime_earned"] - 6 * 10 for member in members)
        assert given == 505
        assert state(server, "tea-weeks")["budget"] == {"total": 505, "spent": 505, "left": 0, "amount_left": None}
        assert server.is_sound()
