"""Accounts as this process wrote them last, for whoever writes to the same ones again and again, as a replay does.

They are not read again. If somebody else has written to one since, the next write to it fails and shows how it stands,
as it does for everybody who lost a race; whoever is refused something forgets the account and asks once more.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from shared.tables import keys
from shared.tables.client import Item, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ANSWERED: Any = AWSResponse("", 200, HTTPHeaders(), None)


class OwnWrites:
    """What is remembered: each account's item as JSON, which is small."""

    def __init__(self) -> None:
        self._items: dict[Key, str] = {}

    def forget(self, member_id: str) -> None:
        """Read this account when it is needed next."""
        self._items.pop(keys.account_key(member_id), None)

    def note(self, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:  # noqa: ANN401
        """Keep at hand what a request asks for: later events of it have that no more."""
        context["asked"] = params

    def instead_of_reading(self, context: Mapping[str, Any], **_: Any) -> tuple[AWSResponse, Any] | None:  # noqa: ANN401
        """An answer that saves the request, if the item is remembered."""
        known = self._items.get(_key(context["asked"]["Key"]))
        return None if known is None else (_ANSWERED, {"Item": json.loads(known)})

    def before_writing(self, context: Mapping[str, Any], **_: Any) -> None:  # noqa: ANN401
        """Forget what is about to change: the answer may be lost."""
        for item in _accounts(context["asked"]):
            self._items.pop(_key(item), None)

    def after_writing(self, http_response: AWSResponse, context: Mapping[str, Any], **_: Any) -> None:  # noqa: ANN401
        """Remember what has changed."""
        if http_response.status_code == 200:  # noqa: PLR2004
            for item in _accounts(context["asked"]):
                self._items[_key(item)] = json.dumps(item)


@contextmanager
def remembering(client: "DynamoDBClient") -> Iterator[OwnWrites]:
    """The client's own writes, remembered while the block lasts."""
    own, events = OwnWrites(), client.meta.events
    heard: dict[str, Callable[..., Any]] = {
        "provide-client-params.dynamodb.GetItem": own.note,
        "provide-client-params.dynamodb.TransactWriteItems": own.note,
        "before-call.dynamodb.GetItem": own.instead_of_reading,
        "before-call.dynamodb.TransactWriteItems": own.before_writing,
        "after-call.dynamodb.TransactWriteItems": own.after_writing,
    }
    for event, hear in heard.items():
        events.register(event, hear)
    try:
        yield own
    finally:
        for event, hear in heard.items():
            events.unregister(event, hear)


def _accounts(asked: Mapping[str, Any]) -> Iterator[Item]:
    for write in asked["TransactItems"]:
        item = write.get("Put", {}).get("Item", {})
        if "state" in item:
            yield item


def _key(item: Mapping[str, Any]) -> Key:
    return Key(item["pk"]["S"], item["sk"]["S"])
