"""The first hour with a stack: what is looked at before a deployment, and the smoke test after it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra.cloud import preflight
from infra.cloud.options import Options
from infra.cloud.preflight import Place
from infra.emulator.deploy import ACCOUNT, Deployment, deployed
from infra.machine.environment import REGION
from infra.tools import smoke
from infra.tools.smoke import Api, Report, visit
from infra.tools.smoke_stack import Stack, erase_by_function, look, storefront_token

ARRIVES_SECONDS_MAX, ANSWER_SECONDS_MAX = 30, 120
"""An emulator on a busy machine may be slower than a gateway that gives up."""


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with pytest.MonkeyPatch.context() as patch, deployed({}) as deployment:
        patch.setattr(smoke, "ANSWER_SECONDS_MAX", ANSWER_SECONDS_MAX)
        yield deployment


def smoked(deployment: Deployment) -> Report:
    """The report of a smoke test; the emulator's own evaluator of grants takes no account of partition keys."""
    stack, report = Stack.of("loyalty-dev", deployment.client, knows_keys=False), Report()
    token = storefront_token(stack, f"{deployment.endpoint}/oauth2/token")
    visit(Api(deployment.url, token), report, datetime.now(UTC), erase_by_function(stack))
    look(stack, report, ARRIVES_SECONDS_MAX)
    return report


def test_the_smoke_test_sees_all_but_whom_nobody_has_named_and_then_them(deployment: Deployment) -> None:
    report = smoked(deployment)
    assert report.failed == ["who gets alarms: nobody: give alarm_email"]
    assert [line.how for line in report.lines].count("saw") == 7 + 3

    queue = _on_duty(deployment, deployment.outputs["AlarmTopic"])
    assert smoked(deployment).failed == []
    heard = deployment.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert any("loyalty smoke tries whether alarms arrive" in one["Body"] for one in heard)
    left = deployment.client("sqs").list_queues().get("QueueUrls", [])
    assert not [url for url in left if "smoke" in url]


def test_what_a_deployment_needs_is_looked_at_before(deployment: Deployment) -> None:
    found = preflight.of_the_account(Options(), Place(ACCOUNT, REGION, deployment.client))
    assert [one for one in found if one.weight == "missing"] == []
    assert any(one.what == "the CDK's bucket and roles are of version 30" for one in found)


def _on_duty(deployment: Deployment, topic: str) -> str:
    """A queue that has subscribed to a topic, and lets it deliver."""
    name = "whoever-is-on-duty"
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    queue: str = deployment.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    deployment.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return queue
