"""An idempotency key belongs to whoever calls: two callers may choose the same and never meet."""

from collections.abc import Callable

import pytest

from shared import request_ids
from shared.tables import members
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Reply, Shop, assert_refused
from tests.shared.wire import Wire

Send = Callable[..., Reply]


@pytest.fixture
def pair(shop: Shop) -> tuple[str, str]:
    shop.change_program(gifts={}, transfers={})
    ada, bob = shop.enroll("ada"), shop.enroll("bob")
    shop.adjust(ada, 900)
    return ada, bob


def redeeming(shop: Shop, ada: str, _: str) -> Send:
    path, terms = f"/v1/members/{ada}/redemptions", {"order_total": 10_000, "currency": "USD"}
    return lambda points=100, **who: shop.post(path, {"points": points, **terms}, key="one", **who)


def giving(shop: Shop, ada: str, bob: str) -> Send:
    path = f"/v1/members/{ada}/gifts"
    return lambda points=100, **who: shop.post(path, {"to_member_id": bob, "points": points}, key="one", **who)


def transferring(shop: Shop, ada: str, bob: str) -> Send:
    path = f"/v1/members/{ada}/transfers"
    return lambda points=100, **who: shop.post(path, {"to_member_id": bob, "points": points}, key="one", **who)


def name_of(reply: Reply) -> str:
    """What a request has made."""
    body = reply.body
    return str(body.get("redemption_id") or body.get("gift_id") or body["entry"]["entry_id"])


@pytest.mark.parametrize(
    ("request_of", "scope"), [(redeeming, STOREFRONT), (giving, STOREFRONT), (transferring, OPERATOR)]
)
def test_a_member_and_another_caller_with_one_key_each_have_their_own(
    shop: Shop, pair: tuple[str, str], request_of: Callable[[Shop, str, str], Send], scope: str
) -> None:
    send = request_of(shop, *pair)
    by = {"till": {"scope": scope}, "ada": {"scope": MEMBER, "member_id": pair[0], "caller": "ada"}}
    made = {who: send(**caller) for who, caller in by.items()}
    assert {who: (reply.status, reply.replayed) for who, reply in made.items()} == {
        "till": (201, False),
        "ada": (201, False),
    }
    assert name_of(made["till"]) != name_of(made["ada"])
    for who, caller in by.items():
        again = send(**caller)
        assert (again.status, again.replayed, name_of(again)) == (200, True, name_of(made[who]))
        assert_refused(send(points=101, **caller), 422, "idempotency_mismatch")


def test_two_tills_with_one_key_each_redeem_whoever_was_first(shop: Shop, pair: tuple[str, str]) -> None:
    send = redeeming(shop, *pair)
    made = [name_of(send(caller=till)) for till in ("till-1", "till-2", "till-3")]
    assert len(set(made)) == 3
    assert [name_of(send(caller=till)) for till in ("till-3", "till-2", "till-1")] == made[::-1]


def test_whoever_has_too_few_points_left_is_told_so_and_not_of_what_another_booked(
    shop: Shop, pair: tuple[str, str]
) -> None:
    send = redeeming(shop, *pair)
    assert send(points=1000).status == 201
    by_ada = {"scope": MEMBER, "member_id": pair[0], "caller": "ada"}
    assert_refused(send(points=1000, **by_ada), 409, "insufficient_points")
    assert send(points=1000).replayed


def test_a_key_costs_no_request_more_unless_another_has_used_it(shop: Shop, pair: tuple[str, str], wire: Wire) -> None:
    send = redeeming(shop, *pair)
    seen = []
    for till in ("till-1", "till-2"):
        wire.requests.clear()
        assert send(caller=till).status == 201
        seen.append(len(wire.requests))
    assert seen == [2, 4]


def test_what_was_booked_before_keys_belonged_to_callers_is_replayed(shop: Shop, pair: tuple[str, str]) -> None:
    """Then a redemption's id followed from the member and the key alone."""
    ada, _ = pair
    first = redeeming(shop, *pair)()
    assert name_of(first) == request_ids.derived_id("redemption", ada, "one")


@pytest.mark.parametrize("subject", ["auth0|55", "a%b"])
def test_no_two_callers_names_and_keys_make_one_member(shop: Shop, subject: str) -> None:
    first = shop.post("/v1/members", {"external_id": "A"}, key=f"{subject[-2:]}|k", caller=subject[:-3])
    other = shop.post("/v1/members", {"external_id": "B"}, key="k", caller=subject)
    assert (first.status, other.status) == (201, 201)
    assert first.body["member_id"] != other.body["member_id"]
    again = shop.post("/v1/members", {"external_id": "B"}, key="k", caller=subject)
    assert (again.replayed, again.body["member_id"]) == (True, other.body["member_id"])


def test_who_was_enrolled_by_a_caller_with_a_bar_in_its_name_before_is_found_by_its_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(request_ids, "part", lambda text, _: text)
        first = shop.post("/v1/members", {"external_id": "A"}, key="k", caller="auth0|55")
        assert first.body["member_id"] == members.new_member_id("auth0|55|k")
    again = shop.post("/v1/members", {"external_id": "A"}, key="k", caller="auth0|55")
    assert (again.replayed, again.body["member_id"]) == (True, first.body["member_id"])


def test_a_member_who_left_joins_again_under_a_key_that_another_caller_used(shop: Shop) -> None:
    shop.change_program(pools={"members_max": 3})
    ada, bob = shop.enroll("ada"), shop.enroll("bob")
    pool_id = shop.post("/v1/pools", {"member_id": ada}, key="open").body["pool_id"]
    path, own = f"/v1/pools/{pool_id}/members", {"scope": MEMBER, "member_id": bob, "caller": "bob"}
    assert shop.post(path, {"member_id": bob, "invitation": shop.invite(pool_id)}, key="one").status == 201
    leave = shop.call("DELETE", f"{path}/{bob}", headers={"Idempotency-Key": "one"})
    assert (leave.status, leave.replayed) == (200, False)
    again = shop.post(path, {"member_id": bob, "invitation": shop.invite(pool_id, "anew")}, key="one", **own)
    assert (again.status, again.replayed) == (201, False)
    assert shop.post(path, {"member_id": bob}, key="one", **own).replayed
