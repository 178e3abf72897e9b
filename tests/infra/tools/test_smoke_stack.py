"""What is looked at in a deployed stack: a grant, a key, a subscription or an alarm that is not as it should be."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.cloud.permissions import LOYALTY, NEEDS, PEOPLE
from infra.cloud.stack_resources import Made
from infra.tools import smoke_stack
from infra.tools.smoke import NotSeenError, Report
from infra.tools.smoke_stack import Stack
from tests.infra.cloud.account import ACCOUNT, REGION, Account, Answer, Refusal

NAME = "loyalty-prod"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
SUBSCRIPTION = f"{TOPIC}:1"
QUEUE, QUEUE_ARN = "https://sqs.example/1/smoke", f"arn:aws:sqs:{REGION}:{ACCOUNT}:smoke"
VERSION = "1" * 32
RESOURCES = {
    "Loyalty5E0BF725": Made("AWS::DynamoDB::Table", "T-loyalty"),
    "PeopleE38C8D03": Made("AWS::DynamoDB::Table", "T-people"),
    "PeopleKeyD4599107": Made("AWS::KMS::Key", "key-1"),
    "IdentityKeyF50EF652": Made("AWS::SecretsManager::Secret", "secret-1"),
}
TABLES = {"T-loyalty": LOYALTY, "T-people": PEOPLE}


def alarm(name: str, severity: str) -> dict[str, str]:
    return {"AlarmName": f"{NAME}/{name}", "AlarmDescription": f"[{severity}] Something"}


def decided(params: Mapping[str, Any]) -> Answer:
    """As AWS would decide, if each role had what `permissions` declares."""
    function = params["PolicySourceArn"].rpartition("/")[2]
    [action], [resource] = params["ActionNames"], params["ResourceArns"]
    keys = [value for entry in params["ContextEntries"] for value in entry["ContextKeyValues"]]
    may = any(
        action in grant.actions
        and grant.on == TABLES[resource.rpartition("/")[2]]
        and any(fnmatchcase(key, pattern) for key in keys for pattern in grant.keys)
        for grant in NEEDS[function].grants
    )
    return {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": "allowed" if may else "implicitDeny"}]}


def configured(params: Mapping[str, Any]) -> Answer:
    return {
        "Role": f"arn:aws:iam::{ACCOUNT}:role/{params['FunctionName'].removeprefix(f'{NAME}-')}",
        "Environment": {"Variables": {"LOYALTY_TABLE": "T-loyalty", "PEOPLE_TABLE": "T-people"}},
    }


GOOD: Mapping[str, Answer] = {
    "lambda.get_function_configuration": configured,
    "iam.simulate_principal_policy": decided,
    "kms.describe_key": {"KeyMetadata": {"KeyId": "key-1", "KeyState": "Enabled"}},
    "secretsmanager.describe_secret": {"VersionIdsToStages": {VERSION: ["AWSCURRENT"]}},
    "sns.list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": SUBSCRIPTION, "Protocol": "email"}]},
    "cloudwatch.describe_alarms": {
        "MetricAlarms": [alarm("a", "page"), alarm("b-release", "ticket"), alarm("c", "ticket")]
    },
    "cloudwatch.set_alarm_state": {},
    "sqs.create_queue": {"QueueUrl": QUEUE},
    "sqs.get_queue_attributes": {"Attributes": {"QueueArn": QUEUE_ARN}},
    "sqs.set_queue_attributes": {},
    "sns.subscribe": {"SubscriptionArn": SUBSCRIPTION},
    "sqs.receive_message": {"Messages": [{"Body": f'{{"AlarmName": "{NAME}/c", "NewStateValue": "ALARM"}}'}]},
    "sns.unsubscribe": {},
    "sqs.delete_queue": {},
}


def looked(
    resources: Mapping[str, Made] = RESOURCES, *, knows_keys: bool = True, **answers: Answer
) -> tuple[Report, Account]:
    account = Account({**GOOD, **{name.replace("__", "."): answer for name, answer in answers.items()}})
    report = Report(say=lambda _line: None)
    stack = Stack(NAME, account.client, {"AlarmTopic": TOPIC}, resources, knows_keys)
    smoke_stack.look(stack, report, seconds_max=0)
    return report, account


def test_a_stack_in_order_is_seen_to_be() -> None:
    report, account = looked()
    assert [line.how for line in report.lines] == ["saw"] * 4, report.lines
    assert f"of {len(NEEDS)} functions" in report.lines[0].what
    states = [
        (asked["AlarmName"], asked["StateValue"]) for name, asked in account.calls if name.endswith("alarm_state")
    ]
    assert states == [(f"{NAME}/c", "OK"), (f"{NAME}/c", "ALARM"), (f"{NAME}/c", "OK")]


def test_what_a_function_may_not_is_named() -> None:
    def refuses_earn(params: Mapping[str, Any]) -> Answer:
        if params["PolicySourceArn"].endswith("/earn"):
            return {"EvaluationResults": [{"EvalActionName": "any", "EvalDecision": "explicitDeny"}]}
        return decided(params)

    [failed] = looked(iam__simulate_principal_policy=refuses_earn)[0].failed
    assert failed.startswith("grants: earn may not dynamodb:GetItem MEMBER#1; earn may not dynamodb:PutItem MEMBER#1")


def test_what_a_function_may_beyond_its_keys_is_named_where_keys_count() -> None:
    def takes_any_key(params: Mapping[str, Any]) -> Answer:
        [action] = params["ActionNames"]
        may = "implicitDeny" if action.endswith("DeleteTable") else "allowed"
        return {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": may}]}

    report, _ = looked(iam__simulate_principal_policy=takes_any_key)
    assert "earn may dynamodb:GetItem SMOKE#1" in report.failed[0]
    assert not looked(iam__simulate_principal_policy=takes_any_key, knows_keys=False)[0].failed


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"kms__describe_key": {"KeyMetadata": {"KeyId": "key-1", "KeyState": "PendingDeletion"}}}, "PendingDeletion"),
        ({"secretsmanager__describe_secret": {"VersionIdsToStages": {VERSION: ["AWSPREVIOUS"]}}}, "no current version"),
        ({"sns__list_subscriptions_by_topic": {"Subscriptions": []}}, "nobody: give alarm_email"),
        (
            {"sns__list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]}},
            "nobody: the link",
        ),
        ({"sqs__receive_message": {}}, "nobody heard of it"),
        ({"cloudwatch__describe_alarms": {"MetricAlarms": [alarm("a", "page")]}}, "no alarm that can be tried"),
        ({"iam__simulate_principal_policy": Refusal("AccessDenied")}, "IAM could not be asked"),
    ],
)
def test_what_is_not_in_order_is_named_and_the_rest_is_looked_at(answers: dict[str, Any], words: str) -> None:
    report, account = looked(**answers)
    [failed] = report.failed
    assert words in failed
    assert len(report.lines) == 4
    calls = [name for name, _ in account.calls]
    assert calls.count("sqs.create_queue") == calls.count("sqs.delete_queue") == calls.count("sns.unsubscribe")


def test_keys_of_others_are_left_alone_and_grants_are_asked_for_the_tables_that_functions_have() -> None:
    """After a restore the tables are none of the stack's."""
    report, _ = looked({})
    assert [line.how for line in report.lines] == ["saw", "not tried", "saw", "saw"]
    assert report.lines[0] == looked()[0].lines[0]


def test_a_stack_that_is_not_there_is_named() -> None:
    account = Account({"cloudformation.describe_stacks": Refusal("ValidationError")})
    with pytest.raises(NotSeenError, match=f"no stack {NAME}"):
        Stack.of(NAME, account.client)


def test_where_others_issue_tokens_one_has_to_be_given() -> None:
    with pytest.raises(NotSeenError, match="LOYALTY_TOKEN"):
        smoke_stack.storefront_token(Stack(NAME, None, {}, {}))
