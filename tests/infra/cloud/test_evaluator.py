"""The evaluator decides as IAM's pages say."""

from typing import Any

import pytest

from tests.infra.cloud.evaluator import Request, is_allowed, rendered

GET = "dynamodb:GetItem"
ALLOW = {"Effect": "Allow", "Action": GET, "Resource": "table"}
KEYS = {
    "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["MEMBER#*", "PROGRAM"]},
    "Null": {"dynamodb:LeadingKeys": "false"},
}


def asks(*keys: str, **more: list[str]) -> Request:
    context = {"dynamodb:LeadingKeys": list(keys)} if keys else {}
    return Request(GET, "table", {**context, **more})


def test_what_nothing_allows_is_denied() -> None:
    assert not is_allowed([], asks())
    assert is_allowed([ALLOW], asks())
    assert not is_allowed([ALLOW], Request(GET, "other table"))
    assert not is_allowed([ALLOW], Request("dynamodb:PutItem", "table"))


def test_a_denial_beats_whatever_allows() -> None:
    deny = {**ALLOW, "Effect": "Deny", "Resource": "t*"}
    assert not is_allowed([ALLOW, deny], asks())
    assert not is_allowed([deny, ALLOW], asks())


def test_every_key_has_to_be_like_one_that_is_allowed() -> None:
    only = [{**ALLOW, "Condition": KEYS}]
    assert is_allowed(only, asks("MEMBER#1"))
    assert is_allowed(only, asks("MEMBER#1", "PROGRAM"))
    for keys in (("ORDER#1",), ("MEMBER#1", "ORDER#1"), ("xMEMBER#1",), ("PROGRAM2",), ("member#1",), ("MEMBER",)):
        assert not is_allowed(only, asks(*keys)), keys


def test_a_request_without_keys_needs_the_other_condition_to_be_refused() -> None:
    assert not is_allowed([{**ALLOW, "Condition": KEYS}], asks())
    for_all = {"ForAllValues:StringLike": KEYS["ForAllValues:StringLike"]}
    assert is_allowed([{**ALLOW, "Condition": for_all}], asks())


def test_all_conditions_have_to_hold_and_an_absent_key_equals_nothing() -> None:
    only = [{**ALLOW, "Condition": {"StringEquals": {"kms:ViaService": "dynamodb"}, "Bool": {"aws:Secure": "true"}}}]
    assert is_allowed(only, asks(**{"KMS:viaservice": ["dynamodb"], "aws:Secure": ["True"]}))
    assert not is_allowed(only, asks(**{"kms:ViaService": ["dynamodb"]}))
    assert not is_allowed(only, asks(**{"kms:ViaService": ["s3"], "aws:Secure": ["true"]}))


def test_a_resources_own_policy_says_by_whom() -> None:
    ours = [{**ALLOW, "Principal": {"Service": "cloudwatch.amazonaws.com"}}]
    assert is_allowed(ours, asks()._replace(principal="cloudwatch.amazonaws.com"))
    assert not is_allowed(ours, asks()._replace(principal="events.amazonaws.com"))
    assert not is_allowed(ours, asks())
    assert is_allowed([{**ALLOW, "Principal": "*"}], asks()._replace(principal="anybody"))


@pytest.mark.parametrize(
    "statement",
    [
        {**ALLOW, "NotAction": "x"},
        {**ALLOW, "Condition": {"NumericLessThan": {"a": "1"}}},
        {**ALLOW, "Condition": {"ForAnyValue:StringLike": {"a": "1"}}},
        {**ALLOW, "Resource": {"Fn::Select": []}},
    ],
)
def test_what_is_not_known_fails_loudly(statement: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="not known here"):
        is_allowed([statement], asks(a=["1"]))


def test_what_is_known_after_a_deployment_is_called_by_its_logical_id() -> None:
    arn = {"Fn::Join": ["", [{"Fn::GetAtt": ["Loyalty", "Arn"]}, "/index/due"]]}
    assert rendered(arn) == "<Loyalty.Arn>/index/due"
    service = {"Fn::Join": [".", ["dynamodb", {"Ref": "AWS::Region"}, {"Ref": "Own"}]]}
    assert rendered(service) == "dynamodb.us-east-1.<Own>"
