"""Endpoints of a shop's systems: registered, refused, and what deliveries make of them."""

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions import webhook_deliveries
from shared import clock, runtime
from shared.domain.errors import TryAgainError
from shared.domain.telling.events import event_of
from shared.domain.telling.webhooks import (
    ATTEMPTS_MAX,
    DEAD_AFTER,
    JITTER_PERCENT,
    OPEN_AFTER,
    RETRY_SECONDS,
    ROTATIONS_A_DAY_MAX,
    SPARED_FOR,
    Webhook,
    wait_seconds,
)
from shared.messaging import webhook_requests
from shared.services import announcements, parked_events
from shared.tables import ledger, webhooks
from tests.functions.shop import OPERATOR, Shop

PUBLIC = "93.184.216.34"
URL = "https://shop.example/hook"


class Queue:
    """A queue in hand."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.groups: list[str] = []
        self.waits: list[int] = []

    def send(self, bodies: list[str], groups: list[str]) -> None:
        self.bodies += bodies
        self.groups += groups

    def postpone(self, _: Any, seconds: int) -> None:
        self.waits.append(seconds)


class Nowhere:
    """An outbox that keeps nothing."""

    def send(self, _: Any) -> None: ...

    def publish(self, _: Any) -> None: ...


@pytest.fixture
def queue() -> Iterator[Queue]:
    waiting = Queue()
    with runtime.use(webhook_queue=waiting, channels=Nowhere()):
        yield waiting


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Which address each host has; what is not named does not exist."""
    known = {"shop.example": PUBLIC}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror("no such host")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the endpoint answers, one status for each try."""
    given: list[int] = []
    monkeypatch.setattr(webhook_requests, "_send", lambda *_: given.pop(0))
    return given


def _register(shop: Shop, key: str = "hook-1", **details: Any) -> Any:
    return shop.post("/v1/webhooks", {"url": URL, **details}, key=key, scope=OPERATOR)


def _deliver(body: str, attempt: int = 1) -> bool:
    record = {"messageId": "1", "body": body, "attributes": {"ApproximateReceiveCount": str(attempt)}}
    return not webhook_deliveries.handler({"Records": [record]}, None)["batchItemFailures"]


def _no_answer(*_: Any) -> None:
    raise TryAgainError("the database asks to wait")


def _tell(member: str) -> None:
    for entry in ledger.load_whole_history(member)[::-1]:
        announcements.announce(entry, clock.now())


def test_registering_twice_with_one_key_makes_one_endpoint_with_one_secret(shop: Shop, queue: Queue) -> None:
    first, second = _register(shop), _register(shop)
    other = _register(shop, url="https://shop.example/other")
    assert (first.status, second.replayed, other.code) == (201, True, "idempotency_mismatch")
    assert first.body["secret"] == second.body["secret"]
    listed = shop.get("/v1/webhooks", scope=OPERATOR).body["items"]
    assert [one["webhook_id"] for one in listed] == [first.body["webhook_id"]]
    assert "secret" not in listed[0]
    assert queue.bodies == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "192.168.1.1"])
def test_an_endpoint_inside_a_network_is_refused(shop: Shop, names: dict[str, str], address: str) -> None:
    names["inside.example"] = address
    reply = _register(shop, url="https://inside.example/hook")
    assert (reply.status, reply.code, reply.pointers) == (422, "invalid_request", ["/url"])
    assert shop.get("/v1/webhooks", scope=OPERATOR).body["items"] == []


@pytest.mark.parametrize(
    "url", ["http://shop.example/hook", "https://nowhere.example/hook", "https://u:p@shop.example"]
)
def test_an_endpoint_without_tls_or_a_name_or_with_a_password_is_refused(shop: Shop, url: str) -> None:
    assert _register(shop, url=url).code == "invalid_request"


def test_an_unknown_type_of_event_is_refused(shop: Shop) -> None:
    assert _register(shop, event_types=["points.stolen"]).pointers == ["/event_types/0"]


def test_events_go_to_those_who_want_them(shop: Shop, queue: Queue) -> None:
    everything = _register(shop, "all").body["webhook_id"]
    earned = _register(shop, "some", event_types=["points.earned"]).body["webhook_id"]
    member = shop.enroll()
    shop.order(member)

    _tell(member)

    told = [(json.loads(body)["webhook_id"], json.loads(body)["event"]["type"]) for body in queue.bodies]
    assert sorted(told) == sorted(
        [(everything, "member.enrolled"), (everything, "points.earned"), (earned, "points.earned")]
    )


def test_a_host_that_moved_inside_the_network_after_registering_gets_nothing(
    shop: Shop, queue: Queue, names: dict[str, str]
) -> None:
    webhook_id = _register(shop).body["webhook_id"]
    member = shop.enroll()
    _tell(member)
    names["shop.example"] = "169.254.169.254"

    assert not _deliver(queue.bodies[0])

    [delivery] = shop.get(f"/v1/webhooks/{webhook_id}/deliveries", scope=OPERATOR).body["items"]
    assert (delivery["status"], delivery["error"]) == (None, "the host shop.example is not one of the public internet")


def test_a_redirect_is_a_failure(shop: Shop, queue: Queue, answers: list[int]) -> None:
    webhook_id = _register(shop).body["webhook_id"]
    _tell(shop.enroll())
    answers.append(302)
    assert not _deliver(queue.bodies[0])
    [delivery] = shop.get(f"/v1/webhooks/{webhook_id}/deliveries", scope=OPERATOR).body["items"]
    assert delivery["error"] == "redirects are not followed"


def test_waits_grow_until_the_last_try_which_is_left_to_the_dead_letters(
    shop: Shop, queue: Queue, answers: list[int]
) -> None:
    _register(shop)
    _tell(shop.enroll())
    answers += [500] * ATTEMPTS_MAX
    for attempt in range(1, ATTEMPTS_MAX + 1):
        assert not _deliver(queue.bodies[0], attempt)
        shop.now += timedelta(seconds=RETRY_SECONDS[1])
    assert len(queue.waits) == ATTEMPTS_MAX - 1
    assert queue.waits[0] < 10
    assert queue.waits[-1] > 3600


def test_what_went_out_is_not_sent_again_because_it_could_not_be_noted(
    shop: Shop, queue: Queue, answers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _register(shop)
    _tell(shop.enroll())
    monkeypatch.setattr(webhooks, "record", _no_answer)
    answers += [200, 500]
    assert _deliver(queue.bodies[0])
    assert not _deliver(queue.bodies[0])
    assert len(queue.waits) == 1, "what failed waits its turn all the same"


def test_a_dead_endpoint_is_disabled_told_of_and_can_be_enabled_again(
    shop: Shop, queue: Queue, answers: list[int]
) -> None:
    webhook_id = _register(shop).body["webhook_id"]
    path = f"/v1/webhooks/{webhook_id}"
    _tell(shop.enroll())
    answers += [500, 500]
    _deliver(queue.bodies[0])
    shop.now += DEAD_AFTER
    _deliver(queue.bodies[0], 2)
    dead = shop.get(path, scope=OPERATOR).body
    assert (dead["status"], "failed since" in dead["disabled_because"]) == ("disabled", True)
    assert _deliver(queue.bodies[0], 3), "what waits for a disabled endpoint is let go"
    replay = shop.post(f"{path}/replay", {"member_id": "x", "from_sequence": 1}, scope=OPERATOR)
    assert replay.code == "invalid_state"

    alive = shop.call("PATCH", path, {"status": "enabled"}, scope=OPERATOR).body
    assert (alive["status"], alive["failing_since"], alive["disabled_because"]) == ("enabled", None, None)


def test_an_endpoint_that_keeps_failing_is_spared_and_gets_all_it_missed_once_it_works_again(
    shop: Shop, queue: Queue, answers: list[int]
) -> None:
    _register(shop)
    member, other = shop.enroll(), shop.enroll("join-2")
    for number in range(OPEN_AFTER):
        shop.order(member, f"A-{number}")
    _tell(member)
    answers += [500] * OPEN_AFTER
    assert not any(_deliver(body) for body in queue.bodies[:OPEN_AFTER])

    _tell(other)
    missed = queue.bodies[OPEN_AFTER:]
    assert all(_deliver(body) for body in missed), "nothing of it waits in the queue"
    assert answers == [], "it was not asked"

    shop.now += timedelta(hours=1)
    queue.bodies.clear()
    assert parked_events.resume(shop.now) == 1, "one event, to see"
    answers += [500]
    assert not _deliver(queue.bodies[0])
    shop.now += SPARED_FOR
    queue.bodies.clear()
    answers += [200]
    assert parked_events.resume(shop.now) == 1
    assert _deliver(queue.bodies[0])

    queue.bodies.clear()
    assert parked_events.resume(shop.now) == 2
    again = [json.loads(body)["event"] for body in queue.bodies]
    assert sorted((one["member_id"], one["sequence"]) for one in again) == sorted([(member, 6), (other, 1)])
    answers += [200, 200]
    assert all(_deliver(body) for body in queue.bodies)
    assert parked_events.resume(shop.now) == 0


def test_one_delivery_at_a_time_finds_out_whether_an_endpoint_works_again(
    shop: Shop, queue: Queue, answers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _register(shop)
    _tell(shop.enroll())
    answers += [500] * OPEN_AFTER
    for _ in range(OPEN_AFTER):
        _deliver(queue.bodies[0])
    shop.now += SPARED_FOR
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(webhooks, "save", _no_answer)
        assert _deliver(queue.bodies[0]), "another is at it, and this one is parked"
    answers += [200]
    assert _deliver(queue.bodies[0])
    assert answers == []


def test_what_is_parked_while_it_is_replayed_is_not_forgotten(
    shop: Shop, queue: Queue, answers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook_id = _register(shop).body["webhook_id"]
    member = shop.enroll()
    _tell(member)
    [event] = [event_of(entry) for entry in ledger.load_history(member, 1)]
    parked_events.park(webhook_id, event, shop.now)
    shop.now += timedelta(hours=1)
    send = queue.send

    def park_another(bodies: list[str], groups: list[str]) -> None:
        send(bodies, groups)
        parked_events.park(webhook_id, event, shop.now)

    monkeypatch.setattr(queue, "send", park_another)
    assert parked_events.resume(shop.now) == 1
    assert parked_events.resume(shop.now) == 0, "the ledger's index may not have it yet"
    shop.now += timedelta(minutes=1)
    monkeypatch.setattr(queue, "send", send)
    assert (parked_events.resume(shop.now), parked_events.resume(shop.now)) == (1, 0)
    assert answers == []


def test_each_endpoint_is_a_group_of_its_own_so_that_none_holds_up_another(shop: Shop, queue: Queue) -> None:
    ids = {_register(shop, key).body["webhook_id"] for key in ("a", "b")}
    _tell(shop.enroll())
    assert set(queue.groups) == ids
    assert [json.loads(body)["webhook_id"] for body in queue.bodies] == queue.groups


def test_a_wait_that_the_queue_refuses_fails_its_message_alone(
    shop: Shop, queue: Queue, answers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _register(shop)
    _tell(shop.enroll())
    monkeypatch.setattr(queue, "postpone", _no_answer)
    answers += [200, 500, 200]
    records = [
        {"messageId": str(number), "body": queue.bodies[0], "attributes": {"ApproximateReceiveCount": "1"}}
        for number in range(3)
    ]
    failed = webhook_deliveries.handler({"Records": records}, None)["batchItemFailures"]
    assert failed == [{"itemIdentifier": "1"}]


def test_no_wait_is_longer_than_sqs_lets_a_message_wait() -> None:
    """Twelve hours from when it was received, of which its delivery has taken some."""
    waits = [
        wait_seconds(attempt, jitter)
        for attempt in range(1, ATTEMPTS_MAX)
        for jitter in range(-JITTER_PERCENT, JITTER_PERCENT + 1)
    ]
    assert all(wait is not None and 0 < wait <= 12 * 3600 - 300 for wait in waits)


def test_a_late_retry_of_a_rotation_is_a_replay_and_every_secret_signs_for_its_day(shop: Shop) -> None:
    made = _register(shop).body
    path = f"/v1/webhooks/{made['webhook_id']}/rotate"
    first, again, second, late = (shop.post(path, key=key, scope=OPERATOR) for key in ("r1", "r1", "r2", "r1"))
    assert [one.replayed for one in (first, again, second, late)] == [False, True, False, True]
    assert first.body["secret"] == again.body["secret"]
    assert late.body["secret"] == second.body["secret"], "the newest: whoever configures it is right"
    secrets = [second.body["secret"], first.body["secret"], made["secret"]]
    assert _signing(made["webhook_id"]) == secrets
    shop.now += timedelta(hours=23, minutes=59)
    assert _signing(made["webhook_id"]) == secrets
    shop.now += timedelta(minutes=1)
    assert _signing(made["webhook_id"]) == secrets[:1]


def test_a_secret_is_rotated_so_often_in_a_day_and_no_more(shop: Shop) -> None:
    path = f"/v1/webhooks/{_register(shop).body['webhook_id']}/rotate"
    for number in range(ROTATIONS_A_DAY_MAX):
        assert shop.post(path, key=f"r{number}", scope=OPERATOR).status == 200
    refused = shop.post(path, key="r", scope=OPERATOR)
    assert (refused.status, refused.code) == (409, "invalid_state")
    shop.now += timedelta(days=1)
    assert shop.post(path, key="r", scope=OPERATOR).status == 200


def test_an_endpoint_of_an_earlier_release_keeps_its_secrets(shop: Shop) -> None:
    stored = {"webhook_id": "w", "url": URL, "created_at": shop.now, "generation": 3}
    of_yore = Webhook.model_validate({**stored, "rotated_at": shop.now, "rotation_key": "k"})
    assert of_yore.generations(shop.now) == (3, 2)
    assert of_yore.was_rotated_by({"k"})
    after = of_yore.rotated("r", shop.now)
    assert after.generations(shop.now) == (4, 3, 2)
    assert after.was_rotated_by({"k"})


def _signing(webhook_id: str) -> list[str]:
    return webhooks.secrets(webhooks.load(webhook_id)[0], clock.now())


def test_events_are_sent_again_from_a_sequence_on(shop: Shop, queue: Queue) -> None:
    path = f"/v1/webhooks/{_register(shop).body['webhook_id']}/replay"
    member = shop.enroll()
    for number in range(3):
        shop.order(member, f"A-{number}")
    reply = shop.post(path, {"member_id": member, "from_sequence": 3}, scope=OPERATOR)
    assert (reply.status, reply.body) == (202, {"queued": 2, "next_sequence": None})
    assert [json.loads(body)["event"]["sequence"] for body in queue.bodies] == [3, 4]


def test_deliveries_are_read_page_by_page(shop: Shop, queue: Queue, answers: list[int]) -> None:
    webhook_id = _register(shop).body["webhook_id"]
    _tell(shop.enroll())
    answers += [200] * 5
    for _ in range(5):
        shop.pass_time(seconds=1)
        assert _deliver(queue.bodies[0])
    path, seen, cursor = f"/v1/webhooks/{webhook_id}/deliveries", [], None
    while True:
        page = shop.get(path, scope=OPERATOR, query={"limit": "2", **({"cursor": cursor} if cursor else {})}).body
        seen += [one["at"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


def test_a_webhook_that_is_not_there_says_so(shop: Shop, queue: Queue) -> None:
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries")):
        assert shop.call(method, f"/v1/webhooks/none{rest}", scope=OPERATOR).code == "webhook_not_found"
    assert shop.call("PATCH", "/v1/webhooks/none", {"status": "enabled"}, scope=OPERATOR).code == "webhook_not_found"
    assert shop.post("/v1/webhooks/none/rotate", key="k", scope=OPERATOR).code == "webhook_not_found"
    assert queue.bodies == []


def test_two_operators_with_one_key_each_rotate_a_webhooks_secret(shop: Shop) -> None:
    path = f"/v1/webhooks/{_register(shop).body['webhook_id']}/rotate"
    by_olga = shop.post(path, key="k", scope=OPERATOR, caller="olga").body["secret"]
    assert shop.post(path, key="k", scope=OPERATOR, caller="olga").body["secret"] == by_olga
    assert shop.post(path, key="k", scope=OPERATOR, caller="otto").body["secret"] != by_olga


def test_what_is_queued_for_a_deleted_endpoint_is_let_go(shop: Shop, queue: Queue) -> None:
    webhook_id = _register(shop).body["webhook_id"]
    _tell(shop.enroll())
    assert shop.call("DELETE", f"/v1/webhooks/{webhook_id}", scope=OPERATOR).status == 200
    assert _deliver(queue.bodies[0])
