"""What each function needs of the cloud, in one place: its settings, its size, and what it may do to what.

A function without an entry here cannot be deployed, and a test proves every entry against what the code really does:
nothing missing, nothing unused.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LOYALTY, PEOPLE = "loyalty", "people"
HISTORY, DUE = "loyalty/index/history", "loyalty/index/due"
PEOPLE_KEY = "people-key"
IDENTITY_SECRET = "identity-secret"  # noqa: S105 - the name of one
EXPIRY_QUEUE, WEBHOOK_QUEUE = "expiry-queue", "webhook-queue"
STREAM = "loyalty/stream"
STREAM_LETTERS, SCHEDULE_LETTERS = "stream-dead-letters", "schedule-dead-letters"
EVENT_BUS = "event-bus"
SENDER = "sender"
EVERYTHING = "*"


@dataclass(frozen=True)
class Grant:
    """Actions on one resource; `keys` narrows those on a table to partition keys that look like one of them.

    Whatever one transaction writes to one table stands in one grant: the condition sees all of its keys together.
    """

    actions: tuple[str, ...]
    on: str
    keys: tuple[str, ...] = ()
    reason: str = ""
    """Why it cannot name a resource; needed for EVERYTHING."""


@dataclass(frozen=True)
class Needs:
    """What a function has to be given."""

    settings: tuple[str, ...]
    grants: tuple[Grant, ...]
    memory_mb: int
    seconds_max: int
    is_snapshot: bool = False
    """Whether it starts from a snapshot in production."""


_READ_PROGRAM = "PROGRAM"
_TAKE_MESSAGES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What Lambda does with a queue in the function's name."""
_SET_ASIDE_RUN = Grant(("sqs:SendMessage",), SCHEDULE_LETTERS)
"""Lambda sets a scheduled run aside, when it keeps failing, in the function's name."""
_BOOK_TIME = ("dynamodb:PutItem", "dynamodb:UpdateItem")
"""Entries and accounts are put; a lapsed hold's reward goes back on its shelf."""


def _get(table: str, *keys: str) -> Grant:
    return Grant(("dynamodb:GetItem",), table, keys)


def _query(index: str) -> Grant:
    return Grant(("dynamodb:Query",), index)


def _use_key() -> Grant:
    # DynamoDB asks for the table's key in the caller's name.
    return Grant(("kms:Decrypt",), PEOPLE_KEY)


HTTP_SECONDS_MAX = 20
"""Below API Gateway's 30, above the longest that retries on a busy account take."""
WORKER_SECONDS_MAX = 300

