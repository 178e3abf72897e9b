"""For each function a story that makes it do everything it may do: what proves its grants, on moto and in the emulator.

A story ends in an AssertionError when the function is refused anything, and may be told again after it has.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode
from uuid import uuid4

from shared.domain.calendar import local_day
from shared.domain.members.address_changes import code_of
from shared.domain.telling.webhooks import OPEN_AFTER
from shared.tables import reviews
from tests.functions.browser import Browser

STOREFRONT, MEMBER, OPERATOR = "loyalty/storefront", "loyalty/member", "loyalty/operator"
PARTNERS = "loyalty/partner"
LIMITED_REWARD = {
    "reward_id": "mug",
    "name": "Mug",
    "kind": "partner",
    "partner_id": "cafe",
    "points": 10,
    "stock": 1000,
}
VOUCHER_REWARD = {
    "reward_id": "cake",
    "name": "Cake",
    "kind": "product",
    "sku": "CAKE",
    "points": 1,
    "voucher": {},
}
OWN_CODES = {**VOUCHER_REWARD, "reward_id": "bun", "name": "Bun", "voucher": {"own_codes": True}}
GIVEN_VOUCHERS = [
    {"gift_id": "friend", "reward_id": "bun", "on": {"kind": "referral", "to": "friend"}},
    {"gift_id": "away", "reward_id": "bun", "on": {"kind": "absence", "days": 7}},
]
PLAN = {"plan_id": "plus", "name": "Plus", "price": 4900, "months": 12, "percent": 150}
CHECKED_ACTION = {"action_id": "survey", "description": "Survey", "points": 5, "approval": True}
ADJUSTMENT_LIMIT = 500
MUCH = 60_000
"""What an order comes to that brings more points than that, and is too small for the campaign of large ones."""
RATES = {name: {"times": 1, "per": "day"} for name in ("new_members", "refunds")}
CAMPAIGN: Mapping[str, Any] = {
    "campaign_id": "opening",
    "description": "One point more",
    "effect": {"kind": "add", "points": 1},
    "budget": {"points": 1_000_000},
}
LARGE_ORDERS: Mapping[str, Any] = {
    **CAMPAIGN,
    "campaign_id": "large",
    "when": {"minimum_spend": 100_000},
}
"""A campaign that only an amended order is large enough for: its budget is looked at there first."""
PARTNER = {
    "partner_id": "cafe",
    "name": "Cafe",
    "funding": "prepaid",
    "point_cost": {"points": 1, "amount": 1},
    "may_redeem": True,
    "limits": {"points_per_month": 1_000_000, "redeemed_points_per_day": 1_000_000},
    "alert_below": 1000,
}
HOLD_MINUTES = 1
CONSENT_DAYS = 3
REMINDER_DAYS = 30
OK, CONFLICT = 200, 409
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
        member_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request; `member_id` is whose token it is."""

    def invoke(self, function: str, event: Any) -> Any:
        """What a function answers to an event; a failure is an AssertionError with its text."""

    def now(self) -> datetime:
        """The present."""

    def pass_days(self, days: int) -> None:
        """Let time pass, where that can be had."""

    def pass_days_for(self, member_id: str, days: int) -> None:
        """Let time pass for one member at least."""

    def note_runs(self) -> None:
        """Let the schedules have run some days ago: a first run would look over a year back, another find no work."""

    def start_anew(self, function: str) -> None:
        """Have a function forget what it remembers."""

    def item(self, pk: str, sk: str) -> Item:
        """What stands in the ledger's table."""

    def put_item(self, item: Item) -> None:
        """Write past the functions."""

    def identity_key(self) -> bytes:
        """The secret under which links are signed."""

    def member_with_lapsed_hold(self, **details: Any) -> str:
        """A new member in a pool, whose hold on the limited reward has run out without anybody having booked it."""

    def take_queued(self, function: str) -> Sequence[str]:
        """What waits in the queues of runs for a function that nobody else hands it to."""

    def await_mail(self, address: str) -> None:
        """Wait for the first e-mail there, where somebody else sends it."""

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


def ordered(world: World, member_id: str, total: int = 5000, **details: Any) -> str:
    """The id of an order that a member has been credited with."""
    order_id = uuid4().hex
    body = {"type": "order", "order_id": order_id, "placed_at": world.now().isoformat(), "currency": "USD"}
    ok(world, "POST", f"/v1/members/{member_id}/earn", {**body, "total": total, **details})
    return order_id


def prepare(world: World) -> None:
    """A program with a limited reward and short holds."""
    reply = world.call("GET", "/v1/program/whole", scope=OPERATOR)
    assert reply.status == OK, reply
    program = dict(reply.body)
    program["redeeming"]["hold_minutes"] = HOLD_MINUTES
    rewards = [reward for reward in program["redeeming"]["rewards"] if reward["reward_id"] != "mug"]
    kept = [reward for reward in rewards if reward["reward_id"] not in {"cake", "bun"}]
    program["redeeming"]["rewards"] = [*kept, LIMITED_REWARD, VOUCHER_REWARD, OWN_CODES]
    program["memberships"] = [PLAN]
    program |= {
        "cashback": {"amount": 10, "per_amount": 100},
        "pools": {},
        "gifts": {},
        "transfers": {},
        "segments": {},
    }
    program["earning"]["actions"] = [{"action_id": "review", "description": "Review", "points": 25}, CHECKED_ACTION]
    program["celebrations"] = {"birthday": {"points": 5, "notice_days": 0}}
    program["operators"] = {"adjustment_limit_points": ADJUSTMENT_LIMIT, "rates": RATES}
    program["campaigns"] = [CAMPAIGN, LARGE_ORDERS]
    program["partners"] = [PARTNER]
    program["agents"] = {"claim": "com.example.rewards", "currency_name": "Points", "currency_code": "PTS"}
    program["given_vouchers"] = GIVEN_VOUCHERS
    program["referrals"] = {"advocate_points": 10, "friend_points": 5}
    program["automatic_enrolment"] = {"consent_days": CONSENT_DAYS}
    etag = next(value for name, value in reply.headers.items() if name.lower() == "etag")
    ok(world, "PUT", "/v1/program", program, scope=OPERATOR, headers={"If-Match": etag})
    _add_codes(world)


def _add_codes(world: World) -> None:
    ok(world, "POST", "/v1/rewards/bun/codes", {"codes": [uuid4().hex for _ in range(40)]}, scope=OPERATOR)


