"""What operators do by hand, over HTTP: reviews, four eyes, freezing, searching, and the trace of it all."""

from datetime import timedelta
from typing import Any

import pytest

from shared import settings
from shared.tables import audit, client, reviews
from tests.functions.shop import OPERATOR, Reply, Shop, assert_refused, stored
from tests.shared.wire import Wire

SURVEY = {"action_id": "survey", "description": "Survey", "points": 40, "approval": True}


def use_survey(shop: Shop) -> None:
    shop.change_program(earning={"actions": [SURVEY]})


def surveyed(shop: Shop, member: str, reference: str = "s-1") -> str:
    """The review that a member's survey waits for."""
    assert shop.action(member, reference, "survey").status == 201
    waiting = shop.get("/v1/reviews", scope=OPERATOR).body["items"]
    [review_id] = [one["review_id"] for one in waiting if one["details"].get("reference") == reference]
    return str(review_id)


def decide(shop: Shop, review_id: str, decision: str, caller: str = "olga", reason: str = "empty") -> Reply:
    body = {"reason": reason} if decision == "reject" else None
    return shop.post(f"/v1/reviews/{review_id}/{decision}", body, scope=OPERATOR, caller=caller)


def adjust(shop: Shop, member: str, points: int, caller: str = "olga", reference: str = "case-1") -> Reply:
    return shop.adjust(member, points, reference, caller)


def freeze(shop: Shop, member: str, step: str = "freeze", reference: str = "case-7") -> Reply:
    body = {"reason": "a doubt", "reference": reference}
    return shop.post(f"/v1/members/{member}/{step}", body, scope=OPERATOR, caller="olga")


def traces(shop: Shop) -> list[tuple[str, str]]:
    """What was done to whom, the oldest first."""
    items = shop.pages("/v1/audit", 100, scope=OPERATOR)
    return [(one["what"], one["member_id"]) for one in reversed(items)]


def test_an_action_waits_until_an_operator_approves_it(shop: Shop) -> None:
    use_survey(shop)
    ada = shop.enroll()
    before = shop.balance(ada)
    review_id = surveyed(shop, ada)
    assert (shop.balance(ada), shop.account(ada)["pending"]) == (before, 40)

    first, again = decide(shop, review_id, "approve"), decide(shop, review_id, "approve", caller="otto")

    assert (first.status, first.body["review"]["state"], first.body["entry"]["type"]) == (200, "approved", "approve")
    assert (again.status, again.replayed) == (200, True)
    assert (again.body["entry"], again.body["review"]) == (first.body["entry"], first.body["review"])
    assert (shop.balance(ada), shop.account(ada)["pending"]) == (before + 40, 0)
    assert shop.get("/v1/reviews", scope=OPERATOR).body["items"] == []


def test_a_second_contrary_decision_is_refused_and_writes_nothing(shop: Shop) -> None:
    use_survey(shop)
    review_id = surveyed(shop, shop.enroll())
    assert decide(shop, review_id, "reject").body["entry"]["points"] == -40
    with shop.writing_nothing():
        assert_refused(decide(shop, review_id, "approve"), 409, "invalid_state")
        assert decide(shop, review_id, "reject").replayed
        assert_refused(decide(shop, review_id, "reject", reason="another"), 422, "idempotency_mismatch")


def test_the_same_action_sent_again_opens_no_second_review(shop: Shop) -> None:
    use_survey(shop)
    ada = shop.enroll()
    surveyed(shop, ada)
    with shop.writing_nothing():
        assert shop.action(ada, "s-1", "survey").replayed


def test_reviews_are_paged_and_chosen_by_kind(shop: Shop) -> None:
    use_survey(shop)
    shop.change_program(operators={"adjustment_limit_points": 100})
    ada = shop.enroll()
    for number in range(3):
        shop.pass_time(minutes=1)
        surveyed(shop, ada, f"s-{number}")
    adjust(shop, ada, 101)
    assert len(shop.pages("/v1/reviews", 3, scope=OPERATOR)) == 4
    of_kind = shop.get("/v1/reviews", scope=OPERATOR, query={"kind": "action", "limit": "2"}).body
    assert [one["details"]["reference"] for one in of_kind["items"]] == ["s-0", "s-1"]
    assert of_kind["next_cursor"]
    foreign = {"kind": "adjustment", "cursor": of_kind["next_cursor"]}
    assert_refused(shop.get("/v1/reviews", scope=OPERATOR, query=foreign), 422, "invalid_request")
    assert_refused(decide(shop, "nothing", "approve"), 404, "review_not_found")


