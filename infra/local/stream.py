"""Delivers the ledger's stream to those who read it, as event source mappings do in the cloud."""

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.local.delivery import Delivery, Record
from infra.machine import folders

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import RecordTypeDef

POLL_SECONDS = 0.2
BATCH_MAX = 100
SHARD_PAGES_MAX = 10
STOP_SECONDS_MAX = 5
_TROUBLE_SECONDS = 1

_PLACE_IS_GONE = ("ExpiredIteratorException", "TrimmedDataAccessException")

_log = logging.getLogger(__name__)


class Stream:
    """Reads the stream `arn`, and remembers in `checkpoint` how far each of its shards was delivered.

    A restart goes on from there: nothing is lost that the engine still has, and at most one batch comes again.
    """

    def __init__(
        self,
        client: "DynamoDBStreamsClient",
        arn: str,
        deliveries: Sequence[Delivery],
        checkpoint: Path,
        caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._caught_up = caught_up
        self._client = client
        self._arn = arn
        self._deliveries = deliveries
        self._checkpoint = checkpoint
        self._delivered = _saved(checkpoint, arn)
        self._iterators: dict[str, str] = {}
        self._ended: set[str] = set()
        self._reading = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="stream", daemon=True)

    def start(self) -> None:
        """Deliver in the background from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is left, for at most STOP_SECONDS_MAX, and end."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS_MAX)
        if not self.catch_up(STOP_SECONDS_MAX):
            _log.warning("the stream still holds records that were not delivered")

    def catch_up(self, seconds_max: float) -> bool:
        """Deliver all that is on the stream, here and now; whether there was time for it."""
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            with self._reading:
                if not self._deliver_some():
                    return True
        return False

    def _keep(self) -> None:
        pause = POLL_SECONDS
        while not self._stopping.wait(pause):
            try:
                if self.catch_up(_TROUBLE_SECONDS):
                    self._caught_up()
                pause = POLL_SECONDS
            except Exception:
                _log.exception("the stream cannot be read, and is tried again")
                pause = _TROUBLE_SECONDS

    def _deliver_some(self) -> bool:
        """A batch from every shard; whether any had one."""
        if not self._iterators:
            self._open_shards()
        delivered = [self._deliver_from(shard, iterator) for shard, iterator in list(self._iterators.items())]
        return any(delivered)

    def _deliver_from(self, shard: str, iterator: str) -> bool:
        try:
            page = self._client.get_records(ShardIterator=iterator, Limit=BATCH_MAX)
        except ClientError as error:
            if not _place_is_gone(error):
                raise
            self._iterators[shard] = self._iterator(shard)
            return True
        records = [as_lambda_has_it(record) for record in page["Records"]]
        wanted = [record for record in records if is_wanted(record)]
        if wanted:
            for delivery in self._deliveries:
                delivery.deliver(wanted)
        if records:
            self._remember(shard, sequence_number(records[-1]))
        following = page.get("NextShardIterator")
        if following:
            self._iterators[shard] = following
        else:
            self._ended.add(shard)
            del self._iterators[shard]
            self._open_shards()
        return bool(records)

    def _open_shards(self) -> None:
        """Find the shards that can still bring records. When one ends, others take its place."""
        request: dict[str, Any] = {"StreamArn": self._arn}
        for _ in range(SHARD_PAGES_MAX):
            description = self._client.describe_stream(**request)["StreamDescription"]
            for shard in (found["ShardId"] for found in description["Shards"]):
                if shard not in self._ended and shard not in self._iterators:
                    self._iterators[shard] = self._iterator(shard)
            if "LastEvaluatedShardId" not in description:
                return
            request["ExclusiveStartShardId"] = description["LastEvaluatedShardId"]

    def _iterator(self, shard: str) -> str:
        delivered = self._delivered.get(shard)
        if delivered:
            try:
                return self._client.get_shard_iterator(
                    StreamArn=self._arn,
                    ShardId=shard,
                    ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                    SequenceNumber=delivered,
                )["ShardIterator"]
            except ClientError as error:
                # An engine that was restarted has what came since, not what was there.
                if not _place_is_gone(error):
                    raise
        return self._client.get_shard_iterator(StreamArn=self._arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]

    def _remember(self, shard: str, sequence_number: str) -> None:
        self._delivered[shard] = sequence_number
        folders.replace(self._checkpoint, json.dumps({"stream": self._arn, "delivered": self._delivered}))


def is_wanted(record: Record) -> bool:
    """The mapping's filter: a ledger entry that was written, told from other items by its `type`, or a note."""
    return record["eventName"] == "INSERT" and not {"type", "note"}.isdisjoint(record["dynamodb"].get("NewImage", {}))


def sequence_number(record: Record) -> str:
    """What the record is called among the failures of a batch."""
    return str(record["dynamodb"]["SequenceNumber"])


def as_lambda_has_it(record: "RecordTypeDef") -> Record:
    """The record as it reaches a function: JSON values only."""
    plain: Record = json.loads(json.dumps(record, default=_plain))
    return plain


def _plain(value: object) -> float | str:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"a stream record holds a {type(value).__name__}")


def _place_is_gone(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in _PLACE_IS_GONE


def _saved(checkpoint: Path, arn: str) -> dict[str, str]:
    if not checkpoint.exists():
        return {}
    saved = json.loads(checkpoint.read_text())
    # Of another stream by the same name nothing was delivered.
    return dict(saved["delivered"]) if saved["stream"] == arn else {}
