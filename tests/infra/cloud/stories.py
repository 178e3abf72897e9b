"""For each function a story that makes it do everything it may do: what proves its grants, on moto and in the emulator.

A story ends in an AssertionError when the function is refused anything. Whatever uses up what took long to prepare
comes last, so that a story may be told again after it has failed.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from shared.domain.calendar import local_day

STOREFRONT, MEMBER, OPERATOR = "loyalty/storefront", "loyalty/member", "loyalty/operator"
LIMITED_REWARD = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 10, "stock": 1000}
HOLD_MINUTES = 1
REMINDER_DAYS = 30
OK = 200
NOBODY_LISTENS = "http://127.0.0.1:9/"

Item = Mapping[str, Any]


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any


class World(Protocol):
    """Where stories are told: in this process, or in a deployed stack."""

    moves_time: bool

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scope: str | None = STOREFRONT,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request."""

    def invoke(self, function: str, event: Any) -> Any:
        """What a function answers to an event; a failure is an AssertionError with its text."""

    def now(self) -> datetime:
        """The present."""

    def pass_days(self, days: int) -> None:
        """Let time pass, where that can be had."""

    def item(self, pk: str, sk: str) -> Item:
        """What stands in the ledger's table."""

    def member_with_lapsed_hold(self, function: str) -> str:
        """A member whose hold on the limited reward has run out, unbooked; the same one for a function every time."""

    def refusing_mail(self) -> AbstractContextManager[None]:
        """While it lasts, e-mail cannot be sent."""

    def mails_to(self, address: str) -> int:
        """How many e-mails went there."""


