"""Whose token opens what."""

import time
from typing import Any

import pytest

from tests.infra.cloud.stories import MEMBER, OPERATOR, STOREFRONT, enrolled
from tests.system.e2e.issuer import Provider, new_key
from tests.system.e2e.world import Deployed

HOUR_SECONDS = 3600
BAD: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - HOUR_SECONDS},
    "not yet valid": {"nbf": int(time.time()) + HOUR_SECONDS},
    "for somebody else": {"aud": "another-service"},
    "by somebody else": {"iss": "https://issuer.example"},
    "signed by somebody else": {"key": new_key()},
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_token_opens_nothing(world: Deployed, provider: Provider, what: str) -> None:
    token = provider.token(STOREFRONT, **BAD[what])
    assert world.call("GET", "/v1/rewards", token=token).status == 401


def test_no_token_opens_nothing(world: Deployed) -> None:
    assert world.call("GET", "/v1/rewards", scope=None).status == 401


def test_a_good_token_without_the_scope_is_forbidden(world: Deployed) -> None:
    assert world.call("POST", "/v1/members", {"external_id": "x"}, scope=MEMBER).status == 403


def test_any_one_of_the_scopes_will_do(world: Deployed) -> None:
    for scope in (STOREFRONT, MEMBER, OPERATOR):
        assert world.call("GET", "/v1/rewards", scope=scope).status == 200


def test_a_member_reaches_their_own_account_and_no_other(world: Deployed, provider: Provider) -> None:
    own, other = enrolled(world), enrolled(world)
    token = provider.token(MEMBER, member_id=own)
    assert world.call("GET", "/v1/members/me/account", token=token).body["member_id"] == own
    assert world.call("GET", f"/v1/members/{own}/account", token=token).status == 200
    refused = world.call("GET", f"/v1/members/{other}/account", token=token)
    assert (refused.status, refused.body["code"]) == (404, "member_not_found")
