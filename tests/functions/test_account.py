"""What a member or a storefront reads: the account to the second, the ledger page by page, the catalogue."""

import base64
import json
from typing import Any

import pytest

from tests.functions.shop import MEMBER, OPERATOR, Shop, assert_refused
from tests.shared.wire import Wire

# The account ---------------------------------------------------------------------------------------------------------


def test_an_account_shows_everything_the_member_has(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, total=94000)
    shop.adjust(ada, -900)
    assert shop.account(ada) == {
        "member_id": ada,
        "status": "active",
        "balance": 140,
        "pending": 0,
        "held": 0,
        "debt": 0,
        "frozen": False,
        "lifetime_earned": 1040,
        "tier": {
            "tier_id": "silver",
            "name": "Silver",
            "since": "2026-11-20",
            "review_on": "2027-11-20",
            "qualifying": 940,
            "to_keep": 0,
            "benefits": ["Free standard shipping"],
            "next": {"tier_id": "gold", "name": "Gold", "missing": 60, "percent": 94},
            "set_until": None,
        },
        "expiring": [{"on": "2027-11-30", "points": 140}],
        "next_reward": {"reward_id": "free-coffee", "name": "Free coffee", "missing": 10},
        "badges": [],
        "challenges": [],
        "membership": None,
        "pool": None,
        "as_of": "2026-11-20T18:03:00Z",
    }


def test_points_are_gone_after_their_last_day_though_no_job_has_run(shop: Shop) -> None:
    ada = shop.enroll()
    shop.now = shop.now.replace(year=2027, month=12, day=1, hour=4, minute=59, second=59)  # New York's 30 November
    assert shop.balance(ada) == 100
    with shop.writing_nothing():
        shop.pass_time(seconds=1)
        account = shop.account(ada)
    assert (account["balance"], account["expiring"], account["as_of"]) == (0, [], "2027-12-01T05:00:00Z")


def test_pending_points_come_on_their_day_though_no_job_has_run(shop: Shop) -> None:
    shop.change_program(earning={"pending_days": 14})
    ada = shop.enroll()
    shop.order(ada, total=1000)
    assert (shop.account(ada)["balance"], shop.account(ada)["pending"]) == (100, 10)
    shop.pass_time(days=14)
    assert (shop.account(ada)["balance"], shop.account(ada)["pending"]) == (110, 0)


def test_what_expires_adds_up_to_the_balance(shop: Shop) -> None:
    ada = shop.enroll()
    for month in range(3):
        shop.order(ada, f"A-{month}", 1000 * (month + 1))
        shop.pass_time(days=30)
    account = shop.account(ada)
    assert [lot["on"] for lot in account["expiring"]] == ["2027-11-30", "2027-12-31", "2028-01-31"]
    assert sum(lot["points"] for lot in account["expiring"]) == account["balance"] == 160


def test_points_that_never_expire_end_on_no_day(shop: Shop) -> None:
    shop.change_program(expiry={"kind": "never"})
    assert shop.account(shop.enroll())["expiring"] == [{"on": None, "points": 100}]


def test_who_can_afford_every_reward_has_no_next_one(shop: Shop) -> None:
    ada = shop.enroll()
    shop.adjust(ada, 5000)
    assert shop.account(ada)["next_reward"] is None


def test_an_account_that_is_not_there_is_not_found(shop: Shop) -> None:
    assert_refused(shop.get("/v1/members/nobody/account"), 404, "member_not_found")


def test_an_account_that_the_database_does_not_give_is_to_be_asked_for_again(shop: Shop, wire: Wire) -> None:
    ada = shop.enroll()
    wire.lose("GetItem")
    assert_refused(shop.get(f"/v1/members/{ada}/account"), 503, "try_again")
    assert shop.balance(ada) == 100


# The ledger ----------------------------------------------------------------------------------------------------------


