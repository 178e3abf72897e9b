"""What becomes of a message when the services that send it refuse, ask to wait, or do not answer."""

import io
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from shared import runtime, settings
from shared.aws import session
from shared.domain.errors import TryAgainError
from shared.domain.telling.notifications import Note
from shared.messaging import channels, message_queue
from shared.tables import sent_messages
from tests.functions.message_queue import MessageQueue
from tests.functions.shop import Shop, stored

NOWHERE = "https://nowhere.invalid/"
BY_MAIL = {
    "AccountSuspendedException",
    "BadRequestException",
    "MailFromDomainNotVerifiedException",
    "MessageRejected",
    "SendingPausedException",
}
BY_TEXT = {"InvalidParameter", "InvalidParameterValue"}
POINTS = {"points": 5}
Answer = Callable[[], tuple[int, str]]


class Asked(NamedTuple):
    """A request to a service, as it went out."""

    service: str
    body: str


class Services:
    """SES and SNS: they do as they are told, whatever they are asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Answer = self.take

    def take(self) -> tuple[int, str]:
        """Take a message."""
        if self.asked[-1].service == "sesv2":
            return 200, json.dumps({"MessageId": "m"})
        return 200, "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>"

    def refuse(self, code: str, status: int = 400) -> None:
        """Refuse from now on."""
        mail, text = json.dumps({"code": code}), f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
        self.answer = lambda: (status, mail if self.asked[-1].service == "sesv2" else text)

    def fail(self, error: Exception) -> None:
        """Let no answer through."""

        def failing() -> tuple[int, str]:
            raise error

        self.answer = failing

    def sending(self, service: str, request: AWSPreparedRequest) -> AWSResponse:
        body = request.body or b""
        self.asked.append(Asked(service, body.decode() if isinstance(body, bytes) else str(body)))
        status, text = self.answer()
        headers: Any = {"x-amzn-errortype": json.loads(text).get("code", "")} if text.startswith("{") else {}
        raw: Any = SimpleNamespace(stream=lambda *_, **__: iter([text.encode()]), read=io.BytesIO(text.encode()).read)
        return AWSResponse(NOWHERE, status, headers, raw)


@pytest.fixture
def services(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    assert shop
    made, connect = Services(), session.client

    def connected(service: str, *arguments: Any, **options: Any) -> Any:
        one = connect(service, *arguments, **options)
        one.meta.events.register_first(
            "before-send", lambda request, **_: made.sending(service, request), unique_id="in their place"
        )
        return one

    monkeypatch.setattr(session, "client", connected)
    settings = {"SENDER_EMAIL": "club@shop.example", "MAIL_SETTINGS": "cafe-prod", "MESSAGE_MS": "0"}
    senders = {"SENDER_IDENTITY": channels.OWN_SENDER, "TEXT_SENDER": channels.ANY_SENDER}
    for name, value in {**settings, **senders}.items():
        monkeypatch.setenv(name, value)
    runtime.forget()
    yield made
    runtime.forget()


@pytest.fixture
def queue() -> Iterator[MessageQueue]:
    kept = MessageQueue()
    with runtime.use(message_queue=kept):
        yield kept


def _tell(member: str) -> None:
    message_queue.enqueue([Note(message_id=f"welcome:{member}", member_id=member, kind="welcome", values=POINTS)])


@pytest.mark.parametrize(
    ("code", "address"),
    [
        *((code, {"email": "ada@example.org"}) for code in sorted(BY_MAIL)),
        *((code, {"phone": "+1 212 555 0100"}) for code in sorted(BY_TEXT)),
    ],
)
def test_what_is_refused_for_good_is_counted_and_never_tried_again(
    shop: Shop,
    services: Services,
    queue: MessageQueue,
    counted: list[dict[str, int]],
    code: str,
    address: dict[str, str],
) -> None:
    services.refuse(code)
    member = shop.enroll(**address)
    for _ in range(2):
        _tell(member)
    assert (len(services.asked), queue.waiting, queue.waits) == (1, [], [])
    assert counted == [{"MessagesRefused": 1}]
    assert {*BY_MAIL, *BY_TEXT} == channels.REFUSALS


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=NOWHERE),
        ConnectionClosedError(endpoint_url=NOWHERE),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("address", [{"email": "ada@example.org"}, {"phone": "+1 212 555 0100"}], ids=["mail", "text"])
def test_a_lost_answer_sends_one_message(
    shop: Shop,
    services: Services,
    queue: MessageQueue,
    counted: list[dict[str, int]],
    error: Exception,
    address: dict[str, str],
) -> None:
    services.fail(error)
    member = shop.enroll(**address)
    for _ in range(3):
        _tell(member)
    assert (len(services.asked), queue.waiting) == (1, [])
    assert counted == [{"MessagesUnanswered": 1}]


@pytest.mark.parametrize(
    "trouble",
    [
        lambda services: services.refuse("TooManyRequestsException", 429),
        lambda services: services.refuse("Throttling"),
        lambda services: services.refuse("InternalServiceErrorException", 500),
        lambda services: services.refuse("AccessDeniedException", 403),
        lambda services: services.fail(ConnectTimeoutError(endpoint_url=NOWHERE)),
        lambda services: services.fail(EndpointConnectionError(endpoint_url=NOWHERE)),
    ],
    ids=["too many", "too fast", "broken", "not allowed", "no connection in time", "no connection"],
)
def test_what_was_surely_not_sent_waits_and_is_sent_once(
    shop: Shop, services: Services, queue: MessageQueue, trouble: Callable[[Services], None]
) -> None:
    trouble(services)
    member = shop.enroll(email="ada@example.org")
    _tell(member)
    assert (len(services.asked), queue.waits) == (1, [message_queue.RETRY_SECONDS[0]])
    services.answer = services.take
    for _ in range(2):
        queue.deliver()
    _tell(member)
    assert (len(services.asked), queue.waiting) == (2, [])


AGREED = {"terms_version": "1", "marketing": {"email": True}}


def _offer(member: str) -> Note:
    return Note(
        message_id=f"offer:{member}", member_id=member, kind="points_earned", values={**POINTS, "available_on": None}
    )


def _counted(member: str) -> list[str]:
    """How many offers of a week are counted."""
    items = [item for item in stored(settings.loyalty_table()) if item["pk"]["S"] == f"MESSAGE#{member}"]
    return [item["messages"]["N"] for item in items if "messages" in item]


def _failing(_: str, *__: object) -> int:
    raise TryAgainError("the database is silent")


def test_an_offer_that_could_not_be_counted_is_not_sent_and_waits(
    shop: Shop, services: Services, queue: MessageQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.change_program(messages={"marketing_per_week": 1})
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    with monkeypatch.context() as patch:
        patch.setattr(sent_messages, "count", _failing)
        message_queue.enqueue([_offer(member)])
    assert (services.asked, len(queue.waiting), _counted(member)) == ([], 1, [])
    queue.deliver()
    assert (len(services.asked), queue.waiting, _counted(member)) == (1, [], ["1"])


@pytest.mark.parametrize("code", ["Throttling", "MessageRejected"])
def test_what_has_become_of_an_offer_is_noted_though_its_count_cannot_be_put_right(
    shop: Shop, services: Services, queue: MessageQueue, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    shop.change_program(messages={"marketing_per_week": 2})
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    services.refuse(code)
    with monkeypatch.context() as patch:
        patch.setattr(sent_messages, "uncount", _failing)
        message_queue.enqueue([_offer(member)])
    assert (len(services.asked), len(queue.waiting)) == (1, 1)
    services.answer = services.take
    queue.deliver()
    assert (len(services.asked), queue.waiting) == (2 if code == "Throttling" else 1, [])


def test_one_members_refused_address_holds_up_nobody_elses_message(
    shop: Shop, services: Services, queue: MessageQueue
) -> None:
    ada, bob = shop.enroll("ada", email="ada@example.org"), shop.enroll("bob", email="bob@example.org")
    rejected = json.dumps({"code": "MessageRejected"})
    services.answer = lambda: (400, rejected) if "ada@" in services.asked[-1].body else services.take()
    message_queue.enqueue(
        Note(message_id=f"m:{member}", member_id=member, kind="welcome", values=POINTS) for member in (ada, bob)
    )
    assert ["bob@" in asked.body for asked in services.asked] == [False, True]
    assert queue.waiting == []


def test_a_sender_that_died_leaves_the_message_to_the_next_delivery(
    shop: Shop, services: Services, queue: MessageQueue
) -> None:
    def killed() -> tuple[int, str]:
        raise KeyboardInterrupt

    services.answer = killed
    member = shop.enroll(email="ada@example.org")
    with pytest.raises(KeyboardInterrupt):
        _tell(member)
    services.answer = services.take
    _tell(member)
    assert len(services.asked) == 1, "another may be about to send it"
    shop.pass_time(minutes=6)
    _tell(member)
    assert (len(services.asked), queue.waiting) == (2, [])


@pytest.mark.parametrize(
    ("sender", "attribute"),
    [("+12125550100", "AWS.MM.SMS.OriginationNumber"), ("Cafe", "AWS.SNS.SMS.SenderID"), (channels.ANY_SENDER, None)],
)
def test_a_text_message_comes_from_whom_the_shop_says(
    shop: Shop, services: Services, monkeypatch: pytest.MonkeyPatch, sender: str, attribute: str | None
) -> None:
    monkeypatch.setenv("TEXT_SENDER", sender)
    _tell(shop.enroll(phone="+1 212 555 0100"))
    [asked] = services.asked
    assert ("MessageAttributes" in asked.body) == (attribute is not None)
    assert attribute is None or attribute in asked.body


def test_an_e_mail_names_the_settings_by_which_its_bounces_are_heard_of(shop: Shop, services: Services) -> None:
    _tell(shop.enroll(email="ada@example.org"))
    assert json.loads(services.asked[0].body)["ConfigurationSetName"] == "cafe-prod"


@pytest.mark.parametrize("identity", [channels.OWN_SENDER, "arn:aws:ses:us-east-1:210987654321:identity/shop.example"])
def test_an_e_mail_names_the_identity_that_another_account_lends(
    shop: Shop, services: Services, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    monkeypatch.setenv("SENDER_IDENTITY", identity)
    _tell(shop.enroll(email="ada@example.org"))
    expected = None if identity == channels.OWN_SENDER else identity
    assert json.loads(services.asked[0].body).get("FromEmailAddressIdentityArn") == expected


def test_messages_keep_to_the_mail_services_rate(
    shop: Shop, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is left five a second takes 200 ms for each, those included that it takes anyhow."""
    monkeypatch.setenv("MESSAGE_MS", "200")
    passed, slept = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        passed[0] += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    members = [shop.enroll(f"m-{number}", email=f"m{number}@example.org") for number in range(3)]
    with runtime.use(monotonic=lambda: passed[0]):
        for member in members:
            message_queue.enqueue([Note(message_id=f"m:{member}", member_id=member, kind="welcome", values=POINTS)])
            passed[0] += 0.05
    assert (slept, len(services.asked)) == ([0.0, 0.15, 0.15], 3)
