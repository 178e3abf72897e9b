"""Reviews in the table: the queue of what operators have yet to decide, and every review by its id for ever.

A review is put and closed in the transaction that books what it is about.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared import settings
from shared.domain.errors import ReviewNotFoundError
from shared.domain.points.reviews import Review, ReviewKind, Verdict, decided
from shared.tables import client, records
from shared.tables.client import Item, Key, Write

QUEUE = "REVIEWS"
_ID_LENGTH = 26


def id_of(kind: ReviewKind, *cause: str) -> str:
    """The id of the review with this cause: 130 bits of SHA-256 in base 32."""
    digest = hashlib.sha256(json.dumps(["review", kind, *cause]).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:_ID_LENGTH]


def key_of(review_id: str) -> Key:
    """The key of a review, open or decided: to be read together with the accounts that it is about."""
    return Key(f"REVIEW#{review_id}", "REVIEW")


def put(review: Review) -> list[Write]:
    """The writes that open a review: by its id, and in the queue. They fail if it exists already."""
    table, body = settings.loyalty_table(), records.attributes(review)
    queued = {"TableName": table, "Item": {**client.key_of(_place(review)), **body}}
    return [client.put_new(table, key_of(review.review_id), revision={"N": "1"}, **body), {"Put": queued}]


def close(review: Review, verdict: Verdict) -> list[Write]:
    """The writes that close an open review: it leaves the queue. They fail if it was decided meanwhile."""
    table, body = settings.loyalty_table(), records.attributes(decided(review, verdict))
    queued = {"TableName": table, "Key": client.key_of(_place(review))}
    return [client.put_over(table, key_of(review.review_id), 1, **body), {"Delete": queued}]


def review_of(item: Item) -> Review:
    """The review that an item holds."""
    return records.read(Review, item)


def among(items: Mapping[Key, Item | None], review_id: str) -> Review | None:
    """A review among items that were read, if it is there."""
    item = items.get(key_of(review_id))
    return review_of(item) if item else None


def find(review_id: str) -> Review | None:
    """A review, if there is one."""
    item = client.get(settings.loyalty_table(), key_of(review_id))
    return review_of(item) if item else None


def load(review_id: str) -> Review:
    """A review. Raises ReviewNotFoundError."""
    review = find(review_id)
    if review is None:
        raise ReviewNotFoundError(f"there is no review {review_id}")
    return review


def listing(kind: ReviewKind | None, limit: int, after: str | None = None) -> tuple[Sequence[Review], str | None]:
    """At most `limit` open reviews, of a kind the longest waiting first, and where the next page begins."""
    request: dict[str, Any] = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": QUEUE}}}
    if kind is not None:
        request["KeyConditionExpression"] += " AND begins_with(sk, :kind)"
        request["ExpressionAttributeValues"][":kind"] = {"S": f"{kind}#"}
    if after is not None:
        request["ExclusiveStartKey"] = client.key_of(Key(QUEUE, after))
    answer = client.ask(
        lambda: client.client().query(TableName=settings.loyalty_table(), Limit=limit, ConsistentRead=True, **request)
    )
    more = answer["Items"][-1]["sk"]["S"] if "LastEvaluatedKey" in answer else None
    return [review_of(item) for item in answer["Items"]], more


def _place(review: Review) -> Key:
    return Key(QUEUE, f"{review.kind}#{review.requested_at.isoformat()}#{review.review_id}")
