"""A member's redemptions in a list: each as it stands, the newest first, page by page."""

from datetime import timedelta
from typing import Any

import pytest

from shared.services import redemption_lists
from tests.functions.shop import MEMBER, OPERATOR, PARTNER, Shop, assert_refused
from tests.shared.wire import Wire

HOLD = timedelta(minutes=30)


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with points and store credit."""
    shop.change_program(cashback={"amount": 10, "per_amount": 100})
    member = shop.enroll("ada")
    shop.order(member, "earlier", 50_000)
    return member


def page(shop: Shop, member: str, **query: str | None) -> dict[str, Any]:
    asked = {name: value for name, value in query.items() if value}
    reply = shop.get(f"/v1/members/{member}/redemptions", query=asked)
    assert reply.status == 200, reply.body
    return dict(reply.body)


def listed(shop: Shop, member: str) -> list[dict[str, Any]]:
    return list(page(shop, member)["items"])


def redeemed(shop: Shop, member: str, key: str, **more: Any) -> str:
    shop.now += timedelta(seconds=1)
    return str(shop.spend(member, 10, 1_000, key=key, **more).body["redemption_id"])


def credited(shop: Shop, member: str, key: str, **more: Any) -> str:
    shop.now += timedelta(seconds=1)
    body = {"credit": 20, "order_total": 1_000, "currency": "USD", **more}
    return str(shop.post(f"/v1/members/{member}/redemptions", body, key=key).body["redemption_id"])


def test_each_stands_in_the_list_as_it_does_alone(shop: Shop, ada: str) -> None:
    lapsed = redeemed(shop, ada, "k1")
    shop.now += HOLD
    captured, cancelled = redeemed(shop, ada, "k2", capture=True), redeemed(shop, ada, "k3")
    shop.move(ada, cancelled, "cancel")
    back, in_parts, whole = (redeemed(shop, ada, key, capture=True, order_id=key) for key in ("k4", "k5", "k6"))
    shop.move(ada, back, "reverse")
    for redemption_id, points in ((in_parts, [4]), (whole, [4, 6])):
        for one in points:
            part = {"reversal_id": f"V-{one}", "points": one}
            shop.post(f"/v1/members/{ada}/redemptions/{redemption_id}/reverse", part)
    credit, held = credited(shop, ada, "k7", capture=True), redeemed(shop, ada, "k8")
    items = listed(shop, ada)
    order = [held, credit, whole, in_parts, back, cancelled, captured, lapsed]
    assert [one["redemption_id"] for one in items] == order
    states = ["reserved", "captured", "reversed", "captured", "reversed", "cancelled", "captured", "lapsed"]
    assert [one["state"] for one in items] == states
    assert [one["returned"] for one in items] == [0, 0, 10, 4, 10, 0, 0, 0]
    assert items == [shop.get(f"/v1/members/{ada}/redemptions/{one}").body for one in order]


def test_pages_go_on_where_the_last_one_ended(shop: Shop, ada: str) -> None:
    made = [(credited if number % 3 == 0 else redeemed)(shop, ada, f"k{number}", capture=True) for number in range(7)]
    shop.order(ada, "between", 100)
    found, cursor, pages = list[str](), None, 0
    while pages == 0 or cursor:
        answer = page(shop, ada, limit="3", cursor=cursor)
        found += [one["redemption_id"] for one in answer["items"]]
        cursor, pages = answer["next_cursor"], pages + 1
        redeemed(shop, ada, f"later-{pages}", capture=True)
    assert found == made[::-1]
    assert pages == 3


def test_redemptions_of_a_merged_member_follow(shop: Shop, ada: str) -> None:
    grace = shop.enroll("grace")
    shop.order(grace, "G-1", 50_000)
    of_grace = [redeemed(shop, grace, "g1"), credited(shop, grace, "g2", capture=True)]
    of_ada = redeemed(shop, ada, "k1", capture=True)
    assert shop.merge(ada, grace).status in {200, 201}
    first = page(shop, ada)
    following = page(shop, ada, cursor=first["next_cursor"])
    assert [one["redemption_id"] for one in first["items"]] == [of_ada]
    assert [(one["redemption_id"], one["member_id"]) for one in following["items"]] == [
        (of_grace[1], ada),
        (of_grace[0], ada),
    ]
    assert [one["state"] for one in following["items"]] == ["captured", "reserved"]
    assert following["next_cursor"] is None
    # A shop's call follows the merge, a member's is told of it.
    assert page(shop, grace) == first
    assert shop.get(f"/v1/members/{grace}/redemptions", scope=OPERATOR).status == 409


def test_who_redeems_seldom_gets_short_pages(shop: Shop, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = redeemed(shop, ada, "k1", capture=True)
    for number in range(8):
        shop.order(ada, f"A-{number}", 100)
    monkeypatch.setattr(redemption_lists, "ENTRIES_OF_READ", 2)
    monkeypatch.setattr(redemption_lists, "READS_MAX", 3)
    found, cursor, pages = list[str](), None, 0
    while pages == 0 or cursor:
        answer = page(shop, ada, cursor=cursor)
        found += [one["redemption_id"] for one in answer["items"]]
        cursor, pages = answer["next_cursor"], pages + 1
    assert found == [first]
    assert pages > 1


def test_states_are_read_together(shop: Shop, ada: str, wire: Wire) -> None:
    for number in range(6):
        redeemed(shop, ada, f"k{number}", capture=True)
    listed(shop, ada)
    wire.requests.clear()
    listed(shop, ada)
    assert len(wire.requests) <= 4


@pytest.mark.parametrize("cursor", ["x", "WzBd", "WzEsIDUsIDVd", "Wy0xLCA1LCA1XQ", "WzAsIDAsIDVd"])
def test_a_foreign_cursor_is_refused(shop: Shop, ada: str, cursor: str) -> None:
    assert_refused(shop.get(f"/v1/members/{ada}/redemptions", query={"cursor": cursor}), 422, "invalid_request")


def test_only_the_member_and_the_shop_see_them(shop: Shop, ada: str) -> None:
    path = f"/v1/members/{ada}/redemptions"
    assert shop.get(path, scope=MEMBER, member_id=ada).status == 200
    assert_refused(shop.get(path, scope=PARTNER), 403, "forbidden")
    assert page(shop, shop.enroll("grace")) == {"items": [], "next_cursor": None}
