"""What a hostile caller tries with requests that are well formed: to set what is ours, to learn, to inject."""

import io
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from functions import anybody, notify
from infra import openapi
from infra.openapi import Route
from shared import runtime, telemetry
from shared.domain.telling.notifications import Message
from shared.messaging import unsubscribe
from shared.messaging.unsubscribe import Link
from shared.request_ids import derived_id
from shared.services import guess_limits
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Shop, assert_refused
from tests.functions.test_every_route import BODIES, PAGES, PARTNERS, name_of, operation_of, schema_of
from tests.functions.test_notify import AGREED, Outbox, _stream
from tests.shared.wire import Wire

OURS: Mapping[str, Any] = {
    "account": {"balance": 10**6},
    "actor": "operator:root",
    "balance": 10**6,
    "consent_history": [],
    "created_at": "2020-01-01T00:00:00Z",
    "debt": 0,
    "decided_by": "operator:root",
    "enrolled_at": "2020-01-01T00:00:00Z",
    "entry_id": "x-1",
    "is_admin": True,
    "lifetime_earned": 10**6,
    "merged_into": None,
    "pool_members": [],
    "recorded_at": "2020-01-01T00:00:00Z",
    "requested_by": "operator:otto",
    "revision": 7,
    "role": "operator",
    "scope": OPERATOR,
    "secret": "whsec_x",
    "sequence": 1,
    "state": "captured",
    "suppressed_channels": {},
    "webhook_id": "x",
}
"""What only the server sets, under the names that it goes by in answers and in what is stored."""
BODY_ROUTES = [one for one in openapi.routes() if one not in PAGES and "requestBody" in operation_of(one)]
MARKUP = '"><script>alert(1)</script>'
TEMPLATE = "{{ 7 * 191 }}{% for x in range(9) %}x{% endfor %}{{ config.__class__ }}"
FORMULA = '=HYPERLINK("http://shop.example")'
EXPRESSION = "attribute_exists(pk) OR :pk = #pk"
LOOKUP = "${jndi:ldap://shop.example/x}"
SQL = "x'; DROP TABLE members; --"
TEXTS = (MARKUP, TEMPLATE, FORMULA, EXPRESSION, LOOKUP, SQL, "MEMBER#x", "~credit", "../../etc/passwd", "\u202etxt.exe")
BROKEN_LINES = ("Ada\r\nBcc: all@shop.example", "Ada\rX", "Ada\x00", "Ada\x1b[31m", "Ada\x85")


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    kept = Outbox()
    with runtime.use(channels=kept):
        yield kept


class TestMassAssignment:
    @pytest.mark.parametrize("route", BODY_ROUTES, ids=name_of)
    def test_no_request_sets_what_only_the_server_sets(self, shop: Shop, route: Route) -> None:
        ada = shop.enroll("ada")
        path = route.path.replace("{member_id}", ada)
        token: dict[str, Any] = {"scope": " ".join(route.scopes - {"loyalty/partner"}) or None, "member_id": ada}
        known = schema_of(route)
        with shop.writing_nothing():
            for name, value in OURS.items():
                if name in known:
                    continue
                body = {**BODIES[name_of(route)], name: value}
                headers = {"Idempotency-Key": "k", "If-Match": '"1"'}
                reply = shop.call(route.method, path, body, headers=headers, **token)
                assert_refused(reply, 422, "invalid_request")
                assert f"/{name}" in reply.pointers

    def test_no_object_that_a_request_may_hold_takes_unknown_fields(self) -> None:
        for route in BODY_ROUTES:
            for place, schema in _objects(operation_of(route)["requestBody"], set()):
                assert schema.get("additionalProperties") is not True, (name_of(route), place)
                # An object whose names follow a pattern takes no others.
                assert {"additionalProperties", "patternProperties"} & schema.keys(), (name_of(route), place)

    def test_a_members_own_request_names_nobody_else_as_its_author(self, shop: Shop) -> None:
        ada = shop.enroll("ada", name="Ada")
        shop.adjust(ada, 500)
        body = {"reward_id": "free-coffee"}
        shop.post(f"/v1/members/{ada}/redemptions", body, key="k", scope=MEMBER, member_id=ada, caller="sub-1")
        held = shop.call("GET", f"/v1/members/{ada}/export", scope=OPERATOR).body["held"]
        assert "member:sub-1" in json.dumps(held)


