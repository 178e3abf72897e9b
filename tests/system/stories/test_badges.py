"""A member collects badges."""

from tests.system.conftest import Server
from tests.system.stories.program import use_program

CHALLENGES = [
    {
        "challenge_id": "regular",
        "name": "Regular",
        "points": 50,
        "goal": {"kind": "count", "of": "orders", "target": 2, "per": "month"},
    },
    {
        "challenge_id": "explorer",
        "name": "Explorer",
        "goal": {"kind": "variety", "of": "categories", "target": 3},
    },
    {
        "challenge_id": "reviewer",
        "name": "Reviewer",
        "points": 5,
        "repeatable": True,
        "goal": {"kind": "count", "of": "actions", "target": 2},
        "actions": ["review"],
    },
]
REVIEW = {"action_id": "review", "description": "Product review", "points": 10}


def test_progress_grows_with_each_order_and_a_badge_pays_points(server: Server) -> None:
    use_program(server, challenges=CHALLENGES, earning={"actions": [REVIEW]})
    member = server.enroll("badges-grace")
    assert [one["percent"] for one in server.account(member)["challenges"]] == [0, 0, 0]

    buy(server, member, "badges-1", "tea")
    account = server.account(member)
    assert [(one["challenge_id"], one["percent"]) for one in account["challenges"]] == [
        ("regular", 50),
        ("explorer", 33),
        ("reviewer", 0),
    ]
    assert account["badges"] == []

    buy(server, member, "badges-2", "coffee")
    account = server.account(member)
    assert [badge["badge_id"] for badge in account["badges"]] == ["regular"]
    assert account["balance"] == 10 + 10 + 50
    newest = server.call("GET", f"/v1/members/{member}/entries").json()["items"][0]
    assert (newest["type"], newest["points"]) == ("badge", 50)

    buy(server, member, "badges-3", "cake")
    for number in range(4):
        review(server, member, f"badges-review-{number}")
    badges = {badge["badge_id"]: badge["times"] for badge in server.account(member)["badges"]}
    assert badges == {"regular": 1, "explorer": 1, "reviewer": 2}
    assert server.is_sound()


def buy(server: Server, member: str, order_id: str, category: str) -> None:
    line = {"sku": category.upper(), "category": category, "amount": 1000}
    order = {
        "type": "order",
        "order_id": order_id,
        "placed_at": server.http.get("/_local/clock").json()["now"],
        "currency": "USD",
        "total": 1000,
        "lines": [line],
    }
    answer = server.post(f"/v1/members/{member}/earn", order)
    assert answer.status_code in {200, 201}, answer.text


def review(server: Server, member: str, reference: str) -> None:
    now = server.http.get("/_local/clock").json()["now"]
    action = {"type": "action", "action": "review", "reference": reference, "occurred_at": now}
    answer = server.post(f"/v1/members/{member}/earn", action)
    assert answer.status_code == 201, answer.text
