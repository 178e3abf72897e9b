"""What each function needs of the cloud, in one place: its settings, its size, and what it may do to what.

A function without an entry here cannot be deployed, and a test proves every entry against what the code really does:
nothing missing, nothing unused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from shared.runtime import RunName

LOYALTY, PEOPLE = "loyalty", "people"
HISTORY, DUE = "loyalty/index/history", "loyalty/index/due"
OF_PARTNERS = "loyalty/index/partner"
PEOPLE_KEY = "people-key"
IDENTITY_SECRET = "identity-secret"  # noqa: S105 - the name of one
RUN_QUEUES: Mapping[RunName, str] = {run: f"{run}-queue" for run in get_args(RunName)}
"""Where the pages of each run wait for its workers."""
RUN_WORKERS: Mapping[RunName, str] = {
    "expiry": "expire",
    "birthdays": "birthdays",
    "reminders": "notify",
    "statements": "notify",
}
"""Which function works on the pages of which run."""
WEBHOOK_QUEUE, MESSAGE_QUEUE = "webhook-queue", "message-queue"
STREAM = "loyalty/stream"
FAILED_RECORDS, FAILED_RECORD = "failed-records", "failed-records/*"
"""The bucket of records that kept failing, and each of them."""
SCHEDULE_LETTERS = "schedule-dead-letters"
EVENT_BUS = "event-bus"
SENDER, MAIL_SETTINGS = "sender", "mail-settings"
EVERYTHING = "*"


@dataclass(frozen=True)
class Grant:
    """Actions on one resource; `keys` narrows those on a table to partition keys that look like one of them.

    All that one transaction writes to one table is in one grant: the condition sees all of its keys together.
    """

    actions: tuple[str, ...]
    on: str
    keys: tuple[str, ...] = ()
    but: str = ""
    """ARNs on which they are refused all the same."""
    reason: str = ""
    """Why it cannot name a resource, or a partition; needed for EVERYTHING, and to scan."""


@dataclass(frozen=True)
class Needs:
    """What a function has to be given."""

    settings: tuple[str, ...]
    grants: tuple[Grant, ...]
    memory_mb: int
    seconds_max: int
    is_snapshot: bool = False
    """Whether it starts from a snapshot in production."""


_PROGRAM = "PROGRAM"
_TAKE_MESSAGES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What Lambda does with a queue in the function's name."""
_SET_ASIDE_RUN = Grant(("sqs:SendMessage",), SCHEDULE_LETTERS)
"""Lambda sets a scheduled run aside, when it keeps failing, in the function's name."""
_POOL_MOVES = "POOL_MOVE#*"
"""What a member of a pool takes is drawn from there, and what comes goes there, whichever function books it."""


_REMEMBERED = "REMEMBERED#*"
"""What waits for whoever comes again, under keyed hashes."""


_SIGN_INS = "SIGN_IN#*"
"""Addresses that have asked for a code to sign in."""


_READ_STREAM = (
    # Lambda reads the stream, and keeps what goes on failing, in the function's name.
    Grant(("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"), STREAM),
    Grant(("dynamodb:ListStreams",), EVERYTHING, reason="listing streams names no stream; Lambda checks for it"),
    Grant(("s3:ListBucket",), FAILED_RECORDS),
    Grant(("s3:PutObject",), FAILED_RECORD, reason="Lambda names each object itself"),
)


def _get(table: str, *keys: str) -> Grant:
    return Grant(("dynamodb:GetItem",), table, keys)


def _book(*more: str, deletes: bool = False) -> Grant:
    """Whoever books anything also books what time has done, and puts `more` in the same transactions.

    Entries and accounts are put. A lapsed hold's reward goes back on its shelf, it pays for its order no more, and its
    points go back to the day of the partner that asked for them.
    """
    actions = ("dynamodb:PutItem", "dynamodb:UpdateItem", *(("dynamodb:DeleteItem",) if deletes else ()))
    return Grant(actions, LOYALTY, ("MEMBER#*", "ORDER#*", "REDEMPTION#*", "REWARD#*", "BUDGET#*", *more))


def _query(index: str) -> Grant:
    return Grant(("dynamodb:Query",), index)


def _work_off(run: RunName) -> tuple[Grant, Grant]:
    """Whoever works on a run's pages also lists them, hands back what it does not reach, and asks how many wait."""
    return Grant(("sqs:SendMessage",), RUN_QUEUES[run]), Grant(_TAKE_MESSAGES, RUN_QUEUES[run])


def _use_key() -> Grant:
    # DynamoDB asks for the table's key in the caller's name.
    return Grant(("kms:Decrypt",), PEOPLE_KEY)


