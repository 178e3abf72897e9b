"""What each function is mostly asked for."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import uuid4

from infra.bench.world import World, event, new_order, unique
from shared import clock
from shared.caller import OPERATOR
from shared.domain.members.sign_ins import SESSION_LASTS, Session
from shared.domain.tills import TillSession
from shared.tables import client, sessions, tills

FIRST_WHILE_FEW_ARE_DUE = ("expire",)
WHOLE_PROGRAM: Mapping[str, Any] = {
    "memberships": [{"plan_id": "plus", "name": "Plus", "price": 4900, "months": 12}],
    "cashback": {"amount": 10, "per_amount": 100},
    "pools": {},
    "gifts": {},
    "transfers": {},
    "segments": {},
    "celebrations": {"birthday": {"points": 5, "notice_days": 0}},
    "operators": {"adjustment_limit_points": 1000},
    "campaigns": [
        {
            "campaign_id": "opening",
            "description": "One point more",
            "effect": {"kind": "add", "points": 1},
            "budget": {"points": 1_000_000},
        }
    ],
    "partners": [
        {
            "partner_id": "cafe",
            "name": "Cafe",
            "funding": "prepaid",
            "point_cost": {"points": 1, "amount": 1},
            "limits": {"points_per_month": 1_000_000},
            "alert_below": 1000,
        }
    ],
    "agents": {"claim": "com.example.rewards", "currency_name": "Points", "currency_code": "PTS"},
    "referrals": {"advocate_points": 10, "friend_points": 5},
    "automatic_enrolment": {"consent_days": 3},
}
"""Sections of a program with which every function has work."""


class Everyday(NamedTuple):
    """A shop with the whole program, a member who can pay, and a webhook."""

    world: World
    member_id: str
    webhook_id: str

    @property
    def path(self) -> str:
        """The member's."""
        return f"/v1/members/{self.member_id}"


def begin(world: World, address: str) -> Everyday:
    """A member with points, and a webhook to an address that answers."""
    world.use_program(**WHOLE_PROGRAM)
    member_id = world.enroll(email="ada@example.com")
    world.earn(member_id, 1_000_000)
    webhook = {"url": address, "event_types": ["points.earned"]}
    made = world.ok("webhooks", "POST", "/v1/webhooks", webhook, scope=OPERATOR, key=unique("webhook"))
    return Everyday(world, member_id, made["webhook_id"])


def _expire(day: Everyday) -> None:
    world, member_id = day.world, day.world.enroll()
    world.earn(member_id)
    _, on, shard = world.item(f"MEMBER#{member_id}", "ACCOUNT")["due_pk"]["S"].split("#")
    now = datetime.fromisoformat(f"{on}T12:00:00+00:00") + timedelta(days=1)
    page = {"on": on, "shard": int(shard), "now": now.isoformat(), "members": [member_id]}
    _work(day, "expire", body=json.dumps(page))


def _redeem(day: Everyday) -> None:
    reward = {"reward_id": "free-coffee"}
    held = day.world.ok("redeem", "POST", f"{day.path}/redemptions", reward, key=unique("redemption"))
    day.world.ok("redeem", "POST", f"{day.path}/redemptions/{held['redemption_id']}/cancel")


def _draw_consequences(day: Everyday) -> None:
    advocate = day.world.ok("enroll", "GET", f"/v1/members/{day.world.enroll()}")
    friend_id = day.world.enroll(referral_code=advocate["referral_code"])
    _stream(day, "consequences", f"ORDER#{day.world.earn(friend_id)}", "EARN")


def _notify(day: Everyday) -> None:
    _stream(day, "notify", f"ORDER#{day.world.earn(day.member_id)}", "EARN")


def _send(day: Everyday) -> None:
    values = {"points": 5, "available_on": None}
    note = {"message_id": uuid4().hex, "member_id": day.member_id, "kind": "points_earned", "values": values}
    _work(
        day,
        "messages",
        receiptHandle="1",
        body=json.dumps(note),
        attributes={"ApproximateReceiveCount": "1"},
    )


def _deliver(day: Everyday) -> None:
    now = clock.now().isoformat()
    event = {"event_id": uuid4().hex, "type": "points.earned", "member_id": day.member_id, "sequence": 1}
    event |= {"occurred_at": now, "recorded_at": now, "points": 50, "balance_after": 50, "program_version": 1}
    body = json.dumps({"webhook_id": day.webhook_id, "event": event})
    _work(day, "webhook_deliveries", receiptHandle="1", body=body, attributes={"ApproximateReceiveCount": "1"})


def _complain(day: Everyday) -> None:
    address = f"{uuid4().hex}@example.com"
    mail = {"tags": {"member_id": [day.world.enroll(email=address)]}}
    complaint = {"complainedRecipients": [{"emailAddress": address}]}
    detail = {"eventType": "Complaint", "mail": mail, "complaint": complaint}
    day.world.invoke("mail_feedback", {"source": "aws.ses", "detail": detail})


def _membership(day: Everyday) -> None:
    payment = {"plan_id": "plus", "reference": uuid4().hex, "amount": 4900, "currency": "USD"}
    path = f"/v1/members/{day.world.enroll()}/membership"
    day.world.ok("memberships", "POST", path, {**payment, "paid_at": clock.now().isoformat()})


