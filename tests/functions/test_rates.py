"""What is done more often than the program's rates is booked, and opens a review once, with its evidence."""

from collections.abc import Iterator
from typing import Any

import pytest

from functions import notify
from shared import runtime, settings
from shared.domain.program.operators import Operators, Rate, Rates, loosens
from tests.functions.shop import OPERATOR, Shop, stored
from tests.functions.test_notify import Outbox
from tests.shared.wire import Wire

TWO = {"times": 2, "per": "day"}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with runtime.use(channels=Outbox()):
        yield


def watching(shop: Shop, **rates: Any) -> None:
    shop.change_program(operators={"rates": rates})


def tell(*, fails: bool = False) -> None:
    """The stream's records of all entries there are."""
    entries = [item for item in stored(settings.loyalty_table()) if "type" in item and "body" in item]
    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": str(number)}}
        for number, item in enumerate(entries)
    ]
    assert bool(notify.handler({"Records": records}, None)["batchItemFailures"]) == fails


def opened(shop: Shop) -> list[dict[str, Any]]:
    return list(shop.get("/v1/reviews", scope=OPERATOR, query={"kind": "rate"}).body["items"])


def test_a_members_redemptions_above_the_rate_open_one_review(shop: Shop) -> None:
    watching(shop, redemptions=TWO)
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, total=200_000)
    for number in range(2):
        assert shop.redeem(ada, key=f"spend-{number}").status == 201
    tell()
    assert opened(shop) == []

    assert shop.redeem(ada, key="spend-2").status == 201
    tell()
    tell()
    [review] = opened(shop)
    assert (review["member_id"], review["requested_by"], review["details"]["times"]) == (ada, "stream", "2")
    reserved = {one["entry_id"] for one in shop.entries(ada) if one["type"] == "reserve"}
    assert set(review["details"]["entries"].split()) == reserved
    assert shop.redeem(ada, key="spend-3").status == 201
    tell()
    assert opened(shop) == [review]
    held = shop.get(f"/v1/members/{ada}/export", scope=OPERATOR).body["held"]["reviews"]
    assert [one["review_id"] for one in held] == [review["review_id"]]
    assert shop.get(f"/v1/members/{grace}/export", scope=OPERATOR).body["held"]["reviews"] == []


def test_entries_that_are_told_again_count_once(shop: Shop) -> None:
    watching(shop, adjustments=TWO)
    ada = shop.enroll()
    for number in range(2):
        shop.adjust(ada, 1, f"case-{number}")
    for _ in range(3):
        tell()
    assert opened(shop) == []


@pytest.mark.parametrize("what", ["adjustments", "refunds", "new_members"])
def test_what_one_caller_does_too_often_opens_a_review(shop: Shop, what: str) -> None:
    watching(shop, **{what: TWO})
    members = [shop.enroll(f"m-{number}") for number in range(3)]
    for number, member in enumerate(members):
        shop.adjust(member, 1, caller="olga")
        shop.order(member, f"A-{number}")
        body = {"order_id": f"A-{number}", "refund_id": "r", "amount": 100}
        assert shop.post(f"/v1/members/{member}/refunds", body).status == 201
    tell()
    [review] = opened(shop)
    who = "operator:olga" if what == "adjustments" else "storefront:till-7"
    assert (review["details"]["by"], review["details"]["who"], review["member_id"]) == ("caller", who, "")


def test_refunds_in_one_store_are_counted_by_the_store_of_their_order(shop: Shop) -> None:
    watching(shop, refunds=TWO)
    ada = shop.enroll()
    for number in range(3):
        order = {"type": "order", "order_id": f"A-{number}", "currency": "USD", "total": 1000, "store_id": "rome"}
        assert shop.post(f"/v1/members/{ada}/earn", order, caller=f"till-{number}").status == 201
        body = {"order_id": f"A-{number}", "refund_id": "r", "amount": 100}
        assert shop.post(f"/v1/members/{ada}/refunds", body, caller=f"till-{number}").status == 201
    tell()
    [review] = opened(shop)
    assert (review["details"]["by"], review["details"]["who"]) == ("store", "rome")


def test_the_next_day_counts_anew(shop: Shop) -> None:
    watching(shop, adjustments=TWO)
    ada = shop.enroll()
    for number in range(4):
        shop.adjust(ada, 1, f"case-{number}")
        shop.pass_time(days=number % 2)
    tell()
    assert opened(shop) == []


def test_a_review_that_could_not_be_opened_is_opened_when_its_entry_is_told_again(shop: Shop, wire: Wire) -> None:
    watching(shop, adjustments={"times": 1, "per": "hour"})
    ada = shop.enroll()
    for number in range(2):
        shop.adjust(ada, 1, f"case-{number}")
    wire.refuse("Query", "ProvisionedThroughputExceededException", times=20)
    tell(fails=True)
    assert opened_later(shop, wire) != []


def opened_later(shop: Shop, wire: Wire) -> list[dict[str, Any]]:
    wire._before.clear()  # noqa: SLF001 - the fault is over
    tell()
    return opened(shop)


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_an_operator_closes_it_and_nothing_is_booked(shop: Shop, decision: str) -> None:
    watching(shop, adjustments={"times": 1, "per": "hour"})
    ada = shop.enroll()
    for number in range(2):
        shop.adjust(ada, 1, f"case-{number}")
    tell()
    [review] = opened(shop)
    body = {"reason": "looked at"} if decision == "reject" else None
    done = shop.post(f"/v1/reviews/{review['review_id']}/{decision}", body, scope=OPERATOR)
    assert (done.status, done.body["entry"], shop.balance(ada)) == (200, None, 102)
    tell()
    assert opened(shop) == []


def test_without_rates_nothing_is_counted(shop: Shop) -> None:
    ada = shop.enroll()
    for number in range(3):
        shop.adjust(ada, 1, f"case-{number}")
    tell()
    assert not [item for item in stored(settings.loyalty_table()) if item["pk"]["S"].startswith("RATE#")]


@pytest.mark.parametrize(
    ("after", "is_looser"),
    [
        (None, True),
        (Rates(), True),
        (Rates(refunds=Rate(times=6, per="day")), True),
        (Rates(refunds=Rate(times=4, per="hour")), True),
        (Rates(refunds=Rate(times=5, per="day")), False),
        (Rates(refunds=Rate(times=4, per="day"), adjustments=Rate(times=9, per="hour")), False),
    ],
)
def test_rates_are_loosened_by_two_operators(after: Rates | None, is_looser: bool) -> None:
    before = Operators(rates=Rates(refunds=Rate(times=5, per="day")))
    assert loosens(before, Operators(rates=after)) == is_looser
    hourly = Operators(rates=Rates(refunds=Rate(times=5, per="hour")))
    assert not loosens(hourly, Operators(rates=Rates(refunds=Rate(times=5, per="day"))))
