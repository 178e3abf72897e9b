"""A program that lets operators do more alone takes two of them; any other is stored at once."""

from typing import Any

import pytest

from infra.tools.verify import check
from shared import settings
from shared.domain.program.operators import Operators, loosens
from shared.tables import client
from tests.functions.shop import OPERATOR, Reply, Shop, assert_refused
from tests.shared.wire import Wire


@pytest.fixture
def guarded(shop: Shop) -> Shop:
    shop.change_program(operators={"adjustment_limit_points": 100})
    return shop


def put(shop: Shop, caller: str = "olga", **sections: Any) -> Reply:
    """Replace sections of the program; None takes one out."""
    text = shop.get("/v1/program/whole", scope=OPERATOR).body
    changed = {name: part for name, part in {**text, **sections}.items() if part is not None}
    headers = {"If-Match": f'"{text["version"]}"'}
    return shop.call("PUT", "/v1/program", changed, scope=OPERATOR, caller=caller, headers=headers)


def decide(shop: Shop, asked: Reply, decision: str, caller: str) -> Reply:
    body = {"reason": "no"} if decision == "reject" else None
    return shop.post(f"/v1/reviews/{asked.body['review_id']}/{decision}", body, scope=OPERATOR, caller=caller)


def whole(shop: Shop) -> dict[str, Any]:
    return dict(shop.get("/v1/program/whole", scope=OPERATOR).body)


@pytest.mark.parametrize("section", [None, {}, {"adjustment_limit_points": 101}])
def test_what_lets_operators_do_more_alone_waits_for_another(guarded: Shop, section: dict[str, Any] | None) -> None:
    before = whole(guarded)
    guarded.pass_time(minutes=1)
    asked = put(guarded, operators=section, name="Other")
    assert (asked.status, asked.body["kind"], asked.body["requested_by"]) == (202, "program", "operator:olga")
    assert asked.body["details"]["operators_before"] == '{"adjustment_limit_points":100}'
    again = put(guarded, operators=section, name="Other")
    assert (again.status, again.replayed, again.body) == (202, True, asked.body)
    assert whole(guarded) == before
    with guarded.writing_nothing():
        assert_refused(decide(guarded, asked, "approve", "olga"), 403, "forbidden")

    guarded.pass_time(minutes=1)
    done, repeated = decide(guarded, asked, "approve", "otto"), decide(guarded, asked, "approve", "otto")
    assert (done.status, done.body["review"]["state"], done.body["entry"]) == (200, "approved", None)
    assert (repeated.replayed, repeated.body["review"]) == (True, done.body["review"])
    after = whole(guarded)
    assert (after["name"], after["version"]) == ("Other", before["version"] + 1)
    limit = (after.get("operators") or {}).get("adjustment_limit_points")
    assert limit == (section or {}).get("adjustment_limit_points")
    assert guarded.get("/v1/reviews", scope=OPERATOR).body["items"] == []
    traces = [(one["actor"], one["what"]) for one in guarded.get("/v1/audit", scope=OPERATOR).body["items"]]
    assert traces[:2] == [("operator:otto", "review.approved"), ("operator:olga", "program.requested")]


def test_another_time_zone_makes_the_days_others_and_waits(guarded: Shop) -> None:
    before = whole(guarded)["time_zone"]
    asked = put(guarded, time_zone="Pacific/Kiritimati")
    assert (asked.status, asked.body["kind"]) == (202, "program")
    assert asked.body["details"]["time_zone_before"] == before
    assert asked.body["details"]["time_zone_after"] == "Pacific/Kiritimati"
    assert whole(guarded)["time_zone"] == before
    assert_refused(decide(guarded, asked, "approve", "olga"), 403, "forbidden")
    assert decide(guarded, asked, "approve", "otto").status == 200
    assert whole(guarded)["time_zone"] == "Pacific/Kiritimati"


