"""What members and systems are told, by which channel, and how often."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from functions import notify
from shared import runtime, settings
from shared.domain.errors import TryAgainError
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message, Note
from shared.messaging import message_queue
from shared.messaging.message_queue import ATTEMPTS_MAX, RETRY_SECONDS
from shared.tables import client, keys
from tests.functions.message_queue import MessageQueue
from tests.functions.run_queues import Queues
from tests.functions.shop import OPERATOR, Shop

POINTS = {"points": 5}
AGREED = {"terms_version": "2026-01", "marketing": {"email": True, "sms": True}}


class Outbox:
    """Keeps what is sent; refuses while `is_broken`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.events: list[Event] = []
        self.is_broken = False

    def send(self, message: Message) -> None:
        if self.is_broken:
            raise ConnectionError("the mail server is away")
        self.messages.append(message)

    def publish(self, events: Sequence[Event | PartnerEvent]) -> None:
        self.events += [event for event in events if isinstance(event, Event)]

    @property
    def kinds(self) -> list[str]:
        """What the messages are about."""
        return [message.kind for message in self.messages]


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    kept = Outbox()
    with runtime.use(channels=kept):
        yield kept


@pytest.fixture
def queue() -> Iterator[MessageQueue]:
    kept = MessageQueue()
    with runtime.use(message_queue=kept):
        yield kept


def _stream(member: str) -> dict[str, Any]:
    """The stream's records of all of a member's entries."""
    items = client.query(
        settings.loyalty_table(),
        pages_max=5,
        IndexName="history",
        KeyConditionExpression="member_id = :member",
        ExpressionAttributeValues={":member": {"S": member}},
    )
    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": dict(item), "SequenceNumber": item["sequence"]["N"]}}
        for item in items
    ]
    return {"Records": records}


def _failures(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def _refuse(_notes: object) -> None:
    raise TryAgainError("the queue is silent")


def _remind(shop: Shop, queues: Queues) -> None:
    """The schedules of a morning, and then the pages that they queue."""
    notify.handler({"time": shop.now.isoformat().replace("+00:00", "Z")}, None)
    queues.deliver()


def test_a_member_hears_of_what_happens_and_of_each_thing_once(shop: Shop, outbox: Outbox) -> None:
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    shop.order(member, total=60_000)
    path = f"/v1/members/{member}/redemptions"
    spent = shop.post(path, {"reward_id": "free-coffee", "capture": True}, key="coffee").body
    refund = {"order_id": "A-1", "refund_id": "R-1", "amount": 10_000, "refunded_at": shop.now.isoformat()}
    shop.post(f"/v1/members/{member}/refunds", refund)

    for _ in range(2):
        assert _failures(notify.handler(_stream(member), None)) == []

    assert outbox.kinds == ["welcome", "points_earned", "tier_reached", "reward_redeemed", "points_refunded"]
    assert {(message.channel, message.to) for message in outbox.messages} == {("email", "ada@example.org")}
    assert spent["voucher_code"] in outbox.messages[3].text
    assert "Silver" in outbox.messages[2].subject


def test_events_are_numbered_without_a_gap_and_name_nobody(shop: Shop, outbox: Outbox) -> None:
    member = shop.enroll(email="ada@example.org", name="Ada Lovelace")
    shop.order(member)
    shop.post(
        f"/v1/members/{member}/adjustments",
        {"points": 5, "reason": "Ada rang to complain", "reference": "call-1"},
        scope=OPERATOR,
    )
    notify.handler(_stream(member), None)
    assert [event.sequence for event in outbox.events] == [1, 2, 3]
    assert [event.type for event in outbox.events] == ["member.enrolled", "points.earned", "points.adjusted"]
    assert "Ada" not in "".join(event.model_dump_json() for event in outbox.events)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"email": "a@example.org"}, ["welcome"]),
        ({"email": "a@example.org", "consent": AGREED}, ["welcome", "points_earned"]),
        ({"phone": "+1 212 555 0100", "consent": AGREED}, ["welcome", "points_earned"]),
        ({"phone": "+1 212 555 0100", "consent": {"marketing": {"email": True}}}, ["welcome"]),
        ({"email": "a@example.org", "consent": AGREED, "message_preferences": {"channel": "none"}}, []),
        ({"email": "a@example.org", "consent": AGREED, "message_preferences": {"channel": "sms"}}, []),
        ({}, []),
    ],
    ids=["no consent", "consent", "by SMS", "consent for the other channel", "wants none", "no phone", "no address"],
)
def test_consent_and_preferences_decide(
    shop: Shop, outbox: Outbox, details: dict[str, Any], expected: list[str]
) -> None:
    member = shop.enroll(**details)
    shop.order(member, total=5_500)
    notify.handler(_stream(member), None)
    assert outbox.kinds == expected


