"""Requests to DynamoDB, and what its refusals mean. What any service's failures mean is in `shared.aws.answers`."""

import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import runtime
from shared.aws import answers, session
from shared.domain.errors import TryAgainError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS_MAX = 32
READS_TOGETHER_ATTEMPTS = 6
READS_TOGETHER_MAX = 25
"""DynamoDB would take 100; moto takes no more."""
READS_AT_ONCE_MAX = 100
"""Items of one request that need not be of one instant."""
WRITES_TOGETHER_MAX = 100
"""Items of one transaction."""
BACKOFF_SECONDS = 0.1
BACKOFF_SECONDS_MAX = 2.0

Item = Mapping[str, Any]
Write = Mapping[str, Any]


class Key(NamedTuple):
    """The key of an item."""

    pk: str
    sk: str


class CancelledError(Exception):
    """A transaction was refused, and nothing written.

    `failed` has the index of each condition that did not hold, and the item that stood there; empty if another
    transaction was in the way. `keys` says where those conditions looked.
    """

    def __init__(self, failed: Mapping[int, Item | None], keys: frozenset[Key] = frozenset()) -> None:
        super().__init__(f"conditions that failed: {sorted(failed)}")
        self.failed = failed
        self.keys = keys


def client() -> "DynamoDBClient":
    """The one client, made when first needed, unless it was replaced."""
    return runtime.replaced.get("database", _made)()


@runtime.remembered()
def _made() -> "DynamoDBClient":
    from botocore.config import Config  # noqa: PLC0415 - importing this module does no work

    config = Config(
        max_pool_connections=CONNECTIONS_MAX,
        # Every request is made here, and the tests hold it to the limits; to check it again costs a twentieth of it.
        parameter_validation=False,
        # To put botocore's own together again costs a quarter of what it does before a request is sent.
        user_agent="loyalty",
    )
    made: DynamoDBClient = session.client("dynamodb", config)
    made.meta.events.register("before-parse.dynamodb", _require_whole)
    return made


def _require_whole(response_dict: Mapping[str, Any], **_: Any) -> None:  # noqa: ANN401
    """Raises ResponseParserError for a success that is not all that DynamoDB said: it would be read as "not there"."""
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    if response_dict["status_code"] != HTTPStatus.OK:
        return
    body, checksum = response_dict["body"], response_dict["headers"].get("x-amz-crc32")
    if not (_is_object(body) if checksum is None else zlib.crc32(body) == int(checksum)):
        raise ResponseParserError("the answer is not what DynamoDB sent")


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def get(table: str, key: Key) -> Item | None:
    """One item, read consistently. Raises TryAgainError if the database does not answer."""
    item: Item | None = ask(lambda: client().get_item(TableName=table, Key=key_of(key), ConsistentRead=True)).get(
        "Item"
    )
    return item


def get_together(table: str, keys: Sequence[Key]) -> list[Item | None]:
    """Several items as they stood at one instant, in one request. Raises TryAgainError if they keep being written."""
    return get_across([(table, key) for key in keys])


def get_across(places: Sequence[tuple[str, Key]]) -> list[Item | None]:
    """As `get_together`, from several tables."""
    gets: Any = [{"Get": {"TableName": table, "Key": key_of(key)}} for table, key in places]
    for attempt in range(READS_TOGETHER_ATTEMPTS - 1):
        try:
            return _items(ask(lambda: client().transact_get_items(TransactItems=gets)))
        except TryAgainError:
            back_off(attempt)
    return _items(ask(lambda: client().transact_get_items(TransactItems=gets)))


def get_many(table: str, keys: Sequence[Key]) -> list[Item | None]:
    """Many items at different keys, each read consistently, but not all at one instant: half the price of together.

    For work on whole tables. Raises TryAgainError if the database does not answer, or keeps leaving some out.
    """
    found: dict[Key, Item] = {}
    once = list(dict.fromkeys(keys))  # a request that names a key twice is refused
    for start in range(0, len(once), READS_AT_ONCE_MAX):
        left = [key_of(key) for key in once[start : start + READS_AT_ONCE_MAX]]
        for attempt in range(READS_TOGETHER_ATTEMPTS):
            request: Any = {table: {"Keys": left, "ConsistentRead": True}}
            answer = ask(lambda: client().batch_get_item(RequestItems=request))  # noqa: B023 - called here
            found |= {Key(item["pk"]["S"], item["sk"]["S"]): item for item in answer["Responses"].get(table, ())}
            left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if not left:
                break
            back_off(attempt)
        else:
            raise TryAgainError("the database leaves items out")
    return [found.get(key) for key in keys]