def pooled(world: World, **details: Any) -> str:
    """A new member who shares a pool, alone so far."""
    member_id = enrolled(world, **details)
    ok(world, "POST", "/v1/pools", {"member_id": member_id}, headers=keyed())
    return member_id


def hold(world: World, member_id: str) -> str:
    """The id of a partner's redemption that holds the limited reward, beside one that pays for a part of an order."""
    path = f"/v1/members/{member_id}/redemptions"
    payment = {"points": 1, "order_total": 100, "currency": "USD", "order_id": uuid4().hex}
    ok(world, "POST", path, payment, headers=keyed())
    mug = {"reward_id": "mug", "code": ok(world, "POST", f"/v1/members/{member_id}/codes")["code"]}
    return str(ok(world, "POST", path, mug, scope=PARTNERS, headers=keyed())["redemption_id"])


def account(world: World) -> None:
    member_id = enrolled(world)
    ordered(world, member_id)
    ok(world, "GET", f"/v1/members/{member_id}/account")
    assert len(ok(world, "GET", f"/v1/members/{member_id}/entries")["items"]) == 2
    ok(world, "GET", "/v1/rewards")


def earn(world: World) -> None:
    member_id = enrolled(world)
    order = {"type": "order", "order_id": uuid4().hex, "placed_at": world.now().isoformat(), "currency": "USD"}
    for _ in range(2):
        ok(world, "POST", f"/v1/members/{member_id}/earn", {**order, "total": 5000})
    action = {"type": "action", "action": "review", "reference": uuid4().hex, "occurred_at": world.now().isoformat()}
    ok(world, "POST", f"/v1/members/{member_id}/earn", action)
    ok(world, "POST", f"/v1/members/{member_id}/earn", {**action, "action": "survey", "reference": uuid4().hex})
    ok(world, "POST", f"/v1/members/{member_id}/earn", {**action, "action": "unknown"}, 4)
    ordered(world, brought(world))
    ordered(world, world.member_with_lapsed_hold())


def enroll(world: World) -> None:
    email, other_email = (f"{uuid4().hex}@example.com" for _ in range(2))
    member_id, gone_id = enrolled(world, email=email), enrolled(world, phone=f"+1 212 555 {uuid4().int % 10**4:04}")
    assert ok(world, "POST", "/v1/members/lookup", {"email": email})["member_id"] == member_id
    ok(world, "PATCH", f"/v1/members/{member_id}", {"email": other_email, "name": "Ada Story", "birthday": "12-10"})
    ok(world, "PATCH", f"/v1/members/{member_id}", {"place": "US-CA"})
    ok(world, "POST", "/v1/members/lookup", {"card_number": uuid4().hex}, 404, scope=PARTNERS)
    code = ok(world, "POST", f"/v1/members/{member_id}/codes")["code"]
    assert ok(world, "POST", "/v1/members/lookup", {"code": code}, scope=PARTNERS) == {"member_id": member_id}
    ok(world, "POST", f"/v1/members/{member_id}/tags", {"add": ["vip"]}, headers=keyed())
    ok(world, "POST", "/v1/members/search", {"name": "story"}, scope=OPERATOR)
    ok(world, "POST", f"/v1/members/{member_id}/merge", {"from_member_id": gone_id})
    ok(world, "POST", f"/v1/members/{member_id}/merge", {"from_member_id": gone_id})
    ordered(world, member_id)
    ordered(world, rich_id := enrolled(world), MUCH)
    ok(world, "POST", f"/v1/members/{member_id}/merge", {"from_member_id": rich_id}, scope=OPERATOR, status=202)
    ok(world, "GET", f"/v1/members/{member_id}/export", scope=OPERATOR)
    ok(world, "DELETE", f"/v1/members/{member_id}", scope=OPERATOR)
    ok(world, "DELETE", f"/v1/members/{world.member_with_lapsed_hold()}", scope=OPERATOR)
    _changed_address(world, f"{uuid4().hex}@example.com")


def _changed_address(world: World, email: str) -> str:
    """The token of the link that undoes what a new member has just changed and confirmed: their address was another."""
    member_id = enrolled(world, email=email)
    own: dict[str, Any] = {"scope": MEMBER}
    ok(world, "PATCH", "/v1/members/me", {"email": f"{uuid4().hex}@example.com"}, member_id=member_id, **own)
    assert ok(world, "GET", "/v1/members/me", member_id=member_id, **own)["awaiting_confirmation"]
    export = ok(world, "GET", "/v1/members/me/export", member_id=member_id, **own)
    [change] = export["held"]["address_changes"]
    code = code_of(_keyed(world, f"address-code:{change['change_id']}"))
    ok(world, "POST", "/v1/members/me/confirmations", {"code": code}, member_id=member_id, **own)
    content = f"{member_id}.{change['change_id']}"
    return f"{content}.{_keyed(world, f'undo:{content}')[:24]}"


def member_pages(world: World) -> None:
    """Two who join, one with a friend's code; what there is to see and to change; one leaves who holds something."""
    browser = Browser(answers=lambda event: world.invoke("member_pages", event))
    email, advocates = (f"{uuid4().hex}@example.com" for _ in range(2))
    advocate = enrolled(world, email=advocates, fingerprints=["card"])
    code = ok(world, "GET", f"/v1/members/{advocate}")["referral_code"]
    _signed_in(world, browser, email, referral_code=code)
    _signed_in(world, browser, advocates)
    assert browser.get("/me/friends").status == OK
    _signed_in(world, browser, email)
    member_id = ok(world, "POST", "/v1/members/lookup", {"email": email})["member_id"]
    ordered(world, member_id)
    for path in ("", "/card", "/points", "/vouchers", "/friends", "/rewards"):
        assert browser.get(f"/me{path}").status == OK, path
    dear = urlencode({**browser.form("/me/rewards/mug"), "key": "dear"})
    assert browser.ask("POST", "/me/rewards/gift-card-25", dear).status == CONFLICT
    voucher = browser.send("/me/rewards/mug")
    assert (voucher.status, "/me/vouchers/" in voucher.path) == (OK, True), voucher.text
    browser.get("/me/rewards")
    assert browser.send("/me/rewards/bun").status == OK
    browser.get("/me/you")
    assert browser.send("/me/you/details", name="Ada Story").status == OK
    assert browser.send("/me/you/messages", **{"marketing.email": "yes"}).status == OK
    assert browser.send("/me/you/addresses/email", email=f"{uuid4().hex}@example.com").status == OK
    [change] = json.loads(browser.get("/me/export").text)["held"]["address_changes"]
    browser.get("/me/you")
    confirmation = code_of(_keyed(world, f"address-code:{change['change_id']}"))
    assert "confirmed" in browser.send("/me/you/confirm", code=confirmation).path
    browser.send("/me/sign-out", everywhere="yes")
    email = f"{uuid4().hex}@example.com"
    late = world.member_with_lapsed_hold(email=email)
    ok(world, "PATCH", f"/v1/members/{late}", {"birthday": "12-10"})
    for _ in range(2):  # and again with the address that is remembered
        _signed_in(world, browser, email)
        browser.get("/me/erase")
        assert browser.send("/me/erase", confirm="yes").status == OK
    debtor = enrolled(world, email=email)
    refund = {"order_id": ordered(world, debtor), "refund_id": uuid4().hex, "amount": 5000}
    hold(world, debtor)
    ok(world, "POST", f"/v1/members/{debtor}/refunds", refund)
    _signed_in(world, browser, email)
    browser.get("/me/erase")
    assert browser.send("/me/erase", confirm="yes").status == OK


