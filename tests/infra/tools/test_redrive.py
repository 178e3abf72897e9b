"""What was given up is sent again: once, to where it was meant to go, and nothing of it is lost that fails again."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.cli.main import main
from infra.tools.redrive import KINDS, GivenUp

STACK, REGION = "cafe-prod", "us-east-1"
NOTIFY = f"arn:aws:lambda:{REGION}:123456789012:function:{STACK}-notify"
BIRTHDAYS = f"arn:aws:lambda:{REGION}:123456789012:function:{STACK}-birthdays"
RETURNED = ("expiry", "birthdays", "reminders", "statements", "webhook", "message")
"""Kinds that go back to a queue."""
QUEUES = (
    *(f"{kind.title()}DeadLetters" for kind in KINDS),
    *(f"{kind.title()}Queue" for kind in RETURNED),
)
TEMPLATE = {
    "Resources": {
        **{f"{name}0123ABCD": {"Type": "AWS::SQS::Queue"} for name in QUEUES},
        "FailedRecords0123ABCD": {"Type": "AWS::S3::Bucket"},
        # Begins alike, and is something else.
        "FailedRecordsPolicy0123ABCD": {"Type": "AWS::SQS::Queue"},
    }
}


class Functions:
    """Lambda: notes who was called with what, and lets those fail that are named."""

    def __init__(self) -> None:
        self.called: list[tuple[str, Any]] = []
        self.failing: set[str] = set()
        self.giving_back: set[str] = set()
        self.while_called: Callable[[], object] = lambda: None

    def invoke(self, *, FunctionName: str, Payload: str) -> Any:  # noqa: N803 - as boto3 has it
        self.called.append((FunctionName, json.loads(Payload)))
        self.while_called()
        error = {"FunctionError": "Unhandled"} if FunctionName in self.failing else {}
        told = {"errorMessage": "no such table"} if error else {}
        if FunctionName in self.giving_back:
            told["batchItemFailures"] = [{"itemIdentifier": "1"}]  # type: ignore[assignment]
        return {"Payload": io.BytesIO(json.dumps(told).encode()), **error}


class Stack:
    """A deployed stack's queues and bucket."""

    def __init__(self) -> None:
        boto3.client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
        found = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        self.of = {one["LogicalResourceId"].removesuffix("0123ABCD"): one["PhysicalResourceId"] for one in found}
        self.queues, self.storage = boto3.client("sqs"), boto3.client("s3")
        self.functions = Functions()

    def client(self, service: str, **_: Any) -> Any:
        made: Any = boto3.client
        return self.functions if service == "lambda" else made(service)

    def put(self, queue: str, body: Any, **more: Any) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.queues.send_message(QueueUrl=self.of[queue], MessageBody=text, **more)

    def read(self, queue: str) -> list[Any]:
        request: Any = {"QueueUrl": self.of[queue], "MaxNumberOfMessages": 10, "AttributeNames": ["All"]}
        return list(self.queues.receive_message(**request, VisibilityTimeout=0).get("Messages", []))

    def set_aside(self, number: int, function: str = NOTIFY) -> Any:
        event = {"Records": [{"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number)}}]}
        record = {"requestContext": {"functionArn": function}, "payload": json.dumps(event)}
        key = f"aws/lambda/uuid/shard/2026/11/30/{number}"
        self.storage.put_object(Bucket=self.of["FailedRecords"], Key=key, Body=json.dumps(record).encode())
        self.put("StreamDeadLetters", {"Records": [{"s3": {"object": {"key": key}}}]})
        return event

    def objects(self) -> list[str]:
        listed = self.storage.list_objects_v2(Bucket=self.of["FailedRecords"])
        return [one["Key"].rsplit("/", 1)[1] for one in listed.get("Contents", [])]

    def remove(self) -> None:
        """Leave nothing behind: other tests may have begun the same account before, and go on with it."""
        listed = self.storage.list_objects_v2(Bucket=self.of["FailedRecords"])
        for one in listed.get("Contents", []):
            self.storage.delete_object(Bucket=self.of["FailedRecords"], Key=one["Key"])
        boto3.client("cloudformation").delete_stack(StackName=STACK)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    names = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("infra.tools.redrive._WAIT_SECONDS", 0)
    with mock_aws():
        deployed = Stack()
        yield deployed
        deployed.remove()


@pytest.fixture
def given_up(stack: Stack) -> GivenUp:
    return GivenUp(stack.client, STACK)


@pytest.mark.parametrize("kind", RETURNED)
def test_dead_letters_go_back_to_their_queue_with_their_group(stack: Stack, given_up: GivenUp, kind: Any) -> None:
    for number in range(12):
        stack.put(f"{kind.title()}DeadLetters", str(number), MessageGroupId="shop")
    assert given_up.look(kind).number == 12
    sent = given_up.send_again(kind)
    assert (sent.number, sent.failed) == (12, [])
    assert given_up.look(kind).number == 0
    back = stack.read(f"{kind.title()}Queue")
    assert {one["Attributes"]["MessageGroupId"] for one in back} == {"shop"}
    assert stack.functions.called == []


def test_a_run_is_started_again_whoever_has_set_it_aside(stack: Stack, given_up: GivenUp) -> None:
    target = {"TARGET_ARN": {"DataType": "String", "StringValue": BIRTHDAYS}}
    stack.put("ScheduleDeadLetters", {"time": "2026-11-30T09:00:00Z"}, MessageAttributes=target)
    by_lambda = {"requestContext": {"functionArn": f"{NOTIFY}:$LATEST"}, "requestPayload": {"time": "t"}}
    stack.put("ScheduleDeadLetters", by_lambda)
    assert given_up.send_again("schedule").number == 2
    assert sorted(stack.functions.called) == [
        (BIRTHDAYS, {"time": "2026-11-30T09:00:00Z"}),
        (f"{NOTIFY}:$LATEST", {"time": "t"}),
    ]
    assert given_up.send_again("schedule").number == 0


def test_a_run_is_taken_once_the_one_before_has_ended(stack: Stack, given_up: GivenUp) -> None:
    for number in range(3):
        by_lambda = {"requestContext": {"functionArn": NOTIFY}, "requestPayload": {"time": str(number)}}
        stack.put("ScheduleDeadLetters", by_lambda)
    left = [2, 1, 0]
    stack.functions.while_called = lambda: _is(len(stack.read("ScheduleDeadLetters")), left.pop(0))
    assert given_up.send_again("schedule") == ("schedule", 3, [])
    assert left == []


def test_a_run_that_fails_again_or_does_not_say_whose_it_is_stays(stack: Stack, given_up: GivenUp) -> None:
    stack.functions.failing.add(BIRTHDAYS)
    target = {"TARGET_ARN": {"DataType": "String", "StringValue": BIRTHDAYS}}
    stack.put("ScheduleDeadLetters", {"time": "t"}, MessageAttributes=target)
    stack.put("ScheduleDeadLetters", {"time": "u"})
    sent = given_up.send_again("schedule")
    assert sent.number == 0
    assert sorted(why.partition("}: ")[2] for why in sent.failed) == [
        f"{BIRTHDAYS} fails: no such table",
        "it does not say which function it is for",
    ]


def test_records_of_the_stream_are_handed_to_their_function_whole_in_order_and_once(
    stack: Stack, given_up: GivenUp
) -> None:
    events = [stack.set_aside(number) for number in range(3)]
    found = given_up.look("stream")
    assert (found.number, found.some[0]) == (3, f"aws/lambda/uuid/shard/2026/11/30/0: 1 for {STACK}-notify")
    for expected in (3, 0):
        assert given_up.send_again("stream").number == expected
    assert stack.functions.called == [(NOTIFY, event) for event in events]
    assert (stack.objects(), stack.read("StreamDeadLetters")) == ([], [])


def test_a_record_that_is_given_back_again_is_kept_and_so_is_the_notice_of_it(stack: Stack, given_up: GivenUp) -> None:
    stack.set_aside(1)
    stack.set_aside(2, BIRTHDAYS)
    stack.functions.giving_back.add(NOTIFY)
    sent = given_up.send_again("stream")
    assert (sent.number, len(sent.failed)) == (1, 1)
    assert sent.failed[0].endswith(f"{NOTIFY} gives 1 back")
    assert stack.objects() == ["1"]
    assert stack.read("StreamDeadLetters")


def test_the_command_says_what_there_is_and_sends_it_when_asked_to(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "client", _clients(stack, boto3.client))
    stack.put("MessageDeadLetters", "a note")
    event = stack.set_aside(1)
    arguments = ["redrive", "--stack", STACK]
    assert main([*arguments, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "message: 1\n  a note\n" in printed
    assert "stream: 1\n" in printed
    assert stack.functions.called == []

    assert main([*arguments, "message"]) == 0
    assert capsys.readouterr().out == "message: 1 sent again\n"
    stack.functions.failing.add(NOTIFY)
    assert main(arguments) == 1
    assert "no such table" in capsys.readouterr().err
    stack.functions.failing.clear()
    assert main(arguments) == 0
    assert stack.functions.called == [(NOTIFY, event)] * 2
    assert main(["redrive", "--stack", "none"]) == 1


def _is(seen: int, expected: int) -> None:
    """How many others may still be taken while one is in hand."""
    assert seen == expected


def _clients(stack: Stack, made: Any) -> Any:
    return lambda service, **options: stack.functions if service == "lambda" else made(service, **options)
