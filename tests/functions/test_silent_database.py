"""Whatever DynamoDB answers, or does not, a caller hears `try_again` in time, and nothing is booked twice."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from infra.cloud.permissions import NEEDS
from shared import runtime
from shared.aws import session
from tests.functions.shop import OPERATOR, Reply, Shop

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HTML = b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
HTTP_SECONDS = NEEDS["earn"].seconds_max
SECONDS_OF_A_REQUEST = session.CONNECT_SECONDS + session.READ_SECONDS
NOWHERE = "https://nowhere.invalid/"
WORTH = 12
"""Points that an order of 10.00 brings ada, who is in the second tier."""
READ, WRITE, READ_TOGETHER = "GetItem", "TransactWriteItems", "TransactGetItems"


def refusal(code: str, reasons: list[str] | None = None) -> bytes:
    body: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "made up"}
    if reasons is not None:
        body["CancellationReasons"] = [{"Code": one} for one in reasons]
    return json.dumps(body).encode()


PASSING: dict[str, tuple[int, bytes]] = {
    "503 with a page": (503, HTML),
    "503 with nothing": (503, b""),
    "503 with words": (503, b"Service Unavailable"),
    "502": (502, HTML),
    "504": (504, b""),
    "500 by another name": (500, refusal("InternalFailure")),
    "500": (500, refusal("InternalServerError")),
    "503 by another name": (503, refusal("ServiceUnavailableException")),
    "429": (429, b""),
    "408": (408, b""),
    "too fast": (400, refusal("ThrottlingException")),
    "far too fast": (400, refusal("ProvisionedThroughputExceededException")),
    "a token mistaken for another": (400, refusal("IdempotentParameterMismatchException")),
    "old credentials": (400, refusal("ExpiredTokenException")),
    "too slow": (400, refusal("RequestTimeout")),
    "a success that is no JSON": (200, HTML),
    "a success that is cut": (200, b'{"Item": {"pk": {"S": "MEM'),
    "a success with nothing": (200, b""),
    "a success of another kind": (200, b"[1]"),
}
OF_WRITES: dict[str, tuple[int, bytes]] = {
    "another's write": (400, refusal("TransactionCanceledException", ["TransactionConflict"])),
    "another's write and a mistake": (
        400,
        refusal("TransactionCanceledException", ["TransactionConflict", "ValidationError"]),
    ),
    "no reason": (400, refusal("TransactionCanceledException", [])),
    "no reason worth a name": (400, refusal("TransactionCanceledException", ["None", "None"])),
}


class Answers:
    """Answers requests in DynamoDB's place, by name, as long as it is told to; time passes as it does meanwhile."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.seconds = 0.0
        self.sent: list[str] = []
        self._answers: dict[str, Callable[[Any], Any]] = {}
        client.meta.events.register_first("before-send", self._sending)
        self.close = lambda: client.meta.events.unregister("before-send", self._sending)

    def answer(self, name: str, status: int, body: bytes, *, carries_out: bool = False, seconds: float = 0) -> None:
        """Answer requests so, after so long; moto never sees them, unless they are carried out all the same."""

        def answer(request: Any) -> AWSResponse:
            self.sleep(seconds)
            if not carries_out:
                request.url = NOWHERE
            headers: Any = {}
            return AWSResponse(request.url, status, headers, SimpleNamespace(stream=lambda: iter([body])))

        self._answers[name] = answer

    def hang(self, *names: str) -> None:
        self._answers.update(dict.fromkeys(names, self._hang))

    def recover(self) -> None:
        self._answers.clear()
        self.seconds += HTTP_SECONDS

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def _hang(self, request: Any) -> None:
        self.sleep(SECONDS_OF_A_REQUEST)
        raise ReadTimeoutError(endpoint_url=request.url)

    def _sending(self, request: Any, **_: Any) -> Any:
        name = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        answer = self._answers.get(name)
        if answer is None:
            return None
        self.sent.append(name)
        return answer(request)