@pytest.mark.parametrize("operators", [None, {}, {"rates": {}}])
def test_another_time_zone_is_stored_at_once_where_nothing_is_limited(shop: Shop, operators: Any) -> None:
    assert put(shop, operators=operators).status == 200
    assert put(shop, time_zone="Pacific/Kiritimati").status == 200


@pytest.mark.parametrize("sections", [{"operators": {"adjustment_limit_points": 99}}, {"name": "Other"}])
def test_what_is_tighter_or_something_else_is_stored_at_once(guarded: Shop, sections: dict[str, Any]) -> None:
    assert put(guarded, **sections).status == 200
    name, value = next(iter(sections.items()))
    stored = whole(guarded)[name]
    assert stored == value or value.items() <= stored.items()


def test_a_program_that_had_no_limits_takes_any(shop: Shop) -> None:
    assert put(shop, operators={"adjustment_limit_points": 10**6}).status == 200


def test_a_rejected_program_is_not_stored_and_not_asked_for_again(guarded: Shop) -> None:
    before = whole(guarded)
    asked = put(guarded, operators=None)
    assert decide(guarded, asked, "reject", "olga").body["review"]["state"] == "rejected"
    assert_refused(decide(guarded, asked, "approve", "otto"), 409, "invalid_state")
    again = put(guarded, operators=None)
    assert (again.status, again.body["state"], whole(guarded)) == (200, "rejected", before)


def test_what_waits_for_a_program_that_was_replaced_can_only_be_rejected(guarded: Shop) -> None:
    asked = put(guarded, operators=None)
    assert put(guarded, name="Other").status == 200
    with guarded.writing_nothing():
        assert_refused(decide(guarded, asked, "approve", "otto"), 412, "program_changed")
    assert decide(guarded, asked, "reject", "otto").status == 200
    assert whole(guarded)["operators"]["adjustment_limit_points"] == 100


def test_a_limit_set_while_a_program_was_on_its_way_is_not_taken_out_by_it(shop: Shop, wire: Wire) -> None:
    text = whole(shop)
    wire.before("TransactWriteItems", lambda: shop.change_program(operators={"adjustment_limit_points": 100}))
    assert_refused(shop.replace_program(text, text["version"]), 412, "program_changed")
    assert whole(shop)["operators"]["adjustment_limit_points"] == 100


def test_a_version_that_is_only_on_its_way_is_not_replaced(guarded: Shop, wire: Wire) -> None:
    text = whole(guarded)
    version = text.pop("version")
    del text["operators"]
    wire.before("TransactWriteItems", lambda: guarded.change_program(name="Other"))
    assert_refused(guarded.replace_program(text, version + 1), 412, "program_changed")
    assert whole(guarded)["operators"]["adjustment_limit_points"] == 100


def test_another_currency_goes_by_itself(guarded: Shop) -> None:
    with guarded.writing_nothing():
        assert_refused(put(guarded, operators=None, currency="EUR"), 422, "invalid_request")


@pytest.mark.parametrize(
    ("before", "after", "is_looser"),
    [
        (None, None, False),
        (None, Operators(adjustment_limit_points=9), False),
        (Operators(adjustment_limit_points=9), None, True),
        (Operators(adjustment_limit_points=9), Operators(), True),
        (Operators(adjustment_limit_points=9), Operators(adjustment_limit_points=10), True),
        (Operators(adjustment_limit_points=9), Operators(adjustment_limit_points=9), False),
        (Operators(adjustment_limit_points=9), Operators(adjustment_limit_points=8), False),
        (Operators(), Operators(adjustment_limit_points=8), False),
    ],
)
def test_what_is_not_tighter_in_every_point_is_looser(
    before: Operators | None, after: Operators | None, is_looser: bool
) -> None:
    assert loosens(before, after) == is_looser


def test_a_program_that_waits_is_no_version_of_the_program(guarded: Shop) -> None:
    assert put(guarded, operators={"adjustment_limit_points": 5000}).status == 202
    guarded.enroll("ada")
    report = check(client.client(), settings.loyalty_table())
    assert report.accounts > 0
    assert report.violations == []
