"""A client that does not read again what it wrote itself: for work that comes back to the same accounts, as a replay.

An account is answered from memory once. If somebody else has written it since, the write that follows fails and shows
the account as it is now, as after any lost race. A refusal may rest on an old account: ask again, and it is read.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class AccountsAtHand:
    """Stands in for `client`, and remembers each account that it puts, as JSON, which is small."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._items: dict[tuple[str, str], str] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        return getattr(self._client, name)

    def get_item(self, **request: Any) -> Any:  # noqa: ANN401 - boto3's
        """An account that is at hand, or else what the table has."""
        known = self._items.pop(_place(request["Key"]), None)
        return {"Item": json.loads(known)} if known else self._client.get_item(**request)

    def transact_write_items(self, **request: Any) -> Any:  # noqa: ANN401 - boto3's
        """Write, then have at hand the accounts that were written."""
        answer = self._client.transact_write_items(**request)
        for write in request["TransactItems"]:
            item = write.get("Put", {}).get("Item", {})
            if "state" in item:
                self._items[_place(item)] = json.dumps(item)
        return answer


def _place(item: Any) -> tuple[str, str]:  # noqa: ANN401 - boto3's
    return item["pk"]["S"], item["sk"]["S"]
