"""What a club lives through in fourteen months, so that everything that is ever stored is there at the end of it.

Each chapter has what belongs together. The program is replaced twice on the way, so entries of several versions stand
beside one another.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from functions import birthdays, consequences, expire, mail_feedback, notify, webhook_deliveries
from infra import tools
from infra.tools import importer
from shared import runtime, settings
from shared.messaging import webhook_requests
from shared.tables import client
from tests.functions import shop
from tests.functions.run_queues import Queues
from tests.functions.shop import MEMBER, OPERATOR
from tests.stored import replaying, tables
from tests.whole_tables import bring_in

EXAMPLE = Path(tools.__file__).with_name("example_program.json")
"""The program that has every section."""
HOOK = "https://93.184.216.34/loyalty"
AGREED = {"terms_version": "2026-01", "marketing": {"email": True, "sms": False}}
GROWN = {"age_confirmed": True}
TAKEN = {"email": "ada@example.org"}


class Story(shop.Shop):
    """A shop that keeps each request that can be sent again, and tells the stream's readers of each entry once."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[dict[str, Any]] = []
        self.queues = Queues()
        self._told: set[tuple[str, str]] = set()
        self._ids: dict[str, str] = {}

    def play(self) -> None:
        """All chapters."""
        self._begin()
        self._use_every_section()
        self._earn_and_return()
        self._spend()
        self._bring_friends()
        self._share_and_give()
        self._stay_unknown()
        self._move_in()
        self._watch_over()
        self._come_again()
        self._a_year_goes_by()
        self._leave_things_open()

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> shop.Reply:
        """One request, which must be answered well, and is kept if it can be sent again."""
        at = self.now
        reply = super().call(method, path, body, **options)
        assert reply.status < 300, (method, path, body, reply.body)
        if replaying.is_marked(method, path):
            sent = {name: value for name, value in options.items() if value and name in replaying.OPTIONS}
            request = {"at": at.isoformat(), "request": f"{method} {path}", "body": body, **sent}
            self.requests.append({**request, "status": reply.status, "answer": reply.body})
        return reply

    # The days ---------------------------------------------------------------------------------------------------

    def on(self, day: str, hour: int = 18) -> None:
        """It is an hour of a day, by UTC."""
        self.now = datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)

    def night(self, day: str) -> None:
        """The schedules run in the morning of a day."""
        self.on(day, 13)
        event = {"time": self.now.isoformat()}
        with runtime.use(run_queues=self.queues):
            for function in (expire, birthdays, notify):
                function.handler(event, None)
                assert self.queues.deliver() == []
                if function is not notify:
                    self.tell()

    def tell(self) -> None:
        """The stream delivers what has been booked since it last did, and what follows from that."""
        while items := self._untold():
            for function in (consequences, notify):
                records = [
                    {"eventName": "INSERT", "dynamodb": {"NewImage": item, "SequenceNumber": str(number)}}
                    for number, item in enumerate(items)
                ]
                assert function.handler({"Records": records}, None) == {"batchItemFailures": []}

    def _untold(self) -> list[dict[str, Any]]:
        found = []
        for item in shop.stored(settings.loyalty_table()):
            place = (item["pk"]["S"], item["sk"]["S"])
            if "type" in item and place not in self._told:
                self._told.add(place)
                found.append(item)
        return sorted(found, key=lambda item: (item["member_id"]["S"], int(item["sequence"]["N"])))

    # What they do -----------------------------------------------------------------------------------------------

    def join(self, who: str, **details: Any) -> str:
        """Somebody joins; their id."""
        self._ids[who] = self.enroll(who, **{**GROWN, **details})
        return self._ids[who]

    def redeemed(self, member: str, key: str, **request: Any) -> str:
        """Points or credit are reserved; the redemption's id."""
        return str(self.post(f"/v1/members/{member}/redemptions", request, key=key).body["redemption_id"])

    def given(self, member: str, to: str, points: int, key: str, **more: Any) -> str:
        """A gift is offered; its id."""
        body = {"to_member_id": to, "points": points, **more}
        return str(self.post(f"/v1/members/{member}/gifts", body, key=key).body["gift_id"])

    def answer_gift(self, member: str, gift: str, step: str) -> None:
        """Accept, return or withdraw a gift."""
        self.post(f"/v1/members/{member}/gifts/{gift}/{step}")

    def reviews(self, kind: str) -> list[str]:
        """The reviews that wait."""
        items = self.get("/v1/reviews", query={"kind": kind}, scope=OPERATOR).body["items"]
        return [str(item["review_id"]) for item in items]

    def decide(self, review: str, reason: str | None = None, caller: str = "otto") -> None:
        """Approve a review, or reject it for a reason."""
        step, body = ("reject", {"reason": reason}) if reason else ("approve", None)
        self.post(f"/v1/reviews/{review}/{step}", body, scope=OPERATOR, caller=caller)

    def arrive(self, order_id: str, total: int, **identifier: str) -> str:
        """Somebody who is known by an identifier alone places an order; their id."""
        body = {"type": "order", "order_id": order_id, "placed_at": self.now.isoformat(), "currency": "USD"}
        reply = self.post("/v1/earn", {**body, "total": total, "identifier": identifier})
        return str(reply.body["account"]["member_id"])

    def partner_order(self, partner: str, member: str, order_id: str, total: int) -> None:
        """A partner credits an order of its own."""
        body = {"type": "order", "order_id": order_id, "placed_at": self.now.isoformat(), "currency": "USD"}
        self.post(f"/v1/members/{member}/earn", {**body, "total": total}, partner_id=partner)

    def deposit(self, amount: int, reference: str) -> None:
        """The cafe pays in."""
        body = {"amount": amount, "currency": "USD", "reference": reference}
        self.post("/v1/partners/corner-cafe/deposits", body, scope=OPERATOR, caller="olga")

    def pay_membership(self, member: str, reference: str) -> None:
        """A membership is paid for."""
        body = {"plan_id": "tea-plus", "reference": reference, "amount": 4900, "currency": "USD"}
        self.post(f"/v1/members/{member}/membership", {**body, "paid_at": self.now.isoformat()})

    def freeze(self, member: str, step: str, reference: str) -> None:
        """Freeze a member, or end that."""
        body = {"reason": "a doubt", "reference": reference}
        self.post(f"/v1/members/{member}/{step}", body, scope=OPERATOR, caller="olga")

    def bring(self, header: str, *lines: str) -> None:
        """Bring in what another program has exported."""
        with tempfile.TemporaryDirectory() as folder, patch.object(importer, "WORKERS", 1):
            path = Path(folder) / "lines.csv"
            path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
            result = bring_in(path, self.now)
        assert (result.new, result.bad_lines) == (len(lines), []), result

    # The chapters -----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Under the program that every shop begins with."""
        self.on("2026-11-20")
        ada = self.join(
            "ada",
            email="ada@example.org",
            name="Ada Lovelace",
            birthday="01-20",
            locale="en",
            consent=AGREED,
            fingerprints=["card-1"],
        )
        for name in ("ben", "cyd", "dan", "eve", "fay", "pia"):
            self.join(name)
        self.order(ada, "A-1")
        self.action(ada, "first-review")
        self.tell()

    def _use_every_section(self) -> None:
        """The program has every section from now on, and other systems listen."""
        self.replace_program(json.loads(EXAMPLE.read_text(encoding="utf-8")), 1)
        body = {"url": HOOK, "event_types": ["points.earned"], "description": "the shop's own books"}
        hook = self.post("/v1/webhooks", body, key="books", scope=OPERATOR).body["webhook_id"]
        self.post(f"/v1/webhooks/{hook}/rotate", key="rotate-1", scope=OPERATOR)
        self.deposit(3_000, "deposit-1")
        self.deposit(1_040, "deposit-2")  # so an order brings them below the level that is told of

    def _earn_and_return(self) -> None:
        """Orders, actions, store credit, and what comes back of it."""
        ada, ben = self._ids["ada"], self._ids["ben"]
        self.post(f"/v1/members/{ada}/tags", {"add": ["tea", "cake"]}, key="tags-1")
        self.patch(ada, {"place": "US-CA"})
        self.on("2026-11-21")
        self.order(ada, "A-2", 60_000, lines=[{"sku": "T-1", "category": "tea", "amount": 20_000}])
        self.tell()
        self.action(ada, "review-1")
        self.action(ada, "review-2")
        self.action(ada, "talk-1", "check_in")
        first, second = self.reviews("action")
        self.decide(first)
        self.decide(second, "written by somebody else")
        self.refund(ada, 10_000, "A-2")
        self.adjust(ada, 50)
        self.adjust(ada, 1_500, "case-2")
        self.decide(*self.reviews("adjustment"))
        quiet = {"channel": "none", "time_zone": "Europe/London", "categories": {"digest": {"email": False}}}
        self.call("PATCH", f"/v1/members/{ada}/preferences", quiet)
        for number, day in enumerate(("2026-11-24", "2026-11-28"), 3):
            self.on(day)
            self.order(ada, f"A-{number}", 60_000)
            self.tell()
        self.order(ben, "B-1", 30_000)
        self.night("2026-12-20")

    def _spend(self) -> None:
        """Rewards, points as money, store credit, a partner's reward, a membership; and each way in which they end."""
        ada, ben = self._ids["ada"], self._ids["ben"]
        self.on("2026-12-21")
        coffee = self.redeemed(ada, "coffee-1", reward_id="free-coffee")
        self.move(ada, coffee, "capture")
        self.move(ada, coffee, "reverse")
        self.move(ada, self.redeemed(ada, "coffee-2", reward_id="free-coffee"), "cancel")
        self.redeemed(ada, "coffee-3", reward_id="free-coffee")  # nobody comes for it
        self.redeemed(ada, "money-1", points=120, order_total=50_000, currency="USD", capture=True, order_id="A-2")
        self.redeemed(ada, "tasting", reward_id="tasting", capture=True)
        self.redeemed(ada, "credit-1", credit=500, order_total=4_200, currency="USD", capture=True)
        self.move(ada, self.redeemed(ada, "credit-2", credit=100, order_total=4_200, currency="USD"), "cancel")
        body = {"amount": 600, "currency": "USD", "reference": "payout-1"}
        self.post(f"/v1/members/{ada}/credit/payouts", body)
        self.partner_order("corner-cafe", ada, "cafe-1", 15_000)
        self.partner_order("hill-hotel", ben, "hotel-1", 90_000)
        body = {"order_id": "cafe-1", "refund_id": "R-1", "amount": 5_000, "refunded_at": self.now.isoformat()}
        self.post(f"/v1/members/{ada}/refunds", body, partner_id="corner-cafe")
        self.adjust(ben, 900, "case-3")
        body = {"reward_id": "cafe-breakfast", "capture": True, "code": self.code(ben)}
        self.post(f"/v1/members/{ben}/redemptions", body, key="breakfast", partner_id="corner-cafe")
        self.pay_membership(ben, "plus-1")
        body = {"reference": "plus-end"}
        self.post(f"/v1/members/{ben}/membership/cancel", body)
        self.pay_membership(ada, "plus-2")
        self.tell()

    def _bring_friends(self) -> None:
        """One friend is rewarded and returns it all; two look suspicious, and an operator decides."""
        ada = self._ids["ada"]
        code = self.get(f"/v1/members/{ada}").body["referral_code"]
        self.on("2026-12-22")
        fred = self.join("fred", referral_code=code, email="fred@example.org")
        gina = self.join("gina", referral_code=code, fingerprints=["card-1"])
        self.join("hans", referral_code=code, fingerprints=["card-1"])
        self.order(fred, "F-1", 3_000)
        self.order(gina, "G-1", 3_000)
        self.tell()
        first, second = self.reviews("referral")
        self.decide(first)
        self.decide(second, "the same household")
        self.tell()
        self.refund(fred, 2_500, "F-1", "R-2")
        self.tell()
        mail = {"tags": {"member_id": [fred]}}
        bounce = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "fred@example.org"}]}
        mail_feedback.handler({"detail": {"eventType": "Bounce", "mail": mail, "bounce": bounce}}, None)

    def _share_and_give(self) -> None:
        """Pools, gifts, a transfer, a merge with all that hangs on it."""
        ada, ben, cyd, dan, eve = (self._ids[name] for name in ("ada", "ben", "cyd", "dan", "eve"))
        self.on("2026-12-23")
        pool = self.post("/v1/pools", {"member_id": ben}, key="pool-1", scope=MEMBER, member_id=ben).body["pool_id"]
        self.join_pool(pool, cyd)
        self.redeemed(ben, "pool-coffee", reward_id="free-coffee", capture=True)
        other = self.post("/v1/pools", {"member_id": dan}, key="pool-2", scope=MEMBER, member_id=dan).body["pool_id"]
        headers = {"Idempotency-Key": "dan-leaves"}
        self.call("DELETE", f"/v1/pools/{other}/members/{dan}", headers=headers)
        self.transfer(ada, dan, 40, "transfer-1")
        self.answer_gift(eve, self.given(ada, eve, 80, "gift-1", message="For the tea"), "accept")
        self.answer_gift(eve, self.given(ada, eve, 20, "gift-2"), "return")
        self.answer_gift(ada, self.given(ada, eve, 10, "gift-3"), "withdraw")
        self.given(ada, eve, 15, "gift-late")  # nobody takes it
        self.order(dan, "D-1", 20_000)
        self.order(eve, "E-1", 20_000)
        self.merge(ada, dan)
        self.given(ada, eve, 5, "gift-5", message="Once more")
        self.erase(eve)
        self.tell()

    def _stay_unknown(self) -> None:
        """Some who are known by an identifier alone: two agree, one never does."""
        self.on("2026-12-24")
        kim = self.arrive("K-1", 5_000, email="kim@example.org")
        lou = self.arrive("L-1", 6_000, phone="+1 212 555 0100")
        self.arrive("M-1", 7_000, card_number="C-77")
        self.post(f"/v1/members/{kim}/consent", {"terms_version": "2026-01", **GROWN})
        assert self.join("lou", phone="+1 212 555 0100", external_id="lou") == lou
        self.tell()

    def _move_in(self) -> None:
        """Somebody comes from another program, with points and a tier."""
        self.on("2026-12-25")
        self.bring("external_id,enrolled_at,tags", "ole,2020-01-02,tea")
        self.bring("external_id,points,earned_at,expires_on,reference", "ole,700,2026-03-04,2027-03-31,lot-1")
        self.bring("external_id,tier_id,since,review_on,qualifying", "ole,silver,2026-03-01,2027-03-31,2026-03:620")
        self.tell()

    def _watch_over(self) -> None:
        """Operators look, freeze and let go; a birthday; the program changes, and campaigns pay."""
        ada, ben, fay = (self._ids[name] for name in ("ada", "ben", "fay"))
        self.freeze(ben, "freeze", "case-4")
        self.freeze(ben, "unfreeze", "case-4")
        self.order(fay, "Y-1", 12_000)
        self.freeze(fay, "freeze", "case-5")
        self.get(f"/v1/members/{fay}", scope=OPERATOR, caller="olga")
        self.night("2027-01-20")
        self.night("2027-01-26")
        program = self.get("/v1/program/whole", scope=OPERATOR).body
        campaign = {**program["campaigns"][0], "hold_out_percent": 0, "budget": {"points": 60_000}}
        campaign["when"] = {"categories": ["tea"]}
        rewards = [{**one, "points": one["points"] + 10} for one in program["redeeming"]["rewards"]]
        self.change_program(campaigns=[campaign], redeeming={"rewards": rewards})
        self.on("2027-02-10")
        self.order(ada, "A-6", 8_000, lines=[{"sku": "T-1", "category": "tea", "amount": 8_000}])
        self.refund(ada, 2_000, "A-6", "R-3")
        self.order(ben, "B-2", 9_000, lines=[{"sku": "T-2", "category": "tea", "amount": 9_000}])
        self.tell()

    def _come_again(self) -> None:
        """Somebody who owes points is erased and comes again, and an operator lifts it; what another owes waits."""
        self.on("2027-02-20")
        for who in ("uma", "vic"):
            member = self.join(who, email=f"{who}@example.org")
            self.order(member, f"{who}-1", 20_000)
            self.adjust(member, -self.balance(member), f"case-{who}")
            self.refund(member, 20_000, f"{who}-1", f"R-{who}")
            self.call("DELETE", f"/v1/members/{member}", scope=OPERATOR, caller="olga")
        for review in self.reviews("erasure"):
            self.decide(review)
        again = self.join("uma again", email="uma@example.org")
        reason = {"reason": "the parcel was lost"}
        self.post(f"/v1/members/{again}/remembered/lift", reason, scope=OPERATOR, caller="olga")
        self.tell()

    def _a_year_goes_by(self) -> None:
        """Points expire, tiers are reviewed, memberships end, who stayed away is forgotten."""
        self.on("2027-12-01")
        privacy = {"inactive_months": 13, "starts_on": "2027-12-02", "warning_days": 10}
        self.change_program(privacy=privacy, gifts={"accept_days": 30})
        self.night("2027-12-02")
        self.night("2028-01-05")

    def _leave_things_open(self) -> None:
        """What has begun and not ended when the story does."""
        self.on("2028-01-10")
        ada, ben, gina, lou = (self._ids[name] for name in ("ada", "ben", "gina", "lou"))
        code = self.get(f"/v1/members/{ada}").body["referral_code"]
        self.join("ida", referral_code=code, fingerprints=["card-1"])
        self.arrive("N-1", 4_000, email="nat@example.org")
        self.order(ada, "A-7", 70_000)
        self.order(lou, "L-2", 20_000)
        self.redeemed(lou, "last", points=200, order_total=4_200, currency="USD", capture=True)
        self.refund(lou, 20_000, "L-2", "R-4")
        self.pay_membership(gina, "plus-3")
        self.adjust(gina, -1_200, "case-6")
        self.given(ada, ben, 25, "gift-6", message="Until then")
        self.call("PATCH", f"/v1/members/{ada}/preferences", {"channel": None})
        self.call("PATCH", f"/v1/members/{lou}", TAKEN, scope=MEMBER, member_id=lou)
        self.on("2028-01-11", 3)  # a quiet hour
        self.action(ada, "talk-2", "consultation")
        queue = _Kept()
        with runtime.use(webhook_queue=queue):
            self.order(ada, "A-8", 6_000)
            self.redeemed(ada, "held", reward_id="free-shipping")
            self.tell()
        for status, body in zip((204, 500), queue.bodies, strict=False):
            self._deliver(body, status)
        self._forget()

    def _deliver(self, body: str, status: int) -> None:
        record = {"messageId": "1", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
        with patch.object(webhook_requests, "_send", lambda *_: status), patch("random.randint", lambda *_: 0):
            webhook_deliveries.handler({"Records": [record]}, None)

    def _forget(self) -> None:
        """What the table's time to live has taken by now."""
        for item in shop.stored(settings.loyalty_table()):
            if "forget_at" in item and int(item["forget_at"]["N"]) < self.now.timestamp():
                key = {"pk": item["pk"], "sk": item["sk"]}
                client.client().delete_item(TableName=settings.loyalty_table(), Key=key)


class _Kept(tables.NoQueue):
    """A queue in hand."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send(self, bodies: list[str], groups: list[str]) -> None:
        assert len(bodies) == len(groups)
        self.bodies += bodies
