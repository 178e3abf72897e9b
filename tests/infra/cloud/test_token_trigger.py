"""Who gets the operator's scope: members of the group who have a second factor, and nobody else."""

from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.cloud import token_trigger
from infra.cloud.identity import SECOND_FACTOR
from infra.cloud.options import AUDIENCES_MAX
from infra.cloud.token_trigger import OWN_ACCOUNT
from shared.caller import OPERATOR, PARTNER
from shared.domain.program.partners import PARTNERS_MAX
from tests.functions.shop import Shop


class Directory:
    """Knows of one person which second factors they have."""

    def __init__(self, factors: list[str] | None) -> None:
        self._factors = factors
        self.asked: list[tuple[str, str]] = []

    def admin_get_user(self, **who: str) -> dict[str, Any]:
        """As Cognito answers."""
        self.asked.append((who["UserPoolId"], who["Username"]))
        return {"Username": who["Username"], **({"UserMFASettingList": self._factors} if self._factors else {})}


def _suppressed(*groups: str) -> Any:
    event = {
        "userPoolId": "us-east-1_a",
        "userName": "olga",
        "request": {"groupConfiguration": {"groupsToOverride": list(groups)}, "userAttributes": {}},
        "response": {},
    }
    answer = token_trigger.handler(event, None)  # type: ignore[no-untyped-call]
    return answer["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"].get("scopesToSuppress", [])


@pytest.mark.parametrize(
    ("groups", "factors", "expected"),
    [
        (["operators"], ["SOFTWARE_TOKEN_MFA"], []),
        (["operators"], None, [OPERATOR]),
        ([], ["SOFTWARE_TOKEN_MFA"], [OPERATOR, OWN_ACCOUNT]),
        (["others"], ["SOFTWARE_TOKEN_MFA"], [OPERATOR, OWN_ACCOUNT]),
    ],
)
def test_an_operator_without_a_second_factor_gets_no_operators_scope(
    groups: list[str], factors: list[str] | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Directory(factors)
    monkeypatch.setenv(SECOND_FACTOR, "required")
    monkeypatch.setattr(boto3, "client", lambda _: directory)
    assert _suppressed(*groups) == expected
    assert directory.asked == ([("us-east-1_a", "olga")] if "operators" in groups else [])


@mock_aws
def test_who_cannot_be_found_gets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECOND_FACTOR, "required")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        _suppressed("operators")


def test_only_an_emulator_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECOND_FACTOR, raising=False)
    assert _suppressed("operators") == []


@pytest.mark.parametrize("groups", [{}, {"groupConfiguration": None}, {"groupConfiguration": {}}])
def test_a_machine_which_is_in_no_group_gets_its_token(groups: dict[str, Any]) -> None:
    token = _token(scopes=["loyalty/partner", "partner/cafe"], **groups)
    assert token == {"claimsToAddOrOverride": {"partner_id": "cafe"}, "scopesToSuppress": [OPERATOR, OWN_ACCOUNT]}


def test_a_machine_that_signs_in_is_the_partner_that_an_operator_has_linked() -> None:
    token = _token(userAttributes={"custom:partner_id": "cafe"}, scopes=[OWN_ACCOUNT])
    assert token == {
        "claimsToAddOrOverride": {"partner_id": "cafe"},
        "scopesToAdd": [PARTNER],
        "scopesToSuppress": [OPERATOR, OWN_ACCOUNT],
    }


def test_as_many_partners_as_a_program_takes_sign_in_by_one_client_and_each_reaches_its_own(shop: Shop) -> None:
    names = [f"cafe-{number}" for number in range(PARTNERS_MAX)]
    assert len(names) > AUDIENCES_MAX
    cost = {"points": 1, "amount": 1}
    shop.change_program(partners=[{"partner_id": name, "name": name, "point_cost": cost} for name in names])
    for own, other in zip(names, [*names[1:], names[0]], strict=True):
        token = _token(userAttributes={"custom:partner_id": own}, scopes=[OWN_ACCOUNT])
        assert token["scopesToAdd"] == [PARTNER]
        partner_id = token["claimsToAddOrOverride"]["partner_id"]
        found = [shop.get(f"/v1/partners/{name}", partner_id=partner_id) for name in (own, other)]
        assert [reply.status for reply in found] == [200, 404], found


def test_nobody_else_who_signs_in_acts_as_a_partner_or_changes_their_own_account() -> None:
    for attributes in ({}, {"custom:member_id": "m1"}, {"custom:partner_id": ""}):
        token = _token(userAttributes=attributes, scopes=[OWN_ACCOUNT])
        assert "scopesToAdd" not in token
        assert "partner_id" not in token.get("claimsToAddOrOverride", {})
        assert OWN_ACCOUNT in token["scopesToSuppress"]


def test_a_person_is_the_member_that_an_operator_has_linked() -> None:
    assert _token(userAttributes={"custom:member_id": "m1"})["claimsToAddOrOverride"] == {"member_id": "m1"}
    assert "claimsToAddOrOverride" not in _token(userAttributes=None)


def _token(**request: Any) -> dict[str, Any]:
    event = {"request": request, "response": {}}
    answer = token_trigger.handler(event, None)  # type: ignore[no-untyped-call]
    made: dict[str, Any] = answer["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]
    return made