def till_pages(world: World) -> None:
    """A cashier signs in and finds members; sales, rewards and vouchers, and what is undone."""
    browser = _at_till(world)
    email, card = f"{uuid4().hex}@example.com", uuid4().hex
    member_id = enrolled(world, email=email, card_number=card)
    shown = ok(world, "POST", f"/v1/members/{member_id}/codes")["code"]
    for who in ("nobody", shown, email, card):
        page = browser.send("/till/find", who=who)
        browser.get("/till")
    assert page.path == f"/till/members/{member_id}"
    for known in (member_id, brought(world), pooled(world), world.member_with_lapsed_hold()):
        path = f"/till/members/{known}"
        browser.get(path)
        assert "till_sold" in browser.send(f"{path}/sale", amount="5000").path
        for reward in ("mug", "bun"):
            browser.get(path)
            assert "till_redeemed" in browser.send(f"{path}/rewards/{reward}").path
        for undo in re.findall(r'action="([^"]+/undo)"', browser.get(path).text):
            browser.get(path)
            assert "till_undone" in browser.send(undo).path
    redeemed = {"reward_id": "cake", "capture": True}
    ordered(world, member_id, MUCH)
    voucher = ok(world, "POST", f"/v1/members/{member_id}/redemptions", redeemed, headers=keyed())["voucher_code"]
    browser.get("/till/voucher")
    for step in ("", "/use", "/undo"):
        page = browser.send(f"/till/voucher{step}", voucher=voucher)
        assert page.status == OK, page.text
    _keep(world, browser, {"member_id": member_id}, {"who": card})
    _keep(world, browser, {"who": (unknown := uuid4().hex)})
    opened = ok(world, "POST", "/v1/members/lookup", {"card_number": unknown})["member_id"]
    world.pass_days_for(opened, CONSENT_DAYS + 1)
    browser = _at_till(world)
    browser.get("/till/voucher")
    _keep(world, browser, {"who": unknown})
    browser.get("/till")
    assert browser.send("/till/sign-out").path == "/till/sign-in"


def _at_till(world: World) -> Browser:
    """The browser of a cashier who has signed in."""
    browser = Browser(answers=lambda event: world.invoke("till_pages", event))
    code = ok(world, "POST", "/v1/cashiers/codes", {"cashier": "otto", "store_id": "Main Street"})["code"]
    browser.get("/till/sign-in")
    assert browser.send("/till/sign-in", code=code).path == "/till"
    return browser


def _keep(world: World, browser: Browser, *whose: Mapping[str, str]) -> None:
    """Send sales that a till has kept."""
    sale = {"placed_at": world.now().isoformat(), "total": 5000, "store_id": "Main Street"}
    sales = [{**sale, **who, "order_id": uuid4().hex} for who in whose]
    token = browser.form("/till/voucher")["form_token"]
    kept = browser.ask("POST", "/till/kept", urlencode({"form_token": token, "sales": json.dumps(sales)}))
    assert [one["status"] for one in json.loads(kept.text)["items"]] == [OK] * len(sales), kept.text


def _signed_in(world: World, browser: Browser, email: str, **fields: str) -> None:
    """Sign in, or join, with a code that was entered wrong at first."""
    browser.get("/join")
    browser.send("/join", address=email, terms="yes", name="Ada", **fields)
    [token] = [value for name, value in browser.cookies.items() if name.endswith("visit")]
    sign_in_id = _keyed(world, f"sign-in:{token}")[:32]
    code = code_of(_keyed(world, f"sign-in-code:{sign_in_id}"))
    for entered in ("23456789", code):
        page = browser.send("/me/code?joining=1", code=entered)
    assert page.path == "/me?said=welcome", page.text


def _keyed(world: World, text: str) -> str:
    return hmac.new(world.identity_key(), text.encode(), hashlib.sha256).hexdigest()


def brought(world: World, **details: Any) -> str:
    """A new member who has come by another's code."""
    advocate_id = enrolled(world, fingerprints=["card"])
    code = ok(world, "GET", f"/v1/members/{advocate_id}")["referral_code"]
    return enrolled(world, referral_code=code, **details)


def bought(world: World, identifier: Mapping[str, str]) -> Any:
    """What an order answers that somebody with an identifier has placed."""
    body = {"type": "order", "order_id": uuid4().hex, "placed_at": world.now().isoformat(), "currency": "USD"}
    return ok(world, "POST", "/v1/earn", {**body, "total": 5000, "identifier": identifier})


def consent(world: World) -> None:
    card = {"card_number": uuid4().hex}
    member_id = bought(world, card)["account"]["member_id"]
    bought(world, card)
    ok(world, "POST", f"/v1/members/{member_id}/consent", {"terms_version": "1"})
    for known in (brought(world), pooled(world), world.member_with_lapsed_hold()):
        bought(world, {"external_id": ok(world, "GET", f"/v1/members/{known}")["external_id"]})
    email = {"email": f"{uuid4().hex}@example.com"}
    ok(world, "DELETE", f"/v1/members/{enrolled(world, **email)}", scope=OPERATOR)
    again = bought(world, email)["account"]["member_id"]
    ok(world, "POST", f"/v1/members/{again}/consent", {"terms_version": "1"})
    items = [
        {"type": "order", "order_id": uuid4().hex, "currency": "USD", "total": 5000, "identifier": email},
        *(
            {"type": "action", "action": action, "reference": uuid4().hex, "member_id": again}
            for action in ("review", "survey")
        ),
    ]
    for status in (201, 200):
        answered = ok(world, "POST", "/v1/earn/batch", {"items": items})["items"]
        assert [item["status"] for item in answered] == [status] * len(items), answered
    unknown = {**items[1], "action": "unknown", "reference": uuid4().hex}
    assert ok(world, "POST", "/v1/earn/batch", {"items": [unknown]})["items"][0]["status"] == 422
    member_id = bought(world, card := {"card_number": uuid4().hex})["account"]["member_id"]
    world.pass_days_for(member_id, CONSENT_DAYS + 1)
    bought(world, card)


