"""Messages for SQS, in the batches it takes; a message that it refuses is an error."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared import runtime
from shared.aws import answers, session
from shared.domain.errors import TryAgainError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10


def send(url: str, bodies: Sequence[str], groups: Sequence[str] = ()) -> None:
    """Put messages on a queue, at most BATCH. Raises TryAgainError if it does not take them all, or answer.

    With a group for each, a queue whose messages pile up gives those of a small group before those of a large one:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    """
    entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    if groups:
        entries = [{**entry, "MessageGroupId": group} for entry, group in zip(entries, groups, strict=True)]
    answer = answers.ask(lambda: _client().send_message_batch(QueueUrl=url, Entries=entries))
    if answer.get("Failed"):
        raise TryAgainError(f"the queue refused {len(answer['Failed'])} of {len(bodies)} messages")


def waiting(url: str) -> int:
    """About how many messages wait that nobody has taken. Raises TryAgainError if the queue is silent."""
    names: Any = ["ApproximateNumberOfMessages"]
    answer = answers.ask(lambda: _client().get_queue_attributes(QueueUrl=url, AttributeNames=names))
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def postpone(url: str, record: Mapping[str, Any], seconds: int) -> None:
    """Have a message that was received delivered again after so long. Raises TryAgainError if the queue is silent."""
    receipt = record["receiptHandle"]
    answers.ask(
        lambda: _client().change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
    )


@runtime.remembered()
def _client() -> "SQSClient":
    made: SQSClient = session.client("sqs")
    return made
