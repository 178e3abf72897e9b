"""The marked member's visit: what it sees of a service that works, and what it names of one that does not."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from infra.tools.smoke import Api, NotSeenError, Reply, Report, visit
from tests.functions.shop import OPERATOR, STOREFRONT, Shop, check_every_account

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Break = Callable[[str, str, Reply], Reply]


class OfShop(Api):
    """The functions of this process; `wrong` may change an answer by its method and path."""

    def __init__(self, shop: Shop, wrong: Break = lambda _method, _path, reply: reply) -> None:
        super().__init__("https://loyalty.example", "token")
        self._shop, self._wrong = shop, wrong

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        parts = urlsplit(path)
        headers = {"Idempotency-Key": key} if key else {}
        scope = f"{STOREFRONT} {OPERATOR}"
        query = dict(parse_qsl(parts.query))
        found = self._shop.call(method, parts.path, body, scope=scope, headers=headers, query=query)
        return self._wrong(method, parts.path, Reply(found.status, found.body))


def report_of(shop: Shop, **options: Any) -> Report:
    report = Report(say=lambda _line: None)
    visit(OfShop(shop, **options), report, shop.now)
    return report


def refused(*ends: str) -> Break:
    """A service whose paths that end so are refused."""

    def wrong(_method: str, path: str, reply: Reply) -> Reply:
        return Reply(500, {"code": "broken"}) if path.endswith(ends) else reply

    return wrong


def test_a_service_that_works_is_seen_to(shop: Shop) -> None:
    report = report_of(shop)
    assert [line.how for line in report.lines] == ["saw"] * 7, report.lines
    assert "earned 150 points, once" in str(report.lines)
    assert "free-coffee: reserved, captured, reversed" in str(report.lines)


def test_nothing_is_left_but_an_account_without_a_name(shop: Shop, database: "DynamoDBClient") -> None:
    report_of(shop)
    check_every_account()
    kept = str([database.scan(TableName=table)["Items"] for table in ("people", "loyalty")])
    assert "simulator.amazonses.com" not in kept
    assert "Smoke test" not in kept


def test_a_program_without_rewards_is_visited_all_the_same(shop: Shop) -> None:
    shop.change_program(redeeming={"rewards": [], "points_as_money": None})
    report = report_of(shop)
    assert [line.how for line in report.lines] == ["saw", "saw", "saw", "saw", "not tried", "saw", "saw"]


def test_points_that_buy_money_alone_are_spent_as_money(shop: Shop) -> None:
    shop.change_program(redeeming={"rewards": []})
    assert "100 points redeemed for money: reserved, captured, reversed" in str(report_of(shop).lines)


def test_points_that_cannot_be_spent_yet_come_back_too(shop: Shop) -> None:
    shop.change_program(earning={"pending_days": 14, "welcome_points": 0})
    report = report_of(shop)
    assert not report.failed
    assert "not tried" in [line.how for line in report.lines]


@pytest.mark.parametrize(
    ("end", "step"),
    [
        ("/v1/program", "the program"),
        ("/v1/members", "enrolling"),
        ("/earn", "earning, redeeming and refunding"),
        ("/rewards", "earning, redeeming and refunding"),
        ("/redemptions", "earning, redeeming and refunding"),
        ("/capture", "earning, redeeming and refunding"),
        ("/refunds", "earning, redeeming and refunding"),
    ],
)
def test_what_does_not_work_is_named_and_nobody_is_left_behind(
    shop: Shop, database: "DynamoDBClient", end: str, step: str
) -> None:
    report = report_of(shop, wrong=refused(end))
    [failed] = report.failed
    assert failed.startswith(f"{step}: ")
    assert "500 broken" in failed
    assert "simulator.amazonses.com" not in str(database.scan(TableName="people")["Items"])


def test_an_order_that_is_booked_twice_is_named(shop: Shop) -> None:
    numbers = iter(range(9))

    def wrong(_method: str, path: str, reply: Reply) -> Reply:
        if path.endswith("/earn"):
            return Reply(reply.status, {**reply.body, "entry": {**reply.body["entry"], "sequence": next(numbers)}})
        return reply

    assert "booked twice" in report_of(shop, wrong=wrong).failed[0]


def test_a_refund_that_leaves_something_is_named(shop: Shop) -> None:
    reads = iter((100, 250, 101))

    def wrong(_method: str, path: str, reply: Reply) -> Reply:
        return Reply(reply.status, {**reply.body, "balance": next(reads)}) if path.endswith("/account") else reply

    assert "100 was there before" in report_of(shop, wrong=wrong).failed[0]


def test_somebody_who_cannot_be_erased_is_named(shop: Shop) -> None:
    def wrong(method: str, _path: str, reply: Reply) -> Reply:
        return Reply(202, {"code": None}) if method == "DELETE" else reply

    assert "is not erased: 202" in report_of(shop, wrong=wrong).failed[0]


def test_somebody_who_is_found_after_all_is_named(shop: Shop) -> None:
    def wrong(_method: str, path: str, reply: Reply) -> Reply:
        return Reply(200, {"member_id": "m"}) if reply.status == 404 and path.endswith("/lookup") else reply

    assert "and still found" in report_of(shop, wrong=wrong).failed[0]


def test_nobody_who_answers_is_named() -> None:
    with pytest.raises(NotSeenError, match=r"127\.0\.0\.1:9 does not answer"):
        Api("http://127.0.0.1:9", "token").call("GET", "/v1/program")
