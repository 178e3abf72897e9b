"""Addresses that members enter: nobody's until confirmed, and given back to whom they were taken from."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from functions import anybody
from shared import runtime, settings
from shared.domain.members import address_changes as rules
from shared.domain.telling.notifications import Message
from shared.messaging import address_notices
from shared.services import guess_limits
from tests.functions.mailbox import Mailbox
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Reply, Shop, assert_refused, stored
from tests.shared.wire import Wire

OLD, NEW = (
    {"email": "ada@example.org", "phone": "+442079460958"},
    {"email": "ada@example.net", "phone": "+442079460959"},
)
KINDS = ("email", "phone")


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    monkeypatch.setenv("PUBLIC_URL", "https://shop.example")
    runtime.forget()
    kept = Mailbox()
    with runtime.use(channels=kept):
        yield kept


@pytest.fixture
def ada(shop: Shop, mailbox: Mailbox) -> str:  # noqa: ARG001 - where mail goes before anybody is enrolled
    return shop.enroll("ada", card_number="C-1", **OLD)


def own(shop: Shop, member_id: str, **change: Any) -> Reply:
    """What the member changes of themself."""
    return shop.patch(member_id, change, scope=MEMBER, member_id=member_id)


def confirm(shop: Shop, member_id: str, code: str) -> Reply:
    return shop.post("/v1/members/me/confirmations", {"code": code}, scope=MEMBER, member_id=member_id)


def undo(shop: Shop, token: str) -> Reply:
    return shop.post("/v1/changes/undo", {"token": token}, scope=None)


def find(shop: Shop, **identifier: str) -> str | None:
    reply = shop.post("/v1/members/lookup", identifier)
    return str(reply.body["member_id"]) if reply.status == 200 else None


def code_in(message: Message) -> str:
    return message.text.split()[0]


def token_in(message: Message) -> str:
    [token] = re.findall(r"https://shop\.example/v1/changes/undo/(\S+)", message.text)
    return str(token)


def to(messages: list[Message], address: str) -> Message:
    [message] = [one for one in messages if one.to == address]
    return message


def change(shop: Shop, mailbox: Mailbox, member_id: str, kind: str, value: str) -> None:
    """A change that whoever reads the new address has confirmed."""
    assert own(shop, member_id, **{kind: value}).status == 200
    messages = [one for one in mailbox.collect() if one.to == value and one.kind == "address_code"]
    assert confirm(shop, member_id, code_in(messages[-1])).status == 200


def link_to(mailbox: Mailbox, address: str) -> str:
    """The token of the last link that went to an address."""
    links = [one for one in mailbox.collect() if one.to == address and one.kind == "address_changed"]
    return token_in(links[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_member_notices_nothing_but_a_message_with_a_code(
    shop: Shop, mailbox: Mailbox, ada: str, kind: str
) -> None:
    asked = own(shop, ada, name="Ada", **{kind: NEW[kind]})
    assert (asked.status, asked.body["name"], asked.body[kind]) == (200, "Ada", OLD[kind])
    [waiting] = asked.body["awaiting_confirmation"]
    assert (waiting["kind"], waiting["value"]) == (kind, NEW[kind])
    [message] = mailbox.collect()
    assert (message.kind, message.to, message.channel) == (
        "address_code",
        NEW[kind],
        {"email": "email", "phone": "sms"}[kind],
    )
    assert confirm(shop, ada, f" {code_in(message).lower()} ").body[kind] == NEW[kind]
    assert confirm(shop, ada, code_in(message)).status == 200, "once is enough"
    assert (find(shop, **{kind: NEW[kind]}), find(shop, **{kind: OLD[kind]})) == (ada, None)
    [told] = mailbox.collect()
    assert (told.kind, told.to) == ("address_changed", OLD[kind])


def test_until_it_is_confirmed_the_old_address_works_and_the_new_one_is_nobodys(
    shop: Shop, mailbox: Mailbox, ada: str
) -> None:
    own(shop, ada, email=NEW["email"])
    code = code_in(mailbox.collect()[0])
    assert (find(shop, email=OLD["email"]), find(shop, email=NEW["email"])) == (ada, None)
    grace = shop.enroll("grace", email=NEW["email"])
    assert_refused(confirm(shop, ada, code), 409, "identifier_taken")
    assert find(shop, email=NEW["email"]) == grace
    assert shop.get("/v1/members/me", scope=MEMBER, member_id=ada).body["email"] == OLD["email"]


def test_whether_somebody_has_an_address_shows_in_no_answer(shop: Shop, ada: str) -> None:
    eve = shop.enroll("eve")
    taken, free = own(shop, eve, email=OLD["email"]), own(shop, eve, email="free@example.org")
    assert (taken.status, free.status) == (200, 200)
    assert set(taken.body) == set(free.body)
    assert find(shop, email=OLD["email"]) == ada


def test_only_the_member_sees_what_waits(shop: Shop, ada: str) -> None:
    own(shop, ada, **NEW)
    seen = shop.get("/v1/members/me", scope=MEMBER, member_id=ada).body["awaiting_confirmation"]
    assert {one["kind"]: one["value"] for one in seen} == NEW
    for scope in (STOREFRONT, OPERATOR):
        assert "awaiting_confirmation" not in shop.get(f"/v1/members/{ada}", scope=scope).body
    shop.pass_time(hours=24)
    assert "awaiting_confirmation" not in shop.get("/v1/members/me", scope=MEMBER, member_id=ada).body


@pytest.mark.parametrize("name", ["external_id", "card_number"])
@pytest.mark.parametrize("value", ["victims", None])
def test_cards_and_external_ids_are_the_shops(shop: Shop, ada: str, name: str, value: str | None) -> None:
    with shop.writing_nothing():
        reply = own(shop, ada, **{name: value})
        assert_refused(reply, 422, "invalid_request")
        assert reply.pointers == [f"/{name}"]
    assert shop.patch(ada, {name: "other"}).status == 200
    assert shop.patch(ada, {name: "another"}, scope=OPERATOR).status == 200


def test_a_code_is_for_one_member_one_address_and_one_day(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    eve = shop.enroll("eve")
    own(shop, ada, email=NEW["email"])
    first = code_in(mailbox.collect()[0])
    assert_refused(confirm(shop, eve, first), 422, "invalid_request")
    own(shop, ada, email="third@example.org")
    assert_refused(confirm(shop, ada, first), 422, "invalid_request")
    last = code_in(to(mailbox.collect(), "third@example.org"))
    shop.pass_time(hours=24)
    assert_refused(confirm(shop, ada, last), 409, "code_expired")
    assert mailbox.collect() == [], "what is over is not sent late"
    assert find(shop, email=OLD["email"]) == ada


def test_entering_the_present_address_ends_what_waits(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    own(shop, ada, email=NEW["email"])
    code = code_in(mailbox.collect()[0])
    assert "awaiting_confirmation" not in own(shop, ada, email=OLD["email"].upper()).body
    assert_refused(confirm(shop, ada, code), 422, "invalid_request")


def test_codes_are_guessed_and_asked_for_so_often_an_hour_and_no_more(
    shop: Shop, mailbox: Mailbox, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guess_limits, "MEMBER_GUESSES_MAX", 3)
    own(shop, ada, email=NEW["email"])
    code = code_in(mailbox.collect()[0])
    for _ in range(2):
        assert_refused(confirm(shop, ada, "AAAAAAAA"), 422, "invalid_request")
    with shop.writing_nothing():
        assert_refused(confirm(shop, ada, code), 429, "too_many_requests")
        assert_refused(own(shop, ada, phone=NEW["phone"]), 429, "too_many_requests")
    shop.pass_time(hours=1)
    assert confirm(shop, ada, code).status == 200


def test_codes_and_links_stand_in_no_table(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    own(shop, ada, email=NEW["email"])
    code = code_in(mailbox.collect()[0])
    assert code not in json.dumps(shop.tables())
    confirm(shop, ada, code)
    token = token_in(to(mailbox.collect(), OLD["email"]))
    assert code not in json.dumps(shop.tables())
    assert token.rpartition(".")[2] not in json.dumps(shop.tables())
    notes = json.dumps([item for item in stored(settings.loyalty_table()) if "note" in item])
    assert OLD["email"] not in notes
    assert NEW["email"] not in notes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_page", [True, False])
def test_the_old_address_puts_itself_back(shop: Shop, mailbox: Mailbox, ada: str, kind: str, by_page: bool) -> None:
    change(shop, mailbox, ada, kind, NEW[kind])
    token = link_to(mailbox, OLD[kind])
    shop.pass_time(days=6)
    for _ in range(2):
        if by_page:
            assert "<button>" in page("GET", token)
            assert "is back" in page("POST", token)
        else:
            assert undo(shop, token).status == 200
        assert (find(shop, **{kind: OLD[kind]}), find(shop, **{kind: NEW[kind]})) == (ada, None)
    assert shop.enroll("grace", **{kind: NEW[kind]})


def page(method: str, token: str, status: int = 200) -> str:
    path = f"/v1/changes/undo/{token}"
    context = {"http": {"method": method, "path": path}, "stage": "$default"}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    event = {"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers, "requestContext": context}
    answer = anybody.handler(event, None)
    assert answer["statusCode"] == status, answer
    return str(answer["body"])


def test_looking_at_the_page_changes_nothing(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    change(shop, mailbox, ada, "email", NEW["email"])
    token = link_to(mailbox, OLD["email"])
    with shop.writing_nothing():
        page("GET", token)


def test_a_link_lasts_a_week(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    change(shop, mailbox, ada, "email", NEW["email"])
    token = link_to(mailbox, OLD["email"])
    shop.pass_time(days=7)
    with shop.writing_nothing():
        assert_refused(undo(shop, token), 404, "link_not_found")
    assert find(shop, email=NEW["email"]) == ada


def test_a_link_that_was_not_made_here_is_refused_before_anything_is_read(
    shop: Shop, mailbox: Mailbox, ada: str, wire: Wire
) -> None:
    change(shop, mailbox, ada, "email", NEW["email"])
    good = link_to(mailbox, OLD["email"])
    content, _, signature = good.rpartition(".")
    runtime.forget()
    wire.requests.clear()
    forged = (f"{content}.{'0' * 24}", f"{ada}.{signature}", content, "", ".", "..", f"{good} ", "ä" * 20, f"x{good}")
    for token in forged:
        assert undo(shop, token).status in {404, 422}
    assert_refused(undo(shop, f"{content}.{'0' * 24}"), 404, "link_not_found")
    page("POST", f"{content}.x", 404)
    page("GET", f"{content}.x", 404)
    assert wire.requests == []


def test_nobody_joins_anew_with_an_address_that_was_theirs_until_its_change_was_undone(
    shop: Shop, mailbox: Mailbox, ada: str
) -> None:
    change(shop, mailbox, ada, "email", NEW["email"])
    assert undo(shop, link_to(mailbox, OLD["email"])).status == 200
    assert shop.balance(shop.enroll("again", email=NEW["email"])) == 0
    change(shop, mailbox, ada, "email", "ada@example.com")
    assert shop.balance(shop.enroll("third", email=OLD["email"])) == 0
    assert [entry["type"] for entry in shop.entries(ada)] == ["enroll"]


def test_an_address_that_was_never_confirmed_is_anybodys(shop: Shop, ada: str) -> None:
    own(shop, ada, email=NEW["email"])
    own(shop, ada, email="ada@example.com")
    assert shop.balance(shop.enroll("eve", email=NEW["email"])) == 100


def test_an_undone_change_takes_along_all_that_came_after_it(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    change(shop, mailbox, ada, "email", "eve@example.org")
    first = link_to(mailbox, OLD["email"])
    shop.pass_time(hours=1)
    change(shop, mailbox, ada, "email", "eve@example.net")
    second = link_to(mailbox, "eve@example.org")
    own(shop, ada, email="eve@example.com")
    code = code_in(to(mailbox.collect(), "eve@example.com"))
    assert undo(shop, first).status == 200
    assert_refused(undo(shop, second), 404, "link_not_found")
    assert_refused(confirm(shop, ada, code), 422, "invalid_request")
    assert find(shop, email=OLD["email"]) == ada


def test_undoing_the_later_change_leaves_the_link_of_the_earlier_one(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    change(shop, mailbox, ada, "email", "eve@example.org")
    first = link_to(mailbox, OLD["email"])
    shop.pass_time(hours=1)
    change(shop, mailbox, ada, "email", "eve@example.net")
    assert undo(shop, link_to(mailbox, "eve@example.org")).status == 200
    assert find(shop, email="eve@example.org") == ada
    assert undo(shop, first).status == 200
    assert find(shop, email=OLD["email"]) == ada


def test_an_address_that_was_removed_comes_back(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    assert own(shop, ada, email=None).body["email"] is None
    assert find(shop, email=OLD["email"]) is None
    assert undo(shop, link_to(mailbox, OLD["email"])).status == 200
    assert find(shop, email=OLD["email"]) == ada


def test_the_last_identifier_is_not_given_up_for_one_that_waits(shop: Shop) -> None:
    ada = str(shop.post("/v1/members", {"phone": OLD["phone"]}, key="k").body["member_id"])
    assert_refused(own(shop, ada, phone=None, email=NEW["email"]), 422, "invalid_request")


def test_an_old_address_that_somebody_else_has_by_now_stays_theirs(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    change(shop, mailbox, ada, "email", NEW["email"])
    token = link_to(mailbox, OLD["email"])
    grace = shop.enroll("grace", email=OLD["email"])
    with shop.writing_nothing():
        assert_refused(undo(shop, token), 409, "identifier_taken")
    assert find(shop, email=OLD["email"]) == grace


@pytest.mark.parametrize("scope", [STOREFRONT, OPERATOR])
def test_what_the_shop_enters_counts_at_once_and_ends_what_waits(
    shop: Shop, mailbox: Mailbox, ada: str, scope: str
) -> None:
    change(shop, mailbox, ada, "email", "eve@example.org")
    taken_back = link_to(mailbox, OLD["email"])
    own(shop, ada, email="eve@example.net")
    code = code_in(to(mailbox.collect(), "eve@example.net"))
    assert shop.patch(ada, {"email": OLD["email"]}, scope=scope).body["email"] == OLD["email"]
    [told] = mailbox.collect()
    assert (told.kind, told.to) == ("address_changed", "eve@example.org")
    assert "https://" not in told.text
    assert_refused(confirm(shop, ada, code), 422, "invalid_request")
    assert_refused(undo(shop, taken_back), 404, "link_not_found")
    assert find(shop, email=OLD["email"]) == ada


def test_no_link_undoes_what_the_shop_has_changed(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    shop.patch(ada, {"email": NEW["email"]})
    mailbox.collect()
    [made] = shop.get("/v1/members/me/export", scope=MEMBER, member_id=ada).body["held"]["address_changes"]
    token = address_notices.token_for(address_notices.Link(ada, made["change_id"]))
    assert_refused(undo(shop, token), 404, "link_not_found")


def test_an_address_changes_so_often_a_week_and_no_more(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    for number in range(rules.CHANGES_MAX):
        change(shop, mailbox, ada, "email", f"eve{number}@example.org")
        shop.pass_time(hours=1)
    with shop.writing_nothing():
        assert_refused(own(shop, ada, email=NEW["email"]), 429, "too_many_requests")
        assert_refused(own(shop, ada, email=None), 429, "too_many_requests")
    assert own(shop, ada, phone=NEW["phone"]).status == 200
    shop.pass_time(days=7)
    assert own(shop, ada, email=NEW["email"]).status == 200


def test_what_a_member_likes_to_be_told_does_not_keep_the_warning_from_them(
    shop: Shop, mailbox: Mailbox, ada: str
) -> None:
    quiet = {"message_preferences": {"channel": "none"}}
    assert own(shop, ada, **quiet, email=NEW["email"]).status == 200
    [message] = mailbox.collect()
    confirm(shop, ada, code_in(message))
    assert [one.to for one in mailbox.collect()] == [OLD["email"]]


def test_nothing_is_left_of_addresses_that_wait_or_waited_when_the_member_is_erased(
    shop: Shop, mailbox: Mailbox, ada: str
) -> None:
    change(shop, mailbox, ada, "email", NEW["email"])
    token = link_to(mailbox, OLD["email"])
    own(shop, ada, phone=NEW["phone"])
    held = shop.get("/v1/members/me/export", scope=MEMBER, member_id=ada).body["held"]["address_changes"]
    assert {(one["old"], one["value"]) for one in held} == {(OLD["email"], NEW["email"]), (None, NEW["phone"])}
    shop.erase(ada)
    for text in (*OLD.values(), *NEW.values()):
        assert text not in json.dumps(shop.tables())
    assert_refused(undo(shop, token), 404, "link_not_found")
    mailbox.collect()
    assert mailbox.messages == []


def test_a_changed_address_does_not_end_an_exclusion_and_the_shop_does(shop: Shop, mailbox: Mailbox) -> None:
    shop.change_program(standing_rules={"excluded": {"email_domains": ["staff.example.org"]}})
    sam = shop.enroll("sam", email="sam@staff.example.org")
    change(shop, mailbox, sam, "email", "sam@example.org")
    assert shop.order(sam, "A-1").body["entry"]["points"] == 0
    shop.patch(sam, {"email": "sam@example.net"})
    assert shop.order(sam, "A-2").body["entry"]["points"] == 0
    lifted = shop.post(f"/v1/members/{sam}/tags", {"excluded": False}, key="lift", scope=OPERATOR)
    assert (lifted.status, lifted.body["excluded"]) == (200, False)
    own(shop, sam, name="Sam")
    assert shop.order(sam, "A-3").body["entry"]["points"] > 0
    shop.patch(sam, {"email": "sam@staff.example.org"})
    assert shop.order(sam, "A-4").body["entry"]["points"] == 0


def test_a_place_that_changes_expiry_is_the_shops(shop: Shop) -> None:
    ada = shop.enroll("ada")
    assert own(shop, ada, place="US-CA").status == 200
    assert own(shop, ada, place=None).status == 200
    shop.change_program(standing_rules={"no_expiry_in": ["US-CA"]})
    for place in ("US-CA", "DE", None):
        reply = own(shop, ada, place=place)
        assert_refused(reply, 422, "invalid_request")
        assert reply.pointers == ["/place"]
    assert shop.patch(ada, {"place": "US-CA"}).body["place"] == "US-CA"


@pytest.mark.parametrize("phone", ["555 1234", "+1 555 1234", "+44 20 7946 0958 ext 5", "+44 7700 900123999", "12"])
def test_a_phone_number_is_whole(shop: Shop, phone: str) -> None:
    reply = shop.post("/v1/members", {"phone": phone}, key="k")
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["/phone"]


def test_mail_goes_to_the_ascii_form_of_an_address(shop: Shop, mailbox: Mailbox, ada: str) -> None:
    own(shop, ada, email="Ada@München.example")
    [message] = mailbox.collect()
    assert message.to == "ada@xn--mnchen-3ya.example"
    assert confirm(shop, ada, code_in(message)).body["email"] == "ada@münchen.example"
    assert find(shop, email="ada@xn--mnchen-3ya.example") == ada


def test_letters_that_mail_cannot_be_sent_to_are_refused_with_a_reason(shop: Shop) -> None:
    reply = shop.post("/v1/members", {"email": "ädä@example.org"}, key="k")
    assert_refused(reply, 422, "invalid_request")
    assert "before the @" in reply.body["errors"][0]["detail"]
    assert find(shop, email="ädä@example.org") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [("en_gb", "en-GB"), ("DE-at", "de-AT"), ("zh-hant-tw", "zh-Hant-TW"), ("ES-419", "es-419"), ("FIL", "fil")],
)
def test_a_locale_is_taken_in_any_case_and_kept_as_bcp_47_writes_it(shop: Shop, given: str, kept: str) -> None:
    reply = shop.post("/v1/members", {"external_id": "ada", "locale": given}, key="k")
    assert reply.body["locale"] == kept
    for wrong in ("english", "en-", "en_GB_x", "e", "en GB"):
        assert_refused(shop.patch(reply.body["member_id"], {"locale": wrong}), 422, "invalid_request")
