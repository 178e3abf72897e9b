"""Webhooks in the table: endpoints, and each try to deliver to them. Secrets are derived, never stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from shared import runtime, settings
from shared.domain.errors import InvalidStateError, TryAgainError, WebhookNotFoundError
from shared.domain.telling.webhooks import WEBHOOKS_MAX, Delivery, Webhook, secret_of
from shared.tables import client, records
from shared.tables.client import Item, Key

KEPT = timedelta(days=30)
"""For how long deliveries can be read; then the table's time to live takes them."""
MEMORY_SECONDS = 30


def load_all() -> tuple[Webhook, ...]:
    """Every endpoint, the oldest first."""
    condition: dict[str, Any] = {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": _key("").pk}},
        "ConsistentRead": True,
    }
    items = client.query(settings.loyalty_table(), pages_max=1, **condition)
    found = (records.read(Webhook, item) for item in items)
    return tuple(sorted(found, key=lambda webhook: (webhook.created_at, webhook.webhook_id)))


@runtime.remembered(seconds=MEMORY_SECONDS)
def remembered() -> tuple[Webhook, ...]:
    """Every endpoint, from memory for at most `MEMORY_SECONDS`."""
    return load_all()


def load(webhook_id: str) -> tuple[Webhook, int]:
    """An endpoint, and how often it was written. Raises WebhookNotFoundError."""
    item = client.get(settings.loyalty_table(), _key(webhook_id))
    if item is None:
        raise WebhookNotFoundError(f"there is no webhook {webhook_id}")
    return records.read(Webhook, item), int(item["revision"]["N"])


def add(webhook: Webhook) -> bool:
    """Keep a new endpoint; False if it is there already. Raises InvalidStateError if there are too many."""
    if len(load_all()) >= WEBHOOKS_MAX:
        raise InvalidStateError(f"there are {WEBHOOKS_MAX} webhooks; delete one first")
    remembered.forget()
    return client.put_if(settings.loyalty_table(), _item(webhook, 1), "attribute_not_exists(pk)")


def save(webhook: Webhook, revision: int) -> None:
    """Keep a changed endpoint. Raises TryAgainError if it was changed meanwhile."""
    remembered.forget()
    condition = "revision = :revision"
    item = _item(webhook, revision + 1)
    if not client.put_if(settings.loyalty_table(), item, condition, revision={"N": str(revision)}):
        raise TryAgainError("the webhook was changed meanwhile; the same request may be sent again")


def delete(webhook_id: str) -> None:
    """Forget an endpoint; deliveries to it end."""
    remembered.forget()
    key = client.key_of(_key(webhook_id))
    client.ask(lambda: client.client().delete_item(TableName=settings.loyalty_table(), Key=key))


def record(webhook_id: str, delivery: Delivery) -> None:
    """Keep a try to deliver, to be read for `KEPT`."""
    key = Key(f"WEBHOOK#{webhook_id}", f"{delivery.at.isoformat()}#{delivery.event_id}#{delivery.attempt}")
    item = {
        **client.key_of(key),
        **records.attributes(delivery),
        "forget_at": client.forget_at(delivery.at + KEPT),
    }
    client.ask(lambda: client.client().put_item(TableName=settings.loyalty_table(), Item=item))


def deliveries(webhook_id: str, limit: int, before: str | None) -> tuple[Sequence[Delivery], str | None]:
    """At most `limit` tries, the newest first, and where the next page begins."""
    values: dict[str, Any] = {":pk": {"S": f"WEBHOOK#{webhook_id}"}, ":before": {"S": before or "~"}}
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.loyalty_table(),
            KeyConditionExpression="pk = :pk AND sk < :before",
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
    )
    items: list[Item] = answer["Items"]
    more = items[-1]["sk"]["S"] if "LastEvaluatedKey" in answer else None
    return [records.read(Delivery, item) for item in items], more


def secrets(webhook: Webhook, now: datetime) -> list[str]:
    """The secrets that sign at an instant, the newest first."""
    key = settings.identity_key()
    return [secret_of(key, webhook.webhook_id, generation) for generation in webhook.generations(now)]


def _key(webhook_id: str) -> Key:
    return Key("WEBHOOKS", f"WEBHOOK#{webhook_id}")


def _item(webhook: Webhook, revision: int) -> Item:
    return {**client.key_of(_key(webhook.webhook_id)), **records.attributes(webhook), "revision": {"N": str(revision)}}