def test_an_approval_follows_a_member_who_was_merged(shop: Shop) -> None:
    use_survey(shop)
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    review_id = surveyed(shop, ada)
    shop.merge(grace, ada)
    before = shop.balance(grace)
    assert decide(shop, review_id, "approve").body["entry"]["type"] == "approve"
    assert shop.balance(grace) == before + 40
    assert decide(shop, review_id, "approve").replayed


def test_what_an_erased_member_waited_for_can_only_be_rejected(shop: Shop) -> None:
    use_survey(shop)
    ada = shop.enroll()
    review_id = surveyed(shop, ada)
    shop.erase(ada)
    assert_refused(decide(shop, review_id, "approve"), 409, "member_not_active")
    assert decide(shop, review_id, "reject").body["entry"] is None
    assert shop.get("/v1/reviews", scope=OPERATOR).body["items"] == []


def test_a_large_adjustment_takes_two_operators(shop: Shop) -> None:
    shop.change_program(operators={"adjustment_limit_points": 100})
    ada = shop.enroll()
    before = shop.balance(ada)
    assert adjust(shop, ada, 100, reference="small").status == 201

    asked = adjust(shop, ada, 101)
    assert (asked.status, asked.body["state"], shop.balance(ada)) == (202, "open", before + 100)
    again = adjust(shop, ada, 101)
    assert (again.status, again.replayed, again.body) == (202, True, asked.body)
    assert_refused(adjust(shop, ada, 102), 422, "idempotency_mismatch")
    assert_refused(decide(shop, asked.body["review_id"], "approve"), 403, "forbidden")

    entry = decide(shop, asked.body["review_id"], "approve", caller="otto").body["entry"]
    assert entry["source"]["requested_by"] == "operator:olga"
    assert entry["source"]["approved_by"] == "operator:otto"
    assert shop.balance(ada) == before + 201
    booked = adjust(shop, ada, 101)
    assert (booked.status, booked.replayed, booked.body["entry"]) == (200, True, entry)


def test_a_rejected_adjustment_is_not_booked(shop: Shop) -> None:
    shop.change_program(operators={"adjustment_limit_points": 100})
    ada = shop.enroll()
    before = shop.balance(ada)
    review_id = adjust(shop, ada, -101).body["review_id"]
    assert decide(shop, review_id, "reject").body["entry"] is None
    assert (decide(shop, review_id, "reject").replayed, shop.balance(ada)) == (True, before)
    assert_refused(decide(shop, review_id, "approve", caller="otto"), 409, "invalid_state")
    assert (adjust(shop, ada, -101).status, adjust(shop, ada, -101).body["state"]) == (200, "rejected")


def test_an_adjustment_that_no_longer_takes_two_closes_what_was_asked(shop: Shop, wire: Wire) -> None:
    shop.change_program(operators={"adjustment_limit_points": 100})
    ada = shop.enroll()
    review_id = adjust(shop, ada, 101).body["review_id"]
    rejected = adjust(shop, ada, 102, reference="other").body["review_id"]
    decide(shop, rejected, "reject")

    shop.change_program(operators={"adjustment_limit_points": 1000})
    assert_refused(adjust(shop, ada, 103), 422, "idempotency_mismatch")
    assert_refused(adjust(shop, ada, 102, reference="other"), 409, "invalid_state")
    wire.requests.clear()
    booked = adjust(shop, ada, 101, caller="otto")
    assert wire.requests == ["TransactGetItems", "TransactWriteItems"]
    assert booked.status == 201
    assert shop.get("/v1/reviews", scope=OPERATOR).body["items"] == []
    again = decide(shop, review_id, "approve", caller="eve")
    assert (again.replayed, again.body["review"]["decided_by"]) == (True, "operator:otto")
    assert again.body["entry"] == booked.body["entry"]
    assert_refused(decide(shop, review_id, "reject"), 409, "invalid_state")


