"""Where work waits, and where it ends up when it keeps failing."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cloud.permissions import RUN_QUEUES, WORKER_SECONDS_MAX
from shared.domain.telling import webhooks
from shared.messaging import message_queue

ATTEMPTS_MAX = 5
LETTERS_DAYS = 14
VISIBILITY_SECONDS = 6 * WORKER_SECONDS_MAX
"""Lambda's own advice: six times what a worker may take, so that a throttled batch is not handed out twice."""


@dataclass(frozen=True)
class Queues:
    """The queues of runs, of webhooks and of messages, and dead letters for each way that work comes in."""

    runs: Mapping[str, sqs.Queue]
    webhooks: sqs.Queue
    messages: sqs.Queue
    run_letters: Mapping[str, sqs.Queue]
    webhook_letters: sqs.Queue
    message_letters: sqs.Queue
    failed_records: sqs.Queue
    """Notices of them: they themselves are in a bucket."""
    schedule_letters: sqs.Queue

    @property
    def dead_letters(self) -> dict[str, sqs.Queue]:
        """The queues that ought to be empty, by what they catch."""
        return {
            **self.run_letters,
            "webhook": self.webhook_letters,
            "message": self.message_letters,
            "stream": self.failed_records,
            "schedule": self.schedule_letters,
        }


def add_queues(scope: Construct) -> Queues:
    """All queues: encrypted, and closed to plain HTTP."""
    letters = {name: _letters(scope, name) for name in ("Webhook", "Message", "Stream", "Schedule")}
    run_letters: Mapping[str, sqs.Queue] = {run: _letters(scope, run.capitalize()) for run in RUN_QUEUES}
    return Queues(
        runs={run: _queue(scope, run.capitalize(), run_letters[run], ATTEMPTS_MAX) for run in RUN_QUEUES},
        webhooks=_queue(scope, "Webhook", letters["Webhook"], webhooks.ATTEMPTS_MAX),
        messages=_queue(scope, "Message", letters["Message"], message_queue.ATTEMPTS_MAX),
        run_letters=run_letters,
        webhook_letters=letters["Webhook"],
        message_letters=letters["Message"],
        failed_records=letters["Stream"],
        schedule_letters=letters["Schedule"],
    )


def _queue(scope: Construct, name: str, letters: sqs.Queue, attempts_max: int) -> sqs.Queue:
    return sqs.Queue(
        scope,
        f"{name}Queue",
        dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=attempts_max, queue=letters),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(LETTERS_DAYS),
        visibility_timeout=Duration.seconds(VISIBILITY_SECONDS),
        removal_policy=RemovalPolicy.DESTROY,
    )


def _letters(scope: Construct, name: str) -> sqs.Queue:
    return sqs.Queue(
        scope,
        f"{name}DeadLetters",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(LETTERS_DAYS),
        removal_policy=RemovalPolicy.DESTROY,
    )