def referrals(world: World) -> None:
    friend_id = brought(world)
    advocate_id = json.loads(world.item(f"MEMBER#{friend_id}", "ENROLL")["body"]["S"])["referred"]["advocate"]
    assert ok(world, "GET", f"/v1/members/{advocate_id}/referrals")["items"]


def orders(world: World) -> None:
    member_id, at = brought(world), world.now().isoformat()
    path = f"/v1/members/{member_id}"
    tea = {"sku": "TEA", "category": "tea", "quantity": 2, "amount": 4000}
    order_id = ordered(world, member_id, lines=[tea])
    part = {"sku": "TEA", "quantity": 1, "amount": 2000}
    refund = {"order_id": order_id, "refund_id": "r", "lines": [part], "refunded_at": at}
    ok(world, "POST", f"{path}/refunds", refund)
    ok(world, "POST", f"{path}/refunds/r/reverse", {"order_id": order_id})
    ok(world, "POST", f"{path}/orders/{order_id}/amend", {"amendment_id": "a", "amended_at": at, "total": 200_000})
    assert ok(world, "GET", f"{path}/orders/{order_id}")["total"] == 200_000
    whole = {"order_id": order_id, "refund_id": "all", "amount": 200_000, "refunded_at": at}
    ok(world, "POST", f"{path}/refunds", whole)
    ok(world, "POST", f"{path}/refunds/all/reverse", {"order_id": order_id})
    late_id = world.member_with_lapsed_hold()
    late = {"order_id": ordered(world, pooled_id := pooled(world)), "refund_id": "p", "amount": 1000, "refunded_at": at}
    ok(world, "POST", f"/v1/members/{pooled_id}/refunds", late)
    ok(
        world,
        "POST",
        f"/v1/members/{late_id}/orders/{late['order_id']}/claim",
        {"claim_id": "p", "reason": "the wrong card"},
    )
    other_id = enrolled(world)
    ok(world, "POST", f"/v1/members/{other_id}/orders/{order_id}/claim", {"claim_id": "c", "reason": "the wrong card"})
    large_id = ordered(world, enrolled(world), MUCH)
    ok(world, "POST", *claimed(large_id, other_id), scope=OPERATOR, status=202)


def consequences(world: World) -> None:
    code = ok(world, "GET", f"/v1/members/{world.member_with_lapsed_hold()}")["referral_code"]
    friend_id = enrolled(world, referral_code=code)
    order_id = ordered(world, friend_id)
    _follow(world, world.item(f"ORDER#{order_id}", "EARN"))
    # What the friend's reward came to after a merge, the ledgers tell.
    kept_id = enrolled(world)
    ok(world, "POST", f"/v1/members/{kept_id}/merge", {"from_member_id": friend_id})
    refund = {"order_id": order_id, "refund_id": "r", "amount": 5000, "refunded_at": world.now().isoformat()}
    ok(world, "POST", f"/v1/members/{kept_id}/refunds", refund)
    _follow(world, world.item(f"ORDER#{order_id}", "REFUND#r"))
    member_id = bought(world, {"card_number": uuid4().hex})["account"]["member_id"]
    first = dict(world.item(f"MEMBER#{member_id}", "PROVISIONAL"))
    first["body"] = {"S": json.dumps({**json.loads(first["body"]["S"]), "type": "unclaimed"})}
    _follow(world, first)
    _owe(world)
    email = f"{uuid4().hex}@example.com"
    ada_id = enrolled(world, email=email, name="Ada", birthday="12-10", fingerprints=["card"])
    erased = dict(world.item(f"MEMBER#{ada_id}", "ENROLL"))
    erased["body"] = {"S": json.dumps({**json.loads(erased["body"]["S"]), "type": "erase"})}
    erased["follow"] = {"S": "erase"}
    _follow(world, erased)


def _owe(world: World) -> None:
    """Somebody spends what an order brings, is erased, and returns the goods."""
    member_id = enrolled(world, email=f"{uuid4().hex}@example.com")
    order_id = ordered(world, member_id)
    spent = {"points": -150, "reason": "sorry", "reference": uuid4().hex}
    ok(world, "POST", f"/v1/members/{member_id}/adjustments", spent, scope=OPERATOR)
    ok(world, "DELETE", f"/v1/members/{member_id}", scope=OPERATOR)
    refund = {"order_id": order_id, "refund_id": "r", "amount": 5000, "refunded_at": world.now().isoformat()}
    ok(world, "POST", f"/v1/members/{member_id}/refunds", refund)
    _follow(world, world.item(f"ORDER#{order_id}", "REFUND#r"))


def campaigns(world: World) -> None:
    campaign, _ = ok(world, "GET", "/v1/campaigns", scope=OPERATOR)["items"]
    assert ok(world, "GET", "/v1/campaigns/opening", scope=OPERATOR) == campaign


def agents(world: World) -> None:
    buyer = {"member_id": enrolled(world), "verified": True}
    ok(world, "POST", "/v1/ucp/loyalty", {"currency": "USD", "total": 5000, "buyer": buyer})


def partners(world: World) -> None:
    path = "/v1/partners/cafe"
    _pay_in(world)
    ordered(world, enrolled(world), partner_id="cafe")
    ok(world, "GET", path, scope=OPERATOR)
    assert ok(world, "GET", f"{path}/entries", scope=OPERATOR)["items"]
    ok(world, "GET", f"{path}/settlements/{_today(world)[:7]}", scope=OPERATOR)