def ledger_of(shop: Shop, entries: int) -> str:
    ada = shop.enroll()
    for number in range(entries - 1):
        shop.adjust(ada, 1, f"case-{number}")
    return ada


def test_the_ledger_is_read_newest_first(shop: Shop) -> None:
    ada = ledger_of(shop, 4)
    assert [entry["sequence"] for entry in shop.entries(ada)] == [4, 3, 2, 1]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7, 100])
def test_all_pages_together_are_the_whole_ledger(shop: Shop, limit: int) -> None:
    ada = ledger_of(shop, 6)
    assert shop.pages(f"/v1/members/{ada}/entries", limit) == shop.entries(ada)


def test_a_page_has_25_entries_unless_asked_otherwise(shop: Shop) -> None:
    ada = ledger_of(shop, 27)
    page = shop.get(f"/v1/members/{ada}/entries").body
    assert [entry["sequence"] for entry in page["items"]] == list(range(27, 2, -1))
    rest = shop.get(f"/v1/members/{ada}/entries", query={"cursor": page["next_cursor"]}).body
    assert [entry["sequence"] for entry in rest["items"]] == [2, 1]
    assert rest["next_cursor"] is None


def test_a_ledger_that_grows_while_it_is_read_repeats_nothing(shop: Shop) -> None:
    ada = ledger_of(shop, 4)
    first = shop.get(f"/v1/members/{ada}/entries", query={"limit": "2"}).body
    shop.adjust(ada, 1, "meanwhile")
    second = shop.get(f"/v1/members/{ada}/entries", query={"limit": "2", "cursor": first["next_cursor"]}).body
    assert [entry["sequence"] for entry in (*first["items"], *second["items"])] == [4, 3, 2, 1]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_histories_of_merged_members_follow(shop: Shop, limit: int) -> None:
    ada, grace, linus = shop.enroll("ada"), shop.enroll("grace"), shop.enroll("linus")
    shop.order(linus, "A-1", 500)
    shop.merge(grace, linus)
    shop.merge(ada, grace)
    entries = shop.pages(f"/v1/members/{ada}/entries", limit)
    assert [(entry["entry_id"].split("-")[0], entry["type"]) for entry in entries] == [
        (ada, "merge_in"),
        (ada, "enroll"),
        (grace, "merge_out"),
        (grace, "merge_in"),
        (grace, "enroll"),
        (linus, "merge_out"),
        (linus, "earn"),
        (linus, "enroll"),
    ]


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "=",
        "%%%",
        "Ä",
        "bnVsbA",
        cursor(),
        cursor(0),
        cursor("0", 1),
        cursor(0, 1.0),
        cursor(0, True),
        cursor(0, 0),
        cursor(0, -5),
        cursor(0, 10**150),
        cursor(1, 1),
        cursor(-1, 1),
        cursor([0], 1),
        base64.urlsafe_b64encode(b"[" * 150).decode(),
    ],
)
def test_a_cursor_that_no_page_gave_is_refused(shop: Shop, text: str) -> None:
    ada = shop.enroll()
    reply = shop.get(f"/v1/members/{ada}/entries", query={"cursor": text})
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["query:cursor"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "abc", "1e3", "", "2.5", "9" * 5000, "1,2", "null"])
@pytest.mark.parametrize("path", ["/v1/members/{ada}/entries", "/v1/rewards"])
def test_a_page_has_between_1_and_100_items(shop: Shop, path: str, limit: str) -> None:
    ada = shop.enroll()
    reply = shop.get(path.format(ada=ada), query={"limit": limit})
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["query:limit"]


def test_the_ledger_of_nobody_is_not_found(shop: Shop) -> None:
    assert_refused(shop.get("/v1/members/nobody/entries"), 404, "member_not_found")


# The catalogue -------------------------------------------------------------------------------------------------------


def catalogue(shop: Shop, **options: Any) -> dict[str, dict[str, Any]]:
    reply = shop.get("/v1/rewards", **options)
    assert (reply.status, reply.body["next_cursor"]) == (200, None)
    return {reward["reward_id"]: reward for reward in reply.body["items"]}