HTTP_SECONDS_MAX = 20
"""Below API Gateway's 30, above the longest that retries on a busy account take."""
WORKER_SECONDS_MAX = 300

# Memory: what `python -m infra.bench.memory` chooses. A process takes under 70 MB, which with Lambda's own share and a
# large page is too much for 128. What waits for DynamoDB costs more in a larger size and is no quicker, so 256 for all
# but those whose first call makes its client with somebody waiting: at 256 that call would take over a second.
# Snapshots: for calls somebody waits for at a till or on a page. They cost about a dollar a month for each function,
# so not for the operator's program and not for schedules, streams and queues, where nobody waits.
NEEDS: Mapping[str, Needs] = {
    "account": Needs(
        settings=("LOYALTY_TABLE",),
        grants=(_get(LOYALTY, "MEMBER#*", "ORDER#*", _PROGRAM, "REWARD#*"), _query(HISTORY)),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "agents": Needs(
        settings=("LOYALTY_TABLE",),
        grants=(_get(LOYALTY, "MEMBER#*", _PROGRAM),),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "anybody": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", _PROGRAM),
            # Whoever unsubscribes leaves segments, and what time has done to their account is booked before.
            _book(_POOL_MOVES),
            # Whoever puts an address back has it again, with what has waited for them there.
            _get(PEOPLE, "MEMBER#*", _REMEMBERED),
            Grant(("dynamodb:PutItem", "dynamodb:DeleteItem"), PEOPLE, ("MEMBER#*", "IDENTITY#*", _REMEMBERED)),
            Grant(("dynamodb:Query",), PEOPLE, ("MEMBER#*", _REMEMBERED)),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "birthdays": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "BIRTHDAYS_QUEUE_URL", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "SCHEDULE", _PROGRAM),
            Grant(("dynamodb:PutItem",), LOYALTY, ("SCHEDULE",)),
            _book(_POOL_MOVES),
            _get(PEOPLE, "BIRTHDAY#*"),
            Grant(("dynamodb:Query",), PEOPLE, ("BIRTHDAY#*",)),
            _use_key(),
            *_work_off("birthdays"),
            _SET_ASIDE_RUN,
        ),
        memory_mb=256,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "campaigns": Needs(
        settings=("LOYALTY_TABLE",),
        grants=(_get(LOYALTY, _PROGRAM, "BUDGET#*"),),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "consent": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "ORDER#*", "ACTION#*", "BUDGET#*", _PROGRAM),
            _book("ACTION#*", "REVIEW#*", "REFERRAL#*", _POOL_MOVES, "REVIEWS"),
            _get(PEOPLE, "MEMBER#*", "IDENTITY#*", _REMEMBERED),
            Grant(("dynamodb:PutItem", "dynamodb:DeleteItem"), PEOPLE, ("MEMBER#*", "IDENTITY#*", _REMEMBERED)),
            Grant(("dynamodb:Query",), PEOPLE, (_REMEMBERED,)),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=512,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "consequences": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "ORDER#*", "REFERRAL#*", "VOUCHER#*", "CODES#*", _PROGRAM),
            _book("REFERRAL#*", "VOUCHER*", "CODES#*", _POOL_MOVES),
            _query(HISTORY),
            _get(PEOPLE, "MEMBER#*", _REMEMBERED),
            Grant(
                ("dynamodb:PutItem", "dynamodb:DeleteItem"),
                PEOPLE,
                ("MEMBER#*", "IDENTITY#*", "NAME#*", "BIRTHDAY#*", "SOURCE#*", _REMEMBERED),
            ),
            Grant(("dynamodb:Query",), PEOPLE, ("MEMBER#*",)),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
            *_READ_STREAM,
        ),
        memory_mb=256,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "earn": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "ORDER#*", "ACTION#*", "BUDGET#*", _PROGRAM),
            _book("ACTION#*", "REVIEW#*", "REFERRAL#*", _POOL_MOVES, "REVIEWS"),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "enroll": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "MERGE#*", "ORDER#*", "REVIEW#*", "GUESSES#*", "CODE#*", _PROGRAM),
            _book(
                "GUESSES#*",
                "CODE#*",
                "NOTE#*",
                "MERGE#*",
                "AUDIT#*",
                _POOL_MOVES,
                "POOL_CHANGE#*",
                "REFERRAL*",
                "REVIEW*",
            ),
            _query(HISTORY),
            Grant(("dynamodb:Query",), LOYALTY, ("MEMBER#*", "REFERRALS#*", "WAITING#*")),
            _get(PEOPLE, "MEMBER#*", "IDENTITY#*", "SOURCE#*", _REMEMBERED),
            Grant(
                ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
                PEOPLE,
                ("MEMBER#*", "IDENTITY#*", "NAME#*", "BIRTHDAY#*", "SOURCE#*", _REMEMBERED),
            ),
            Grant(("dynamodb:Query",), PEOPLE, ("NAME#*", "MEMBER#*", _REMEMBERED)),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "expire": Needs(
        settings=("LOYALTY_TABLE", "EXPIRY_QUEUE_URL", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "SCHEDULE", "VOUCHER#*", "CODES#*", _PROGRAM),
            Grant(("dynamodb:PutItem",), LOYALTY, ("SCHEDULE",)),
            # Whoever stays away is given what wins them back.
            _book("VOUCHER*", "CODES#*"),
            _query(DUE),
            _query(HISTORY),
            *_work_off("expiry"),
            _SET_ASIDE_RUN,
        ),
        memory_mb=256,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "gifts": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "GIFT#*", _PROGRAM),
            Grant(("dynamodb:Query",), LOYALTY, ("GIFT#*",)),
            _book("GIFT#*", _POOL_MOVES),
            _get(PEOPLE, "MEMBER#*"),
            Grant(("dynamodb:PutItem",), PEOPLE, ("MEMBER#*",)),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "mail_feedback": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE"),
        grants=(
            _get(LOYALTY, _PROGRAM),
            _get(PEOPLE, "MEMBER#*"),
            Grant(("dynamodb:PutItem",), PEOPLE, ("MEMBER#*",)),
            _use_key(),
            _SET_ASIDE_RUN,
        ),
        memory_mb=256,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "member_pages": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS", "PUBLIC_URL"),
        grants=(
            _get(
                LOYALTY,
                "MEMBER#*",
                "ORDER#*",
                "REDEMPTION#*",
                "REFERRAL#*",
                "REVIEW#*",
                "REWARD#*",
                "GUESSES#*",
                "CODES#*",
                _PROGRAM,
            ),
            _book(
                *("GUESSES#*", "CODE#*", "NOTE#*", "REFERRAL*", "REVIEW*", "VOUCHER_CODE#*", "CODES#*"),
                *(_POOL_MOVES, "POOL_CHANGE#*"),
            ),
            _query(HISTORY),
            Grant(("dynamodb:Query",), LOYALTY, ("MEMBER#*", "REDEMPTION#*", "REFERRALS#*", "WAITING#*")),
            _get(PEOPLE, "MEMBER#*", "IDENTITY#*", "SOURCE#*", _SIGN_INS, _REMEMBERED),
            Grant(
                ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
                PEOPLE,
                ("MEMBER#*", "IDENTITY#*", "NAME#*", "BIRTHDAY#*", "SOURCE#*", _SIGN_INS, _REMEMBERED),
            ),
            Grant(("dynamodb:Query",), PEOPLE, ("MEMBER#*", _REMEMBERED)),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "memberships": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "MEMBERSHIP#*", _PROGRAM),
            _book("MEMBERSHIP#*", _POOL_MOVES),
            _query(HISTORY),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "messages": Needs(
        settings=(
            "LOYALTY_TABLE",
            "PEOPLE_TABLE",
            "IDENTITY_KEY_SECRET_ID",
            "DUE_SHARDS",
            "MAIL_SETTINGS",
            "MESSAGE_MS",
            "MESSAGE_QUEUE_URL",
            "MESSAGES",
            "PUBLIC_URL",
            "SENDER_EMAIL",
            "SENDER_IDENTITY",
            "TEXT_SENDER",
        ),
        grants=(
            _get(LOYALTY, "MEMBER#*", _PROGRAM),
            Grant(("dynamodb:PutItem",), LOYALTY, ("MESSAGE#*", "WAITING#*")),
            Grant(("dynamodb:UpdateItem", "dynamodb:DeleteItem"), LOYALTY, ("MESSAGE#*",)),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
            _get(PEOPLE, "MEMBER#*", _SIGN_INS),
            _use_key(),
            Grant(("ses:SendEmail",), SENDER),
            # SES asks for the configuration set as well.
            Grant(("ses:SendEmail",), MAIL_SETTINGS),
            Grant(
                ("sns:Publish",),
                EVERYTHING,
                but="arn:aws:sns:*:*:*",
                reason="a text message goes to a phone number, and that is not a resource; topics are, and are refused",
            ),
            Grant(("sqs:ChangeMessageVisibility",), MESSAGE_QUEUE),
            Grant(_TAKE_MESSAGES, MESSAGE_QUEUE),
        ),
        memory_mb=256,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "notify": Needs(
        settings=(
            "LOYALTY_TABLE",
            "DUE_SHARDS",
            "EVENT_BUS",
            "MESSAGE_QUEUE_URL",
            "REMINDERS_QUEUE_URL",
            "STATEMENTS_QUEUE_URL",
            "WEBHOOK_QUEUE_URL",
        ),
        grants=(
            _get(
                LOYALTY,
                "MEMBER#*",
                "ORDER#*",
                "SCHEDULE",
                "BUDGET#*",
                "PARTNER#*",
                "RATE#*",
                "REVIEW#*",
                "ANNOUNCED#*",
                _PROGRAM,
            ),
            Grant(
                ("dynamodb:PutItem",),
                LOYALTY,
                ("SCHEDULE", "MEMBER#*", "ANNOUNCED#*", "STATEMENT#*", "PARTNER#*", "RATE#*", "REVIEW#*", "REVIEWS"),
            ),
            Grant(("dynamodb:UpdateItem",), LOYALTY, ("RATE#*",)),
            Grant(("dynamodb:DeleteItem",), LOYALTY, ("WAITING#*", "STATEMENT#*", "PARKED#*")),
            _query(DUE),
            _query(HISTORY),
            Grant(("dynamodb:Query",), LOYALTY, ("WEBHOOKS", "WAITING#*", "STATEMENT#*", "RATE#*", "PARKED#*")),
            Grant(("sqs:SendMessage",), MESSAGE_QUEUE),
            Grant(("sqs:SendMessage",), WEBHOOK_QUEUE),
            Grant(("events:PutEvents",), EVENT_BUS),
            *_work_off("reminders"),
            *_work_off("statements"),
            *_READ_STREAM,
            _SET_ASIDE_RUN,
        ),
        memory_mb=256,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "operators": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(
                LOYALTY,
                "MEMBER#*",
                "ORDER#*",
                "ACTION#*",
                "REVIEW#*",
                "REFERRAL#*",
                "BUDGET#*",
                "STATEMENTS*",
                "INSIGHTS",
                _PROGRAM,
            ),
            _book(
                "ACTION#*",
                "MERGE#*",
                "REFERRAL#*",
                "REVIEW#*",
                "REVIEWS",
                "AUDIT#*",
                "TILL_CODE#*",
                _POOL_MOVES,
                "POOL_CHANGE#*",
                _PROGRAM,
                deletes=True,
            ),
            Grant(("dynamodb:Query",), LOYALTY, ("REVIEWS", "AUDIT#*")),
            _query(HISTORY),
            _get(PEOPLE, "MEMBER#*", _REMEMBERED),
            Grant(
                ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
                PEOPLE,
                ("MEMBER#*", "IDENTITY#*", "NAME#*", "BIRTHDAY#*", "SOURCE#*", _REMEMBERED),
            ),
            Grant(("dynamodb:Query",), PEOPLE, ("MEMBER#*",)),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "orders": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "ORDER#*", "BUDGET#*", _PROGRAM),
            Grant(("dynamodb:Query",), LOYALTY, ("ORDER#*",)),
            _query(HISTORY),
            # A claim that moves much waits for another operator.
            _book("REFERRAL#*", _POOL_MOVES, "REVIEW#*", "REVIEWS", "AUDIT#*"),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "partners": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "BUDGET#*", "PARTNER#*", _PROGRAM),
            Grant(("dynamodb:PutItem", "dynamodb:UpdateItem"), LOYALTY, ("BUDGET#*", "PARTNER#*", "AUDIT#*")),
            _query(OF_PARTNERS),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "pools": Needs(
        settings=("LOYALTY_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "POOL_CHANGE#*", "POOL#*", "INVITATION#*", "GUESSES#*", _PROGRAM),
            _query(HISTORY),
            _book(_POOL_MOVES, "POOL_CHANGE#*", "POOL#*", "INVITATION#*", "GUESSES#*"),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "preferences": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", _PROGRAM),
            _book(_POOL_MOVES, "AUDIT#*"),
            _get(PEOPLE, "MEMBER#*"),
            Grant(("dynamodb:PutItem",), PEOPLE, ("MEMBER#*",)),
            _use_key(),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "program": Needs(
        settings=("LOYALTY_TABLE",),
        grants=(
            _get(LOYALTY, _PROGRAM, "BUDGET#*"),
            Grant(("dynamodb:PutItem",), LOYALTY, (_PROGRAM, "AUDIT#*", "REVIEW#*", "REVIEWS")),
            Grant(("dynamodb:UpdateItem",), LOYALTY, ("BUDGET#*",)),
            Grant(("dynamodb:Scan",), HISTORY, reason="whether there is any entry, of whomever: it reads one at most"),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "redeem": Needs(
        settings=("LOYALTY_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS"),
        grants=(
            _get(
                LOYALTY,
                "MEMBER#*",
                "ORDER#*",
                "REDEMPTION#*",
                "CODE#*",
                "GUESSES#*",
                "BUDGET#*",
                "REWARD#*",
                "VOUCHER*",
                "CODES#*",
                _PROGRAM,
            ),
            Grant(("dynamodb:Query",), LOYALTY, ("REDEMPTION#*", "VOUCHER#*")),
            _query(HISTORY),
            _book("AUDIT#*", "CODE#*", "GUESSES#*", "VOUCHER*", "CODES#*", _POOL_MOVES),
            # The key under whose hashes members' codes stand.
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "referrals": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "REFERRAL#*", _PROGRAM),
            Grant(("dynamodb:Query",), LOYALTY, ("REFERRALS#*",)),
            _get(PEOPLE, "MEMBER#*"),
            _use_key(),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "till_pages": Needs(
        settings=("LOYALTY_TABLE", "PEOPLE_TABLE", "IDENTITY_KEY_SECRET_ID", "DUE_SHARDS", "PUBLIC_URL"),
        grants=(
            _get(
                LOYALTY,
                *("MEMBER#*", "ORDER#*", "REDEMPTION#*", "REWARD#*", "BUDGET#*", "GUESSES#*", "CODE#*"),
                *("CODES#*", "VOUCHER#*", "VOUCHER_CODE#*", "TILL#*", "TILL_CODE#*", _PROGRAM),
            ),
            _book(
                *("GUESSES#*", "REFERRAL#*", "VOUCHER#*", "VOUCHER_CODE#*", "CODES#*", "TILL#*", "TILL_CODE#*"),
                _POOL_MOVES,
                deletes=True,
            ),
            _query(HISTORY),
            Grant(("dynamodb:Query",), LOYALTY, ("REDEMPTION#*", "VOUCHER#*")),
            _get(PEOPLE, "MEMBER#*", "IDENTITY#*"),
            Grant(("dynamodb:PutItem", "dynamodb:DeleteItem"), PEOPLE, ("MEMBER#*", "IDENTITY#*")),
            _use_key(),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
        is_snapshot=True,
    ),
    "transfers": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "TRANSFER#*", _PROGRAM),
            _book("TRANSFER#*", _POOL_MOVES, "AUDIT#*"),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "wallet": Needs(
        settings=("LOYALTY_TABLE", "DUE_SHARDS"),
        grants=(
            _get(LOYALTY, "MEMBER#*", "PAYOUT#*", _PROGRAM),
            _book("PAYOUT#*", _POOL_MOVES),
            _query(HISTORY),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
    "webhook_deliveries": Needs(
        settings=("LOYALTY_TABLE", "IDENTITY_KEY_SECRET_ID", "WEBHOOK_QUEUE_URL", "WEBHOOK_TARGETS"),
        grants=(
            _get(LOYALTY, "WEBHOOKS"),
            Grant(("dynamodb:PutItem",), LOYALTY, ("WEBHOOKS", "WEBHOOK#*")),
            Grant(("dynamodb:UpdateItem",), LOYALTY, ("PARKED#*",)),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
            Grant(("sqs:ChangeMessageVisibility",), WEBHOOK_QUEUE),
            Grant(_TAKE_MESSAGES, WEBHOOK_QUEUE),
        ),
        memory_mb=256,
        seconds_max=WORKER_SECONDS_MAX,
    ),
    "webhooks": Needs(
        settings=("LOYALTY_TABLE", "IDENTITY_KEY_SECRET_ID", "WEBHOOK_QUEUE_URL", "WEBHOOK_TARGETS"),
        grants=(
            _get(LOYALTY, "WEBHOOKS", "MEMBER#*"),
            Grant(("dynamodb:Query",), LOYALTY, ("WEBHOOKS", "WEBHOOK#*")),
            Grant(("dynamodb:PutItem", "dynamodb:DeleteItem"), LOYALTY, ("WEBHOOKS",)),
            Grant(("dynamodb:PutItem",), LOYALTY, ("AUDIT#*", "MEMBER#*")),
            _query(HISTORY),
            Grant(("secretsmanager:GetSecretValue",), IDENTITY_SECRET),
            Grant(("sqs:SendMessage",), WEBHOOK_QUEUE),
        ),
        memory_mb=256,
        seconds_max=HTTP_SECONDS_MAX,
    ),
}
