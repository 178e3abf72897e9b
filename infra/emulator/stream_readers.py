"""What Lambda has between streams and functions, by the services' own interfaces: a bad record is set aside alone.

MiniStack takes a batch of a stream for delivered whatever the function answers; its template has those mappings
switched off. Lambda tries again what the answer reports, by halves and in the end alone, and sets aside what fails even
then: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.stream import as_lambda_has_it

POLL_SECONDS = 0.1
STOP_SECONDS_MAX = 30
_TROUBLE_SECONDS = 1

Document = Mapping[str, Any]
Records = Sequence[Document]

_log = logging.getLogger(__name__)


def given_up(left: Records, ask: Callable[[Records], Records], *, halves: bool, retries_max: int) -> Iterator[Records]:
    """What is set aside in the end of the records that are `left` of a batch.

    `ask` hands some over, and answers with those that are left of them. Halving takes no retry.
    """
    waiting = [(left, 0)] if left else []
    while waiting:
        records, retries = waiting.pop()
        if halves and len(records) > 1:
            middle = len(records) // 2
            waiting += [(rest, retries) for part in (records[:middle], records[middle:]) if (rest := ask(part))]
        elif retries == retries_max:
            yield records
        elif rest := ask(records):
            waiting.append((rest, retries + 1))


def left_of(records: Records, answer: Document | None) -> Records:
    """What has to be tried again: everything from the first record on that the answer reports; all, without one."""
    if answer is None:
        return records
    reported = {failure.get("itemIdentifier") for failure in answer.get("batchItemFailures", ())}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    if not reported <= set(numbers):
        return records
    return records[next((place for place, number in enumerate(numbers) if number in reported), len(records)) :]


def matches(pattern: Any, value: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a record is as a filter's pattern has it: by its names, and for each a list of values or of `exists`."""
    if isinstance(pattern, Mapping):
        inner = value if isinstance(value, Mapping) else {}
        return all(matches(wanted, inner.get(name)) for name, wanted in pattern.items())
    return any(wanted in (value, {"exists": value is not None}) for wanted in pattern)


class StreamReader:
    """Works one mapping, in a thread of its own."""

    def __init__(self, client: Callable[[str], Any], mapping: Document) -> None:
        self.function: str = mapping["FunctionArn"].split(":")[6]
        self._mapping = mapping
        self._streams, self._lambda, self._storage = client("dynamodbstreams"), client("lambda"), client("s3")
        self._filters = [json.loads(one["Pattern"]) for one in mapping["FilterCriteria"]["Filters"]]
        self._closing, self._going = threading.Event(), threading.Event()
        self._going.set()
        self._thread = threading.Thread(target=self._read, name=f"stream of {self.function}", daemon=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While it lasts, the function is not told what is new; later it hears of all."""
        self._going.clear()
        try:
            yield
        finally:
            self._going.set()

    def start(self) -> None:
        """Read from the stream's beginning, in the background."""
        self._thread.start()

    def close(self) -> None:
        """Finish the batch in hand, and end."""
        self._closing.set()
        self._going.set()
        self._thread.join(STOP_SECONDS_MAX)

    def _read(self) -> None:
        source = self._mapping["EventSourceArn"]
        [shard] = self._streams.describe_stream(StreamArn=source)["StreamDescription"]["Shards"]
        place = self._streams.get_shard_iterator(
            StreamArn=source, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while not self._closing.is_set():
            self._going.wait()
            try:
                page = self._streams.get_records(ShardIterator=place, Limit=self._mapping["BatchSize"])
                found = [{**as_lambda_has_it(record), "eventSourceARN": source} for record in page["Records"]]
                self._hand_over(
                    [record for record in found if any(matches(pattern, record) for pattern in self._filters)],
                    shard["ShardId"],
                )
            except (BotoCoreError, ClientError):
                _log.exception("a stream's batch could not be delivered, and is tried again")
                self._closing.wait(_TROUBLE_SECONDS)
                continue
            place = page["NextShardIterator"]
            if not found:
                self._closing.wait(POLL_SECONDS)

    def _hand_over(self, records: Records, shard_id: str) -> None:
        def ask(some: Records) -> Records:
            return left_of(some, self._answer(some))

        halves, retries_max = self._mapping["BisectBatchOnFunctionError"], int(self._mapping["MaximumRetryAttempts"])
        for bad in given_up(ask(records) if records else (), ask, halves=halves, retries_max=retries_max):
            self._set_aside(bad, shard_id)

    def _answer(self, records: Records) -> Document | None:
        """What the function answers; None if it fails."""
        answer = self._lambda.invoke(
            FunctionName=self._mapping["FunctionArn"], Payload=json.dumps({"Records": list(records)})
        )
        return None if "FunctionError" in answer else json.load(answer["Payload"])

    def _set_aside(self, records: Records, shard_id: str) -> None:
        """Keep the records: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"""
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        letter = {
            "requestContext": {"functionArn": self._mapping["FunctionArn"], "condition": "RetryAttemptsExhausted"},
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "batchSize": len(records),
                "streamArn": self._mapping["EventSourceArn"],
            },
            "payload": json.dumps({"Records": list(records)}),
        }
        bucket = self._mapping["DestinationConfig"]["OnFailure"]["Destination"].rpartition(":")[2]
        now = datetime.now(UTC)
        key = f"aws/lambda/{self._mapping['UUID']}/{shard_id}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}"
        self._storage.put_object(Bucket=bucket, Key=key, Body=json.dumps(letter).encode())


@contextmanager
def reading(client: Callable[[str], Any]) -> Iterator[Sequence[StreamReader]]:
    """A reader for every mapping of a stream, for as long as the block lasts."""
    mappings = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    of_streams = [one for one in mappings if one["EventSourceArn"].split(":")[2] == "dynamodb"]
    readers = [StreamReader(client, mapping) for mapping in of_streams]
    for reader in readers:
        reader.start()
    try:
        yield readers
    finally:
        for reader in readers:
            reader.close()