def test_only_the_nearest_reward_is_named_and_once_a_month(shop: Shop, outbox: Outbox) -> None:
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    shop.order(member, "A-1", total=2_000)
    shop.order(member, "A-2", total=2_000)
    notify.handler(_stream(member), None)
    nudges = [message.subject for message in outbox.messages if message.kind == "nudge"]
    assert nudges == ["10 points to Free coffee"]


def test_points_about_to_expire_are_announced_at_thirty_seven_and_one_days_each_once(
    shop: Shop, outbox: Outbox, queues: Queues
) -> None:
    member = shop.enroll(email="ada@example.org")
    _remind(shop, queues)
    heard: list[tuple[str, str]] = []
    around = ((10, 30), (10, 31), (11, 1), (11, 22), (11, 23), (11, 24), (11, 28), (11, 29), (11, 30), (12, 1))
    for month, day in around:
        shop.now = shop.now.replace(year=2027, month=month, day=day)
        for _ in range(2):
            _remind(shop, queues)
        heard += [(shop.now.date().isoformat(), message.subject) for message in outbox.messages]
        outbox.messages.clear()
    assert heard == [
        ("2027-10-31", "100 points expire in 30 days"),
        ("2027-11-23", "100 points expire in 7 days"),
        ("2027-11-29", "100 points expire tomorrow"),
    ]
    assert shop.account(member)["balance"] == 0


def test_reminders_missed_for_a_week_become_one_that_tells_the_days_left(
    shop: Shop, outbox: Outbox, queues: Queues
) -> None:
    shop.enroll(email="ada@example.org")
    _remind(shop, queues)
    shop.now = shop.now.replace(year=2027, month=11, day=26)
    _remind(shop, queues)
    assert [message.subject for message in outbox.messages] == ["100 points expire in 4 days"]


def test_points_that_were_spent_are_not_announced(shop: Shop, outbox: Outbox, queues: Queues) -> None:
    member = shop.enroll(email="ada@example.org")
    request = {"points": 100, "order_total": 1_000, "currency": "USD", "capture": True}
    shop.post(f"/v1/members/{member}/redemptions", request, key="all")
    shop.now = shop.now.replace(year=2027, month=11, day=26)
    _remind(shop, queues)
    assert outbox.messages == []


