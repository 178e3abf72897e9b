"""Who signs up is linked to the member whose confirmed address they have confirmed, and to nobody else."""

import io
import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions import enroll
from infra.app import synthesize
from infra.cloud import link_trigger
from infra.cloud.link_trigger import SIGNED_UP
from shared.caller import MEMBER
from tests.functions.shop import Shop
from tests.infra.cloud.conftest import Template
from tests.infra.cloud.test_alarms import RUNBOOK
from tests.infra.cloud.test_backups import VAULT

ENROLL = "arn:aws:lambda:us-east-1:123456789012:function:cafe-prod-enroll:live"


class Directory:
    """The user pool and the function that looks members up: notes who is linked."""

    def __init__(self) -> None:
        self.linked: list[tuple[str, str, str]] = []
        self.failure: Any = None

    def client(self, service: str) -> Any:
        assert service in {"lambda", "cognito-idp"}
        return self

    def invoke(self, *, FunctionName: str, Payload: str) -> Any:  # noqa: N803 - as boto3 has it
        assert FunctionName == ENROLL
        if self.failure is not None:
            return self.failure
        return {"Payload": io.BytesIO(json.dumps(enroll.handler(json.loads(Payload), None)).encode())}

    def admin_update_user_attributes(self, *, UserPoolId: str, Username: str, UserAttributes: Any) -> None:  # noqa: N803
        [attribute] = UserAttributes
        assert attribute["Name"] == "custom:member_id"
        self.linked.append((UserPoolId, Username, attribute["Value"]))


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Directory:
    made = Directory()
    monkeypatch.setenv("ENROLL", ENROLL)
    monkeypatch.setattr(boto3, "client", made.client)
    return made


def sign_up(email: str, source: str = SIGNED_UP, **attributes: str) -> Any:
    event = {
        "triggerSource": source,
        "userPoolId": "us-east-1_a",
        "userName": "user-1",
        "request": {"userAttributes": {"email": email, "email_verified": "true", **attributes}},
        "response": {},
    }
    answer = link_trigger.handler(event, None)  # type: ignore[no-untyped-call]
    assert answer is event
    return answer


def test_whose_confirmed_address_a_members_is_gets_that_members_account(shop: Shop, directory: Directory) -> None:
    ada = shop.enroll(email="ada@example.org")
    sign_up("Ada@Example.org")
    assert directory.linked == [("us-east-1_a", "user-1", ada)]


@pytest.mark.parametrize(
    ("source", "attributes"),
    [
        ("PostConfirmation_ConfirmForgotPassword", {}),
        (SIGNED_UP, {"email_verified": "false"}),
        (SIGNED_UP, {"email_verified": ""}),
        (SIGNED_UP, {"custom:member_id": "another"}),
        (SIGNED_UP, {"custom:partner_id": "cafe"}),
    ],
)
def test_nobody_else_is_linked(shop: Shop, directory: Directory, source: str, attributes: dict[str, str]) -> None:
    shop.enroll(email="ada@example.org")
    sign_up("ada@example.org", source, **attributes)
    assert directory.linked == []


def test_who_is_no_member_is_linked_to_none(shop: Shop, directory: Directory) -> None:
    shop.enroll(email="ada@example.org")
    sign_up("grace@example.org")
    assert directory.linked == []


def test_an_address_that_a_member_has_entered_and_not_confirmed_is_not_theirs(shop: Shop, directory: Directory) -> None:
    ada = shop.enroll(email="ada@example.org")
    reply = shop.patch(ada, {"email": "grace@example.org"}, scope=MEMBER, member_id=ada)
    assert reply.status in {200, 202}, reply.body
    sign_up("grace@example.org")
    assert directory.linked == []


@pytest.mark.parametrize(
    "failure", [{"statusCode": 503, "body": "{}"}, {"errorMessage": "timed out"}, {"statusCode": 422, "body": "{}"}]
)
def test_a_look_up_that_fails_is_an_error_and_says_no_address(directory: Directory, failure: dict[str, Any]) -> None:
    error = {} if "statusCode" in failure else {"FunctionError": "Unhandled"}
    directory.failure = {"Payload": io.BytesIO(json.dumps(failure).encode()), **error}
    with pytest.raises(RuntimeError) as raised:
        sign_up("ada@example.org")
    assert "ada" not in str(raised.value)
    assert directory.linked == []


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("open")
    # The backups are not looked at here: cdk-nag refuses what has no reason.
    synthesize(folder, stage="dev", name="cafe", sign_up="open", backup_vault_arn=VAULT)
    return Template(folder / "cafe-dev.template.json")


@pytest.mark.stack
def test_where_people_sign_up_themselves_the_pool_calls_it_and_it_may_look_up_and_link_alone(
    template: Template,
) -> None:
    [pool] = template.properties("AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": False}
    assert pool["AutoVerifiedAttributes"] == ["email"]
    [function, _] = pool["LambdaConfig"]["PostConfirmation"]["Fn::GetAtt"]
    made = template.resources[function]["Properties"]
    assert made["Code"]["ZipFile"] == Path(link_trigger.__file__).read_text()
    [role, _] = made["Role"]["Fn::GetAtt"]
    [enroll_] = [
        one
        for one in template.resources
        if template.resources[one]["Type"] == "AWS::Lambda::Function"
        and template.resources[one]["Properties"]["FunctionName"] == "cafe-dev-enroll"
    ]
    granted = {
        statement["Action"]: statement["Resource"]
        for policy in template.properties("AWS::IAM::Policy")
        if policy["Roles"] == [{"Ref": role}]
        for statement in policy["PolicyDocument"]["Statement"]
        if isinstance(statement["Action"], str)
    }
    assert set(granted) == {"cognito-idp:AdminUpdateUserAttributes", "lambda:InvokeFunction"}
    assert granted["lambda:InvokeFunction"] == {"Fn::GetAtt": [enroll_, "Arn"]}
    assert made["Environment"]["Variables"]["ENROLL"] == {"Fn::GetAtt": [enroll_, "Arn"]}
    callers = [
        one
        for one in template.properties("AWS::Lambda::Permission")
        if one["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
    ]
    assert [one["Principal"] for one in callers] == ["cognito-idp.amazonaws.com"]


@pytest.mark.stack
def test_an_alarm_says_when_people_are_not_linked(template: Template) -> None:
    [alarm] = [
        one for one in template.properties("AWS::CloudWatch::Alarm") if one["AlarmName"].endswith("sign-up-errors")
    ]
    assert alarm["AlarmDescription"].startswith("[ticket]")
    assert "\n## sign-up-errors\n" in RUNBOOK.read_text()


@pytest.mark.stack
def test_whom_the_shop_invites_is_all_that_there_is_otherwise(prod: Template) -> None:
    [pool] = prod.properties("AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert "PostConfirmation" not in pool["LambdaConfig"]
    assert not any(one["FunctionName"].endswith("-sign_up") for one in prod.properties("AWS::Lambda::Function"))