def redeem(world: World) -> None:
    member_id = enrolled(world)
    captured, cancelled = hold(world, member_id), hold(world, member_id)
    path = f"/v1/members/{member_id}/redemptions"
    ok(world, "POST", f"{path}/{captured}/capture", scope=OPERATOR)
    ok(world, "GET", f"{path}/{captured}")
    ok(world, "GET", path)
    ok(world, "POST", f"{path}/{captured}/reverse", scope=OPERATOR)
    ok(world, "POST", f"{path}/{cancelled}/cancel")
    ok(world, "POST", path, {"reward_id": "mug", "code": "AAAAAAAA"}, 409, scope=PARTNERS, headers=keyed())
    ok(world, "POST", path, {"points": 1_000_000, "order_total": 10_000_000, "currency": "USD"}, 409, headers=keyed())
    _voucher(world, member_id)
    hold(world, pooled(world))


def _voucher(world: World, member_id: str) -> None:
    """A voucher that is issued, looked up, used, given back and taken back; and one with a code of the shop's own."""
    _add_codes(world)
    own = ok(world, "POST", f"/v1/members/{member_id}/redemptions", {"reward_id": "bun"}, headers=keyed())
    ok(world, "POST", f"/v1/members/{member_id}/redemptions/{own['redemption_id']}/capture")
    path = f"/v1/members/{member_id}/redemptions"
    bought = ok(world, "POST", path, {"reward_id": "cake", "capture": True}, headers=keyed())
    code = {"code": bought["voucher_code"]}
    ok(world, "GET", f"/v1/members/{member_id}/vouchers")
    for _ in range(2):
        ok(world, "POST", "/v1/vouchers/use", {**code, "reference": "s-1"}, scope=OPERATOR)
    ok(world, "POST", "/v1/vouchers/lookup", code)
    ok(world, "POST", f"{path}/{bought['redemption_id']}/reverse", status=409)
    ok(world, "POST", "/v1/vouchers/undo", {**code, "reference": "s-1"})
    ok(world, "POST", f"{path}/{bought['redemption_id']}/reverse")


def pools(world: World) -> None:
    giver, receiver = enrolled(world), enrolled(world)
    ordered(world, giver)
    hold(world, giver)
    world.pass_days_for(giver, 1)
    opened = ok(world, "POST", "/v1/pools", {"member_id": giver}, headers=keyed())
    pool = f"/v1/pools/{opened['pool_id']}"
    code = ok(world, "POST", f"{pool}/invitations", headers=keyed())["code"]
    joining = {"member_id": receiver, "invitation": code}
    ok(world, "POST", f"{pool}/members", joining, headers=keyed())
    ok(world, "POST", f"{pool}/members", joining, 409, headers=keyed())
    ok(world, "GET", pool)
    opener: Mapping[str, Any] = {"scope": MEMBER, "member_id": giver}
    ok(world, "DELETE", f"{pool}/members/{receiver}", headers=keyed(), **opener)
    ok(world, "POST", f"{pool}/members", {"invitation": code}, 409, headers=keyed(), **opener)


def gifts(world: World) -> None:
    giver, receiver = pooled(world), enrolled(world)
    gift = {"to_member_id": receiver, "points": 5, "message": "For you"}
    path = f"/v1/members/{giver}/gifts"
    ok(world, "POST", path, {**gift, "points": 1_000_000}, 409, headers=keyed())
    accepted, withdrawn = (ok(world, "POST", path, gift, headers=keyed())["gift_id"] for _ in range(2))
    ok(world, "POST", f"/v1/members/{receiver}/gifts/{accepted}/accept")
    ok(world, "GET", f"/v1/members/{receiver}/gifts/{accepted}")
    ok(world, "POST", f"{path}/{withdrawn}/withdraw")
    ok(world, "POST", f"/v1/members/{world.member_with_lapsed_hold()}/gifts", gift, headers=keyed())


def transfers(world: World) -> None:
    giver, receiver = pooled(world), enrolled(world)
    ordered(world, giver)
    hold(world, giver)
    world.pass_days_for(giver, 1)
    too_many, few = ({"to_member_id": receiver, "points": points} for points in (1_000_000, 5))
    path = f"/v1/members/{giver}/transfers"
    ok(world, "POST", path, too_many, 409, scope=OPERATOR, headers=keyed())
    ok(world, "POST", path, few, scope=OPERATOR, headers=keyed())


def wallet(world: World) -> None:
    member_id = pooled(world)
    ordered(world, member_id)
    hold(world, member_id)
    world.pass_days_for(member_id, 1)
    path = f"/v1/members/{member_id}/credit"
    ok(world, "GET", path)
    ok(world, "GET", f"{path}/entries")
    payout = {"amount": 100, "currency": "USD", "reference": uuid4().hex}
    ok(world, "POST", f"{path}/payouts", {**payout, "amount": 1_000_000}, 409)
    ok(world, "POST", f"{path}/payouts", payout)


def memberships(world: World) -> None:
    for member_id in (enrolled(world), world.member_with_lapsed_hold()):
        path, paid = f"/v1/members/{member_id}/membership", uuid4().hex
        payment = {"plan_id": "plus", "reference": paid, "amount": 4900, "currency": "USD"}
        ok(world, "POST", path, {**payment, "paid_at": world.now().isoformat()})
        ok(world, "POST", f"{path}/cancel", {"reference": paid})
        ok(world, "POST", f"{path}/cancel", {"reference": uuid4().hex}, 409)


def operators(world: World) -> None:
    member_id = enrolled(world)
    survey = {"type": "action", "action": "survey", "reference": uuid4().hex, "occurred_at": world.now().isoformat()}
    references = (uuid4().hex, uuid4().hex)
    for reference in references:
        ok(world, "POST", f"/v1/members/{member_id}/earn", {**survey, "reference": reference})
    ok(world, "GET", "/v1/reviews", scope=OPERATOR)
    ok(world, "POST", "/v1/cashiers/codes", {"cashier": "otto", "store_id": "Main Street"}, scope=OPERATOR)
    first, second = (reviews.id_of("action", "survey", reference) for reference in references)
    suspect = reviews.id_of("referral", brought(world, fingerprints=["card"]))
    ok(world, "POST", f"/v1/reviews/{suspect}/approve", scope=OPERATOR)
    ok(world, "POST", f"/v1/reviews/{suspect}/reject", {"reason": "late"}, scope=OPERATOR, status=4)
    ok(world, "POST", f"/v1/reviews/{first}/approve", scope=OPERATOR)
    ok(world, "POST", f"/v1/reviews/{second}/reject", {"reason": "empty"}, scope=OPERATOR)
    ok(world, "POST", f"/v1/reviews/{second}/approve", scope=OPERATOR, status=409)
    path, cause = f"/v1/members/{member_id}", {"reason": "a doubt", "reference": uuid4().hex}
    for points in (5, ADJUSTMENT_LIMIT + 1):
        adjustment = {"points": points, "reason": "sorry", "reference": uuid4().hex}
        ok(world, "POST", f"{path}/adjustments", adjustment, scope=OPERATOR)
    ok(world, "POST", f"{path}/freeze", cause, scope=OPERATOR)
    ok(world, "POST", f"{path}/unfreeze", cause, scope=OPERATOR)
    _decide_erasures(world)
    _agree_on_what_moves_much(world)
    _loosen(world)
    assert ok(world, "GET", "/v1/audit", scope=OPERATOR)["items"]
    _read_reports(world)
    ok(world, "POST", f"/v1/members/{world.member_with_lapsed_hold()}/freeze", cause, scope=OPERATOR)