def test_a_reminder_that_could_not_be_queued_is_when_its_page_comes_again(
    shop: Shop, outbox: Outbox, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ada", "bob"):
        shop.enroll(name, email=f"{name}@example.org")
    _remind(shop, queues)
    shop.now = shop.now.replace(year=2027, month=11, day=29)
    with monkeypatch.context() as patch:
        patch.setattr(message_queue, "enqueue", _refuse)
        _remind(shop, queues)
    assert queues.waiting("reminders") > 0
    for _ in range(2):
        _remind(shop, queues)
    assert sorted(message.to for message in outbox.messages) == ["ada@example.org", "bob@example.org"]
    assert queues.messages == []


def test_each_schedule_does_its_own_work_alone(
    shop: Shop, outbox: Outbox, queues: Queues, counted: list[dict[str, int]]
) -> None:
    shop.change_program(messages={"also_send": ["statement"], "reminder_days": [1]})
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    notify.handler(_stream(member), None)
    outbox.messages.clear()
    shop.now = shop.now.replace(year=2026, month=12, day=2)

    def scheduled(work: str) -> dict[str, Any]:
        counted.clear()
        done = notify.handler({"time": shop.now.isoformat(), "work": work}, None)
        assert [amounts for amounts in counted if any(name.endswith("Runs") for name in amounts)] == [
            {f"{work.capitalize()}Runs": 1}
        ]
        queues.deliver()
        return done

    assert scheduled("reminders") == {"reminders": 0}
    assert scheduled("partners") == {"partners": 0}
    assert scheduled("waiting") == {"waiting": 0}
    assert outbox.kinds == []
    assert scheduled("statements") == {"statements": 1}
    assert outbox.kinds == ["statement"]
    assert scheduled("statements") == {"statements": 0}, "what was sent is listed no more"
    assert outbox.kinds == ["statement"]


def test_a_statement_that_fails_comes_again_and_a_page_that_comes_twice_sends_nothing(
    shop: Shop, outbox: Outbox, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.change_program(messages={"also_send": ["statement"]})
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    notify.handler(_stream(member), None)
    outbox.messages.clear()
    shop.now = shop.now.replace(year=2026, month=12, day=2)
    statements = {"time": shop.now.isoformat(), "work": "statements"}
    notify.handler(statements, None)
    [page] = queues.messages
    with monkeypatch.context() as patch:
        patch.setattr(message_queue, "enqueue", _refuse)
        assert queues.deliver() == [page]
    assert queues.deliver(page) == []
    assert outbox.kinds == ["statement"]
    assert notify.handler(statements, None) == {"statements": 0}


def test_a_message_that_could_not_be_sent_is_sent_with_the_next_delivery(
    shop: Shop, outbox: Outbox, queue: MessageQueue
) -> None:
    member = shop.enroll(email="ada@example.org")
    outbox.is_broken = True
    assert _failures(notify.handler(_stream(member), None)) == []
    assert (outbox.kinds, len(outbox.events), queue.waits) == ([], 1, [30]), "the event does not wait for the mail"
    outbox.is_broken = False
    for _ in range(2):
        queue.deliver()
        assert _failures(notify.handler(_stream(member), None)) == []
    assert (outbox.kinds, len(outbox.events)) == (["welcome"], 1)


def test_a_message_that_keeps_failing_waits_longer_each_time_and_is_left_to_the_dead_letters(
    shop: Shop, outbox: Outbox, queue: MessageQueue
) -> None:
    outbox.is_broken = True
    notify.handler(_stream(shop.enroll(email="ada@example.org")), None)
    for _ in range(ATTEMPTS_MAX - 1):
        queue.deliver()
    assert queue.waits == list(RETRY_SECONDS)
    assert sum(queue.waits) > timedelta(days=1).total_seconds(), "a mail service's daily quota is a new one by then"


def test_a_message_that_cannot_be_read_or_put_off_fails_alone(
    shop: Shop, outbox: Outbox, queue: MessageQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "postpone", _receipt_has_expired)
    member = shop.enroll(email="ada@example.org")
    notes = [Note(message_id=name, member_id=member, kind="welcome", values=POINTS) for name in ("m1", "m2")]
    bodies = [note.model_dump_json() for note in notes]
    queue.send([bodies[0], "{", bodies[1]], ["welcome"] * 3)
    assert [message.message_id for message in outbox.messages] == ["m1", "m2"]
    assert [record["body"] for record in queue.waiting] == ["{"]


def test_a_broken_record_makes_nobody_count_or_tell_its_neighbours_again(
    shop: Shop, outbox: Outbox, counted: list[dict[str, int]]
) -> None:
    """Five orders of a hundred points, the third record broken, delivered six times as Lambda does."""
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    notify.handler(_stream(member), None)
    before = len(outbox.events), len(outbox.messages)
    counted.clear()
    for number in range(5):
        shop.order(member, f"A-{number}", total=10_000)
    records = _stream(member)["Records"][1:]
    records[2]["dynamodb"]["NewImage"]["body"] = {"S": "{"}
    for delivery in range(6):
        first = 2 if delivery else 0  # from the lowest number that was reported on
        assert _failures(notify.handler({"Records": records[first:]}, None)) == [
            records[2]["dynamodb"]["SequenceNumber"]
        ]
    assert sum(amounts.get("PointsChange", 0) for amounts in counted) == 400
    assert len(outbox.events) - before[0] == 4
    assert [message.kind for message in outbox.messages[before[1] :]].count("points_earned") == 4


def test_an_entry_that_could_not_be_announced_is_counted_when_it_is(
    shop: Shop, outbox: Outbox, counted: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    member = shop.enroll()
    monkeypatch.setattr(outbox, "publish", _receipt_has_expired)
    assert _failures(notify.handler(_stream(member), None)) == ["1"]
    assert counted == []
    monkeypatch.setattr(outbox, "publish", lambda _: None)
    assert _failures(notify.handler(_stream(member), None)) == []
    assert [amounts["PointsChange"] for amounts in counted] == [100]


def test_a_record_that_cannot_be_read_fails_alone(shop: Shop, outbox: Outbox) -> None:
    member = shop.enroll(email="ada@example.org", consent=AGREED)
    shop.order(member, total=5_500)
    event = _stream(member)
    event["Records"][0]["dynamodb"]["NewImage"]["body"] = {"S": "{"}
    assert _failures(notify.handler(event, None)) == ["1"]
    assert outbox.kinds == ["points_earned"]


def test_what_is_no_entry_is_passed_over(shop: Shop, outbox: Outbox) -> None:
    member = shop.enroll(email="ada@example.org")
    item = client.get(settings.loyalty_table(), keys.account_key(member))
    record = {"eventName": "MODIFY", "dynamodb": {"NewImage": item, "SequenceNumber": "1"}}
    assert _failures(notify.handler({"Records": [record]}, None)) == []
    assert outbox.events == []


def test_a_gift_is_announced_to_its_receiver_and_its_giver_hears_when_it_comes_back(shop: Shop, outbox: Outbox) -> None:
    shop.change_program(gifts={"accept_days": 7})
    giver = shop.enroll(email="ada@example.org")
    friend = shop.enroll("join-2", email="bob@example.org")
    words = {"to_member_id": friend, "points": 40, "message": "For Ada's tea"}
    gift_id = shop.post(f"/v1/members/{giver}/gifts", words, key="gift").body["gift_id"]
    notify.handler(_stream(giver), None)
    assert [(one.to, one.subject) for one in outbox.messages if one.kind == "gift_offered"] == [
        ("bob@example.org", "A gift of 40 points waits for you")
    ]
    assert "tea" not in "".join(event.model_dump_json() for event in outbox.events)

    shop.now += timedelta(days=7)
    shop.adjust(giver, 1)  # whoever looks settles the account, and the lapse is booked
    outbox.events.clear()
    notify.handler(_stream(giver), None)
    [lapsed] = [event for event in outbox.events if event.type.endswith(".lapsed")]
    assert (lapsed.type, lapsed.source, lapsed.points) == ("gift.lapsed", {"gift_id": gift_id}, 40)
    [returned] = [one for one in outbox.messages if one.kind == "gift_returned"]
    assert (returned.to, returned.subject) == ("ada@example.org", "Your gift came back")
    assert "40 points" in returned.text


def test_a_reservation_that_times_out_is_still_a_redemptions_affair(shop: Shop, outbox: Outbox) -> None:
    member = shop.enroll(email="ada@example.org")
    reserved = shop.spend(member, 100, 1_000).body["redemption_id"]
    shop.now += timedelta(days=2)
    shop.adjust(member, 1)
    notify.handler(_stream(member), None)
    [lapsed] = [event for event in outbox.events if event.type.endswith(".lapsed")]
    assert (lapsed.type, lapsed.source["redemption_id"]) == ("redemption.lapsed", reserved)
    assert "gift_returned" not in outbox.kinds


def test_an_erased_member_hears_nothing_more(shop: Shop, outbox: Outbox) -> None:
    member = shop.enroll(email="ada@example.org")
    shop.call("DELETE", f"/v1/members/{member}", scope=OPERATOR)
    notify.handler(_stream(member), None)
    assert outbox.messages == []
    assert [event.type for event in outbox.events] == ["member.enrolled", "member.erased"]


def _receipt_has_expired(*_: Any) -> None:
    raise RuntimeError("the receipt has expired")


@pytest.mark.usefixtures("outbox")
def test_what_the_dashboard_adds_up_is_what_members_hold(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[int] = []
    monkeypatch.setattr("shared.telemetry.count", lambda **amounts: changes.append(amounts["PointsChange"]))
    member = shop.enroll()
    shop.order(member, total=60_000)
    shop.redeem(member)
    shop.redeem(member, key="spend-2", capture=True)
    shop.refund(member, 10_000)
    shop.adjust(member, -30)
    notify.handler(_stream(member), None)
    account = shop.account(member)
    held = [account["balance"], account["pending"], account["held"]]
    assert account["held"] > 0
    assert sum(changes) == sum(held)
