"""The program: read by anyone, replaced by an operator who has seen the current version."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from shared import runtime, settings
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Shop, assert_refused, stored
from tests.shared.wire import Wire


def text_of(shop: Shop) -> dict[str, Any]:
    return dict(shop.get("/v1/program/whole", scope=OPERATOR).body)


def versions() -> dict[str, str]:
    items = stored(settings.loyalty_table())
    return {item["sk"]["S"]: item["body"]["S"] for item in items if item["pk"]["S"] == "PROGRAM"}


def put(text: Any, path: str, value: Any) -> dict[str, Any]:
    """The program with something else at a JSON pointer."""
    changed: dict[str, Any] = copy.deepcopy(text)
    *parents, last = path.removeprefix("/").split("/")
    at: Any = changed
    for step in parents:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return changed


def test_anyone_may_read_the_program(shop: Shop) -> None:
    for scope in (None, STOREFRONT, MEMBER, OPERATOR, "openid"):
        reply = shop.get("/v1/program", scope=scope)
        assert (reply.status, reply.headers["ETag"]) == (200, '"1"')
        assert (reply.body["version"], reply.body["currency"], reply.body["time_zone"]) == (
            1,
            "USD",
            "America/New_York",
        )


def test_a_shop_stores_its_first_program_over_the_default_one(shop: Shop) -> None:
    text = {**text_of(shop), "name": "Tea Club"}
    reply = shop.replace_program(text, 1)
    assert (reply.status, reply.headers["ETag"]) == (200, '"2"')
    assert reply.body == {**text, "version": 2}
    assert text_of(shop) == reply.body


def test_the_currency_stays_what_it_is_once_anything_is_booked(shop: Shop) -> None:
    assert shop.change_program(currency="JPY") == 2
    assert shop.change_program(currency="USD") == 3
    shop.enroll()
    text = {**text_of(shop), "currency": "JPY"}
    with shop.writing_nothing():
        reply = shop.replace_program(text, 3)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/currency"]
    assert "stays USD" in reply.body["detail"]
    assert shop.change_program(name="Tea Club") == 4


def test_a_new_program_counts_for_the_next_order(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1", 1000)
    shop.change_program(earning={"points": 5})
    entry = shop.order(ada, "A-2", 1000).body["entry"]
    assert (entry["points"], entry["program_version"]) == (50, 2)
    assert [one["points"] for one in shop.entries(ada)] == [50, 10, 100]


def test_every_version_is_kept(shop: Shop) -> None:
    for name in ("Two", "Three"):
        shop.change_program(name=name)
    kept = versions()
    assert set(kept) == {"CURRENT", "VERSION#1", "VERSION#2", "VERSION#3"}
    assert ["Rewards Club" in kept["VERSION#1"], "Two" in kept["VERSION#2"], "Three" in kept["VERSION#3"]] == [True] * 3
    assert kept["CURRENT"] == kept["VERSION#3"]


@pytest.mark.parametrize("etag", ['"2"', "2", 'W/"2"'])
def test_the_version_is_named_as_it_was_read(shop: Shop, etag: str) -> None:
    shop.change_program(name="Two")
    text = text_of(shop)
    reply = shop.call("PUT", "/v1/program", text, scope=OPERATOR, headers={"If-Match": etag})
    assert (reply.status, reply.body["version"]) == (200, 3)


def test_a_program_may_leave_its_version_out(shop: Shop) -> None:
    text = text_of(shop)
    del text["version"]
    assert shop.replace_program(text, 1).body["version"] == 2


@pytest.mark.parametrize("version", [1, 3, 99])
def test_a_program_that_was_read_too_long_ago_replaces_nothing(shop: Shop, version: int) -> None:
    shop.change_program(name="Two")
    text = {**text_of(shop), "name": "Three", "version": version}
    with shop.writing_nothing():
        assert_refused(shop.replace_program(text, version), 412, "program_changed")


def test_a_program_that_says_another_version_than_was_matched_replaces_nothing(shop: Shop) -> None:
    shop.change_program(name="Two")
    text = {**text_of(shop), "version": 1}
    with shop.writing_nothing():
        assert_refused(shop.replace_program(text, 2), 412, "program_changed")


@pytest.mark.parametrize("etag", [None, "", "*", '""', "two", '"0"', "-1", "1.0", '"1", "2"', "9" * 30, "٢", "9" * 41])
def test_a_program_is_not_replaced_unseen(shop: Shop, etag: str | None) -> None:
    text = text_of(shop)
    with shop.writing_nothing():
        reply = shop.call("PUT", "/v1/program", text, scope=OPERATOR, headers={"If-Match": etag})
    assert_refused(reply, 422, "invalid_request")
    assert [pointer.lower() for pointer in reply.pointers] == ["header:if-match"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/name", ""),
        ("/currency", "XQQ"),
        ("/currency", "usd"),
        ("/country", "usa"),
        ("/time_zone", "Mars/Olympus"),
        ("/time_zone", "../etc/passwd"),
        ("/version", 0),
        ("/colour", "red"),
        ("/earning/points", 0),
        ("/earning/per_amount", 1.5),
        ("/earning/rounding", "up a bit"),
        ("/earning/pending_days", -1),
        ("/earning/actions/0/points", "25"),
        ("/earning/actions/0/limit/per", "decade"),
        ("/earning/excluded_categories/0", 5),
        ("/expiry/kind", "soon"),
        ("/expiry/months", 0),
        ("/expiry/ends", "week"),
        ("/refund_debt", True),
        ("/tiers/levels", []),
        ("/tiers/levels/1/percent", 99),
        ("/tiers/levels/2/benefits", "all"),
        ("/tiers/grace_days", 91),
        ("/redeeming/hold_minutes", 0),
        ("/redeeming/points_as_money/amount", -1),
        ("/redeeming/rewards/0/sku", None),
        ("/redeeming/rewards/0/kind", "car"),
        ("/redeeming/rewards/2/value", 0),
        ("/redeeming/rewards/2/points", None),
        ("/redeeming/rewards/4/stock", -1),
        ("/redeeming/rewards/4/limit/times", 0),
        ("/messages/reminder_days/1", 0),
    ],
)
def test_a_fault_in_a_program_is_named_with_its_place(shop: Shop, path: str, value: Any) -> None:
    text = put(text_of(shop), path, value)
    with shop.writing_nothing():
        reply = shop.replace_program(text, 1)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [path]


def test_every_fault_of_a_program_is_named_at_once(shop: Shop) -> None:
    text = put(put(put(text_of(shop), "/name", ""), "/redeeming/rewards/0/points", 0), "/expiry/months", "12")
    del text["earning"]["points"]
    reply = shop.replace_program(text, 1)
    assert set(reply.pointers) == {"/name", "/redeeming/rewards/0/points", "/expiry/months", "/earning/points"}


def rule(**changes: Any) -> dict[str, Any]:
    return {"rule_id": "double", "description": "Double", "effect": {"kind": "multiply", "percent": 200}, **changes}


@pytest.mark.parametrize(
    ("path", "value", "pointer", "word"),
    [
        ("/tiers/levels/0/threshold", 5, "/tiers", "bronze"),
        ("/tiers/levels/2/threshold", 100, "/tiers", "rise"),
        ("/tiers/levels/2/tier_id", "silver", "/tiers", "silver"),
        ("/redeeming/rewards/1/reward_id", "free-coffee", "", "free-coffee"),
        ("/redeeming/rewards/4/minimum_tier", "diamond", "", "diamond"),
        ("/earning/rules", [rule(), rule()], "", "double"),
        ("/earning/rules", [rule(when={"tiers": ["iron"]})], "", "iron"),
        ("/earning/rules", [rule(effect={"kind": "multiply", "percent": 100})], "/earning/rules/0/effect/percent", ""),
        ("/earning/rules", [rule(effect={"percent": 200})], "/earning/rules/0/effect/kind", "multiply"),
        ("/earning/rules", [rule(effect={"kind": "add"})], "/earning/rules/0/effect/points", ""),
        ("/earning/rules", [rule(limit={"per": "day"})], "/earning/rules/0/limit", "times"),
        (
            "/earning/rules",
            [rule(when={"starts_on": "2027-02-01", "ends_on": "2027-01-31"})],
            "/earning/rules/0/when",
            "2027-01-31",
        ),
        ("/earning/rules", [rule(when={"starts_on": "2027-02-30"})], "/earning/rules/0/when/starts_on", ""),
        ("/expiry", {"kind": "term", "months": 1, "days": 1}, "/expiry", "either"),
        ("/expiry", {"kind": "calendar_date", "month": 2, "day": 30}, "/expiry", "30"),
        ("/expiry", {"kind": "never", "months": 5}, "/expiry/months", ""),
    ],
)
def test_a_program_that_contradicts_itself_is_refused_with_the_reason(
    shop: Shop, path: str, value: Any, pointer: str, word: str
) -> None:
    text = put(text_of(shop), path, value)
    with shop.writing_nothing():
        reply = shop.replace_program(text, 1)
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [pointer]
    assert word in reply.body["errors"][0]["detail"]


def test_a_program_with_everything_that_one_can_have_is_stored_and_read_back(shop: Shop) -> None:
    text = text_of(shop)
    text["earning"]["rules"] = [rule(when={"weekdays": ["mon"], "tiers": ["gold"], "minimum_spend": 5, "skus": ["A"]})]
    text["redeeming"]["rewards"] += [
        {"reward_id": "ten", "name": "10%", "kind": "percent_off", "points": 9, "percent": 10},
        {"reward_id": "back", "name": "Back", "kind": "cashback", "points": 9, "value": 10},
        {
            "reward_id": "spa",
            "name": "Spa",
            "kind": "partner",
            "points": 9,
            "partner_id": "P",
            "starts_on": "2027-01-01",
        },
    ]
    for expiry in (
        {"kind": "term", "days": 90, "ends": "quarter"},
        {"kind": "inactivity", "months": 6},
        {"kind": "calendar_date", "month": 2, "day": 29},
        {"kind": "never"},
    ):
        text["expiry"] = expiry
        reply = shop.replace_program(text, text["version"])
        assert reply.status == 200, reply.body
        assert {name: reply.body["expiry"][name] for name in expiry} == expiry
        runtime.forget()
        assert text_of(shop) == reply.body
        text["version"] = reply.body["version"]


def test_of_two_operators_at_once_one_is_told_that_the_program_changed(shop: Shop, wire: Wire) -> None:
    shop.change_program(name="Two")
    text = text_of(shop)
    wire.before("TransactWriteItems", lambda: shop.change_program(name="Olga's"))
    assert_refused(shop.replace_program({**text, "name": "Omar's"}, 2), 412, "program_changed")
    assert text_of(shop)["name"] == "Olga's"


def test_a_program_whose_answer_was_lost_is_stored_once(shop: Shop, wire: Wire) -> None:
    text = {**text_of(shop), "name": "Two"}
    wire.lose_answer("TransactWriteItems")
    assert_refused(shop.replace_program(text, 1), 503, "try_again")
    with shop.writing_nothing():
        again = shop.replace_program(text, 1)
    assert (again.status, again.body) == (200, {**text, "version": 2})


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("ThrottlingException", []),
        ("TransactionCanceledException", [{"Code": "TransactionConflict"}, {"Code": "None"}]),
    ],
)
def test_a_program_that_could_not_be_stored_now_is_to_be_sent_again(
    shop: Shop, wire: Wire, code: str, reasons: list[dict[str, str]]
) -> None:
    text = text_of(shop)
    wire.refuse("TransactWriteItems", code, reasons=reasons)
    with shop.writing_nothing():
        assert_refused(shop.replace_program(text, 1), 503, "try_again")
    assert shop.replace_program(text, 1).status == 200


def leaves(text: Any, path: str = "") -> Iterator[str]:
    """A JSON pointer to each value that holds no others."""
    inner = list(text.items()) if isinstance(text, dict) else list(enumerate(text)) if isinstance(text, list) else []
    for name, value in inner:
        yield from leaves(value, f"{path}/{name}")
    if not inner:
        yield path


def test_no_value_of_a_program_may_be_nonsense(shop: Shop) -> None:
    text = text_of(shop)
    del text["version"]
    with shop.writing_nothing():
        for path in leaves(text):
            for nonsense in ({"x": 1}, "\ud800", 0.5, 10**400, -1):
                reply = shop.replace_program(put(text, path, nonsense), 1)
                assert_refused(reply, 422, "invalid_request")
                assert any(pointer.startswith(path) for pointer in reply.pointers), (path, nonsense)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ("{", {}, 400, "malformed_json"),
        ('{"name": "a", "name": "b"}', {}, 400, "malformed_json"),
        ("[]", {}, 422, "invalid_request"),
        (None, {}, 422, "invalid_request"),
        ("{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (f'{{"name": "{"x" * 2**20}"}}', {}, 413, "body_too_large"),
    ],
)
def test_what_is_no_program_replaces_none(
    shop: Shop, body: str | None, headers: dict[str, str], status: int, code: str
) -> None:
    with shop.writing_nothing():
        sent = {"If-Match": '"1"', **headers}
        assert_refused(shop.call("PUT", "/v1/program", scope=OPERATOR, text=body, headers=sent), status, code)


def test_members_see_what_concerns_them_and_operators_the_whole(shop: Shop) -> None:
    shop.change_program(
        operators={"adjustment_limit_points": 500},
        standing_rules={"minimum_age": 16},
    )
    seen = shop.get("/v1/program", scope=None)
    whole = shop.get("/v1/program/whole", scope=OPERATOR)
    hidden = {
        "segments",
        "campaigns",
        "messages",
        "standing_rules",
        "referrals",
        "partners",
        "operators",
        "privacy",
        "remembered_days",
    }
    assert set(whole.body) - set(seen.body) == hidden
    assert whole.body["operators"] == {"adjustment_limit_points": 500, "rates": None}
    assert seen.headers["ETag"] == whole.headers["ETag"]
    assert_refused(shop.get("/v1/program/whole"), 403, "forbidden")
