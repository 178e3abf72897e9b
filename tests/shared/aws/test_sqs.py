"""A queue takes as many messages as there are, in the batches that SQS takes."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from shared.aws import sqs
from shared.domain.errors import TryAgainError

URL = "https://sqs.eu-central-1.amazonaws.com/1/messages"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    client = boto3.client("sqs", "eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    monkeypatch.setattr(sqs, "_client", lambda: client)
    stubber = Stubber(client)
    stubber.activate()
    return stubber


def batch(numbers: range, *groups: str) -> dict[str, Any]:
    entries: list[dict[str, str]] = [
        {"Id": str(place), "MessageBody": str(number)} for place, number in enumerate(numbers)
    ]
    for entry, group in zip(entries, groups, strict=False):
        entry["MessageGroupId"] = group
    return {"QueueUrl": URL, "Entries": entries}


def answer(refused: int = 0) -> dict[str, Any]:
    failed = [{"Id": str(place), "SenderFault": False, "Code": "InternalError"} for place in range(refused)]
    return {"Successful": [], "Failed": failed}


@pytest.mark.parametrize("groups", [(), tuple("ab" * 12)[:23]])
def test_messages_go_in_batches_each_with_its_group(service: Stubber, groups: tuple[str, ...]) -> None:
    for start in (0, 10, 20):
        numbers = range(start, min(start + sqs.BATCH, 23))
        service.add_response("send_message_batch", answer(), batch(numbers, *groups[start : start + sqs.BATCH]))
    sqs.Queue(lambda: URL).send([str(number) for number in range(23)], groups)
    service.assert_no_pending_responses()


def test_without_messages_nothing_is_asked(service: Stubber) -> None:
    sqs.Queue(lambda: URL).send([])
    service.assert_no_pending_responses()


def test_a_message_that_is_refused_is_an_error(service: Stubber) -> None:
    service.add_response("send_message_batch", answer(), batch(range(10)))
    service.add_response("send_message_batch", answer(refused=2), batch(range(10, 13)))
    with pytest.raises(TryAgainError, match="refused 2 of 3 messages"):
        sqs.Queue(lambda: URL).send([str(number) for number in range(13)])


def test_it_counts_what_waits_and_postpones_what_was_received(service: Stubber) -> None:
    names = {"QueueUrl": URL, "AttributeNames": ["ApproximateNumberOfMessages"]}
    service.add_response("get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": "7"}}, names)
    later = {"QueueUrl": URL, "ReceiptHandle": "r", "VisibilityTimeout": 300}
    service.add_response("change_message_visibility", {}, later)
    queue = sqs.Queue(lambda: URL)
    assert queue.waiting() == 7
    queue.postpone({"receiptHandle": "r"}, 300)
    service.assert_no_pending_responses()
