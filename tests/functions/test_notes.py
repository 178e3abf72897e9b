"""What members read of what operators did: the reason that is for them, and the role; no note and no name."""

import json
from typing import Any

import pytest

from shared.domain.explanations import record_told, source_told
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Reply, Shop
from tests.functions.test_operators import use_survey

SECRET = "looks like fraud"
REASON = "We are looking into it"


def by_hand(shop: Shop, path: str, **body: Any) -> Reply:
    reply = shop.post(path, {"reason": REASON, "note": SECRET, **body}, scope=OPERATOR, caller="olga")
    assert reply.status < 300, reply.body
    return reply


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member to whom operators have done everything that takes a reason."""
    use_survey(shop)
    shop.change_program(operators={"adjustment_limit_points": 100})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    path = f"/v1/members/{ada}"
    given = by_hand(shop, f"{path}/adjustments", points=50, reference="c-1").body["entry"]
    asked = by_hand(shop, f"{path}/adjustments", points=500, reference="c-2").body["review_id"]
    assert shop.post(f"/v1/reviews/{asked}/approve", scope=OPERATOR, caller="otto").status == 200
    by_hand(shop, f"{path}/entries/{given['entry_id']}/undo")
    by_hand(shop, f"{path}/freeze", reference="f-1")
    by_hand(shop, f"{path}/unfreeze", reference="f-2")
    shop.action(ada, "s-1", "survey")
    [waiting] = shop.get("/v1/reviews", scope=OPERATOR).body["items"]
    by_hand(shop, f"/v1/reviews/{waiting['review_id']}/reject")
    shop.order(grace, "G-1")
    by_hand(shop, f"{path}/orders/G-1/claim", claim_id="x-1")
    return ada


EXPLAINED = {"adjust", "adjust_undo", "freeze", "unfreeze", "reject", "claim_in"}


@pytest.mark.parametrize("scope", [MEMBER, STOREFRONT])
def test_others_read_the_reason_and_the_role_and_no_note_and_no_name(shop: Shop, ada: str, scope: str) -> None:
    page = shop.get(f"/v1/members/{ada}/entries", scope=scope, member_id=ada, query={"limit": "100"}).body
    explained = [one for one in page["items"] if "reason" in one["source"]]
    assert {one["type"] for one in explained} == EXPLAINED
    assert {(one["source"]["reason"], one["actor"]) for one in explained} == {(REASON, "operator")}
    [approved] = [one["source"] for one in explained if "approved_by" in one["source"]]
    assert (approved["requested_by"], approved["approved_by"]) == ("operator", "operator")
    _assert_untold(page)


def test_operators_read_it_all(shop: Shop, ada: str) -> None:
    page = shop.get(f"/v1/members/{ada}/entries", scope=OPERATOR, query={"limit": "100"}).body
    explained = [one for one in page["items"] if "reason" in one["source"]]
    assert {(one["type"], one["note"]) for one in explained} == {(type_, SECRET) for type_ in EXPLAINED}
    assert {one["actor"] for one in explained} == {"operator:olga", "operator:otto"}
    assert not any("note" in one["source"] for one in page["items"])
    assert not any("note" in one for one in page["items"] if one not in explained)


def test_a_members_export_has_no_note_and_no_name_and_an_operators_has(shop: Shop, ada: str) -> None:
    theirs = shop.get(f"/v1/members/{ada}/export", scope=MEMBER, member_id=ada).body
    _assert_untold(theirs)
    assert {one["actor"] for one in theirs["held"]["accesses"]} == {"operator"}
    assert {one["requested_by"] for one in theirs["held"]["reviews"]} <= {"operator", "storefront"}
    assert [one["source"]["reason"] for one in theirs["held"]["entries"] if one["type"] == "freeze"] == [REASON]
    whole = json.dumps(shop.get(f"/v1/members/{ada}/export", scope=OPERATOR).body)
    assert SECRET in whole
    assert "operator:olga" in whole


def test_everybody_reads_their_own_name(shop: Shop) -> None:
    ada = shop.enroll()
    assert shop.order(ada).body["entry"]["actor"] == "storefront:till-7"
    seen = [shop.get(f"/v1/members/{ada}/entries", caller=name).body["items"][0]["actor"] for name in ("till-7", "x")]
    assert seen == ["storefront:till-7", "storefront"]


@pytest.mark.parametrize("type_", ["freeze", "unfreeze"])
def test_the_reason_of_a_freeze_from_before_notes_is_a_note(type_: str) -> None:
    before = {"reference": "c", "reason": "suspected fraud"}
    assert source_told(type_, before) == {"reference": "c"}
    assert source_told(type_, {**before, "reason_for": "member"}) == before
    assert source_told("adjust", before) == before
    assert record_told([{"type": type_, "source": before, "note": "x"}]) == [
        {"type": type_, "source": {"reference": "c"}}
    ]


def test_the_day_of_an_operator_is_told_without_the_name() -> None:
    uses = {"operator:olga": {"period": "2026-11-30", "points": 5}, "rule:tea": {"period": "2026"}}
    assert set(record_told({"uses": uses})["uses"]) == {"operator", "rule:tea"}


def test_what_several_operators_did_in_the_last_day_is_told_as_one() -> None:
    uses = {
        "operator:olga": {"period": "2026-11-30", "times": 1, "points": 5},
        "operator:otto": {"period": "2026-11-30", "times": 2, "points": 40},
        "operator:oona": {"period": "2026-11-29", "times": 1, "points": 300},
    }
    told = record_told({"uses": uses})["uses"]
    assert told == {"operator": {"period": "2026-11-30", "times": 3, "points": 45}}


def _assert_untold(body: Any) -> None:
    text = json.dumps(body)
    assert SECRET not in text
    assert "olga" not in text
    assert "otto" not in text