def _adjust(day: Everyday) -> None:
    adjustment = {"points": 5, "reason": "sorry", "reference": uuid4().hex}
    day.world.ok("operators", "POST", f"{day.path}/adjustments", adjustment, scope=OPERATOR)


def _refund(day: Everyday) -> None:
    refund = {
        "order_id": day.world.earn(day.member_id),
        "refund_id": "r",
        "amount": 1,
        "refunded_at": clock.now().isoformat(),
    }
    day.world.ok("orders", "POST", f"{day.path}/refunds", refund)


def _give(day: Everyday) -> None:
    gift = {"to_member_id": day.member_id, "points": 5}
    day.world.ok("gifts", "POST", f"/v1/members/{day.world.enroll()}/gifts", gift, key=unique("gift"))


def _buy_unknown(day: Everyday) -> None:
    day.world.ok("consent", "POST", "/v1/earn", {**new_order(), "identifier": {"card_number": uuid4().hex}})


def _fill_cart(day: Everyday) -> None:
    buyer = {"member_id": day.member_id, "verified": True}
    day.world.ok("agents", "POST", "/v1/ucp/loyalty", {"currency": "USD", "total": 5000, "buyer": buyer})


def _open_pool(day: Everyday) -> None:
    day.world.ok("pools", "POST", "/v1/pools", {"member_id": day.world.enroll()}, key=unique("pool"))


def _transfer(day: Everyday) -> None:
    points = {"to_member_id": day.world.enroll(), "points": 1}
    day.world.ok("transfers", "POST", f"{day.path}/transfers", points, scope=OPERATOR, key=unique("transfer"))


def _look_at_page(day: Everyday) -> None:
    """Look at the first page, signed in. Raises RuntimeError if it is not shown."""
    token, now = uuid4().hex, clock.now()
    client.transact([sessions.put(day.member_id, token, Session(started_at=now, ends_at=now + SESSION_LASTS))])
    cookies = [f"__Host-member={day.member_id}.{token}"]
    answer = day.world.invoke("member_pages", {**event("GET", "/me", None, "", "", ""), "cookies": cookies})
    if answer["statusCode"] != HTTPStatus.OK:
        raise RuntimeError(f"the page was not shown: {answer}")


def _look_at_till(day: Everyday) -> None:
    """Look at the till, signed in. Raises RuntimeError if it is not shown."""
    token, now = uuid4().hex, clock.now()
    shift = TillSession(cashier="otto", store_id="Main Street", started_at=now, ends_at=now + timedelta(hours=1))
    client.transact([tills.put_session(token, shift)])
    request = {**event("GET", f"/till/members/{day.member_id}", None, "", "", ""), "cookies": [f"__Host-till={token}"]}
    answer = day.world.invoke("till_pages", request)
    if answer["statusCode"] != HTTPStatus.OK:
        raise RuntimeError(f"the till was not shown: {answer}")


def _get(function: str, path: str, **options: Any) -> Callable[[Everyday], Any]:
    return lambda day: day.world.ok(function, "GET", path.replace("{member}", day.path), **options)


def _stream(day: Everyday, function: str, pk: str, sk: str) -> None:
    record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": day.world.item(pk, sk)}}
    _work(day, function, **record)


def _work(day: Everyday, function: str, **record: Any) -> None:
    """Hand a function one record. Raises RuntimeError if it gives it back."""
    if day.world.invoke(function, {"Records": [{"messageId": "1", **record}]})["batchItemFailures"]:
        raise RuntimeError(f"{function} gave back {record}")


EVERYDAY_CALLS: Mapping[str, Callable[[Everyday], Any]] = {
    "account": _get("account", "{member}/account"),
    "agents": _fill_cart,
    "anybody": _get("anybody", "/v1/program"),
    "birthdays": lambda day: day.world.invoke("birthdays", {"time": clock.now().isoformat()}),
    "campaigns": _get("campaigns", "/v1/campaigns", scope=OPERATOR),
    "consent": _buy_unknown,
    "consequences": _draw_consequences,
    "earn": lambda day: day.world.earn(day.member_id),
    "enroll": lambda day: day.world.enroll(email=f"{uuid4().hex}@example.com"),
    "expire": _expire,
    "gifts": _give,
    "mail_feedback": _complain,
    "member_pages": _look_at_page,
    "memberships": _membership,
    "messages": _send,
    "notify": _notify,
    "operators": _adjust,
    "orders": _refund,
    "partners": _get("partners", "/v1/partners/cafe", scope=OPERATOR),
    "pools": _open_pool,
    "preferences": _get("preferences", "{member}/preferences", scope=OPERATOR),
    "program": _get("program", "/v1/program/whole", scope=OPERATOR),
    "redeem": _redeem,
    "referrals": _get("referrals", "{member}/referrals"),
    "till_pages": _look_at_till,
    "transfers": _transfer,
    "wallet": _get("wallet", "{member}/credit"),
    "webhook_deliveries": _deliver,
    "webhooks": _get("webhooks", "/v1/webhooks", scope=OPERATOR),
}
