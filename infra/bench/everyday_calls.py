"""What each function is mostly asked for."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from tests.infra.cloud.stories import OPERATOR, World, bought, brought, enrolled, keyed, ok, ordered, prepare

FIRST_WHILE_FEW_ARE_DUE = ("expire",)


class Everyday(NamedTuple):
    """A shop with the whole programme, a member who can pay, and a webhook."""

    world: World
    member_id: str
    webhook_id: str

    @property
    def path(self) -> str:
        """The member's."""
        return f"/v1/members/{self.member_id}"


def begin(world: World, address: str) -> Everyday:
    """A member with points, and a webhook to an address that answers."""
    prepare(world)
    member_id = enrolled(world, email="ada@example.com")
    ordered(world, member_id, 1_000_000)
    webhook = {"url": address, "event_types": ["points.earned"]}
    made = ok(world, "POST", "/v1/webhooks", webhook, scope=OPERATOR, headers=keyed())
    return Everyday(world, member_id, made["webhook_id"])


def _expire(day: Everyday) -> None:
    world, member_id = day.world, enrolled(day.world)
    ordered(world, member_id)
    _, on, shard = world.item(f"MEMBER#{member_id}", "ACCOUNT")["due_pk"]["S"].split("#")
    now = datetime.fromisoformat(f"{on}T12:00:00+00:00") + timedelta(days=1)
    body = json.dumps({"on": on, "shard": int(shard), "now": now.isoformat()})
    answer = world.invoke("expire", {"Records": [{"messageId": "1", "body": body}]})
    assert answer["batchItemFailures"] == []


def _redeem(day: Everyday) -> None:
    held = ok(day.world, "POST", f"{day.path}/redemptions", {"reward_id": "free-coffee"}, headers=keyed())
    ok(day.world, "POST", f"{day.path}/redemptions/{held['redemption_id']}/cancel")


def _stream(day: Everyday, function: str, pk: str, sk: str) -> None:
    record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": day.world.item(pk, sk)}}
    assert day.world.invoke(function, {"Records": [record]})["batchItemFailures"] == []


def _follow(day: Everyday) -> None:
    _stream(day, "follow", f"ORDER#{ordered(day.world, brought(day.world))}", "EARN")


def _deliver(day: Everyday) -> None:
    now = day.world.now().isoformat()
    event = {"event_id": uuid4().hex, "type": "points.earned", "member_id": day.member_id, "sequence": 1}
    event |= {"occurred_at": now, "recorded_at": now, "points": 50, "balance_after": 50, "program_version": 1}
    record = {
        "messageId": "1",
        "receiptHandle": "1",
        "body": json.dumps({"webhook_id": day.webhook_id, "event": event}),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    assert day.world.invoke("deliver", {"Records": [record]})["batchItemFailures"] == []


def _feedback(day: Everyday) -> None:
    address = f"{uuid4().hex}@example.com"
    mail = {"tags": {"member_id": [enrolled(day.world, email=address)]}}
    complaint = {"complainedRecipients": [{"emailAddress": address}]}
    detail = {"eventType": "Complaint", "mail": mail, "complaint": complaint}
    day.world.invoke("feedback", {"source": "aws.ses", "detail": detail})


def _membership(day: Everyday) -> None:
    payment = {"plan_id": "plus", "reference": uuid4().hex, "amount": 4900, "currency": "USD"}
    path = f"/v1/members/{enrolled(day.world)}/membership"
    ok(day.world, "POST", path, {**payment, "paid_at": day.world.now().isoformat()})


def _adjust(day: Everyday) -> None:
    adjustment = {"points": 5, "reason": "sorry", "reference": uuid4().hex}
    ok(day.world, "POST", f"{day.path}/adjustments", adjustment, scope=OPERATOR)


def _give(day: Everyday) -> None:
    gift = {"to_member_id": day.member_id, "points": 5}
    ok(day.world, "POST", f"/v1/members/{enrolled(day.world)}/gifts", gift, headers=keyed())


def _cart(day: Everyday) -> None:
    buyer = {"member_id": day.member_id, "verified": True}
    ok(day.world, "POST", "/v1/ucp/loyalty", {"currency": "USD", "total": 5000, "buyer": buyer})


def _open_pool(day: Everyday) -> None:
    ok(day.world, "POST", "/v1/pools", {"member_id": enrolled(day.world)}, headers=keyed())


def _transfer(day: Everyday) -> None:
    points = {"to_member_id": enrolled(day.world), "points": 1}
    ok(day.world, "POST", f"{day.path}/transfers", points, scope=OPERATOR, headers=keyed())


def _get(path: str, **options: Any) -> Callable[[Everyday], Any]:
    return lambda day: ok(day.world, "GET", path.replace("{member}", day.path), **options)


EVERYDAY_CALLS: Mapping[str, Callable[[Everyday], Any]] = {
    "account": _get("{member}/account"),
    "agents": _cart,
    "campaigns": _get("/v1/campaigns", scope=OPERATOR),
    "celebrate": lambda day: day.world.invoke("celebrate", {"time": day.world.now().isoformat()}),
    "consent": lambda day: bought(day.world, {"card_number": uuid4().hex}),
    "deliver": _deliver,
    "earn": lambda day: ordered(day.world, day.member_id),
    "enroll": lambda day: enrolled(day.world, email=f"{uuid4().hex}@example.com"),
    "expire": _expire,
    "feedback": _feedback,
    "follow": _follow,
    "gifts": _give,
    "memberships": _membership,
    "notify": lambda day: _stream(day, "notify", f"ORDER#{ordered(day.world, day.member_id)}", "EARN"),
    "operators": _adjust,
    "partners": _get("/v1/partners/cafe", scope=OPERATOR),
    "pools": _open_pool,
    "preferences": _get("{member}/preferences", scope=OPERATOR),
    "program": _get("/v1/program", scope=None),
    "redeem": _redeem,
    "referrals": _get("{member}/referrals"),
    "transfers": _transfer,
    "wallet": _get("{member}/credit"),
    "webhooks": _get("/v1/webhooks", scope=OPERATOR),
}
