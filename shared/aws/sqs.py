"""Queues of SQS: messages in the batches that it takes; a message that it refuses is an error."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import runtime
from shared.aws import answers, session
from shared.domain.errors import TryAgainError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10


class Queue(NamedTuple):
    """One queue; `url` reads the setting that has its URL. Raises TryAgainError if the queue is silent."""

    url: Callable[[], str]

    def send(self, bodies: Sequence[str], groups: Sequence[str] = ()) -> None:
        """Put messages on the queue. Raises TryAgainError if it does not take them all.

        With a group for each, a queue whose messages pile up gives those of a small group before those of a large one:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
        """
        for start in range(0, len(bodies), BATCH):
            _send(self.url(), bodies[start : start + BATCH], groups[start : start + BATCH])

    def waiting(self) -> int:
        """About how many messages wait that nobody has taken."""
        names: Any = ["ApproximateNumberOfMessages"]
        answer = answers.ask(lambda: _client().get_queue_attributes(QueueUrl=self.url(), AttributeNames=names))
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        """Have a message that was received delivered again after so long."""
        place: Any = {"QueueUrl": self.url(), "ReceiptHandle": record["receiptHandle"]}
        answers.ask(lambda: _client().change_message_visibility(**place, VisibilityTimeout=seconds))


def _send(url: str, bodies: Sequence[str], groups: Sequence[str]) -> None:
    entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    if groups:
        entries = [{**entry, "MessageGroupId": group} for entry, group in zip(entries, groups, strict=True)]
    answer = answers.ask(lambda: _client().send_message_batch(QueueUrl=url, Entries=entries))
    if answer.get("Failed"):
        raise TryAgainError(f"the queue refused {len(answer['Failed'])} of {len(bodies)} messages")


@runtime.remembered()
def _client() -> "SQSClient":
    made: SQSClient = session.client("sqs")
    return made
