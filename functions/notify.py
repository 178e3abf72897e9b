"""Ledger stream and schedule in, events and messages out.

The stream delivers each entry at least once; events carry the entry's id and messages a marker, so a repeated delivery
does no harm. A record that fails is reported alone and never keeps the others from being told.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from shared import clock, deliveries, people, settings, store, telemetry, webhook_queue, webhooks
from shared.domain.account import Entry
from shared.domain.calendar import local_day
from shared.domain.errors import MemberNotFoundError, TryAgainError
from shared.domain.invariants import standing_breaches
from shared.domain.messages import Event, Message, Note, addressed, event_of, notes_on, reminder_note
from shared.domain.program import Program
from shared.domain.settling import reminders_to_send, settle

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient

FIRST_RUN_DAYS = 31
OVERLAP_DAYS = 31
"""An account that time has changed stands under that day until the change is booked, which may be a month late."""
DUE_PAGES_MAX = 1000
EVENTS_BATCH = 10
EVENT_SOURCE = "loyalty"


class Outbox(Protocol):
    """Where messages and events go."""

    def send(self, message: Message) -> None:
        """Deliver a message by its channel."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events for other systems."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the ledger's stream, each record failing alone, or the schedule (`{"time": ...}`)."""
    if "Records" not in event:
        return {"reminders": remind(datetime.fromisoformat(event["time"]))}
    failed = [record for record in event["Records"] if not _told(record)]
    return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in failed]}


def tell(entry: Entry) -> None:
    """Publish an entry's event, and send what its member is told of it."""
    event = event_of(entry)
    outbox().publish([event])
    webhook_queue.enqueue((webhook, event) for webhook in webhooks.remembered() if webhook.wants(event.type))
    telemetry.count(**_amounts(entry))
    program, now = store.load_program(), clock.now()
    account = store.load_account(entry.member_id).account
    telemetry.report(entry.member_id, standing_breaches(account))
    account = settle(account, program, max(now, account.booked_at or now)).account
    notes = list(notes_on(entry, account, program))
    if notes:
        _send_all(entry.member_id, notes, program, now)


def remind(now: datetime) -> int:
    """Send the reminders due since the last run; to how many members."""
    today = local_day(now, store.load_program().time_zone)
    last = store.load_day(store.REMINDER_RUN) or today - timedelta(days=FIRST_RUN_DAYS)
    first = last - timedelta(days=OVERLAP_DAYS)
    reminded, failed = 0, 0
    for offset in range((today - first).days + 1):
        for shard in range(settings.due_shards()):
            for member_id in store.due_members(first + timedelta(days=offset), shard, DUE_PAGES_MAX):
                try:
                    reminded += _remind(member_id, today, now)
                except (TryAgainError, MemberNotFoundError) as error:
                    failed += 1
                    extra = {"member_id": member_id, "code": error.code}
                    telemetry.logger().warning("a member could not be reminded", extra=extra)
    if failed:
        raise TryAgainError(f"{failed} members could not be reminded; the next run begins where this one did")
    store.note_day(store.REMINDER_RUN, max(today, last))
    return reminded


def use(outbox: Outbox) -> None:
    """Hand messages and events to `outbox` instead of to AWS: on one machine they go to a mailbox."""
    global _outbox  # noqa: PLW0603 - one process, one outbox
    _outbox = outbox


def outbox() -> Outbox:
    """Where messages and events go: to AWS, unless the process was told otherwise."""
    return _outbox or _aws()


_outbox: Outbox | None = None


def _told(record: Mapping[str, Any]) -> bool:
    image = record["dynamodb"].get("NewImage", {})
    if record.get("eventName") != "INSERT" or "type" not in image:
        return True
    try:
        tell(store.entry_of(image))
    except Exception:
        telemetry.logger().exception("an entry could not be told of")
        return False
    return True


def _remind(member_id: str, today: date, now: datetime) -> int:
    program = store.load_program()
    stored = store.load_account(member_id)
    account = settle(stored.account, program, max(now, stored.account.booked_at or now)).account
    due = reminders_to_send(account, program, stored.reminded_on, today)
    if due:
        _send_all(member_id, [reminder_note(member_id, reminder, today) for reminder in due], program, now)
    if stored.reminded_on < today and stored.due_on and stored.due_on <= today:
        store.mark_reminded(stored, today)
    return 1 if due else 0


def _send_all(member_id: str, notes: Sequence[Note], program: Program, now: datetime) -> None:
    member = people.load_member(member_id).member
    for note in notes:
        message = addressed(note, member, program)
        if message is not None and deliveries.claim(message.message_id, now):
            try:
                outbox().send(message)
            except Exception:
                deliveries.release(message.message_id)
                raise
            deliveries.mark_sent(message.message_id, now)


def _amounts(entry: Entry) -> dict[str, int]:
    names = {"enroll": "PointsEarned", "earn": "PointsEarned", "refund": "PointsTakenBack", "expiry": "PointsExpired"}
    if entry.type == "capture":
        return {"PointsRedeemed": -entry.held_effect}
    return {names.get(entry.type, "OtherEntries"): abs(entry.points) if entry.type in names else 1}


class _Aws:
    """E-mail by SES, SMS by SNS, events by EventBridge."""

    def send(self, message: Message) -> None:
        if message.channel == "sms":
            _sns().publish(PhoneNumber=message.to, Message=message.text)
            return
        content: Any = {"Simple": {"Subject": {"Data": message.subject}, "Body": {"Text": {"Data": message.text}}}}
        _ses().send_email(
            FromEmailAddress=settings.sender_email(), Destination={"ToAddresses": [message.to]}, Content=content
        )

    def publish(self, events: Sequence[Event]) -> None:
        for start in range(0, len(events), EVENTS_BATCH):
            entries: Any = [
                {
                    "EventBusName": settings.event_bus(),
                    "Source": EVENT_SOURCE,
                    "DetailType": event.type,
                    "Detail": event.model_dump_json(),
                }
                for event in events[start : start + EVENTS_BATCH]
            ]
            answer = _events().put_events(Entries=entries)
            if answer["FailedEntryCount"]:
                raise TryAgainError(f"the event bus refused {answer['FailedEntryCount']} events")


@cache
def _aws() -> Outbox:
    return _Aws()


@cache
def _ses() -> "SESV2Client":
    import boto3  # noqa: PLC0415 - importing this module makes no client

    return boto3.client("sesv2")


@cache
def _sns() -> "SNSClient":
    import boto3  # noqa: PLC0415

    return boto3.client("sns")


@cache
def _events() -> "EventBridgeClient":
    import boto3  # noqa: PLC0415

    return boto3.client("events")