@pytest.fixture
def answers(database: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    made = Answers(database)
    waits = SimpleNamespace(sleep=made.sleep)
    monkeypatch.setattr("botocore.endpoint.time", waits)
    monkeypatch.setattr("shared.tables.client.time", waits)
    with runtime.use(monotonic=lambda: made.seconds):
        yield made
    made.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def ada(shop: Shop) -> str:
    member = shop.enroll("ada", email="ada@example.org")
    shop.order(member, total=60_000)
    shop.redeem(member, key="held")
    return member


def in_time(answers: Answers, ask: Callable[[], Reply]) -> Reply:
    """The reply of a function that has its time, which is not over by then."""
    ends_at = answers.seconds + HTTP_SECONDS
    with runtime.within(HTTP_SECONDS):
        reply = ask()
    assert answers.seconds < ends_at - 0.5
    return reply


def assert_to_be_tried_again(reply: Reply) -> None:
    assert (reply.status, reply.code) == (503, "try_again"), reply
    assert reply.headers["Retry-After"] == "1"


@pytest.mark.parametrize("name", [READ, WRITE])
@pytest.mark.parametrize(("status", "body"), PASSING.values(), ids=PASSING)
def test_what_passes_is_answered_with_try_again(
    shop: Shop, ada: str, answers: Answers, name: str, status: int, body: bytes
) -> None:
    before = shop.balance(ada)
    answers.answer(name, status, body)
    assert_to_be_tried_again(in_time(answers, lambda: shop.order(ada, "A-2", 1000)))
    answers.recover()
    assert shop.balance(ada) == before
    assert in_time(answers, lambda: shop.order(ada, "A-2", 1000)).status == 201
    assert in_time(answers, lambda: shop.order(ada, "A-2", 1000)).replayed
    assert shop.balance(ada) == before + WORTH


@pytest.mark.parametrize(("status", "body"), PASSING.values(), ids=PASSING)
def test_what_was_written_all_the_same_is_answered_as_done(
    shop: Shop, ada: str, answers: Answers, status: int, body: bytes
) -> None:
    before = shop.balance(ada)
    answers.answer(WRITE, status, body, carries_out=True)
    reply = in_time(answers, lambda: shop.order(ada, "A-2", 1000))
    assert (reply.status, reply.replayed) == (200, True)
    assert shop.balance(ada) == before + WORTH


@pytest.mark.parametrize(("status", "body"), OF_WRITES.values(), ids=OF_WRITES)
def test_a_transaction_that_others_may_have_stopped_is_answered_with_try_again(
    shop: Shop, ada: str, answers: Answers, status: int, body: bytes
) -> None:
    answers.answer(WRITE, status, body)
    assert_to_be_tried_again(in_time(answers, lambda: shop.order(ada, "A-2", 1000)))
    answers.recover()
    assert shop.order(ada, "A-2", 1000).status == 201


def test_what_no_other_try_gets_past_is_tried_once(shop: Shop, ada: str, answers: Answers) -> None:
    answers.answer(WRITE, *OF_WRITES["another's write and a mistake"])
    assert_to_be_tried_again(in_time(answers, lambda: shop.order(ada, "A-2", 1000)))
    assert answers.sent == [WRITE]


ASKS: dict[str, Callable[[Shop, str], Reply]] = {
    "joining": lambda shop, _: shop.post("/v1/members", {"external_id": "new", "email": "n@example.org"}, key="new"),
    "earning": lambda shop, ada: shop.order(ada, "A-2"),
    "refunding": lambda shop, ada: shop.refund(ada, 500),
    "reserving": lambda shop, ada: shop.post(f"/v1/members/{ada}/redemptions", {"reward_id": "free-coffee"}, key="k"),
    "looking": lambda shop, ada: shop.get(f"/v1/members/{ada}/account"),
    "exporting": lambda shop, ada: shop.get(f"/v1/members/{ada}/export", scope=OPERATOR),
    "finding": lambda shop, _: shop.post("/v1/members/lookup", {"email": "ada@example.org"}),
    "adjusting": lambda shop, ada: shop.adjust(ada, 5),
}
STALLS: dict[str, tuple[str, ...]] = {
    "everything": (READ, WRITE, READ_TOGETHER, "Query", "PutItem"),
    "writes": (WRITE, "PutItem"),
    "reads together": (READ_TOGETHER,),
}


@pytest.mark.parametrize("stalled", STALLS.values(), ids=STALLS)
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_database_that_stalls_is_asked_no_longer_than_the_function_has(
    shop: Shop, ada: str, answers: Answers, ask: Callable[[Shop, str], Reply], stalled: tuple[str, ...]
) -> None:
    answers.hang(*stalled)
    reply = in_time(answers, lambda: ask(shop, ada))
    if answers.sent:
        assert_to_be_tried_again(reply)
    answers.recover()
    assert in_time(answers, lambda: ask(shop, ada)).status < 300


def test_without_an_end_of_its_time_an_operation_asks_as_often_as_it_may(
    shop: Shop, ada: str, answers: Answers
) -> None:
    answers.hang(WRITE, READ)
    assert_to_be_tried_again(shop.order(ada, "A-2"))
    assert answers.sent == [READ] * session.ATTEMPTS_MAX
    assert answers.seconds > HTTP_SECONDS


def test_a_crowd_that_never_ends_is_left_in_time(shop: Shop, ada: str, answers: Answers) -> None:
    answers.answer(WRITE, *OF_WRITES["another's write"], seconds=1.5)
    assert_to_be_tried_again(in_time(answers, lambda: shop.order(ada, "A-2")))
    assert len(answers.sent) > 2


def test_every_function_has_time_for_one_request_at_least() -> None:
    for name, needs in NEEDS.items():
        assert needs.seconds_max >= 2 * (SECONDS_OF_A_REQUEST + session.ANSWER_SECONDS), name
