"""Sending again what was given up: dead letters of every queue, and records of the stream that kept failing.

Whatever is sent again may arrive twice, as everything that comes by a queue or a stream may. What fails again stays
where it is, or comes back there.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from infra.cloud.permissions import WORKER_SECONDS_MAX
from infra.cloud.stack_resources import named, resources_of
from infra.errors import LocalError

Kind = Literal["expiry", "birthdays", "reminders", "statements", "webhook", "message", "schedule", "stream"]
KINDS: Sequence[Kind] = get_args(Kind)
_QUEUES: Mapping[str, str] = {kind: f"{kind.title()}Queue" for kind in KINDS if kind not in {"schedule", "stream"}}
"""Where work of a kind is taken from; the rest is handed to functions here."""
_LETTERS: Mapping[str, str] = {kind: f"{kind.title()}DeadLetters" for kind in KINDS}
_BUCKET = "FailedRecords"
_BATCH = 10
_WAIT_SECONDS = 2
_HIDDEN_SECONDS = WORKER_SECONDS_MAX + 30
"""For so long nobody else gets a letter in hand: longer than one function takes, which is waited for."""
SENT_MAX = 100_000
SHOWN_MAX = 10

Client = Callable[[str], Any]


class Found(NamedTuple):
    """How much of a kind was given up, and some of it."""

    kind: Kind
    number: int
    some: Sequence[str]


class Sent(NamedTuple):
    """How much of a kind was sent again, and what could not be, each with why."""

    kind: Kind
    number: int
    failed: Sequence[str]


class GivenUp:
    """What was given up in one stack; `client` makes clients of AWS's services."""

    def __init__(self, client: Client, stack: str) -> None:
        self._client = client
        self._resources = resources_of(client("cloudformation"), stack)

    def look(self, kind: Kind) -> Found:
        """What there is; it stays where it is."""
        if kind == "stream":
            keys = [key for key, _ in self._objects()]
            return Found(kind, len(keys), [self._shown_record(key) for key in keys[:SHOWN_MAX]])
        queues, url = self._client("sqs"), self._resource(_LETTERS[kind])
        name = "ApproximateNumberOfMessages"
        number = int(queues.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
        some = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=0)
        return Found(kind, number, [one["Body"] for one in some.get("Messages", [])])

    def send_again(self, kind: Kind) -> Sent:
        """Send all of a kind again, at most SENT_MAX."""
        if kind == "stream":
            return self._send_records()
        if kind == "schedule":
            return self._send_letters(kind, self._hand_over, at_a_time=1)
        return self._send_letters(kind, self._put_back(kind))

    def _send_letters(self, kind: Kind, send: Callable[[Mapping[str, Any]], None], *, at_a_time: int = _BATCH) -> Sent:
        queues, url = self._client("sqs"), self._resource(_LETTERS[kind])
        number, failed = 0, list[str]()
        for letter in self._letters(url, at_a_time):
            try:
                send(letter)
            except LocalError as error:
                failed.append(f"{letter['Body']}: {error}")
            else:
                queues.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
                number += 1
        return Sent(kind, number, failed)

    def _letters(self, url: str, at_a_time: int) -> Iterator[Mapping[str, Any]]:
        """Each letter of a queue, once. Letters taken together are hidden from the same moment on."""
        queues = self._client("sqs")
        for _ in range(SENT_MAX // at_a_time):
            page = queues.receive_message(
                QueueUrl=url,
                AttributeNames=["All"],
                MaxNumberOfMessages=at_a_time,
                MessageAttributeNames=["All"],
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=_WAIT_SECONDS,
            ).get("Messages", [])
            if not page:
                return
            yield from page

    def _put_back(self, kind: Kind) -> Callable[[Mapping[str, Any]], None]:
        queues, url = self._client("sqs"), self._resource(_QUEUES[kind])

        def put_back(letter: Mapping[str, Any]) -> None:
            group = letter.get("Attributes", {}).get("MessageGroupId")
            queues.send_message(
                QueueUrl=url, MessageBody=letter["Body"], **({"MessageGroupId": group} if group else {})
            )

        return put_back

    def _hand_over(self, letter: Mapping[str, Any]) -> None:
        """A run that the scheduler could not start, or that the function kept failing at. Raises LocalError."""
        body = json.loads(letter["Body"])
        if "requestPayload" in body:
            self._invoke(body["requestContext"]["functionArn"], body["requestPayload"])
            return
        target = letter.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue")
        if target is None:
            raise LocalError("it does not say which function it is for")
        self._invoke(target, body)

    def _send_records(self) -> Sent:
        number, failed, storage = 0, list[str](), self._client("s3")
        for key, bucket in self._objects():
            record = json.load(storage.get_object(Bucket=bucket, Key=key)["Body"])
            try:
                self._invoke(record["requestContext"]["functionArn"], json.loads(record["payload"]))
            except LocalError as error:
                failed.append(f"{key}: {error}")
            else:
                storage.delete_object(Bucket=bucket, Key=key)
                number += 1
        if not failed:
            self._send_letters("stream", lambda _: None)  # notices of what is no longer there
        return Sent("stream", number, failed)

    def _objects(self) -> Iterator[tuple[str, str]]:
        """Key and bucket of each, in the order in which they were set aside."""
        bucket = self._resource(_BUCKET)
        pages = self._client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [(one["LastModified"], one["Key"]) for page in pages for one in page.get("Contents", [])]
        return ((key, bucket) for _, key in sorted(keys)[:SENT_MAX])

    def _shown_record(self, key: str) -> str:
        record = json.load(self._client("s3").get_object(Bucket=self._resource(_BUCKET), Key=key)["Body"])
        size = len(json.loads(record["payload"])["Records"])
        return f"{key}: {size} for {record['requestContext']['functionArn'].split(':')[6]}"

    def _invoke(self, function: str, event: Any) -> None:  # noqa: ANN401 - JSON
        """Call a function, and wait for it. Raises LocalError if it fails, or gives records back."""
        answer = self._client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        told = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise LocalError(f"{function} fails: {told.get('errorMessage', told)}")
        if left := (told or {}).get("batchItemFailures"):
            raise LocalError(f"{function} gives {len(left)} back")

    def _resource(self, name: str) -> str:
        """The physical id of what the stack has under a name. Raises LocalError."""
        found = named(self._resources, name)
        if found is None:
            raise LocalError(f"the stack has no {name}: is it of this release?")
        return found.physical_id
