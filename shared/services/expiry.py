"""The expiry run: finds the accounts that are due, and books what time has done to them.

A run puts one message for each shard and day on a queue, and settles the accounts of one message at a time. Work
follows what is due. A run that dies halfway is run again: who was settled has left the index.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from shared import runtime, settings, telemetry
from shared.aws import sqs
from shared.domain.calendar import local_day
from shared.domain.errors import MemberNotActiveError, MemberNotFoundError, TryAgainError
from shared.services import erasure
from shared.tables import accounts, due_index, programs, upkeep

FIRST_RUN_DAYS = 400
"""How far back the first run ever looks."""
OVERLAP_DAYS = 31
"""A run begins before the last one ended. An account stands under the day of its next reminder until that is sent,
which may be late; one that was written around midnight may stand under the day before."""
DUE_PAGES_MAX = 1000


class Task(NamedTuple):
    """The accounts of a shard that are due on a day, to be settled as of the run's instant."""

    day: date
    shard: int
    now: datetime


def task_of(body: str) -> Task:
    """What a message of the queue asks for."""
    task = json.loads(body)
    return Task(date.fromisoformat(task["on"]), task["shard"], datetime.fromisoformat(task["now"]))


def enqueue(now: datetime) -> int:
    """Put a message on the queue for each shard of each day since the last run to look at; how many."""
    today = local_day(now, programs.load_program().time_zone)
    last = due_index.load_day(due_index.EXPIRY_RUN)
    first = last - timedelta(days=OVERLAP_DAYS) if last else today - timedelta(days=FIRST_RUN_DAYS)
    bodies = [
        json.dumps({"on": day.isoformat(), "shard": shard, "now": now.isoformat()})
        for day in due_index.between(first, today)
        for shard in range(settings.due_shards())
    ]
    send = runtime.replaced.get("expiry_queue", _send_to_queue)
    for start in range(0, len(bodies), sqs.BATCH):
        send(bodies[start : start + sqs.BATCH])
    due_index.note_day(due_index.EXPIRY_RUN, max(today, last or today))
    return len(bodies)


def settle_due(day: date, shard: int, now: datetime) -> None:
    """Check and settle every account of a shard that is due on a day. Raises TryAgainError unless all could be settled.

    So every account with points that expire is checked against its ledger at least once in their life.
    """
    numbers = [_settled(member_id, now) for member_id in due_index.due_members(day, shard, DUE_PAGES_MAX)]
    booked, failed = sum(number or 0 for number in numbers), numbers.count(None)
    if booked or failed:
        telemetry.count(EntriesOfTime=booked, AccountsNotSettled=failed)
    if failed:
        raise TryAgainError(f"{failed} accounts could not be settled")


def _settled(member_id: str, now: datetime) -> int | None:
    """How many entries were booked; None if the account could not be settled."""
    try:
        stored = accounts.load_account(member_id)
        telemetry.report(member_id, upkeep.audit(member_id, stored))
        booked = upkeep.catch_up(member_id, now, stored)
        erasure.close_if_idle(member_id, now)
    except (TryAgainError, MemberNotFoundError, MemberNotActiveError) as error:
        extra = {"member_id": member_id, "code": error.code}
        telemetry.logger().warning("an account could not be settled", extra=extra)
        return None
    return booked


def _send_to_queue(bodies: Sequence[str]) -> None:
    sqs.send(settings.expiry_queue_url(), bodies)
