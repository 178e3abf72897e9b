"""The members of a small table, with who they are."""

from infra.tools import member_list
from shared import settings
from tests.functions.shop import Shop


def shown(count_max: int) -> list[tuple[str, str | None, str]]:
    found = member_list.members(settings.loyalty_table(), count_max)
    return sorted((one["member_id"], one["external_id"], one["status"]) for one in found)


def test_members_are_listed_and_neither_wallets_nor_pools(shop: Shop) -> None:
    shop.change_program(cashback={"amount": 10, "per_amount": 100}, pools={})
    ada, bob = (shop.enroll(name, external_id=name) for name in ("ada", "bob"))
    shop.order(ada, "A-1", 10_000)
    assert shop.post("/v1/pools", {"member_id": ada}, key="open").status == 201
    assert shown(10) == sorted([(ada, "ada", "active"), (bob, "bob", "active")])


def test_no_more_are_listed_than_are_wanted(shop: Shop) -> None:
    for number in range(3):
        shop.enroll(f"member-{number}")
    assert len(shown(2)) == 2
