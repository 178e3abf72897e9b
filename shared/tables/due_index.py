"""The index of what is due: which accounts time will change on which day, and how far scheduled runs have come."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from shared import runtime, settings
from shared.tables import client
from shared.tables.client import Key

EXPIRY_RUN, REMINDER_RUN = "EXPIRY", "REMINDERS"
"""Under which names the scheduled runs note how far they have come."""
PAGES_MAX = 1000


def between(first: date, last: date) -> Iterable[date]:
    """The days from the first to the last, both included, that a run has to look at.

    All of them, unless the process was given a way to know which days have accounts. To leave out a day that had no
    account when a run began is safe: the next run begins a month before its end.
    """
    return runtime.replaced.get("due_days", every_day)(first, last)


def every_day(first: date, last: date) -> Iterator[date]:
    """The days from the first to the last, both included."""
    return (first + timedelta(days=count) for count in range((last - first).days + 1))


def due_members(day: date, shard: int, pages_max: int = PAGES_MAX) -> Iterator[str]:
    """Members whose accounts time changes, or who are to be reminded, on `day`; one shard of them."""
    found = client.query(
        settings.loyalty_table(),
        pages_max=pages_max,
        IndexName="due",
        KeyConditionExpression="due_pk = :pk",
        ExpressionAttributeValues={":pk": {"S": _pk(day, shard)}},
    )
    return (item["due_sk"]["S"] for item in found)


def due_after(day: date, shard: int, after: str, members_max: int) -> list[str]:
    """The next of those members, in order, after one of them; those of another shard are elsewhere."""
    found = client.following(settings.loyalty_table(), _pk(day, shard), after, members_max, "due")
    return [item["due_sk"]["S"] for item in found]


def load_day(name: str) -> date | None:
    """A day noted under a name: how far a scheduled run has come."""
    item = client.get(settings.loyalty_table(), Key("SCHEDULE", name))
    return date.fromisoformat(item["on"]["S"]) if item else None


def note_day(name: str, day: date) -> None:
    """Note how far a scheduled run has come."""
    item = {**client.key_of(Key("SCHEDULE", name)), "on": {"S": day.isoformat()}}
    client.ask(lambda: client.client().put_item(TableName=settings.loyalty_table(), Item=item))


def note_listed(name: str, through: date) -> None:
    """Note that a run has listed all through a day, unless it had been further: another clock may be ahead."""
    last = load_day(name)
    if last is None or last < through:
        note_day(name, through)


def _pk(day: date, shard: int) -> str:
    return f"DUE#{day.isoformat()}#{shard}"
