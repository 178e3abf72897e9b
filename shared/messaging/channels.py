"""Where messages and events go: to AWS, to a mailbox on one machine, or, to try a program out, to nowhere."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared import runtime, settings, telemetry
from shared.aws import answers, session
from shared.domain.errors import TryAgainError
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient

EVENTS_BATCH = 10
EVENT_SOURCE = "loyalty"
DRY_RUN = "dry_run"
REFUSALS = frozenset(
    {
        "AccountSuspendedException",
        "BadRequestException",
        "InvalidParameter",
        "InvalidParameterValue",
        "MailFromDomainNotVerifiedException",
        "MessageRejected",
        "SendingPausedException",
    }
)
"""What SES and SNS answer if another try would be refused as well: the address is at fault, or the account."""
OWN_SENDER = "-"
"""Instead of an identity that another account lends: the sender is the account's own."""
ANY_SENDER = "-"
"""Instead of a number or name that text messages come from: whichever the account has."""
MEMBER_TAG = "member_id"
"""Under which name an e-mail carries its member, so that what becomes of it finds them again."""


def current() -> runtime.Channels:
    """Where messages and events go: to AWS, unless the channels were replaced."""
    return runtime.replaced.get("channels", _AWS)


class _Aws:
    """SES, SNS and EventBridge. In a dry run messages are counted in the log, and go no further.

    A message is sent once by each call, at the pace that the mail service's rate leaves a process: its marker and the
    queue are what tries again, and a lost answer is no reason.
    """

    def __init__(self) -> None:
        self._next_at = 0.0
        runtime.on_forget(self._hurry)

    def send(self, message: Message) -> None:
        if settings.messages() == DRY_RUN:
            told = {"message_id": message.message_id, "kind": message.kind, "channel": message.channel}
            telemetry.logger().info("a message was not sent: this is a dry run", extra=told)
            return
        self._keep_pace()
        send = _send_email if message.channel == "email" else _send_text
        answers.ask_once(lambda: send(message), REFUSALS)

    def _keep_pace(self) -> None:
        now = runtime.monotonic()
        time.sleep(max(0.0, self._next_at - now))
        self._next_at = max(now, self._next_at) + settings.message_ms() / 1000

    def _hurry(self) -> None:
        self._next_at = 0.0

    def publish(self, events: Sequence[Event | PartnerEvent]) -> None:
        for start in range(0, len(events), EVENTS_BATCH):
            entries: Any = [_event_entry(event) for event in events[start : start + EVENTS_BATCH]]
            answer = _events().put_events(Entries=entries)
            if answer["FailedEntryCount"]:
                raise TryAgainError(f"the bus refused {answer['FailedEntryCount']} events")


_AWS = _Aws()


def _send_email(message: Message) -> None:
    body: Any = {"Text": {"Data": message.text}}
    if message.html is not None:
        body["Html"] = {"Data": message.html}
    content: Any = {"Subject": {"Data": message.subject}, "Body": body}
    if message.headers:
        content["Headers"] = [{"Name": name, "Value": value} for name, value in message.headers.items()]
    identity = settings.sender_identity()
    lent: Any = {} if identity == OWN_SENDER else {"FromEmailAddressIdentityArn": identity}
    _ses().send_email(
        **lent,
        ConfigurationSetName=settings.mail_settings(),
        FromEmailAddress=settings.sender_email(),
        Destination={"ToAddresses": [message.to]},
        Content={"Simple": content},
        EmailTags=[{"Name": MEMBER_TAG, "Value": message.member_id}],
    )


def _send_text(message: Message) -> None:
    sender = settings.text_sender()
    attributes: Any = {}
    if sender != ANY_SENDER:
        name = "AWS.MM.SMS.OriginationNumber" if sender.startswith("+") else "AWS.SNS.SMS.SenderID"
        attributes[name] = {"DataType": "String", "StringValue": sender}
    _sns().publish(PhoneNumber=message.to, Message=message.text, MessageAttributes=attributes)


def _event_entry(event: Event | PartnerEvent) -> dict[str, Any]:
    return {
        "Source": EVENT_SOURCE,
        "DetailType": event.type,
        "Detail": event.model_dump_json(),
        "EventBusName": settings.event_bus(),
    }


@runtime.remembered()
def _ses() -> "SESV2Client":
    made: SESV2Client = session.client("sesv2", attempts_max=1)
    return made


@runtime.remembered()
def _sns() -> "SNSClient":
    made: SNSClient = session.client("sns", attempts_max=1)
    return made


@runtime.remembered()
def _events() -> "EventBridgeClient":
    made: EventBridgeClient = session.client("events")
    return made