def _read_reports(world: World) -> None:
    """What a job has stored: a month's statement, with its lines, and insights."""
    as_of, page = "2026-11-20T18:03:00Z", "2026-11-20T18:03:00.000000+00:00#00000"
    head = {"month": "2026-11", "currency": "USD", "as_of": as_of, "lines": 1}
    report = {"report": "members", "title": "Members", "as_of": as_of, "columns": [], "rows": [], "query": "q"}
    for pk, sk, body in (
        ("STATEMENTS", "2026-11", head),
        ("STATEMENTS#2026-11", page, {"lines": [{"section": "statement", "line": "opening"}]}),
        ("INSIGHTS", "members", report),
    ):
        world.put_item({"pk": {"S": pk}, "sk": {"S": sk}, "body": {"S": json.dumps(body)}})
    assert len(ok(world, "GET", "/v1/statements/2026-11", scope=OPERATOR)["items"]) == 1
    assert ok(world, "GET", "/v1/insights/members", scope=OPERATOR)["title"] == "Members"


def _loosen(world: World) -> None:
    """Another operator agrees that one may adjust more."""
    reply = world.call("GET", "/v1/program/whole", scope=OPERATOR)
    etag = next(value for name, value in reply.headers.items() if name.lower() == "etag")
    looser = {**reply.body, "operators": {**reply.body["operators"], "adjustment_limit_points": ADJUSTMENT_LIMIT + 1}}
    asked = ok(world, "PUT", "/v1/program", looser, scope=OPERATOR, headers={"If-Match": etag}, status=202)
    ok(world, "POST", f"/v1/reviews/{asked['review_id']}/approve", scope=OPERATOR, status=403)
    _agree(world, asked)


def _agree(world: World, asked: Any) -> Any:
    """Approve what waits, as though another operator had asked."""
    review = world.item(f"REVIEW#{asked['review_id']}", "REVIEW")
    body = review["body"]["S"].replace(asked["requested_by"], "operator:another")
    world.put_item({**review, "body": {"S": body}})
    return ok(world, "POST", f"/v1/reviews/{asked['review_id']}/approve", scope=OPERATOR)


def _agree_on_what_moves_much(world: World) -> None:
    """Two operators undo what two have agreed on, and move an order and a member to another member."""
    member_id, gone_id = pooled(world), brought(world, email=f"{uuid4().hex}@example.com")
    path = f"/v1/members/{member_id}"
    given = {"points": ADJUSTMENT_LIMIT + 1, "reason": "sorry", "reference": uuid4().hex}
    entry = _agree(world, ok(world, "POST", f"{path}/adjustments", given, scope=OPERATOR, status=202))["entry"]
    undone = f"{path}/entries/{entry['entry_id']}/undo"
    _agree(world, ok(world, "POST", undone, {"reason": "no"}, scope=OPERATOR, status=202))
    tea = {"sku": "TEA", "category": "tea", "quantity": 2, "amount": 4000}
    order_id = ordered(world, gone_id, MUCH, lines=[tea])
    _agree(world, ok(world, "POST", *claimed(order_id, member_id), scope=OPERATOR, status=202))
    ordered(world, gone_id, MUCH)
    merged = {"from_member_id": gone_id}
    _agree(world, ok(world, "POST", f"{path}/merge", merged, scope=OPERATOR, status=202))


def claimed(order_id: str, member_id: str) -> tuple[str, Any]:
    """The path and the body that claim an order for a member."""
    body = {"claim_id": uuid4().hex, "reason": "the wrong card"}
    return f"/v1/members/{member_id}/orders/{order_id}/claim", body


def _decide_erasures(world: World) -> None:
    """Two members who are frozen, in a pool, and ask to be erased: one is, the other is not."""
    for step in ("approve", "reject"):
        details = {"email": f"{uuid4().hex}@example.com", "name": "Ada", "birthday": "12-10", "fingerprints": ["card"]}
        member_id = enrolled(world, **details)
        ok(world, "POST", "/v1/pools", {"member_id": member_id}, headers=keyed())
        gift = {"to_member_id": member_id, "points": 5, "message": "For the tea"}
        ok(world, "POST", f"/v1/members/{enrolled(world)}/gifts", gift, headers=keyed())
        cause = {"reason": "a doubt", "reference": uuid4().hex}
        ok(world, "POST", f"/v1/members/{member_id}/freeze", cause, scope=OPERATOR)
        review_id = ok(world, "DELETE", f"/v1/members/{member_id}", status=202, scope=OPERATOR)["review_id"]
        body = {"reason": "open"} if step == "reject" else None
        ok(world, "POST", f"/v1/reviews/{review_id}/{step}", body, scope=OPERATOR)
        if step == "approve":
            path = f"/v1/members/{member_id}/remembered"
            assert ok(world, "GET", path, scope=OPERATOR)["frozen_under"] == cause["reference"]
            again = enrolled(world, email=details["email"])
            path = f"/v1/members/{again}/remembered"
            ok(world, "POST", f"{path}/lift", {"reason": "settled"}, scope=OPERATOR)


def birthdays(world: World) -> None:
    today = _today(world)
    members = [enrolled(world), world.member_with_lapsed_hold()]
    for member_id in members:
        ok(world, "PATCH", f"/v1/members/{member_id}", {"birthday": today[5:]})
    page = {"run": "birthdays", "on": today, "shard": 0, "now": world.now().isoformat(), "members": members}
    _work_off(world, "birthdays", json.dumps(page))
    world.note_runs()
    _run(world, "birthdays", {"time": world.now().isoformat()})