def test_the_catalogue_shows_every_reward_and_what_it_takes(shop: Shop) -> None:
    rewards = catalogue(shop)
    assert list(rewards) == ["free-coffee", "free-shipping", "five-off", "gift-card-25", "tasting"]
    assert rewards["five-off"] == {
        "reward_id": "five-off",
        "name": "$5 off",
        "description": None,
        "kind": "money_off",
        "points": 450,
        "value": {"amount": 500, "currency": "USD"},
        "percent": None,
        "sku": None,
        "partner_id": None,
        "stock_left": None,
        "minimum_tier": None,
        "starts_on": None,
        "ends_on": None,
        "affordable": None,
        "eligible": None,
        "points_missing": None,
        "picture": None,
    }
    assert (rewards["tasting"]["stock_left"], rewards["tasting"]["minimum_tier"]) == (20, "gold")


def test_the_catalogue_tells_a_member_what_they_can_have(shop: Shop) -> None:
    ada = shop.enroll()
    shop.adjust(ada, 2000)
    own = catalogue(shop, query={"member_id": ada})
    told = {name: (one["affordable"], one["eligible"], one["points_missing"]) for name, one in own.items()}
    assert told["free-coffee"] == (True, True, 0)
    assert told["gift-card-25"] == (False, True, 300)
    assert told["tasting"] == (True, False, 0)


def test_the_catalogue_counts_no_points_that_have_expired(shop: Shop) -> None:
    ada = shop.enroll()
    shop.adjust(ada, 100)
    shop.pass_time(days=500)
    assert catalogue(shop, query={"member_id": ada})["free-coffee"]["points_missing"] == 150


def test_members_see_their_own_catalogue_alone(shop: Shop) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    token = {"scope": MEMBER, "member_id": ada}
    assert catalogue(shop, query={"member_id": "me"}, **token) == catalogue(shop, query={"member_id": ada})
    assert catalogue(shop, **token) == catalogue(shop)
    for other in (grace, "nobody", ""):
        assert_refused(shop.get("/v1/rewards", query={"member_id": other}, **token), 404, "member_not_found")


def test_a_reward_that_is_gone_is_for_nobody(shop: Shop) -> None:
    mug = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 50, "stock": 1}
    shop.change_program(redeeming={"rewards": [mug]})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    assert catalogue(shop, query={"member_id": grace})["mug"]["eligible"] is True
    shop.redeem(ada, "mug")
    gone = catalogue(shop, query={"member_id": grace})["mug"]
    assert (gone["stock_left"], gone["eligible"], gone["affordable"]) == (0, False, True)


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_all_pages_together_are_the_whole_catalogue(shop: Shop, limit: int) -> None:
    whole = shop.get("/v1/rewards").body["items"]
    assert shop.pages("/v1/rewards", limit) == whole


@pytest.mark.parametrize("text", ["x", cursor(), cursor(-1), cursor("1"), cursor(0, 1), cursor(None)])
def test_a_cursor_of_another_list_is_refused(shop: Shop, text: str) -> None:
    reply = shop.get("/v1/rewards", query={"cursor": text})
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["query:cursor"]


def test_a_catalogue_of_a_hundred_limited_rewards_fits_a_page(shop: Shop) -> None:
    rewards = [
        {"reward_id": f"r{number}", "name": "R", "kind": "free_shipping", "points": 5, "stock": 7}
        for number in range(101)
    ]
    shop.change_program(redeeming={"rewards": rewards})
    page = shop.get("/v1/rewards", query={"limit": "100"}, scope=OPERATOR).body
    assert [reward["stock_left"] for reward in page["items"]] == [7] * 100
    rest = shop.get("/v1/rewards", query={"limit": "100", "cursor": page["next_cursor"]}).body
    assert [reward["reward_id"] for reward in rest["items"]] == ["r100"]
