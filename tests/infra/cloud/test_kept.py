"""What must outlive every release is never replaced: its logical ids and the properties that would replace it."""

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template as Synthesized
from moto import mock_aws

from infra.cloud.deploy import STACK_POLICY, protect
from infra.cloud.options import OptionError, Options
from infra.cloud.tables import Data, add_data
from tests.infra.cloud.conftest import Template

HERE = "us-east-1:111122223333"
RESTORED = f"arn:aws:dynamodb:{HERE}:table/restored"
ELSEWHERE = {
    "loyalty_table_arn": RESTORED,
    "stream_arn": f"{RESTORED}/stream/2026-01-01T00:00:00.000",
    "people_table_arn": f"arn:aws:dynamodb:{HERE}:table/restored-people",
    "people_key_arn": f"arn:aws:kms:{HERE}:key/11112222-3333-4444-5555-666677778888",
    "identity_secret_arn": f"arn:aws:secretsmanager:{HERE}:secret:restored-AbCdEf",
}
KEY_SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
KEPT: Mapping[str, Mapping[str, Any]] = {
    "Loyalty5E0BF725": {"TableName": None, "KeySchema": KEY_SCHEMA, "ImportSourceSpecification": None},
    "PeopleE38C8D03": {"TableName": None, "KeySchema": KEY_SCHEMA, "ImportSourceSpecification": None},
    "PeopleKeyD4599107": {"KeySpec": None, "KeyUsage": None, "MultiRegion": None, "Origin": None},
    # Any other block makes another value: nobody would be found by an identifier again.
    "IdentityKeyF50EF652": {
        "Name": None,
        "SecretString": None,
        "GenerateSecretString": {
            "ExcludeCharacters": "ghijklmnopqrstuvwxyz",
            "ExcludePunctuation": True,
            "ExcludeUppercase": True,
            "PasswordLength": 64,
            "RequireEachIncludedType": False,
        },
    },
    "Users0A0EEA89": {
        "AliasAttributes": None,
        "UsernameAttributes": ["email"],
        "UsernameConfiguration": {"CaseSensitive": False},
        # One may be added, and none changed or taken away.
        "Schema": [
            {"AttributeDataType": "String", "Mutable": True, "Name": name} for name in ("member_id", "partner_id")
        ],
    },
}
"""Properties that replace a resource when they change, or that destroy what is in it; None: it has no such property."""
SECRET = "IdentityKeyF50EF652"


@pytest.mark.stack
@pytest.mark.parametrize("name", KEPT)
def test_what_must_never_be_replaced_is_what_it_was(prod: Template, name: str) -> None:
    resource = prod.resources[name]
    assert {one: resource["Properties"].get(one) for one in KEPT[name]} == KEPT[name]
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


@pytest.mark.stack
def test_all_that_holds_data_is_pinned(prod: Template) -> None:
    holds = ("DynamoDB::Table", "KMS::Key", "SecretsManager::Secret", "Cognito::UserPool")
    assert {name for name, one in prod.resources.items() if one["Type"].removeprefix("AWS::") in holds} == set(KEPT)


def test_the_stack_policy_denies_to_replace_or_remove_it() -> None:
    denied: dict[str, set[str]] = {}
    for statement in json.loads(STACK_POLICY.read_text())["Statement"]:
        if statement["Effect"] == "Deny":
            for resource in _listed(statement["Resource"]):
                denied.setdefault(resource, set()).update(_listed(statement["Action"]))
    assert set(denied) == {f"LogicalResourceId/{name}" for name in KEPT}
    for name in KEPT:
        expected = {"Update:*"} if name == SECRET else {"Update:Replace", "Update:Delete"}
        assert denied[f"LogicalResourceId/{name}"] == expected


def test_a_deployment_of_production_is_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client: Any = boto3.client("cloudformation")
        template = {"Resources": {"Alarms": {"Type": "AWS::SNS::Topic"}}}
        client.create_stack(StackName="cafe-prod", TemplateBody=json.dumps(template))
        protect("cafe-prod")
        stored = client.get_stack_policy(StackName="cafe-prod")["StackPolicyBody"]
    assert json.loads(stored) == json.loads(STACK_POLICY.read_text())


def test_restored_tables_key_and_secret_take_the_place_of_the_stacks_own() -> None:
    made, data = _data(**ELSEWHERE)
    assert made.to_json().get("Resources", {}) == {}
    assert data.loyalty.table_arn == RESTORED
    assert data.loyalty.table_name == "restored"
    assert data.loyalty.table_stream_arn == ELSEWHERE["stream_arn"]
    assert data.people.table_name == "restored-people"
    assert data.people_key.key_arn == ELSEWHERE["people_key_arn"]
    assert data.identity_secret.secret_arn == ELSEWHERE["identity_secret_arn"]


def test_a_restored_table_of_personal_data_may_have_the_stacks_own_key() -> None:
    made, data = _data(people_table_arn=ELSEWHERE["people_table_arn"])
    made.resource_count_is("AWS::DynamoDB::Table", 1)
    made.resource_count_is("AWS::KMS::Key", 1)
    assert data.people.table_name == "restored-people"


def test_a_restored_table_comes_with_its_stream() -> None:
    with pytest.raises(OptionError, match="loyalty_table_arn and stream_arn belong together"):
        Options(loyalty_table_arn=RESTORED)


def _data(**options: str) -> tuple[Synthesized, Data]:
    stack = Stack(App(), "restored")
    data = add_data(stack, Options(**options))  # type: ignore[arg-type]
    return Synthesized.from_stack(stack), data


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