def test_a_review_left_open_beside_its_booking_is_closed_by_whoever_approves_it(shop: Shop) -> None:
    shop.change_program(operators={"adjustment_limit_points": 100})
    ada = shop.enroll()
    review_id = adjust(shop, ada, 101).body["review_id"]
    left_open = reviews.load(review_id)
    entry = decide(shop, review_id, "approve", caller="otto").body["entry"]
    key = client.key_of(reviews.key_of(review_id))
    client.client().delete_item(TableName=settings.loyalty_table(), Key=key)
    client.transact(reviews.put(left_open))  # two machines, two programs: asked here, booked there

    again = decide(shop, review_id, "approve", caller="otto")
    assert (again.replayed, again.body["entry"], again.body["review"]["state"]) == (True, entry, "approved")
    assert shop.get("/v1/reviews", scope=OPERATOR).body["items"] == []


def test_more_points_than_there_are_stay_in_review(shop: Shop) -> None:
    shop.change_program(operators={"adjustment_limit_points": 100})
    review_id = adjust(shop, shop.enroll(), -5000).body["review_id"]
    assert_refused(decide(shop, review_id, "approve", caller="otto"), 409, "insufficient_points")
    assert len(shop.get("/v1/reviews", scope=OPERATOR).body["items"]) == 1
    assert_refused(adjust(shop, "nobody", 500, reference="other"), 404, "member_not_found")


def test_a_frozen_member_is_told_why_nothing_can_be_spent(shop: Shop) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, total=40_000)
    held = shop.redeem(ada).body["redemption_id"]
    first = freeze(shop, ada)
    assert (first.status, first.body["entry"]["type"]) == (201, "freeze")
    assert freeze(shop, ada).replayed
    for refused in (shop.redeem(ada, key="other"), shop.transfer(ada, grace, 10), shop.merge(grace, ada)):
        assert_refused(refused, 409, "member_frozen")
        assert "case-7" in refused.body["detail"]
    assert shop.move(ada, held, "capture").status == 200
    assert shop.order(ada, "A-2").status == 201
    assert_refused(freeze(shop, ada, reference="case-8"), 409, "invalid_state")
    assert freeze(shop, ada, "unfreeze").status == 201
    assert shop.redeem(ada, key="other").status == 201


@pytest.mark.parametrize("words", ["lovelace", "ADA", "ada lovelace", "Lovelace, Ada", "àda"])
def test_members_are_found_by_words_of_their_name(shop: Shop, words: str) -> None:
    ada = shop.enroll("ada", name="Ada King Lovelace")
    shop.enroll("grace", name="Grace Hopper")
    assert found(shop, words) == [ada]


def test_who_changes_a_name_is_erased_or_merged_is_not_found_by_it(shop: Shop) -> None:
    ada, grace = shop.enroll("ada", name="Ada Lovelace"), shop.enroll("grace", name="Grace Hopper")
    shop.patch(ada, {"name": "Ada Byron"})
    assert (found(shop, "lovelace"), found(shop, "byron")) == ([], [ada])
    shop.merge(ada, grace)
    assert (found(shop, "hopper"), found(shop, "ada hopper")) == ([], [])
    shop.erase(ada)
    assert found(shop, "ada") == []
    names = [item["pk"]["S"] for item in stored(settings.people_table()) if item["pk"]["S"].startswith("NAME#")]
    assert names == []


def test_a_search_is_paged(shop: Shop) -> None:
    members = {shop.enroll(f"m-{number}", name=f"Ada Number{number}") for number in range(5)}
    pages: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"limit": "2", **cursor}
        body = shop.post("/v1/members/search", {"name": "ada"}, query=query).body
        pages += [one["member_id"] for one in body["items"]]
        if body["next_cursor"] is None:
            break
        cursor = {"cursor": body["next_cursor"]}
    assert (len(pages), set(pages)) == (5, members)
    assert_refused(shop.post("/v1/members/search", {"name": "..."}), 422, "invalid_request")