def program(world: World) -> None:
    prepare(world)
    enrolled(world)
    reply = world.call("GET", "/v1/program/whole", scope=OPERATOR)
    etag = next(value for name, value in reply.headers.items() if name.lower() == "etag")
    other = {**reply.body, "currency": "JPY"}
    ok(world, "PUT", "/v1/program", other, 422, scope=OPERATOR, headers={"If-Match": etag})


def expire(world: World) -> None:
    member_id = world.member_with_lapsed_hold()
    _, on, shard = world.item(f"MEMBER#{member_id}", "ACCOUNT")["due_pk"]["S"].split("#")
    ordered(world, away_id := enrolled(world), placed_at=(world.now() - timedelta(days=10)).isoformat())
    members = [member_id, away_id]
    page = {"run": "expiry", "on": on, "shard": int(shard), "now": world.now().isoformat(), "members": members}
    _work_off(world, "expire", json.dumps(page))
    world.member_with_lapsed_hold()
    assert _run(world, "expire", {"time": world.now().isoformat()})["pages"] > 0


def notify(world: World) -> None:
    webhook_id = _webhook(world)
    address = f"{uuid4().hex}@example.com"
    _tell(world, _record(world, enrolled(world, email=address)))
    _tell(world, _record(world, enrolled(world, phone=f"+1 212 555 {uuid4().int % 10**4:04}")))
    _wait_and_state(world)
    _pay_in(world)
    order_id = ordered(world, enrolled(world), partner_id="cafe")
    _tell(world, _record_of(world.item(f"ORDER#{order_id}", "EARN")))
    returning, returned = enrolled(world), uuid4().hex
    refund = {"order_id": ordered(world, returning), "refund_id": returned, "amount": 100}
    ok(world, "POST", f"/v1/members/{returning}/refunds", refund)
    _tell(world, _record_of(world.item(f"ORDER#{refund['order_id']}", f"REFUND#{returned}")))
    parked = {"first": {"N": "1"}, "times": {"N": "1"}, "parked_at": {"S": "2026-11-01T00:00:00+00:00"}}
    # What the first endpoint did not take may have been parked by now, under numbers that no entry has.
    other_id = _webhook(world)
    world.put_item({"pk": {"S": f"PARKED#{other_id}"}, "sk": {"S": returning}, **parked})
    world.start_anew("notify")
    assert _run(world, "notify", {"time": world.now().isoformat()})["resumed"] > 0
    for one in (webhook_id, other_id):
        ok(world, "DELETE", f"/v1/webhooks/{one}", scope=OPERATOR)
    if world.moves_time:
        _be_reminded(world, enrolled(world, email=f"{uuid4().hex}@example.com"))


def messages(world: World) -> None:
    """By each channel, after a failure, with a link and a weekly count, one that waits, and a code to sign in."""
    address = f"{uuid4().hex}@example.com"
    member_id = enrolled(world, email=address)
    _send(world, _note(enrolled(world, phone=f"+1 212 555 {uuid4().int % 10**4:04}")))
    # The stream tells of the member as well, and may only now come to it.
    world.await_mail(address)
    note = _note(member_id)
    with world.refusing_mail():
        _send(world, note, fails=True)
    before = world.mails_to(address)
    for _ in range(2):
        _send(world, note)
    assert world.mails_to(address) == before + 1
    whole = world.call("GET", "/v1/program/whole", scope=OPERATOR).body["messages"]
    hour, utc = timedelta(hours=1), world.now().astimezone(UTC)
    quiet = {"starts_at": f"{utc - hour:%H:%M}", "ends_at": f"{utc + hour:%H:%M}"}
    _use_messages(world, {**whole, "marketing_per_week": 50, "quiet_hours": quiet}, "messages")
    for zone in ("UTC", "Etc/GMT-12"):
        details = {"email": f"{uuid4().hex}@example.com", "consent": {"marketing": {"email": True}}, "time_zone": zone}
        _send(world, _note(enrolled(world, **details), "points_earned"))
    _use_messages(world, whole, "messages")
    sign_in_id = uuid4().hex
    code = {"message_id": sign_in_id, "member_id": sign_in_id, "kind": "sign_in_code"}
    _send(world, {**code, "values": {"sign_in_id": sign_in_id}})


def mail_feedback(world: World) -> None:
    address = f"{uuid4().hex}@example.com"
    member_id = enrolled(world, email=address)
    detail = {
        "eventType": "Complaint",
        "mail": {"tags": {"member_id": [member_id]}},
        "complaint": {"complainedRecipients": [{"emailAddress": address}]},
    }
    assert world.invoke("mail_feedback", {"source": "aws.ses", "detail": detail}) == {"suppressed": 1}


def preferences(world: World) -> None:
    address = f"{uuid4().hex}@example.com"
    member_id = enrolled(world, email=address)
    path = f"/v1/members/{member_id}/preferences"
    ok(world, "GET", path, scope=OPERATOR)
    ok(world, "PATCH", path, {"time_zone": "Asia/Tokyo", "categories": {"marketing": {"email": True}}}, scope=OPERATOR)
    late = f"/v1/members/{world.member_with_lapsed_hold()}/preferences"
    ok(world, "PATCH", late, {"categories": {"marketing": {"email": True}}})
    ok(world, "POST", "/v1/messages/preview", {"kind": "welcome", "member_id": member_id}, scope=OPERATOR)


def anybody(world: World) -> None:
    ok(world, "GET", "/v1/program", scope=None)
    consent = {"terms_version": "1", "marketing": {"email": True}}
    late = world.member_with_lapsed_hold(email=f"{uuid4().hex}@example.com", consent=consent)
    content = f"marketing:{late}"
    signature = _keyed(world, f"unsubscribe:{content}")[:32]
    for said, status in (("signature", 404), (signature, OK)):
        link = urlsafe_b64encode(f"{content}:{said}".encode()).decode().rstrip("=")
        ok(world, "POST", f"/v1/unsubscribe/{link}", {"List-Unsubscribe": "One-Click"}, status, scope=None)
    email = f"{uuid4().hex}@example.com"
    token = _changed_address(world, email)
    # Whoever had the address meanwhile has left something there for whom it comes back to.
    ok(world, "DELETE", f"/v1/members/{enrolled(world, email=email)}", scope=OPERATOR)
    ok(world, "POST", "/v1/changes/undo", {"token": token}, scope=None)


