"""What a till has kept while it was offline goes out as one batch: each item for itself, and booked once."""

from typing import Any

import pytest

from tests.functions.shop import Reply, Shop, assert_refused, check_every_account

CARD = {"card_number": "C-1"}


def sale(order_id: str = "A-1", total: int = 4_250, **more: Any) -> dict[str, Any]:
    return {"type": "order", "order_id": order_id, "currency": "USD", "total": total, **more}


def send(shop: Shop, *items: Any) -> Reply:
    return shop.post("/v1/earn/batch", {"items": list(items)})


def statuses(reply: Reply) -> list[int]:
    assert reply.status == 200, reply.body
    return [item["status"] for item in reply.body["items"]]


def test_each_item_is_answered_as_it_would_be_alone_and_in_its_place(shop: Shop) -> None:
    ada, grace = shop.enroll("ada", card_number="C-1"), shop.enroll("grace")
    review = {"type": "action", "action": "review", "reference": "r-1", "member_id": grace}
    reply = send(shop, sale("A-1", member_id=grace), sale("A-2", identifier=CARD), review)
    assert statuses(reply) == [201, 201, 201]
    first, second, third = (item["answer"] for item in reply.body["items"])
    assert [one["account"]["member_id"] for one in (first, second, third)] == [grace, ada, grace]
    assert [one["entry"]["points"] for one in (first, second, third)] == [42, 42, 25]
    assert second["entry"] == shop.entries(ada)[0]
    assert third["account"] == shop.account(grace)


def test_a_batch_that_is_sent_again_is_answered_again_and_books_nothing(shop: Shop) -> None:
    ada = shop.enroll("ada", card_number="C-1")
    items = [sale("A-1", member_id=ada), sale("A-2", identifier=CARD)]
    first = send(shop, *items)
    with shop.writing_nothing():
        again = send(shop, *items, items[0])
    assert statuses(again) == [200, 200, 200]
    assert [item["answer"]["entry"] for item in again.body["items"][:2]] == [
        item["answer"]["entry"] for item in first.body["items"]
    ]
    check_every_account()


def test_an_item_is_the_replay_of_the_same_request_alone_and_the_other_way_round(shop: Shop) -> None:
    ada = shop.enroll("ada", card_number="C-1")
    shop.post(f"/v1/members/{ada}/earn", sale("A-1"))
    assert statuses(send(shop, sale("A-1", identifier=CARD), sale("A-2", member_id=ada))) == [200, 201]
    assert shop.post("/v1/earn", sale("A-2", identifier=CARD)).replayed
    shop.action(ada, "r-1")
    reviewed = {"occurred_at": shop.now.isoformat(), "member_id": ada}
    assert statuses(send(shop, {"type": "action", "action": "review", "reference": "r-1", **reviewed})) == [200]


def test_a_refused_item_says_why_and_keeps_no_other_from_being_booked(shop: Shop) -> None:
    ada = shop.enroll("ada", card_number="C-1")
    reply = send(
        shop,
        sale("A-1", member_id="nobody"),
        sale("A-2", identifier={"card_number": "C-2"}),
        sale("A-3", member_id=ada),
        sale("A-3", 1, member_id=ada),
        sale("A-4", member_id=ada, placed_at="2030-01-01T00:00:00Z"),
        {"type": "action", "action": "review", "reference": "r-1", "identifier": {"card_number": "C-2"}},
        {"type": "action", "action": "flight", "reference": "r-2", "identifier": CARD},
        sale("A-5", identifier=CARD),
    )
    assert statuses(reply) == [404, 404, 201, 422, 422, 404, 422, 201]
    codes = [item["answer"].get("code") for item in reply.body["items"]]
    assert codes == [
        "member_not_found",
        "member_not_found",
        None,
        "idempotency_mismatch",
        "in_the_future",
        "member_not_found",
        "invalid_request",
        None,
    ]
    unknown_action = reply.body["items"][6]["answer"]
    assert (unknown_action["type"], unknown_action["errors"][0]["pointer"]) == (
        "/v1/problems/invalid_request",
        "/action",
    )
    assert len(shop.entries(ada)) == 3


def test_an_item_that_names_a_merged_member_goes_to_whom_they_have_become(shop: Shop) -> None:
    ada, grace, heidi = (shop.enroll(name) for name in ("ada", "grace", "heidi"))
    shop.merge(grace, heidi)
    shop.merge(ada, grace)
    reply = send(shop, sale("A-1", member_id=heidi))
    assert statuses(reply) == [201]
    assert reply.body["items"][0]["answer"]["account"]["member_id"] == ada


def test_somebody_unknown_becomes_a_provisional_member_once(shop: Shop) -> None:
    shop.change_program(automatic_enrolment={"consent_days": 30})
    reply = send(shop, sale("A-1", identifier=CARD), sale("A-2", identifier=CARD), sale("A-1", identifier=CARD))
    assert statuses(reply) == [201, 201, 200]
    assert len({item["answer"]["account"]["member_id"] for item in reply.body["items"]}) == 1


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        (sale("A-2"), "/items/1"),
        (sale("A-2", member_id="ada", identifier=CARD), "/items/1"),
        (sale("A-2", -1, member_id="ada"), "/items/1/total"),
        (sale("A-2", member_id="ada", surprise=1), "/items/1/surprise"),
        (sale("A-2", identifier={}), "/items/1/identifier"),
        ({"type": "gift", "member_id": "ada"}, "/items/1/type"),
    ],
)
def test_one_malformed_item_has_the_whole_batch_refused(shop: Shop, item: Any, pointer: str) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        reply = send(shop, sale("A-1", member_id=ada), item)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]


def test_a_batch_has_one_to_twenty_five_items(shop: Shop) -> None:
    ada = shop.enroll()
    many = [sale(f"A-{number}", 100, member_id=ada) for number in range(26)]
    with shop.writing_nothing():
        for items in ([], many):
            assert_refused(send(shop, *items), 422, "invalid_request")
    assert statuses(send(shop, *many[:25])) == [201] * 25
    assert shop.balance(ada) == 125
