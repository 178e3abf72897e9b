"""An agent fills a cart: what it is told of a verified member, and of somebody who only says who they are."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.system.conftest import Server
from tests.system.stories.program import use_program

SCHEMA = Path(__file__).parents[2] / "data" / "ucp-loyalty.schema.json"
CLAIM = "com.example.rewards"


def test_a_cart_shows_what_it_would_earn_and_the_order_earns_just_that(server: Server) -> None:
    agents = {"claim": CLAIM, "currency_name": "Leaves", "currency_code": "LVS"}
    use_program(server, agents=agents, cashback={"amount": 10, "per_amount": 100})
    member = server.enroll("agents-ada")
    server.order(member, "agents-1", 60_000)

    shown = ask(server, {"member_id": member, "verified": True})
    assert (shown["display_id"], shown["provisional"]) == (f"****{member[-4:]}", False)
    assert [tier["name"] for tier in shown["tiers"]] == ["Silver"]
    points, credit = (reward["earning_forecast"] for reward in shown["rewards"])
    assert [(line["id"], line["amount"]) for line in points["breakdown"]] == [("base", 42), ("tier:silver", 9)]
    assert (credit["amount"], shown["rewards"][1]["currency"]["decimal_places"]) == (425, 2)
    assert server.order(member, "agents-2", 4250).json()["entry"]["points"] == points["amount"] == 51

    claimed = ask(server, {"email": "agents-ada@example.org", "verified": False})
    assert claimed == ask(server, {"email": "nobody@example.org"}) == ask(server)
    assert claimed["provisional"]
    assert "display_id" not in claimed
    assert server.is_sound()


def ask(server: Server, buyer: dict[str, Any] | None = None) -> dict[str, Any]:
    cart = {"currency": "USD", "total": 4250, "lines": [{"sku": "TEA-1", "category": "tea", "amount": 4250}]}
    answer = server.post("/v1/ucp/loyalty", {**cart, "buyer": buyer} if buyer else cart)
    assert answer.status_code == 200, answer.text
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(answer.json()["loyalty"])
    return dict(answer.json()["loyalty"][CLAIM])