class TestEnumeration:
    def test_a_member_learns_as_much_of_another_as_of_nobody_in_as_many_requests(self, shop: Shop, wire: Wire) -> None:
        ada, grace = shop.enroll("ada"), shop.enroll("grace")
        token: dict[str, Any] = {"scope": MEMBER, "member_id": ada}
        for route in (one for one in openapi.routes() if MEMBER in one.scopes and "{member_id}" in one.path):
            answers = []
            for whose in (grace, "nobodynobodynobodyno"):
                path = route.path.replace("{member_id}", whose).replace("{redemption_id}", "x")
                path = path.replace("{gift_id}", "x").replace("{pool_id}", "x")
                wire.requests.clear()
                body = BODIES.get(name_of(route))
                reply = shop.call(route.method, path, body, headers={"Idempotency-Key": "k"}, **token)
                answers.append((reply.status, str(reply.body).replace(whose, "*"), tuple(wire.requests)))
            assert answers[0] == answers[1], name_of(route)
            # Whoever opened a pool may remove others: so it is looked at who did, in the same way for anybody.
            asks = name_of(route) != "DELETE /v1/pools/{pool_id}/members/{member_id}"
            assert answers[0][2] == () or not asks, f"{name_of(route)} asks the database before it refuses"

    def test_agents_cannot_tell_a_member_from_nobody(self, shop: Shop, wire: Wire) -> None:
        shop.change_program(agents={"claim": "com.example.club", "currency_name": "Points", "currency_code": "PTS"})
        shop.enroll("ada", email="ada@example.org")
        answers = []
        for email in ("ada@example.org", "nobody@example.org"):
            wire.requests.clear()
            cart = {"currency": "USD", "total": 1000, "buyer": {"email": email}}
            answers.append((shop.post("/v1/ucp/loyalty", cart).body, tuple(wire.requests)))
        assert answers[0] == answers[1]

    def test_a_link_to_unsubscribe_says_nothing_of_whose_it_is(self, shop: Shop) -> None:
        ada, gone = shop.enroll("ada", name="Ada", email="ada@example.org"), shop.enroll("gone")
        shop.erase(gone)
        form = {"List-Unsubscribe": "One-Click"}
        pages = [_page(unsubscribe.token_for(Link(whose, "marketing")), form) for whose in (ada, ada, gone)]
        assert len(set(pages)) == 1
        assert "Ada" not in pages[0]

    def test_a_link_that_was_tampered_with_is_as_unknown_as_any(self, shop: Shop, wire: Wire) -> None:
        good = unsubscribe.token_for(Link(shop.enroll("ada"), "marketing"))
        wire.requests.clear()
        for token in (good[:-4] + "AAAA", good[4:], good[::-1], "x", "A" * 4000):
            reply = shop.call("POST", f"/v1/unsubscribe/{token}", {"List-Unsubscribe": "One-Click"}, scope=None)
            assert_refused(reply, 404, "link_not_found")
            assert reply.body["detail"] == "there is no such link; use the one in a message"
        assert wire.requests == []

    def test_a_pool_cannot_be_worked_out_from_what_others_know(self, shop: Shop) -> None:
        shop.change_program(pools={"members_max": 3})
        ada = shop.enroll("ada")
        pool_id = shop.post("/v1/pools", {"member_id": ada}, key="k").body["pool_id"]
        assert pool_id not in {derived_id("pool", ada, "k"), derived_id(ada, "k")}
        assert len(pool_id) * 4 >= 128

    def test_points_are_not_turned_into_credit_or_put_into_a_pool_by_naming_its_account(self, shop: Shop) -> None:
        cashback = {"amount": 5, "per_amount": 100, "description": "5 cents a dollar", "pending_days": 0}
        shop.change_program(cashback={**cashback, "expiry": {"kind": "never"}}, pools={"members_max": 3})
        ada, bob = shop.enroll("ada"), shop.enroll("bob")
        shop.order(ada, "A-1", 100_000)
        pool_id = shop.post("/v1/pools", {"member_id": bob}, key="k").body["pool_id"]
        assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] > 0
        with shop.writing_nothing():
            for to in (f"{ada}~credit", f"{bob}~credit", f"{pool_id}~pool", f"{bob}#", f"{bob}~"):
                for path, scope in (("transfers", MEMBER), ("gifts", MEMBER), ("transfers", OPERATOR)):
                    body = {"to_member_id": to, "points": 10}
                    reply = shop.post(f"/v1/members/{ada}/{path}", body, key=to, scope=scope, member_id=ada)
                    assert_refused(reply, 404, "member_not_found")


