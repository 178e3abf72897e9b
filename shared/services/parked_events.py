"""Events that an endpoint was spared while it kept failing: noted by account, and replayed out of the ledger.

So what piles up for it waits in no queue, where it would count against everybody else's.
"""

from collections.abc import Sequence
from datetime import datetime

from shared import telemetry
from shared.domain.telling.events import Event, event_of
from shared.domain.telling.webhooks import Webhook
from shared.messaging import webhook_queue
from shared.tables import ledger, webhooks
from shared.tables import parked_events as table
from shared.tables.parked_events import Parked

REPLAYED_MAX = 500
"""Events of one account that are queued together."""
ACCOUNTS_PER_RUN_MAX = 1000
"""Of one endpoint; the next run, an hour later, goes on."""


def park(webhook_id: str, event: Event, now: datetime) -> None:
    """Keep an event for later. Raises TryAgainError."""
    table.park(webhook_id, event.member_id, event.sequence, now)
    telemetry.count(WebhookEventsParked=1)


def resume(now: datetime) -> int:
    """Queue what was parked for endpoints that work again; of those that may not, one event, to see. How many."""
    return sum(_resume(webhook, now) for webhook in webhooks.load_all() if webhook.status == "enabled")


def queue_again(webhook: Webhook, account_id: str, first: int, last: int) -> Sequence[Event]:
    """Queue an account's events that an endpoint wants, at most REPLAYED_MAX, and those alone that exist."""
    entries = ledger.load_history(account_id, max(1, last - first + 1), before=last + 1)
    events = [event_of(entry) for entry in reversed(entries) if entry.sequence >= first]
    wanted = [event for event in events if webhook.wants(event.type)]
    webhook_queue.enqueue([(webhook, event) for event in wanted])
    return wanted


def _resume(webhook: Webhook, now: datetime) -> int:
    if webhook.is_spared:
        some = table.waiting(webhook.webhook_id, now, limit=1)
        return sum(len(queue_again(webhook, one.account_id, one.first, one.first)) for one in some)
    parked = list(table.waiting(webhook.webhook_id, now, ACCOUNTS_PER_RUN_MAX))
    return sum(_replay(webhook, one) for one in parked)


def _replay(webhook: Webhook, parked: Parked) -> int:
    [newest] = ledger.load_history(parked.account_id, 1)
    pages = range(parked.first, newest.sequence + 1, REPLAYED_MAX)
    lasts = (min(one + REPLAYED_MAX - 1, newest.sequence) for one in pages)
    queued = sum(
        len(queue_again(webhook, parked.account_id, one, last)) for one, last in zip(pages, lasts, strict=True)
    )
    table.remove(webhook.webhook_id, parked)
    return queued