def query(table: str, *, pages_max: int, **request: Any) -> Iterator[Item]:  # noqa: ANN401 - botocore's own arguments
    """The items of a query, page after page. Raises TryAgainError if there are more pages than `pages_max`."""
    for _ in range(pages_max):
        answer = ask(lambda: client().query(TableName=table, **request))
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    raise TryAgainError(f"more than {pages_max} pages were found")


def following(table: str, pk: str, after: str, items_max: int, index: str = "") -> list[Item]:
    """The next items of a partition, of the table or of an index, after one of its sort keys; "" is before them all.

    However large they are: a page of DynamoDB's ends at a megabyte, though more items were asked for.
    """
    names = (f"{index}_pk", f"{index}_sk") if index else ("pk", "sk")
    found = query(
        table,
        pages_max=items_max,
        **({"IndexName": index} if index else {}),
        KeyConditionExpression="{} = :pk AND {} > :after".format(*names),
        ExpressionAttributeValues={":pk": {"S": pk}, ":after": {"S": after or " "}},
        Limit=items_max,
    )
    return list(islice(found, items_max))


def transact(writes: Sequence[Write]) -> None:
    """Write all or nothing.

    Raises CancelledError if a condition failed or another transaction was in the way; TryAgainError if the database
    does not answer, in which case the write may have happened, or does not say why it refused.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415

    items: Any = writes
    try:
        client().transact_write_items(TransactItems=items)
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            answers.refuse(error)
        reasons: Any = error.response.get("CancellationReasons", [])
        failed = {
            index: reason.get("Item")
            for index, reason in enumerate(reasons)
            if reason.get("Code") == "ConditionalCheckFailed"
        }
        codes = {reason.get("Code") for reason in reasons} - {"None"}
        if not codes:
            raise TryAgainError("the database did not say why; the same request may be sent again") from error
        if not failed and not codes <= answers.WAIT_REASONS:
            # Nothing that is decided again gets past the other reason.
            answers.refuse(error)
        keys = (_key_in(write) for index, write in enumerate(writes) if index in failed)
        raise CancelledError(failed, frozenset(keys)) from error
    except Exception as error:
        answers.refuse(error)


def put_if(table: str, item: Item, condition: str, **values: Any) -> bool:  # noqa: ANN401
    """Put one item if a condition holds; whether it did. Raises TryAgainError if the database does not answer."""
    request: Any = {"TableName": table, "Item": item, "ConditionExpression": condition}
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return holds(lambda: client().put_item(**request))


def holds(write: Callable[[], object]) -> bool:
    """Write on a condition; whether it held. Raises TryAgainError if the database does not answer."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        ask(write)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def put_new(table: str, key: Key, **attributes: Any) -> Write:  # noqa: ANN401
    """A write that puts an item unless one exists at its key."""
    return {
        "Put": {
            "TableName": table,
            "Item": {**key_of(key), **attributes},
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def put_over(table: str, key: Key, revision: int, **attributes: Any) -> Write:  # noqa: ANN401
    """A write that puts an item's next revision over the one that was read; revision 0 is an item not yet there."""
    if revision == 0:
        return put_new(table, key, revision={"N": "1"}, **attributes)
    return {
        "Put": {
            "TableName": table,
            "Item": {**key_of(key), "revision": {"N": str(revision + 1)}, **attributes},
            "ConditionExpression": "revision = :revision",
            "ExpressionAttributeValues": {":revision": {"N": str(revision)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def key_of(key: Key) -> dict[str, Any]:
    """A key as items carry it."""
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def forget_at(moment: datetime) -> dict[str, str]:
    """When the database forgets an item, as its attribute `forget_at` says it: in seconds."""
    return {"N": str(int(moment.timestamp()))}


def ask(request: Callable[[], Any]) -> Any:  # noqa: ANN401 - botocore's own answers
    """A request's answer. Raises TryAgainError if the database does not answer, or asks to wait."""
    return answers.ask(request)


def _key_in(write: Write) -> Key:
    [request] = write.values()
    at = request.get("Key") or request["Item"]
    return Key(at["pk"]["S"], at["sk"]["S"])


def _items(answer: Any) -> list[Item | None]:  # noqa: ANN401
    return [response.get("Item") for response in answer["Responses"]]


def back_off(attempt: int) -> None:
    """Wait before trying again, at random up to a ceiling that doubles with each attempt.

    Raises TryAgainError if the call in hand has no time for another try.
    """
    session.require_time()
    runtime.replaced.get("back_off", _sleep)(attempt)


def _sleep(attempt: int) -> None:
    ceiling = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2**attempt)
    time.sleep(runtime.random().uniform(0, ceiling))