class TestGuessing:
    def test_a_member_enters_so_many_addresses_an_hour_and_no_more(self, shop: Shop) -> None:
        ada, grace = shop.enroll("ada"), shop.enroll("grace", email="taken@example.org")
        shop.pass_time(minutes=57)
        token: dict[str, Any] = {"scope": MEMBER, "member_id": ada}
        for number in range(guess_limits.MEMBER_GUESSES_MAX):
            assert shop.patch(ada, {"email": f"ada-{number}@example.org"}, **token).status == 200
        with shop.writing_nothing():
            for guess in ("taken@example.org", "free@example.org"):
                reply = shop.patch(ada, {"email": guess}, **token)
                assert_refused(reply, 429, "too_many_requests")
                assert reply.headers["Retry-After"] == "3600"
        assert shop.patch(ada, {"name": "Ada"}, **token).status == 200
        assert shop.patch(grace, {"email": "free@example.org"}, scope=MEMBER, member_id=grace).status == 200
        shop.pass_time(minutes=60)
        assert shop.patch(ada, {"email": "free@example.org"}, **token).status == 200

    def test_a_partner_tries_so_many_cards_an_hour_and_no_more(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guess_limits, "PARTNER_GUESSES_MAX", 3)
        shop.change_program(partners=PARTNERS)
        shop.enroll("ada", card_number="C-1")
        for number in range(3):
            reply = shop.post("/v1/members/lookup", {"card_number": f"no-{number}"}, partner_id="cafe")
            assert_refused(reply, 404, "member_not_found")
            assert shop.post("/v1/members/lookup", {"card_number": "C-1"}, partner_id="cafe").status == (
                200 if number < 2 else 429
            )
        assert shop.post("/v1/members/lookup", {"card_number": "C-1"}, partner_id="cinema").status == 200

    def test_a_partner_tries_so_many_codes_an_hour_and_no_more(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guess_limits, "PARTNER_GUESSES_MAX", 4)
        shop.change_program(partners=[{**one, "takes_points_as_money": True} for one in PARTNERS])
        ada = shop.enroll("ada")
        path, money = f"/v1/members/{ada}/redemptions", {"points": 100, "order_total": 1000, "currency": "USD"}
        for number in range(2):
            wrong = {**money, "code": f"AAAAAAA{number}"}
            assert_refused(shop.post(path, wrong, key="k", partner_id="cafe"), 409, "code_expired")
            looked_up = shop.post("/v1/members/lookup", {"code": "AAAAAAAA"}, partner_id="cafe")
            assert_refused(looked_up, 404, "member_not_found")
        code = shop.code(ada)
        with shop.writing_nothing():
            right = {**money, "code": code}
            assert_refused(shop.post(path, right, key="k", partner_id="cafe"), 429, "too_many_requests")
            looked_up = shop.post("/v1/members/lookup", {"code": code}, partner_id="cafe")
            assert_refused(looked_up, 429, "too_many_requests")
        assert shop.post(path, {**money, "code": code}, key="k", partner_id="cinema").status == 201

    def test_codes_are_drawn_from_more_than_can_be_tried_while_they_last(self, shop: Shop) -> None:
        ada = shop.enroll("ada")
        codes = {shop.code(ada) for _ in range(20)}
        assert len(codes) == 20
        assert {len(code) for code in codes} == {8}
        assert len({code[at] for code in codes for at in range(8)}) > 15

    def test_the_shop_itself_is_not_held_up(self, shop: Shop, wire: Wire) -> None:
        shop.enroll("ada", card_number="C-1")
        wire.requests.clear()
        for scope in (STOREFRONT, OPERATOR):
            for _ in range(guess_limits.MEMBER_GUESSES_MAX + 1):
                assert shop.post("/v1/members/lookup", {"card_number": "no"}, scope=scope).status == 404
        assert "UpdateItem" not in wire.requests

    def test_what_is_drawn_by_lot_has_more_than_can_be_tried(self, shop: Shop) -> None:
        codes = {shop.get(f"/v1/members/{shop.enroll(f'm-{n}')}").body["referral_code"] for n in range(20)}
        assert len(codes) == 20
        assert all(len(set(code.rpartition("-")[2])) > 1 and len(code.rpartition("-")[2]) == 6 for code in codes)