def webhooks(world: World) -> None:
    member_id, webhook_id = enrolled(world), _webhook(world)
    path = f"/v1/webhooks/{webhook_id}"
    ok(world, "GET", "/v1/webhooks", scope=OPERATOR)
    ok(world, "PATCH", path, {"description": "till"}, scope=OPERATOR)
    ok(world, "POST", f"{path}/rotate", scope=OPERATOR, headers=keyed())
    ok(world, "GET", f"{path}/deliveries", scope=OPERATOR)
    ok(world, "POST", f"{path}/replay", {"member_id": member_id, "from_sequence": 1}, scope=OPERATOR)
    ok(world, "DELETE", path, scope=OPERATOR)


def webhook_deliveries(world: World) -> None:
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
    for _ in range(OPEN_AFTER + 1):
        world.invoke("webhook_deliveries", {"Records": [record]})
    assert world.item(f"PARKED#{webhook_id}", member_id)
    assert ok(world, "GET", f"/v1/webhooks/{webhook_id}/deliveries", scope=OPERATOR)["items"]
    ok(world, "DELETE", f"/v1/webhooks/{webhook_id}", scope=OPERATOR)


STORIES: Mapping[str, Callable[[World], None]] = {
    "account": account,
    "agents": agents,
    "anybody": anybody,
    "birthdays": birthdays,
    "campaigns": campaigns,
    "consent": consent,
    "webhook_deliveries": webhook_deliveries,
    "earn": earn,
    "enroll": enroll,
    "expire": expire,
    "consequences": consequences,
    "memberships": memberships,
    "member_pages": member_pages,
    "messages": messages,
    "notify": notify,
    "operators": operators,
    "mail_feedback": mail_feedback,
    "preferences": preferences,
    "partners": partners,
    "program": program,
    "redeem": redeem,
    "referrals": referrals,
    "gifts": gifts,
    "orders": orders,
    "pools": pools,
    "till_pages": till_pages,
    "transfers": transfers,
    "wallet": wallet,
    "webhooks": webhooks,
}


def _today(world: World) -> str:
    zone = ok(world, "GET", "/v1/program", scope=None)["time_zone"]
    return local_day(world.now(), zone).isoformat()


def _webhook(world: World) -> str:
    answer = ok(world, "POST", "/v1/webhooks", {"url": NOBODY_LISTENS}, scope=OPERATOR, headers=keyed())
    return str(answer["webhook_id"])


def _follow(world: World, item: Item) -> None:
    record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": {**item, "follow": {"S": "yes"}}}}
    answer = world.invoke("consequences", {"Records": [record]})
    assert answer == {"batchItemFailures": []}, answer


def _tell(world: World, record: Mapping[str, Any]) -> None:
    answer = world.invoke("notify", {"Records": [record]})
    assert answer == {"batchItemFailures": []}, answer


def _wait_and_state(world: World) -> None:
    """A message that has waited, and a statement of the month before."""
    before = world.call("GET", "/v1/program/whole", scope=OPERATOR).body["messages"]
    _use_messages(world, {**before, "also_send": ["statement"]}, "notify")
    order_id = ordered(world, member_id := enrolled(world, email=f"{uuid4().hex}@example.com"))
    if not world.moves_time:
        world.pass_days_for(member_id, int(_today(world)[-2:]) + 1)
    _tell(world, _record_of(world.item(f"ORDER#{order_id}", "EARN")))
    if world.moves_time:
        world.pass_days(32)
    note = _note(member_id)
    ended = f"{world.now().astimezone(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S+00:00}"
    waiting = {"pk": {"S": "WAITING#0"}, "sk": {"S": f"{ended}#{note['message_id']}"}, "body": {"S": json.dumps(note)}}
    world.put_item(waiting)
    done = _run(world, "notify", {"time": world.now().isoformat()})
    assert done["statements"] > 0, done
    assert done["waiting"] > 0, done
    _use_messages(world, before, "notify")


def _note(member_id: str, kind: str = "welcome") -> Item:
    values = {"points": 5, "available_on": None}
    return {"message_id": uuid4().hex, "member_id": member_id, "kind": kind, "values": values}


def _send(world: World, note: Item, *, fails: bool = False) -> None:
    attributes = {"ApproximateReceiveCount": "1"}
    record = {"messageId": "m", "receiptHandle": "of none", "body": json.dumps(note), "attributes": attributes}
    assert bool(world.invoke("messages", {"Records": [record]})["batchItemFailures"]) == fails


def _use_messages(world: World, messages: Mapping[str, Any], function: str) -> None:
    reply = world.call("GET", "/v1/program/whole", scope=OPERATOR)
    etag = next(value for name, value in reply.headers.items() if name.lower() == "etag")
    body = {**reply.body, "messages": messages}
    ok(world, "PUT", "/v1/program", body, scope=OPERATOR, headers={"If-Match": etag})
    world.start_anew(function)


def _be_reminded(world: World, member_id: str) -> None:
    [lot] = ok(world, "GET", f"/v1/members/{member_id}/account")["expiring"]
    days = date.fromisoformat(lot["on"]) - date.fromisoformat(_today(world))
    world.pass_days(days.days - REMINDER_DAYS + 1)
    assert _run(world, "notify", {"time": world.now().isoformat()})["reminders"] > 0


def _run(world: World, function: str, event: Mapping[str, Any]) -> Any:
    """What a schedule's call answers, when the pages that it has queued are worked off, where nobody else does that."""
    answer = world.invoke(function, event)
    for body in world.take_queued(function):
        _work_off(world, function, body)
    return answer


def _work_off(world: World, function: str, body: str) -> None:
    record = {"messageId": "m", "body": body, "eventSource": "aws:sqs"}
    answer = world.invoke(function, {"Records": [record]})
    assert answer == {"batchItemFailures": []}, answer


def _pay_in(world: World) -> None:
    """A deposit that leaves the partner below its level."""
    paid_in = {"amount": 100, "currency": "USD", "reference": uuid4().hex}
    ok(world, "POST", "/v1/partners/cafe/deposits", paid_in, scope=OPERATOR)


def _record(world: World, member_id: str) -> dict[str, Any]:
    """A stream's record of the member's first entry, as if it were a later one: nobody has been told of it."""
    return _record_of(world.item(f"MEMBER#{member_id}", "ENROLL"))


def _record_of(item: Item) -> dict[str, Any]:
    body = {"S": json.dumps({**json.loads(item["body"]["S"]), "sequence": uuid4().int % 10**9})}
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": {**item, "body": body}}}