def test_each_change_and_each_look_of_an_operator_leaves_a_trace(shop: Shop) -> None:
    ada = shop.enroll(name="Ada Lovelace")
    shop.adjust(ada, 50)
    shop.get(f"/v1/members/{ada}", scope=OPERATOR)
    shop.post("/v1/members/lookup", {"external_id": "join-1"}, scope=OPERATOR)
    shop.post("/v1/members/search", {"name": "ada"}, scope=OPERATOR)
    shop.get(f"/v1/members/{ada}/export", scope=OPERATOR)
    freeze(shop, ada)
    freeze(shop, ada, "unfreeze")
    shop.patch(ada, {"name": "Ada Byron"}, scope=OPERATOR)
    shop.change_program(messages={"nudge_within_points": 10})
    shop.erase(ada)
    done = [
        ("points.adjusted", ada),
        ("member.read", ada),
        ("member.looked_up", ada),
        ("members.searched", None),
        ("member.exported", ada),
        ("member.frozen", ada),
        ("member.unfrozen", ada),
        ("member.changed", ada),
        ("program.replaced", None),
        ("member.erased", ada),
    ]
    assert sorted(traces(shop), key=str) == sorted(done, key=str)
    assert sorted(one.what for one in audit.of_member(ada)) == sorted(what for what, whom in done if whom)
    assert all("Ada" not in str(item) for item in stored(settings.loyalty_table()))


def test_neither_members_nor_storefronts_leave_traces(shop: Shop) -> None:
    ada = shop.enroll()
    shop.get(f"/v1/members/{ada}")
    shop.patch(ada, {"name": "Ada"})
    assert traces(shop) == []


def test_a_replay_leaves_no_second_trace(shop: Shop) -> None:
    ada = shop.enroll()
    shop.adjust(ada, 50)
    with shop.writing_nothing():
        assert shop.adjust(ada, 50).replayed


def test_traces_are_read_month_by_month(shop: Shop) -> None:
    ada = shop.enroll()
    shop.adjust(ada, 1, "november")
    shop.pass_time(days=20)
    shop.adjust(ada, 1, "december")
    this = shop.get("/v1/audit", scope=OPERATOR).body["items"]
    past = shop.get("/v1/audit", scope=OPERATOR, query={"month": "2026-11"}).body["items"]
    assert [[one["details"]["reference"] for one in page] for page in (this, past)] == [["december"], ["november"]]
    assert_refused(shop.get("/v1/audit", scope=OPERATOR, query={"month": "2026-13"}), 422, "invalid_request")


def test_what_operators_do_takes_no_more_requests(shop: Shop, wire: Wire) -> None:
    use_survey(shop)
    ada = shop.enroll()
    shop.account(ada)

    def requests(act: Any) -> int:
        before = len(wire.requests)
        assert act().status in {200, 201}
        return len(wire.requests) - before

    assert requests(lambda: shop.action(ada, "s-1", "survey")) == 2
    assert requests(lambda: shop.adjust(ada, 50)) == 2
    assert requests(lambda: freeze(shop, ada)) == 2
    [review] = shop.get("/v1/reviews", scope=OPERATOR).body["items"]
    assert requests(lambda: decide(shop, review["review_id"], "approve")) == 3


def test_time_that_has_passed_is_booked_with_the_trace(shop: Shop) -> None:
    ada = shop.enroll()
    shop.now += timedelta(days=800)
    assert shop.adjust(ada, 50).status == 201
    assert [entry["type"] for entry in shop.entries(ada)] == ["adjust", "expiry", "enroll"]


def found(shop: Shop, words: str) -> list[str]:
    reply = shop.post("/v1/members/search", {"name": words})
    assert reply.status == 200, reply.body
    return [one["member_id"] for one in reply.body["items"]]


def test_an_action_counts_toward_a_badge_once_it_is_approved(shop: Shop) -> None:
    goal = {"kind": "count", "of": "actions", "target": 1}
    shop.change_program(
        earning={"actions": [{"action_id": "review", "description": "A review", "points": 25, "approval": True}]},
        challenges=[{"challenge_id": "critic", "name": "Critic", "points": 5, "goal": goal}],
    )
    ada = shop.enroll("ada")
    action = {"type": "action", "action": "review", "reference": "r-1", "occurred_at": shop.now.isoformat()}
    assert shop.post(f"/v1/members/{ada}/earn", action).status == 201
    assert shop.account(ada)["badges"] == []
    [review] = shop.get("/v1/reviews", scope=OPERATOR).body["items"]
    for _ in range(2):  # the second is a replay
        assert shop.post(f"/v1/reviews/{review['review_id']}/approve", scope=OPERATOR).status == 200
    assert [(badge["badge_id"], badge["times"]) for badge in shop.account(ada)["badges"]] == [("critic", 1)]
