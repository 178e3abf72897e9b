"""What a visit does not show of a deployed stack: grants by AWS's own evaluator, keys, and whether an alarm arrives.

An alarm is set off in earnest, so whoever gets alarms gets one that says that it is a test. A queue that is there for
the moment hears it too, and that is the proof: from the alarm through the topic's policy to whoever has subscribed.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from infra.cloud.permissions import LOYALTY, NEEDS, PEOPLE, Grant
from infra.cloud.stack_resources import Made, alarm_name, outputs_of, resources_of
from infra.tools.smoke import ANSWER_SECONDS_MAX, MARK, NotSeenError, Reply, Report
from shared.caller import OPERATOR, STOREFRONT

ARRIVES_SECONDS_MAX = 120
_POLL_SECONDS = 5
_STRANGE_KEY = "SMOKE#1"
"""A partition that no function may touch."""
_TABLES = {LOYALTY: "LOYALTY_TABLE", PEOPLE: "PEOPLE_TABLE"}
"""The settings that name them to functions, be they the stack's own or given to it."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: what it puts out, and what it is made of, by logical id."""

    name: str
    client: Any
    """Makes clients of the account and region, by their services' names."""
    outputs: Mapping[str, str]
    resources: Mapping[str, Made]
    knows_keys: bool = True
    """Whether the evaluator takes partition keys into account. AWS's does."""

    @classmethod
    def of(cls, name: str, client: Any, *, knows_keys: bool = True) -> "Stack":  # noqa: ANN401
        """The stack of that name. Raises NotSeenError if there is none."""
        cloudformation = client("cloudformation")
        try:
            outputs, found = outputs_of(cloudformation, name), resources_of(cloudformation, name)
        except (BotoCoreError, ClientError) as error:
            raise NotSeenError(f"there is no stack {name}: {error}") from error
        return cls(name, client, outputs, found, knows_keys)

    def of_type(self, type_: str) -> dict[str, str]:
        """Physical ids of a type, by logical ids."""
        return {logical: made.physical_id for logical, made in self.resources.items() if made.type_ == type_}


def storefront_token(stack: Stack, token_url: str | None = None) -> str:
    """A token of the stack's own user pool, got as a storefront does. Raises NotSeenError where there is none."""
    outputs = stack.outputs
    if "UserPoolId" not in outputs:
        raise NotSeenError("the tokens of this stack are somebody else's: set LOYALTY_TOKEN to one for a storefront")
    client_id = outputs["StorefrontClientId"]
    with _asking("the storefront's client"):
        found = stack.client("cognito-idp").describe_user_pool_client(
            UserPoolId=outputs["UserPoolId"], ClientId=client_id
        )
    headers = urllib3.make_headers(basic_auth=f"{client_id}:{found['UserPoolClient']['ClientSecret']}")
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    form = urlencode({"grant_type": "client_credentials", "scope": STOREFRONT})
    try:
        url = token_url or f"{outputs['SignInUrl']}/oauth2/token"
        answer = urllib3.request("POST", url, body=form, headers=headers, timeout=ANSWER_SECONDS_MAX)
        return str(answer.json()["access_token"])
    except (HTTPError, ValueError, KeyError) as error:
        raise NotSeenError(f"the user pool gives the storefront no token: {error!r}") from error


def erase_by_function(stack: Stack) -> Callable[[str], Reply]:
    """How a member is erased without an operator who signs in: the function is called as the gateway would call it."""
    path = "/v1/members/{}"

    def erase(member_id: str) -> Reply:
        event = {
            "version": "2.0",
            "rawPath": path.format(member_id),
            "rawQueryString": "",
            "headers": {"content-type": "application/json"},
            "requestContext": {
                "http": {"method": "DELETE", "path": path.format(member_id)},
                "stage": "$default",
                "authorizer": {"jwt": {"claims": {"scope": OPERATOR, "sub": MARK, "client_id": MARK}}},
            },
            "isBase64Encoded": False,
        }
        with _asking("the function enroll"):
            answer = stack.client("lambda").invoke(FunctionName=f"{stack.name}-enroll", Payload=json.dumps(event))
            found = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise NotSeenError(f"the function enroll failed: {found.get('errorMessage')}")
        return Reply(found["statusCode"], json.loads(found["body"]))

    return erase


def look(stack: Stack, report: Report, seconds_max: float = ARRIVES_SECONDS_MAX) -> None:
    """Look at grants, keys and alarms, and say what was seen."""
    with report.step("grants"), _asking("IAM"):
        _grants(stack, report)
    with report.step("keys"), _asking("the keys"):
        _keys(stack, report)
    with report.step("who gets alarms"), _asking("the topic's subscriptions"):
        _subscribers(stack, report)
    with report.step("an alarm's arrival"), _asking("CloudWatch, SNS and SQS"):
        _alarm(stack, report, seconds_max)


