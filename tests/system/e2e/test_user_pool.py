"""The stack as it is without any choice made: its own user pool says who calls, and webhooks lead to the internet."""

from collections.abc import Iterator

import pytest

from infra.emulator.deploy import deployed
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT
from tests.infra.cloud.stories import NOBODY_LISTENS, enrolled, keyed, ok
from tests.system.e2e.user_pool import UserPool
from tests.system.e2e.world import Deployed


@pytest.fixture(scope="module")
def world() -> Iterator[Deployed]:
    with deployed({}) as deployment, Deployed(deployment, UserPool(deployment)) as world:
        yield world


@pytest.fixture(scope="module")
def pool(world: Deployed) -> UserPool:
    return UserPool(world.deployment)


def test_a_storefront_with_its_secret_may_enroll_members_and_do_nothing_else(world: Deployed, pool: UserPool) -> None:
    token = pool.storefront(pool.storefront_secret())["access_token"]
    assert pool.claims(token)["scope"] == STOREFRONT
    assert world.call("POST", "/v1/members", {"external_id": "a"}, token=token, headers=keyed()).status == 201
    assert world.call("GET", "/v1/webhooks", token=token).status == 403


def test_a_storefront_without_its_secret_or_for_others_scopes_gets_no_token(pool: UserPool) -> None:
    refused = pool.storefront("guessed"), pool.storefront(pool.storefront_secret(), OPERATOR)
    assert [answer["error"] for answer in refused] == ["invalid_client", "invalid_grant"]
    assert not any("access_token" in answer for answer in refused)


def test_a_member_who_signs_in_reaches_their_own_account_and_no_other(world: Deployed, pool: UserPool) -> None:
    own, other = enrolled(world), enrolled(world)
    token = pool.sign_in(pool.person(member_id=own), MEMBER)
    assert pool.claims(token)["member_id"] == own
    assert world.call("GET", "/v1/members/me/account", token=token).body["member_id"] == own
    assert world.call("GET", f"/v1/members/{own}/account", token=token).status == 200
    assert world.call("GET", f"/v1/members/{other}/account", token=token).status == 404
    assert world.call("POST", "/v1/members", {"external_id": "b"}, token=token, headers=keyed()).status == 403


def test_a_person_who_is_linked_to_no_member_reaches_no_account(world: Deployed, pool: UserPool) -> None:
    own = enrolled(world)
    token = pool.sign_in(pool.person(), MEMBER)
    assert "member_id" not in pool.claims(token)
    for who in ("me", own):
        assert world.call("GET", f"/v1/members/{who}/account", token=token).status in {403, 404}


def test_nobody_links_themselves_to_a_member(world: Deployed, pool: UserPool) -> None:
    token = pool.sign_in(pool.person(), MEMBER)
    cognito = pool.without_a_key()
    linked = [{"Name": "custom:member_id", "Value": enrolled(world)}]
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.update_user_attributes(AccessToken=token, UserAttributes=linked)


def test_partners_share_a_client_and_each_acts_as_itself(world: Deployed, pool: UserPool) -> None:
    token = pool.partner("cafe")
    claims = pool.claims(token)
    assert claims["partner_id"] == "cafe"
    assert PARTNER in claims["scope"].split()
    own, other = (
        world.call("GET", f"/v1/partners/{one}/settlements/2026-11", token=token) for one in ("cafe", "bookshop")
    )
    assert own.status in {200, 404}  # the program has no partners
    assert other.status in {403, 404}
    assert world.call("GET", "/v1/webhooks", token=token).status == 403


def test_only_who_is_in_the_group_acts_as_an_operator(world: Deployed, pool: UserPool) -> None:
    operator, other = (pool.sign_in(pool.person(operator=is_one), OPERATOR) for is_one in (True, False))
    assert OPERATOR in pool.claims(operator)["scope"].split()
    assert world.call("GET", "/v1/webhooks", token=operator).status == 200
    assert OPERATOR not in pool.claims(other)["scope"].split()
    assert world.call("GET", "/v1/webhooks", token=other).status == 403


@pytest.mark.parametrize(("url", "why"), [(NOBODY_LISTENS, "HTTPS address"), ("https://127.0.0.1/", "public internet")])
def test_a_webhook_may_not_lead_into_the_machine(world: Deployed, url: str, why: str) -> None:
    reply = world.call("POST", "/v1/webhooks", {"url": url}, scope=OPERATOR, headers=keyed())
    assert (reply.status, reply.body["code"]) == (422, "invalid_request")
    assert why in str(reply.body)
    assert ok(world, "GET", "/v1/webhooks", scope=OPERATOR)["items"] == []