def ok(world: World, method: str, path: str, body: Any = None, status: int = 2, **options: Any) -> Any:
    """The body of an answer; its status begins with the digit `status`, or is it."""
    reply = world.call(method, path, body, **options)
    assert status in {reply.status, reply.status // 100}, f"{method} {path}: {reply.status} {reply.body}"
    return reply.body


def keyed() -> dict[str, str]:
    """A new idempotency key."""
    return {"Idempotency-Key": uuid4().hex}


def enrolled(world: World, **details: Any) -> str:
    """A new member's id."""
    body = {"external_id": uuid4().hex, **details}
    return str(ok(world, "POST", "/v1/members", body, headers=keyed())["member_id"])


def ordered(world: World, member_id: str, total: int = 5000) -> str:
    """The id of an order that a member has been credited with."""
    order_id = uuid4().hex
    body = {"type": "order", "order_id": order_id, "placed_at": world.now().isoformat(), "currency": "USD"}
    ok(world, "POST", f"/v1/members/{member_id}/earn", {**body, "total": total})
    return order_id


def prepare(world: World) -> None:
    """A programme with a limited reward and short holds."""
    reply = world.call("GET", "/v1/program", scope=None)
    assert reply.status == OK, reply
    program = dict(reply.body)
    program["redeeming"]["hold_minutes"] = HOLD_MINUTES
    rewards = [reward for reward in program["redeeming"]["rewards"] if reward["reward_id"] != "mug"]
    program["redeeming"]["rewards"] = [*rewards, LIMITED_REWARD]
    etag = next(value for name, value in reply.headers.items() if name.lower() == "etag")
    ok(world, "PUT", "/v1/program", program, scope=OPERATOR, headers={"If-Match": etag})


def hold(world: World, member_id: str) -> str:
    """The id of a redemption that holds the limited reward."""
    path = f"/v1/members/{member_id}/redemptions"
    return str(ok(world, "POST", path, {"reward_id": "mug"}, headers=keyed())["redemption_id"])


def account(world: World) -> None:
    member_id = enrolled(world)
    ok(world, "GET", f"/v1/members/{member_id}/account")
    assert len(ok(world, "GET", f"/v1/members/{member_id}/entries")["items"]) == 1
    ok(world, "GET", "/v1/rewards")


def earn(world: World) -> None:
    member_id, other_id = enrolled(world), enrolled(world)
    order_id = ordered(world, member_id)
    refund = {"order_id": order_id, "refund_id": "r", "amount": 1000, "refunded_at": world.now().isoformat()}
    ok(world, "POST", f"/v1/members/{member_id}/refunds", refund)
    adjustment = {"points": 5, "reason": "sorry", "reference": uuid4().hex}
    ok(world, "POST", f"/v1/members/{member_id}/adjustments", adjustment, scope=OPERATOR)
    too_many, few = ({"to_member_id": other_id, "points": points} for points in (1_000_000, 5))
    path = f"/v1/members/{member_id}/transfers"
    ok(world, "POST", path, too_many, 409, scope=OPERATOR, headers=keyed())
    ok(world, "POST", path, few, scope=OPERATOR, headers=keyed())
    action = {"type": "action", "action": "review", "reference": uuid4().hex, "occurred_at": world.now().isoformat()}
    ok(world, "POST", f"/v1/members/{member_id}/earn", action)
    ok(world, "POST", f"/v1/members/{member_id}/earn", {**action, "action": "unknown"}, 4)
    ordered(world, world.member_with_lapsed_hold("earn"))


def enroll(world: World) -> None:
    email, other_email = (f"{uuid4().hex}@example.com" for _ in range(2))
    member_id, gone_id = enrolled(world, email=email), enrolled(world, phone=f"+1 212 555 {uuid4().int % 10**4:04}")
    assert ok(world, "POST", "/v1/members/lookup", {"email": email})["member_id"] == member_id
    ok(world, "PATCH", f"/v1/members/{member_id}", {"email": other_email})
    ok(world, "POST", f"/v1/members/{member_id}/merge", {"from_member_id": gone_id})
    ok(world, "POST", f"/v1/members/{member_id}/merge", {"from_member_id": gone_id})
    ok(world, "GET", f"/v1/members/{member_id}/export", scope=OPERATOR)
    ok(world, "DELETE", f"/v1/members/{member_id}", scope=OPERATOR)
    ok(world, "DELETE", f"/v1/members/{world.member_with_lapsed_hold('enroll')}", scope=OPERATOR)


def redeem(world: World) -> None:
    member_id = enrolled(world)
    captured, cancelled = hold(world, member_id), hold(world, member_id)
    path = f"/v1/members/{member_id}/redemptions"
    ok(world, "POST", f"{path}/{captured}/capture")
    ok(world, "GET", f"{path}/{captured}")
    ok(world, "POST", f"{path}/{captured}/reverse", scope=OPERATOR)
    ok(world, "POST", f"{path}/{cancelled}/cancel")
    ok(world, "POST", path, {"points": 1_000_000, "order_total": 10_000_000, "currency": "USD"}, 409, headers=keyed())


def program(world: World) -> None:
    prepare(world)


def expire(world: World) -> None:
    member_id = world.member_with_lapsed_hold("expire")
    shard = int(world.item(f"MEMBER#{member_id}", "ACCOUNT").get("due_pk", {"S": "##0"})["S"].split("#")[2])
    due = {"on": _today(world), "shard": shard, "now": world.now().isoformat()}
    answer = world.invoke("expire", {"Records": [{"messageId": "m", "body": json.dumps(due)}]})
    assert answer == {"batchItemFailures": []}, answer
    assert world.invoke("expire", {"time": world.now().isoformat()})["messages"] > 0


def notify(world: World) -> None:
    webhook_id = _webhook(world)
    address = f"{uuid4().hex}@example.com"
    _tell(world, enrolled(world, email=address))
    _tell(world, enrolled(world, phone=f"+1 212 555 {uuid4().int % 10**4:04}"))
    _tell_again_after_a_failure(world)
    ok(world, "DELETE", f"/v1/webhooks/{webhook_id}", scope=OPERATOR)
    world.invoke("notify", {"time": world.now().isoformat()})
    if world.moves_time:
        _be_reminded(world, enrolled(world, email=f"{uuid4().hex}@example.com"))


def webhooks(world: World) -> None:
    member_id, webhook_id = enrolled(world), _webhook(world)
    path = f"/v1/webhooks/{webhook_id}"
    ok(world, "GET", "/v1/webhooks", scope=OPERATOR)
    ok(world, "PATCH", path, {"description": "till"}, scope=OPERATOR)
    ok(world, "POST", f"{path}/rotate", scope=OPERATOR, headers=keyed())
    ok(world, "GET", f"{path}/deliveries", scope=OPERATOR)
    ok(world, "POST", f"{path}/replay", {"member_id": member_id, "from_sequence": 1}, scope=OPERATOR)
    ok(world, "DELETE", path, scope=OPERATOR)


def deliver(world: World) -> None:
    webhook_id, member_id = _webhook(world), enrolled(world)
    entry = json.loads(world.item(f"MEMBER#{member_id}", "ENROLL")["body"]["S"])
    names = ("member_id", "sequence", "occurred_at", "recorded_at")
    event = {name: entry[name] for name in names} | {"event_id": uuid4().hex, "type": "member.enrolled"}
    event |= {"points": 1, "balance_after": 1, "program_version": 1}
    body = json.dumps({"webhook_id": webhook_id, "event": event})
    record = {
        "messageId": "m",
        "receiptHandle": "of none",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    try:
        world.invoke("deliver", {"Records": [record]})
    except AssertionError as refused:
        assert "ReceiptHandleIsInvalid" in str(refused), refused  # noqa: PT017 - it got as far as the queue
    assert ok(world, "GET", f"/v1/webhooks/{webhook_id}/deliveries", scope=OPERATOR)["items"]
    ok(world, "DELETE", f"/v1/webhooks/{webhook_id}", scope=OPERATOR)


STORIES: Mapping[str, Callable[[World], None]] = {
    "account": account,
    "deliver": deliver,
    "earn": earn,
    "enroll": enroll,
    "expire": expire,
    "notify": notify,
    "program": program,
    "redeem": redeem,
    "webhooks": webhooks,
}


def _today(world: World) -> str:
    zone = ok(world, "GET", "/v1/program", scope=None)["time_zone"]
    return local_day(world.now(), zone).isoformat()


def _webhook(world: World) -> str:
    answer = ok(world, "POST", "/v1/webhooks", {"url": NOBODY_LISTENS}, scope=OPERATOR, headers=keyed())
    return str(answer["webhook_id"])


def _tell(world: World, member_id: str) -> None:
    answer = world.invoke("notify", {"Records": [_record(world, member_id)]})
    assert answer == {"batchItemFailures": []}, answer


def _tell_again_after_a_failure(world: World) -> None:
    address = f"{uuid4().hex}@example.com"
    record = _record(world, enrolled(world, email=address))
    with world.refusing_mail():
        assert world.invoke("notify", {"Records": [record]})["batchItemFailures"]
    before = world.mails_to(address)
    assert world.invoke("notify", {"Records": [record]}) == {"batchItemFailures": []}
    assert world.mails_to(address) == before + 1


def _be_reminded(world: World, member_id: str) -> None:
    [lot] = ok(world, "GET", f"/v1/members/{member_id}/account")["expiring"]
    days = date.fromisoformat(lot["on"]) - date.fromisoformat(_today(world))
    world.pass_days(days.days - REMINDER_DAYS + 1)
    assert world.invoke("notify", {"time": world.now().isoformat()})["reminders"] > 0


def _record(world: World, member_id: str) -> dict[str, Any]:
    """A stream's record of the member's first entry, as if it were a later one: nobody has been told of it."""
    item = dict(world.item(f"MEMBER#{member_id}", "ENROLL"))
    item["body"] = {"S": json.dumps({**json.loads(item["body"]["S"]), "sequence": uuid4().int % 10**9})}
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": item}}