class TestInjection:
    @pytest.mark.parametrize("text", TEXTS)
    def test_free_text_is_kept_as_it_is_and_means_nothing(self, shop: Shop, text: str) -> None:
        shop.change_program(gifts={"accept_days": 7})
        ada, grace = shop.enroll("ada", name=text, place="US"), shop.enroll("grace", name="Grace")
        before = shop.get(f"/v1/members/{grace}").body
        assert shop.get(f"/v1/members/{ada}").body["name"] == text
        adjusted = {"points": 50, "reason": text, "reference": text}
        reply = shop.post(f"/v1/members/{ada}/adjustments", adjusted, scope=OPERATOR, caller=text)
        assert (reply.status, reply.body["entry"]["source"]["reference"]) == (201, text)
        line = {"sku": text, "category": text, "quantity": 1, "amount": 100}
        order = shop.order(ada, text, 100, lines=[line], channel=text, store_id=text, touchpoint=text)
        assert (order.status, order.body["entry"]["source"]["order_id"]) == (201, text)
        assert shop.refund(ada, 1, text, text).status == 201
        gift = {"to_member_id": grace, "points": 1, "message": text}
        given = shop.post(f"/v1/members/{ada}/gifts", gift, key="k")
        assert (given.status, given.body["message"]) == (201, text)
        assert shop.post(f"/v1/members/{ada}/freeze", {"reason": text, "reference": text}, scope=OPERATOR).status == 201
        assert shop.get(f"/v1/members/{grace}").body == before
        found = shop.post("/v1/members/search", {"name": "Grace"}).body["items"]
        assert [one["member_id"] for one in found] == [grace]

    @pytest.mark.parametrize("text", [MARKUP, TEMPLATE, "Ada\nBcc: all@shop.example", "<b>\t{{ balance }}"])
    def test_a_name_is_text_in_every_part_of_a_mail(self, shop: Shop, outbox: Outbox, text: str) -> None:
        own = {
            "kind": "points_earned",
            "channel": "email",
            "locale": "en",
            "subject": "For {{ member_name }}",
            "text": "Hello {{ member_name }}",
            "html": '<p title="{{ member_name }}">{{ member_name }}</p>',
        }
        shop.change_program(messages={"templates": [own]})
        ada = shop.enroll("ada", name=text, email="ada@example.org", consent=AGREED)
        shop.order(ada)
        notify.handler(_stream(ada), None)
        mail = _of_kind(outbox, "points_earned")
        assert mail.subject == f"For {' '.join(text.split())}"
        assert mail.text == f"Hello {text}"
        assert mail.html
        assert mail.html.count("<") == 2, "the template's own two tags"
        assert mail.html.count('"') == 2
        assert "1337" not in mail.text + mail.html
        assert mail.to == "ada@example.org"
        assert set(mail.headers) <= {"List-Unsubscribe", "List-Unsubscribe-Post"}
        assert all("\n" not in value and "\r" not in value for value in mail.headers.values())

    @pytest.mark.parametrize("text", BROKEN_LINES)
    def test_what_could_end_a_header_or_a_line_is_refused(self, shop: Shop, text: str) -> None:
        ada = shop.enroll("ada")
        with shop.writing_nothing():
            assert_refused(shop.patch(ada, {"name": text}), 422, "invalid_request")
            for email in (
                f"{text}@example.org",
                "a@example.org\r\nBcc: b@example.org",
                "a@example.org\nX",
                "<a@b.org>",
            ):
                assert_refused(shop.patch(ada, {"email": email}), 422, "invalid_request")
            assert_refused(shop.order(ada, text), 422, "invalid_request")

    def test_a_log_line_is_one_line_whatever_is_logged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = io.StringIO()
        kept = Logger(service="abuse", logger_handler=logging.StreamHandler(stream))
        monkeypatch.setattr(telemetry, "logger", lambda: kept)
        text = 'x\n{"level":"ERROR"}\r\nx'
        telemetry.logger().error("found", extra={"detail": text})
        [line] = stream.getvalue().splitlines()
        assert json.loads(line)["detail"] == text


def _objects(schema: Any, seen: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema of an object within another, with its name if it has one."""
    if isinstance(schema, list):
        for one in schema:
            yield from _objects(one, seen)
    elif isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield from _objects(openapi.document()["components"]["schemas"][name], seen)
        if schema.get("type") == "object":
            yield str(schema.get("title")), schema
        for one in schema.values():
            yield from _objects(one, seen)


def _of_kind(outbox: Outbox, kind: str) -> Message:
    [message] = [one for one in outbox.messages if one.kind == kind]
    return message


def _page(token: str, form: Mapping[str, str]) -> str:
    """What a browser shows: no JSON, which `shop.call` reads."""
    path = f"/v1/unsubscribe/{token}"
    answer = anybody.handler(
        {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"content-type": "application/json"},
            "requestContext": {"http": {"method": "POST", "path": path}, "stage": "$default"},
            "body": json.dumps(form),
        },
        None,
    )
    assert answer["statusCode"] == 200
    return str(answer["body"])
