"""Whatever a stack is made of is found: on every page, and in stacks inside it."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.cloud.stack_resources import STACK_TYPE, Made, named, resources_of
from tests.infra.cloud.account import ACCOUNT, REGION, Account, Answer, Refusal

OUTER = "loyalty-prod"
INNER = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{OUTER}-Watching/1"
PAGE = 100
QUEUES = {f"Queue{number:08X}": Made("AWS::SQS::Queue", f"queue-{number}") for number in range(250)}
OF_STACKS: Mapping[str, Mapping[str, Made]] = {
    OUTER: {**QUEUES, "Watching": Made(STACK_TYPE, INNER), "Alarms0123ABCD": Made("AWS::SNS::Topic", "topic")},
    INNER: {
        "expirywaits0123ABCD": Made("AWS::CloudWatch::Alarm", "alarm"),
        "Alarms0123ABCD": Made("AWS::SNS::Topic", "another"),
        "Failed0123ABCD": Made("AWS::SQS::Queue", ""),
    },
}


def listed(params: Mapping[str, Any]) -> Answer:
    """A page of a stack's resources, as AWS lists them."""
    rows = [
        {
            "LogicalResourceId": logical,
            "LastUpdatedTimestamp": "2026-11-20T00:00:00Z",
            "ResourceStatus": "CREATE_COMPLETE",
            "ResourceType": made.type_,
            **({"PhysicalResourceId": made.physical_id} if made.physical_id else {}),
        }
        for logical, made in OF_STACKS[params["StackName"]].items()
    ]
    first = int(params.get("NextToken", 0))
    more = {"NextToken": str(first + PAGE)} if first + PAGE < len(rows) else {}
    return {"StackResourceSummaries": rows[first : first + PAGE], **more}


def test_every_page_and_every_stack_inside_is_read_and_the_outer_one_is_meant_first() -> None:
    client = Account({"cloudformation.list_stack_resources": listed}).client("cloudformation")
    found = resources_of(client, OUTER)
    assert found == {**OF_STACKS[INNER], **OF_STACKS[OUTER]}
    assert found["Alarms0123ABCD"].physical_id == "topic"


def test_a_stack_that_is_not_there_is_said() -> None:
    client = Account({"cloudformation.list_stack_resources": Refusal("ValidationError")}).client("cloudformation")
    with pytest.raises(ClientError, match="ValidationError"):
        resources_of(client, OUTER)


def test_a_name_means_the_construct_and_neither_what_begins_alike_nor_one_of_several() -> None:
    policy = Made("AWS::SQS::QueuePolicy", "policy")
    resources = {"Failed0123ABCD": Made("AWS::SQS::Queue", "queue"), "FailedPolicy0123ABCD": policy, "Failed": policy}
    assert named(resources, "Failed") == Made("AWS::SQS::Queue", "queue")
    assert named(resources, "Fail") is None
    assert named({**resources, "Failed4567ABCD": policy}, "Failed") is None