def _grants(stack: Stack, report: Report) -> None:
    """Each function may do what it is granted on a table's partitions, and nothing to others or to the table itself."""
    _, partition, _, region, account, _ = _topic(stack).split(":")
    wrong, asked = [], 0
    functions, iam = stack.client("lambda"), stack.client("iam")
    for name, needs in NEEDS.items():
        grants = [grant for grant in needs.grants if grant.on in _TABLES and grant.keys]
        if not grants:
            continue
        configured = functions.get_function_configuration(FunctionName=f"{stack.name}-{name}")
        role, settings = configured["Role"], configured["Environment"]["Variables"]
        for grant in grants:
            for action, key, may in _cases(grant, knows_keys=stack.knows_keys):
                asked += 1
                table = f"arn:{partition}:dynamodb:{region}:{account}:table/{settings[_TABLES[grant.on]]}"
                if _is_allowed(iam, role, action, table, key) is not may:
                    wrong.append(f"{name} {'may not' if may else 'may'} {action} {key or grant.on}")
    if wrong:
        raise NotSeenError("; ".join(wrong))
    report.add("saw", f"{asked} grants and refusals of {len(NEEDS)} functions as they are declared")


def _cases(grant: Grant, *, knows_keys: bool) -> Iterator[tuple[str, str, bool]]:
    action = grant.actions[0]
    yield action, grant.keys[0].replace("*", "1"), True
    if knows_keys:
        yield action, _STRANGE_KEY, False
    yield "dynamodb:DeleteTable", "", False


def _is_allowed(iam: Any, role: str, action: str, table: str, key: str) -> bool:  # noqa: ANN401
    context = [{"ContextKeyName": "dynamodb:LeadingKeys", "ContextKeyValues": [key], "ContextKeyType": "stringList"}]
    [answer] = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[table], ContextEntries=context if key else []
    )["EvaluationResults"]
    return bool(answer["EvalDecision"] == "allowed")


def _keys(stack: Stack, report: Report) -> None:
    keys, secrets_ = stack.of_type("AWS::KMS::Key").values(), stack.of_type("AWS::SecretsManager::Secret").values()
    for key in keys:
        state = stack.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
        if state != "Enabled":
            raise NotSeenError(f"the key {key} is {state}: personal data cannot be read")
    for secret in secrets_:
        stages = stack.client("secretsmanager").describe_secret(SecretId=secret).get("VersionIdsToStages", {})
        if not any("AWSCURRENT" in one for one in stages.values()):
            raise NotSeenError(f"the secret {secret} has no current version: nobody is found by an identifier")
    if keys or secrets_:
        report.add("saw", f"{len(keys)} key enabled, and {len(secrets_)} secret with a current version")
    else:
        report.add("not tried", "keys: they are none of this stack's")


def _subscribers(stack: Stack, report: Report) -> None:
    pages = stack.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=_topic(stack))
    found = [one for page in pages for one in page["Subscriptions"]]
    confirmed = [one["Protocol"] for one in found if one["SubscriptionArn"].startswith("arn:")]
    if not confirmed:
        why = "the link in AWS's mail was not followed" if found else "give alarm_email"
        raise NotSeenError(f"nobody: {why}")
    report.add("saw", f"alarms go to {len(confirmed)} who confirmed: {', '.join(confirmed)}")


def _topic(stack: Stack) -> str:
    return stack.outputs["AlarmTopic"]


def _alarm(stack: Stack, report: Report, seconds_max: float) -> None:
    cloudwatch = stack.client("cloudwatch")
    name = _harmless(stack, cloudwatch)
    reason = f"loyalty {MARK} tries whether alarms arrive: nothing is wrong"
    with _listening(stack) as heard:
        # An alarm that is on already would tell nobody.
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=reason)
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=reason)
        began = time.monotonic()
        try:
            while not any(name in text and '"ALARM"' in text.replace("\\", "") for text in heard()):
                if time.monotonic() - began > seconds_max:
                    raise NotSeenError(f"{name} was set off, and within {seconds_max:.0f} seconds nobody heard of it")
        finally:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=reason)
    report.add("saw", f"the alarm {name} arrived after {time.monotonic() - began:.0f} seconds, as a test by its reason")


def _harmless(stack: Stack, cloudwatch: Any) -> str:  # noqa: ANN401
    """An alarm for which nobody is woken, and that takes no release back."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=alarm_name(stack.name, ""))
    names: list[str] = sorted(
        one["AlarmName"]
        for page in pages
        for one in page["MetricAlarms"]
        if one.get("AlarmDescription", "").startswith("[ticket]") and not one["AlarmName"].endswith("-release")
    )
    if not names:
        raise NotSeenError("the stack has no alarm that can be tried")
    return names[0]


@contextmanager
def _listening(stack: Stack) -> Iterator[Callable[[], list[str]]]:
    """A queue that hears what the topic is told for as long as the block lasts; what it has heard, each time."""
    sqs, sns = stack.client("sqs"), stack.client("sns")
    url = sqs.create_queue(QueueName=f"{stack.name}-{MARK}-{secrets.token_hex(4)}")["QueueUrl"]
    try:
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": _topic(stack)}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        subscription = sns.subscribe(TopicArn=_topic(stack), Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        try:
            yield lambda: [
                one["Body"]
                for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=_POLL_SECONDS).get(
                    "Messages", ()
                )
            ]
        finally:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    finally:
        sqs.delete_queue(QueueUrl=url)


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """What AWS refuses is not as it should be. Raises NotSeenError."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise NotSeenError(f"{what} could not be asked: {error}") from error