# Memory: an operation takes 3 to 10 ms of a whole processor; 512 MB bring 0.29 of one, so 10 to 35 ms. Below that a
# cold start, which takes 0.3 s of a whole processor, is felt; above it an operation waits for DynamoDB all the same.
# Snapshots: for calls somebody waits for at a till or on a page. They cost about two dollars a month for each function,
# so not for the operator's program and not for schedules, streams and queues, where nobody waits.
NEEDS: Mapping[str, Needs] = {
    "account": Needs(
        settings=("LOYALTY_TABLE",),
        grants=(_get(LOYALTY, "MEMBER#*", _READ_PROGRAM, "REWARD#*"), _query(HISTORY)),
        memory_mb=512,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "deliver": Needs(
        settings=("LOYALTY_TABLE", "IDENTITY_KEY_SECRET_ID", "WEBHOOK_QUEUE_URL", "WEBHOOK_TARGETS"),
        grants=(
            _get(LOYALTY, "WEBHOOKS"),
            Grant(("dynamodb:PutItem",), LOYALTY, ("WEBHOOKS", "WEBHOOK#*")),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
            Grant(("sqs:ChangeMessageVisibility",), WEBHOOK_QUEUE),
            Grant(_TAKE_MESSAGES, WEBHOOK_QUEUE),
        ),
        memory_mb=512,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "earn": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "ORDER#*", "ACTION#*", "TRANSFER#*", _READ_PROGRAM),
            Grant(_BOOK_TIME, LOYALTY, ("MEMBER#*", "ORDER#*", "ACTION#*", "TRANSFER#*", "REDEMPTION#*", "REWARD#*")),
        ),
        memory_mb=512,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "enroll": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "MERGE#*", _READ_PROGRAM),
            Grant(_BOOK_TIME, LOYALTY, ("MEMBER#*", "MERGE#*", "REDEMPTION#*", "REWARD#*")),
            _query(HISTORY),
            _get(PEOPLE, "MEMBER#*", "IDENTITY#*"),
            Grant(
                ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"), PEOPLE, ("MEMBER#*", "IDENTITY#*")
            ),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=512,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "expire": Needs(
        settings=("LOYALTY_TABLE", "EXPIRY_QUEUE_URL", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "SCHEDULE", _READ_PROGRAM),
            Grant(("dynamodb:PutItem",), LOYALTY, ("SCHEDULE",)),
            Grant(_BOOK_TIME, LOYALTY, ("MEMBER#*", "REDEMPTION#*", "REWARD#*")),
            _query(DUE),
            _query(HISTORY),
            Grant(("sqs:SendMessage",), EXPIRY_QUEUE),
            Grant(_TAKE_MESSAGES, EXPIRY_QUEUE),
            _SET_ASIDE_RUN,
        ),
        memory_mb=512,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "notify": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "DUE_SHARDS", "EVENT_BUS", "SENDER_EMAIL", "WEBHOOK_QUEUE_URL"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "SCHEDULE", _READ_PROGRAM),
            Grant(("dynamodb:PutItem",), LOYALTY, ("SCHEDULE", "MEMBER#*", "MESSAGE#*")),
            Grant(("dynamodb:UpdateItem", "dynamodb:DeleteItem"), LOYALTY, ("MESSAGE#*",)),
            _query(DUE),
            Grant(("dynamodb:Query",), LOYALTY, ("WEBHOOKS",)),
            Grant(("sqs:SendMessage",), WEBHOOK_QUEUE),
            _get(PEOPLE, "MEMBER#*"),
            _use_key(),
            Grant(("events:PutEvents",), EVENT_BUS),
            Grant(("ses:SendEmail",), SENDER),
            Grant(("sns:Publish",), EVERYTHING, reason="a text message goes to a phone number, which is no resource"),
            # Lambda reads the stream, and drops what keeps failing, in the function's name.
            Grant(("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"), STREAM),
            Grant(
                ("dynamodb:ListStreams",), EVERYTHING, reason="listing streams names no stream; Lambda checks for it"
            ),
            Grant(("sqs:SendMessage",), STREAM_LETTERS),
            _SET_ASIDE_RUN,
        ),
        memory_mb=512,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "program": Needs(
        settings=("LOYALTY_TABLE",),
        grants=(_get(LOYALTY, _READ_PROGRAM), Grant(("dynamodb:PutItem",), LOYALTY, (_READ_PROGRAM,))),
        memory_mb=512,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "redeem": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "REDEMPTION#*", _READ_PROGRAM),
            Grant(("dynamodb:Query",), LOYALTY, ("REDEMPTION#*",)),
            Grant(_BOOK_TIME, LOYALTY, ("MEMBER#*", "REDEMPTION#*", "REWARD#*")),
        ),
        memory_mb=512,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "webhooks": Needs(
        settings=("LOYALTY_TABLE", "IDENTITY_KEY_SECRET_ID", "WEBHOOK_QUEUE_URL", "WEBHOOK_TARGETS"),
        grants=(
            _get(LOYALTY, "WEBHOOKS", "MEMBER#*"),
            Grant(("dynamodb:Query",), LOYALTY, ("WEBHOOKS", "WEBHOOK#*")),
            Grant(("dynamodb:PutItem", "dynamodb:DeleteItem"), LOYALTY, ("WEBHOOKS",)),
            _query(HISTORY),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
            Grant(("sqs:SendMessage",), WEBHOOK_QUEUE),
        ),
        memory_mb=512,
        seconds_max=HTTP_SECONDS_MAX,
    ),
}
