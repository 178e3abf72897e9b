"""A limited reward of many pieces: given from shelves, as often as there are pieces, whoever else reaches for them."""

from collections.abc import Iterator

import pytest

from shared import runtime, settings
from shared.domain.spending import shelves
from shared.domain.spending.shelves import SHELVES, Shelf, shelf_of
from shared.tables import client, keys, programs, stock
from tests.functions.shop import Reply, Shop, assert_refused
from tests.shared.wire import Wire

STOCK = 24


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A few pieces are many; nobody waits before trying again."""
    monkeypatch.setattr(shelves, "SHELVED_FROM", 5)
    with runtime.use(back_off=lambda _: None):
        yield


def offer(shop: Shop, pieces: int = STOCK) -> None:
    mug = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 10, "stock": pieces}
    shop.change_program(redeeming={"rewards": [mug]})


def left(shop: Shop) -> int:
    [reward] = shop.get("/v1/rewards").body["items"]
    return int(reward["stock_left"])


def has(shop: Shop, member: str, key: str = "k") -> bool:
    reply: Reply = shop.redeem(member, "mug", key=key)
    assert reply.status in {201, 409}, reply.body
    assert reply.status == 201 or reply.code == "reward_unavailable"
    return reply.status == 201


def shelf_at(number: int) -> Shelf | None:
    item = client.get(settings.loyalty_table(), keys.shelf_key("mug", number))
    return stock.shelf_in(item) if item else None


def own_shelf(member: str) -> int:
    number = shelf_of(programs.load_program().reward("mug"), member)
    assert number is not None
    return number


def count_in_stock(pieces: int) -> None:
    """As a release without shelves has counted."""
    client.client().put_item(
        TableName=settings.loyalty_table(),
        Item={**client.key_of(keys.stock_key("mug")), "taken": {"N": str(pieces)}},
    )


def test_as_many_are_given_as_there_are_and_the_last_are_found_on_whichever_shelf_they_lie(shop: Shop) -> None:
    offer(shop)
    members = [shop.enroll(f"m{number}") for number in range(STOCK + 4)]
    given = []
    for number, member in enumerate(members):
        given.append(has(shop, member))
        assert left(shop) == max(0, STOCK - number - 1)
    assert given == [True] * STOCK + [False] * 4
    assert len({own_shelf(member) for member in members}) == SHELVES
    for number in range(SHELVES):
        shelf = shelf_at(number)
        assert shelf is None or shelf.pieces == 0


def test_most_members_take_a_piece_without_asking_for_more(shop: Shop, wire: Wire) -> None:
    offer(shop, 1_000)
    ada = shop.enroll("ada")
    assert has(shop, ada, "first")
    wire.requests.clear()
    assert has(shop, ada, "second")
    assert wire.requests == ["GetItem", "TransactWriteItems"]


def test_a_piece_that_comes_back_lies_on_its_members_shelf_and_others_can_have_it(shop: Shop) -> None:
    offer(shop, 5)
    members = [shop.enroll(f"m{number}") for number in range(6)]
    replies = [shop.redeem(member, "mug", key="k") for member in members]
    assert [reply.status for reply in replies] == [201] * 5 + [409]
    shop.move(members[0], replies[0].body["redemption_id"], "cancel")
    shelf = shelf_at(own_shelf(members[0]))
    assert shelf is not None
    assert (shelf.pieces, left(shop)) == (1, 1)
    assert has(shop, members[5], "again")
    assert_refused(shop.redeem(members[0], "mug", key="again"), 409, "reward_unavailable")
    assert left(shop) == 0


def test_what_a_release_without_shelves_has_given_is_gone(shop: Shop) -> None:
    offer(shop)
    count_in_stock(STOCK - 2)
    assert left(shop) == 2
    members = [shop.enroll(f"m{number}") for number in range(4)]
    assert [has(shop, member) for member in members] == [True, True, False, False]


def test_a_piece_of_an_earlier_release_that_comes_back_before_any_shelf_is_there_can_be_had(shop: Shop) -> None:
    offer(shop, 4)  # few
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    held = shop.redeem(ada, "mug", key="k").body["redemption_id"]
    offer(shop)
    count_in_stock(STOCK)
    assert not has(shop, grace)
    shop.move(ada, held, "cancel")
    assert has(shop, grace, "again")
    assert left(shop) == 0


def test_another_stock_counts_at_once_whatever_lies_on_shelves_for_the_one_before(shop: Shop) -> None:
    offer(shop, 1_000)
    members = [shop.enroll(f"m{number}") for number in range(12)]
    assert all(has(shop, member, "many") for member in members[:6])
    offer(shop, 8)
    assert [has(shop, member, "few") for member in members[:4]] == [True, True, False, False]
    offer(shop, 3)  # of so few none lies on a shelf
    assert left(shop) == 0
    assert not has(shop, members[0], "fewest")
    offer(shop, 10)
    assert [has(shop, member, "more") for member in members[-4:]] == [True, True, False, False]
    assert left(shop) == 0


def test_few_pieces_are_found_that_still_lie_on_shelves_from_when_they_were_many(shop: Shop) -> None:
    offer(shop, 1_000)
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    assert has(shop, ada)
    offer(shop, 3)
    assert left(shop) == 2
    assert [has(shop, grace, key) for key in ("a", "b")] == [True, True]
    assert not has(shop, ada, "again")


def test_the_last_piece_goes_to_one_of_two_who_reach_for_it(shop: Shop, wire: Wire) -> None:
    offer(shop)
    count_in_stock(STOCK - 1)
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    wire.before("TransactWriteItems", lambda: has(shop, grace))
    assert_refused(shop.redeem(ada, "mug", key="k"), 409, "reward_unavailable")
    assert (shop.balance(ada), shop.balance(grace), left(shop)) == (100, 90, 0)


def test_shelves_that_are_filled_at_once_lose_no_piece(shop: Shop, wire: Wire) -> None:
    offer(shop)
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    # Grace has hers between what Ada's restocking reads and what it writes.
    wire.before("TransactGetItems", lambda: wire.before("TransactWriteItems", lambda: has(shop, grace)))
    assert has(shop, ada)
    assert left(shop) == STOCK - 2
    assert stock.stock_taken(["mug"]) == {"mug": 2}
