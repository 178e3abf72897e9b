"""The members' own pages: whoever joins, signs in, sees and spends; and what no stranger and no other site can do."""

import inspect
import json
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from functions import member_pages
from shared import runtime, settings
from shared.api.bodies import FORM_BYTES_MAX
from shared.domain import entry_types
from shared.domain.members.codes import LIFE
from shared.domain.members.sign_ins import ENTERED_WITHIN, SESSION_LASTS
from shared.domain.telling.notifications import Message
from shared.pages import site as sites
from shared.pages.languages import languages
from shared.services import guess_limits
from tests.functions.browser import FORM, Browser, Shown
from tests.functions.mailbox import Mailbox
from tests.functions.shop import Shop, stored
from tests.shared.wire import Wire

ADA = "ada@example.org"
SESSION, VISIT = "__Host-member", "__Host-visit"
OWN = ("/me", "/me/card", "/me/rewards", "/me/vouchers", "/me/points", "/me/friends", "/me/you", "/me/erase")
OPEN = ("/join", "/join/poster", "/me/sign-in", "/me/code")
FORMS = [
    re.sub(r"<\w+>", "email", path.format(ME="/me", JOIN="/join"))
    for path in re.findall(
        r'@site\.post\(f?"?([^")]+)"?\)', inspect.getsource(member_pages).replace("(JOIN)", '("/join")')
    )
]
"""Where forms go: whatever the function takes by POST."""
BYTES_MAX = 50_000
"""Of a page with its stylesheet."""


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    kept = Mailbox()
    with runtime.use(channels=kept):
        yield kept


@pytest.fixture
def browser(shop: Shop, mailbox: Mailbox) -> Browser:  # noqa: ARG001 - where mail goes before anybody asks for a code
    return Browser()


def codes(mailbox: Mailbox) -> list[Message]:
    return [one for one in mailbox.collect() if one.kind == "sign_in_code"]


def code(mailbox: Mailbox) -> str:
    """The code that was sent last."""
    return codes(mailbox)[-1].text.split()[0]


def ask(browser: Browser, address: str = ADA) -> Shown:
    browser.get("/me/sign-in")
    return browser.send("/me/sign-in", address=address)


def sign_in(browser: Browser, mailbox: Mailbox, address: str = ADA) -> Shown:
    ask(browser, address)
    return browser.send("/me/code", code=code(mailbox))


def join(browser: Browser, mailbox: Mailbox, address: str = ADA, **fields: str) -> Shown:
    browser.get("/join")
    browser.send("/join", address=address, terms="yes", **fields)
    return browser.send("/me/code?joining=1", code=code(mailbox))


def words(page: Shown) -> str:
    """What somebody reads on a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


class TestJoining:
    def test_one_form_and_the_code_that_was_mailed_make_a_member_with_a_card(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        browser.get("/join")
        asked = browser.send("/join", address="  Ada@Example.org ", name="Ada", terms="yes", marketing="yes")
        assert (asked.status, asked.path) == (200, "/me/code?joining=1")
        [message] = codes(mailbox)
        assert (message.to, message.channel) == (ADA, "email")
        home = browser.send("/me/code?joining=1", code=message.text.split()[0].lower())
        assert (home.status, home.path) == (200, "/me?said=welcome")
        assert "Hello Ada" in words(home)
        found = shop.post("/v1/members/lookup", {"email": ADA}).body
        assert found["consent"] == {"terms_version": "join-page", "marketing": {"email": True, "sms": False}}
        assert shop.balance(found["member_id"]) == 100
        assert shop.entries(found["member_id"])[-1]["actor"] == "storefront"

    def test_a_phone_number_will_do_and_gets_a_text_message(self, browser: Browser, mailbox: Mailbox) -> None:
        browser.get("/join")
        browser.send("/join", address="+44 20 7946 0958", terms="yes", marketing="yes")
        [message] = codes(mailbox)
        assert (message.to, message.channel) == ("+442079460958", "sms")
        assert browser.send("/me/code?joining=1", code=message.text.split()[0]).path == "/me?said=welcome"

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"terms": "yes"}, "address"),
            ({"address": "ada", "terms": "yes"}, "address"),
            ({"address": "@", "terms": "yes"}, "address"),
            ({"address": ADA}, "terms"),
            ({"address": ADA, "terms": "yes", "name": "x" * 501}, "name"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field_and_nothing_is_sent(
        self, shop: Shop, browser: Browser, fields: dict[str, str], field: str
    ) -> None:
        browser.get("/join")
        with shop.writing_nothing():
            page = browser.send("/join", **fields)
        assert page.status == 422
        assert f'id="{field}-wrong"' in page.text
        assert f'<a href="#{field}">' in page.text

    def test_a_programs_age_is_asked_for(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.change_program(standing_rules={"minimum_age": 16})
        browser.get("/join")
        page = browser.send("/join", address=ADA, terms="yes")
        assert (page.status, 'id="age-wrong"' in page.text) == (422, True)
        assert browser.send("/join", address=ADA, terms="yes", age="yes").path == "/me/code?joining=1"
        assert browser.send("/me/code?joining=1", code=code(mailbox)).path == "/me?said=welcome"

    def test_until_the_code_is_entered_nobody_has_joined_and_the_address_is_nobodys(
        self, shop: Shop, browser: Browser
    ) -> None:
        browser.get("/join")
        browser.send("/join", address=ADA, terms="yes")
        assert shop.post("/v1/members/lookup", {"email": ADA}).status == 404
        assert shop.enroll("somebody else", email=ADA)

    def test_whoever_is_a_member_already_is_signed_in_and_stays_who_they_are(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        ada = shop.enroll("ada", email=ADA, name="Ada")
        home = join(browser, mailbox, name="Eve", marketing="yes")
        assert "Hello Ada" in words(home)
        assert len(shop.entries(ada)) == 1
        assert not shop.get(f"/v1/members/{ada}").body["consent"]["marketing"]["email"]

    def test_a_friends_code_comes_with_the_link_and_counts(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        shop.change_program(referrals={"advocate_points": 10, "friend_points": 5, "friend_gets_them": "on_joining"})
        grace = shop.enroll("grace", email="grace@example.org")
        referral_code = shop.get(f"/v1/members/{grace}").body["referral_code"]
        page = browser.get(f"/join?code={referral_code}")
        assert "A friend has invited you" in words(page)
        assert f'value="{referral_code}"' in page.text
        join_form = {"address": ADA, "terms": "yes", "referral_code": referral_code}
        browser.send("/join", **join_form)
        browser.send("/me/code?joining=1", code=code(mailbox))
        assert "105" in words(browser.get("/me"))

    def test_a_code_that_no_friend_has_is_said_and_nobody_joins(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        shop.change_program(referrals={"advocate_points": 10, "friend_points": 5})
        page = join(browser, mailbox, referral_code="NOBODY-234567")
        assert page.status == 422
        assert "Nobody has this code" in words(page)
        assert shop.post("/v1/members/lookup", {"email": ADA}).status == 404
        # Without it, the same person joins.
        assert join(browser, mailbox).path == "/me?said=welcome"

    def test_whoever_has_points_waiting_joins_with_them(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.change_program(automatic_enrolment={"consent_days": 30})
        order = {"type": "order", "order_id": "A-1", "total": 5000, "currency": "USD"}
        assert shop.post("/v1/earn", {**order, "identifier": {"email": ADA}}).status == 201
        assert sign_in(browser, mailbox).status == 409, "who has not agreed to the terms does not sign in"
        assert "join first" in words(browser.page or Shown(0, {}, (), "", ""))
        join(browser, mailbox)
        assert "150" in words(browser.get("/me"))


class TestSigningIn:
    def test_a_code_is_for_one_browser_and_one_use(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.enroll("ada", email=ADA)
        ask(browser)
        sent, other = code(mailbox), Browser()
        other.get("/me/code")
        assert other.send("/me/code", code=sent).status == 409
        kept = dict(browser.cookies)
        assert browser.send("/me/code", code=sent).path == "/me?said=welcome"
        again = Browser()
        again.cookies = kept
        again.get("/me/code")
        assert again.send("/me/code", code=sent).status == 409

    def test_a_code_lasts_some_minutes(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.enroll("ada", email=ADA)
        ask(browser)
        sent = code(mailbox)
        shop.pass_time(seconds=ENTERED_WITHIN.total_seconds())
        page = browser.send("/me/code", code=sent)
        assert page.status == 409
        assert "over or was used" in words(page)
        assert not codes(mailbox), "a code that is over is not sent any more"

    def test_codes_are_guessed_so_often_and_no_more(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.enroll("ada", email=ADA)
        ask(browser)
        for _ in range(guess_limits.MEMBER_GUESSES_MAX):
            assert browser.send("/me/code", code="23456789").status == 422
        assert browser.send("/me/code", code=code(mailbox)).status == 429

    def test_a_strangers_guesses_keep_no_member_out(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.enroll("ada", email=ADA)
        stranger = Browser()
        ask(stranger)
        for _ in range(guess_limits.MEMBER_GUESSES_MAX + 1):
            stranger.send("/me/code", code="23456789")
        assert sign_in(browser, mailbox).path == "/me?said=welcome"

    def test_an_address_is_sent_so_many_codes_an_hour_and_no_more(self, shop: Shop, browser: Browser) -> None:
        shop.enroll("ada", email=ADA)
        for address in (ADA, "nobody@example.org"):
            for _ in range(guess_limits.MEMBER_GUESSES_MAX):
                assert ask(browser, address).path == "/me/code"
            page = ask(browser, address)
            assert (page.status, "too often" in words(page)) == (429, True)

    def test_nothing_tells_whether_an_address_is_a_members(
        self, shop: Shop, browser: Browser, mailbox: Mailbox, wire: Wire
    ) -> None:
        shop.enroll("ada", email=ADA)
        shop.enroll("erased", email="gone@example.org")
        seen = []
        for address in (ADA, "nobody@example.org"):
            browser.get("/me/sign-in")
            wire.requests.clear()
            page = browser.send("/me/sign-in", address=address)
            asked = list(wire.requests)
            wrong = browser.send("/me/code", code="23456789")
            seen.append((page.status, words(page), asked, wrong.status, words(wrong)))
        assert seen[0] == seen[1]
        assert {one.to for one in codes(mailbox)} == {ADA}

    def test_whoever_is_to_be_erased_or_is_erased_signs_in_no_more(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        ada = shop.enroll("ada", email=ADA)
        sign_in(browser, mailbox)
        shop.erase(ada)
        assert browser.get("/me").path == "/me/sign-in"
        ask(browser)
        assert not codes(mailbox)

    def test_a_session_ends_by_itself_and_by_signing_out(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.enroll("ada", email=ADA)
        sign_in(browser, mailbox)
        token = browser.cookies[SESSION]
        shop.pass_time(seconds=SESSION_LASTS.total_seconds() - 1)
        assert browser.get("/me/you").status == 200
        browser.send("/me/sign-out")
        assert SESSION not in browser.cookies
        browser.cookies[SESSION] = token
        assert browser.get("/me").path == "/me/sign-in"
        sign_in(browser, mailbox)
        shop.pass_time(seconds=SESSION_LASTS.total_seconds())
        assert browser.get("/me").path == "/me/sign-in"

    def test_whoever_is_signed_in_signs_in_as_somebody_else(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        shop.enroll("ada", email=ADA, name="Ada")
        shop.enroll("grace", email="grace@example.org", name="Grace")
        sign_in(browser, mailbox)
        assert "Hello Grace" in words(sign_in(browser, mailbox, "grace@example.org"))
        browser.cookies[SESSION] = "of.nobody"
        assert "Hello Ada" in words(sign_in(browser, mailbox))

    def test_all_sessions_end_from_one_browser(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.enroll("ada", email=ADA)
        other = Browser()
        sign_in(other, mailbox)
        sign_in(browser, mailbox)
        browser.get("/me/you")
        browser.send("/me/sign-out", everywhere="yes")
        assert other.get("/me").path == "/me/sign-in"

    def test_whoever_puts_an_address_back_puts_out_who_was_signed_in(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        """Whoever has taken a session over changes the address, and is out once its owner follows the link."""
        shop.enroll("ada", email=ADA)
        sign_in(browser, mailbox)
        browser.get("/me/you")
        browser.send("/me/you/addresses/email", email="thief@example.net")
        [sent] = [one for one in mailbox.collect() if one.kind == "address_code"]
        browser.send("/me/you/confirm", code=sent.text.split()[0])
        [told] = [one for one in mailbox.collect() if one.kind == "address_changed"]
        token = re.findall(r"/v1/changes/undo/(\S+)", told.text)[0]
        assert browser.get("/me").status == 200
        assert shop.post("/v1/changes/undo", {"token": token}, scope=None).status == 200
        assert browser.get("/me").path == "/me/sign-in"

    def test_the_shop_puts_out_whoever_was_signed_in_by_an_address_that_it_changes(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        ada = shop.enroll("ada", email=ADA)
        sign_in(browser, mailbox)
        shop.patch(ada, {"name": "Ada"})
        assert browser.get("/me").status == 200
        shop.patch(ada, {"email": "ada@example.net"})
        assert browser.get("/me").path == "/me/sign-in"


class TestWhatNoOtherSiteCanDo:
    @pytest.fixture
    def signed_in(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> Browser:
        shop.adjust(shop.enroll("ada", email=ADA), 400)
        sign_in(browser, mailbox)
        return browser

    def test_a_form_without_this_browsers_token_does_nothing(self, shop: Shop, signed_in: Browser) -> None:
        signed_in.get("/me/rewards")
        elsewhere = Browser()
        elsewhere.get("/join")
        foreign = elsewhere.form("/join")["form_token"]
        with shop.writing_nothing():
            for token in ("", "x", foreign, foreign.upper()):
                page = signed_in.submit("/me/rewards/free-coffee", form_token=token)
                assert page.status == 403
                assert "open for too long" in words(page)

    def test_no_form_is_taken_without_its_token(self, shop: Shop, signed_in: Browser) -> None:
        assert len(FORMS) >= 10
        with shop.writing_nothing():
            for path in FORMS:
                for body in ("", "confirm=yes&address=a%40b.example&terms=yes&code=x"):
                    assert signed_in.ask("POST", path, body or None).status == 403, path

    def test_a_form_that_another_site_sends_does_nothing_whatever_it_brings(
        self, shop: Shop, signed_in: Browser
    ) -> None:
        signed_in.get("/me/rewards")
        token = signed_in.form("/me/rewards/free-coffee")["form_token"]
        with shop.writing_nothing():
            for site in ("cross-site", "same-site"):
                headers = {"sec-fetch-site": site}
                page = signed_in.ask("POST", "/me/rewards/free-coffee", f"form_token={token}", headers)
                assert page.status == 403

    def test_json_is_no_form(self, shop: Shop, signed_in: Browser) -> None:
        signed_in.get("/me/rewards")
        body = json.dumps(signed_in.form("/me/rewards/free-coffee"))
        with shop.writing_nothing():
            page = signed_in.ask("POST", "/me/rewards/free-coffee", body, {"content-type": "application/json"})
        assert page.status == 403

    def test_a_cookie_that_somebody_has_set_is_no_session_and_goes_when_one_begins(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        ada = shop.enroll("ada", email=ADA)
        for planted in (f"{ada}.{'2' * 26}", "x", f"{ada}.", "."):
            victim = Browser()
            victim.cookies = {SESSION: planted, VISIT: "2" * 26}
            assert victim.get("/me").path == "/me/sign-in"
        browser.cookies = {VISIT: "2" * 26}
        ask(browser)
        sent = code(mailbox)
        browser.send("/me/code", code=sent)
        assert "2" * 26 not in browser.cookies[SESSION]
        assert VISIT not in browser.cookies
        attacker = Browser()
        attacker.cookies = {VISIT: "2" * 26}
        attacker.get("/me/code")
        assert attacker.send("/me/code", code=sent).status == 409

    def test_cookies_are_out_of_scripts_reach_and_of_this_host_alone(self, signed_in: Browser) -> None:
        told = [*Browser().get("/join").set_cookie, *sign_out(signed_in).set_cookie, *ask_for_language().set_cookie]
        assert {one.partition("=")[0] for one in told} == {VISIT, SESSION, "__Host-language"}
        for cookie in told:
            assert cookie.startswith("__Host-")
            assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(cookie.split("; ")[1:])
            assert "Domain" not in cookie

    def test_without_encryption_as_on_a_developers_machine_cookies_are_plain(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert shop.get("/v1/program", scope=None).status == 200
        monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8080")
        runtime.forget()
        [cookie] = Browser().get("/join").set_cookie
        assert re.fullmatch(r"visit=\w{26}; Path=/; HttpOnly; SameSite=Lax", cookie)

    def test_every_page_is_unkept_unframed_and_loads_nothing_from_elsewhere(self, signed_in: Browser) -> None:
        for path in (*OWN, *OPEN, "/me/nothing"):
            page = signed_in.get(path)
            policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
            assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert "unsafe" not in str(policy)
            assert policy["style-src"] == "'self'"
            assert page.headers["Cache-Control"] == "no-store"
            assert page.headers["X-Frame-Options"] == "DENY"
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert "max-age" in page.headers["Strict-Transport-Security"]
            assert not re.findall(r"<script|<style|\bon\w+=| style=", page.text), path
            assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page.text), path

    def test_what_leads_on_is_not_kept_either(self, signed_in: Browser) -> None:
        signed_in.get("/me/you")
        told = signed_in.submit("/me/you/details", name="Ada")
        assert (told.status, told.headers["Cache-Control"]) == (303, "no-store")
        assert signed_in.ask("GET", "/me/export").headers["Cache-Control"] == "no-store"

    def test_no_token_and_no_code_stands_in_a_table(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> None:
        shop.enroll("ada", email=ADA)
        ask(browser)
        sent = code(mailbox)
        secrets = [sent, *browser.cookies.values()]
        assert not any(one in json.dumps(shop.tables()) for one in secrets)
        browser.send("/me/code", code=sent)
        secret = browser.cookies[SESSION].partition(".")[2]
        assert secret not in json.dumps(shop.tables())

    def test_another_members_things_are_as_unknown_as_any(
        self, shop: Shop, signed_in: Browser, mailbox: Mailbox
    ) -> None:
        grace = shop.enroll("grace", email="grace@example.org")
        shop.adjust(grace, 400, "case-2")
        other = Browser()
        sign_in(other, mailbox, "grace@example.org")
        other.get("/me/rewards")
        theirs = other.send("/me/rewards/free-coffee").path.partition("?")[0]
        assert other.get(theirs).status == 200
        assert words(signed_in.get(theirs)) == words(signed_in.get("/me/vouchers/unknown"))
        assert signed_in.get(theirs).status == 404

    def test_what_a_member_calls_themself_is_text_and_nothing_else(self, signed_in: Browser) -> None:
        signed_in.get("/me/you")
        signed_in.send("/me/you/details", name='"><script>alert(1)</script>')
        for path in OWN:
            page = signed_in.get(path)
            assert "<script" not in page.text
        assert "&lt;script&gt;" in signed_in.get("/me").text


def sign_out(browser: Browser) -> Shown:
    browser.get("/me/you")
    return browser.submit("/me/sign-out")


def ask_for_language() -> Shown:
    return Browser().get("/join?lang=de")


class TestPages:
    @pytest.fixture
    def ada(self, shop: Shop, browser: Browser, mailbox: Mailbox) -> str:
        ada = shop.enroll("ada", email=ADA, name="Ada")
        shop.order(ada, "A-1", 30_000)
        sign_in(browser, mailbox)
        return ada

    def test_an_account_is_shown_with_two_requests_at_most(
        self, shop: Shop, browser: Browser, ada: str, wire: Wire
    ) -> None:
        browser.get("/me")
        wire.requests.clear()
        assert browser.get("/me").status == 200
        assert len(wire.requests) == 1
        shop.change_program(pools={"members_max": 3})
        assert shop.post("/v1/pools", {"member_id": ada}, key="pool").status == 201
        browser.get("/me")
        wire.requests.clear()
        assert "household" in words(browser.get("/me"))
        assert len(wire.requests) == 2

    def test_a_page_and_its_stylesheet_are_small_and_the_stylesheet_is_kept(self, browser: Browser, ada: str) -> None:  # noqa: ARG002
        style = browser.get(sites.asset_path("pages.css"))
        assert (style.status, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
        assert "immutable" in style.headers["Cache-Control"]
        for path in (*OWN, *OPEN):
            page = browser.get(path)
            assert sites.asset_path("pages.css") in page.text
            assert len(page.text.encode()) + len(style.text.encode()) < BYTES_MAX
        assert browser.get("/assets/pages-0.css").status == 404
        assert browser.get("/assets/%2e%2e").status == 404

    def test_the_first_page_says_what_there_is_and_what_is_missing(
        self, shop: Shop, browser: Browser, ada: str
    ) -> None:
        shop.pass_time(days=1)
        page = words(browser.get("/me"))
        account = shop.account(ada)
        assert str(account["balance"]) in page
        assert account["next_reward"]["name"] in page
        assert f"{account['next_reward']['missing']} points to go" in page
        assert account["tier"]["name"] in page
        assert f"{account['tier']['next']['missing']} points to {account['tier']['next']['name']}" in page
        assert "points end after 30 Nov 2027" in page

    def test_the_card_shows_a_code_that_finds_the_member_for_five_minutes(
        self, shop: Shop, browser: Browser, ada: str
    ) -> None:
        page = browser.get("/me/card")
        [shown] = re.findall(r"\b([2-9A-Z]{4} [2-9A-Z]{4})\b", words(page))
        assert "<svg" in page.text
        assert shop.post("/v1/members/lookup", {"code": shown}).body["member_id"] == ada
        shop.pass_time(seconds=LIFE.total_seconds())
        assert shop.post("/v1/members/lookup", {"code": shown}).status == 404

    def test_a_reward_is_had_with_one_tap_and_once_however_often_it_is_sent(
        self, shop: Shop, browser: Browser, ada: str
    ) -> None:
        before = shop.balance(ada)
        browser.get("/me/rewards")
        first = browser.submit("/me/rewards/free-coffee")
        assert browser.submit("/me/rewards/free-coffee").headers == first.headers
        assert shop.balance(ada) == before - 150
        voucher = browser.get(first.headers["Location"])
        [redemption] = shop.pages(f"/v1/members/{ada}/redemptions", 10)
        assert redemption["voucher_code"] in words(voucher)
        assert "<svg" in voucher.text
        assert "Free coffee" in words(browser.get("/me/vouchers"))
        browser.get("/me/rewards")
        browser.send("/me/rewards/free-coffee")
        assert shop.balance(ada) == before - 300, "another page's form is another wish"

    def test_a_reward_that_cannot_be_had_is_refused_in_words(self, shop: Shop, browser: Browser, ada: str) -> None:
        browser.get("/me/rewards")
        shop.adjust(ada, -shop.balance(ada))
        page = browser.send("/me/rewards/free-coffee")
        assert (page.status, "do not have enough points" in words(page)) == (409, True)
        assert "150 points to go" in words(page)

    def test_every_movement_says_why_and_until_when(self, shop: Shop, browser: Browser, ada: str) -> None:
        shop.refund(ada, 10_000)
        page = words(browser.get("/me/points"))
        for entry in shop.entries(ada):
            assert languages()["en"].signed(entry["effects"]["available"]) in page
            for line in entry["breakdown"]:
                assert line["description"] in page
        assert "Can be spent until 30 Nov 2027" in page
        assert "Order A-1" in page
        assert "300.00 USD paid, 100.00 USD returned" in page
        for lot in shop.account(ada)["expiring"]:
            assert f"{lot['points']} points until" in page

    def test_a_long_history_comes_page_by_page(self, shop: Shop, browser: Browser, ada: str) -> None:
        for number in range(25):
            shop.order(ada, f"B-{number}", 100 * (number + 1))
        first = browser.get("/me/points")
        [older] = re.findall(r'href="(/me/points\?cursor=[^"]+)"', first.text)
        rest = browser.get(older)
        seen = re.findall(r"Order ([AB]-\d+)", words(first) + words(rest))
        assert sorted(seen) == sorted({"A-1", *(f"B-{number}" for number in range(25))})
        assert browser.get("/me/points?cursor=x").status == 422

    def test_details_preferences_and_consent_are_changed(self, shop: Shop, browser: Browser, ada: str) -> None:
        browser.get("/me/you")
        assert "Gespeichert" in words(browser.send("/me/you/details", name="Ada Lovelace", locale="de"))
        found = shop.get(f"/v1/members/{ada}").body
        assert (found["name"], found["locale"]) == ("Ada Lovelace", "de")
        browser.send("/me/you/messages", **{"marketing.email": "yes"})
        kept = shop.get(f"/v1/members/{ada}/preferences").body["categories"]
        assert [kept[name]["email"] for name in ("service", "marketing", "digest")] == [False, True, False]
        browser.send("/me/you/messages", **{"service.email": "yes"})
        found = shop.get(f"/v1/members/{ada}").body
        assert not found["consent"]["marketing"]["email"]
        assert "keine Angebote" in words(browser.get("/me/you"))

    def test_what_is_not_shown_is_not_changed(self, shop: Shop, browser: Browser, ada: str) -> None:
        consent = {"consent": {"marketing": {"sms": True}}}
        shop.patch(ada, consent)
        browser.get("/me/you")
        browser.send("/me/you/messages")
        assert shop.get(f"/v1/members/{ada}").body["consent"]["marketing"] == {"email": False, "sms": True}

    def test_another_address_waits_for_its_code(self, shop: Shop, browser: Browser, ada: str, mailbox: Mailbox) -> None:
        browser.get("/me/you")
        page = browser.send("/me/you/addresses/email", email="ada@example.net")
        assert "We have sent a code to ada@example.net" in words(page)
        [message] = [one for one in mailbox.collect() if one.kind == "address_code"]
        assert browser.send("/me/you/confirm", code="23456789").status == 422
        assert browser.send("/me/you/confirm", code=message.text.split()[0]).path == "/me/you?said=confirmed"
        assert shop.get(f"/v1/members/{ada}").body["email"] == "ada@example.net"
        for kind, wrong in (("email", "ada"), ("phone", "1"), ("email", "")):
            page = browser.send(f"/me/you/addresses/{kind}", **{kind: wrong})
            assert (page.status, f'id="{kind}-wrong"' in page.text) == (422, True)

    def test_everything_that_is_kept_can_be_downloaded(self, browser: Browser, ada: str) -> None:
        answer = browser.get("/me/export")
        assert "attachment" in answer.headers["Content-Disposition"]
        told = json.loads(answer.text)
        assert told["member"]["member_id"] == ada
        assert told["held"]["sessions"], "when they have signed in is kept, too"

    def test_leaving_asks_once_more_and_then_nothing_personal_is_left(
        self, shop: Shop, browser: Browser, ada: str
    ) -> None:
        page = browser.get("/me/erase")
        assert f"You lose {shop.balance(ada)} points" in words(page)
        with shop.writing_nothing():
            assert browser.send("/me/erase").status == 422
        gone = browser.send("/me/erase", confirm="yes")
        assert "has been erased" in words(gone)
        assert SESSION not in browser.cookies
        assert shop.get(f"/v1/members/{ada}").body["status"] == "erased"
        [rest] = [item for item in stored(settings.people_table()) if ada in item["pk"]["S"]]
        assert rest["sk"]["S"] == "PROFILE", "no session is left"

    def test_somebody_at_the_shop_looks_at_who_owes_first(
        self, shop: Shop, browser: Browser, ada: str, mailbox: Mailbox
    ) -> None:
        shop.redeem(ada, capture=True)
        shop.refund(ada, 30_000)
        assert "are owed after a return" in words(browser.get("/me"))
        browser.get("/me/erase")
        assert "until 20 Dec 2026" in words(browser.send("/me/erase", confirm="yes"))
        assert browser.get("/me").path == "/me/sign-in"
        ask(browser)
        assert not codes(mailbox)

    def test_friends_are_invited_by_a_link_of_ones_own(self, shop: Shop, browser: Browser, ada: str) -> None:
        assert "nobody gets points for bringing friends" in words(browser.get("/me/friends"))
        shop.change_program(referrals={"advocate_points": 10, "friend_points": 5})
        referral_code = shop.get(f"/v1/members/{ada}").body["referral_code"]
        page = browser.get("/me/friends")
        assert f"https://loyalty.example/join?code={referral_code}" in page.text
        shop.enroll("grace", referral_code=referral_code)
        assert "has not bought anything yet" in words(browser.get("/me/friends"))

    def test_the_poster_leads_to_the_page_to_join(self, browser: Browser) -> None:
        page = browser.get("/join/poster")
        assert "https://loyalty.example/join" in words(page)
        assert "<svg" in page.text


class TestLanguages:
    def test_every_text_of_every_language_is_there_and_takes_the_same_values(self) -> None:
        assert {"en", "de"} <= set(languages())
        english = languages()["en"].texts
        for language in languages().values():
            assert set(language.texts) == set(english)
            for name, text in language.texts.items():
                assert text.strip(), (language.tag, name)
                if not name.startswith("format."):
                    assert values_in(text) == values_in(english[name]), (language.tag, name)
            assert len(language.texts["format.months"].split(" ")) == 12

    def test_no_page_names_a_text_that_is_not_there(self) -> None:
        known = set(languages()["en"].texts)
        source = "".join(path.read_text() for path in sites.TEMPLATES.glob("*.html"))
        named = set(re.findall(r'"((?:[a-z]+\.)+[a-z_]+)"', source))
        assert len(named) > 100
        assert {name for name in named - known if not name.endswith(".html")} == {"you.by_"}

    def test_there_is_no_text_that_no_page_uses(self) -> None:
        made_up = (
            "entry",
            "format",
            "friends.state",
            "nav",
            "points",
            "refused",
            "said",
            "unit",
            "voucher.state",
            "wrong",
        )
        source = "".join(path.read_text() for path in sites.TEMPLATES.glob("*.html"))
        for name in languages()["en"].texts:
            is_made_up = any(name.startswith(f"{one}.") for one in made_up) or name.startswith("you.")
            assert is_made_up or f'"{name}"' in source, name

    def test_every_type_of_entry_has_its_words(self) -> None:
        for language in languages().values():
            for name in entry_types.ENTRY_TYPES:
                assert f"entry.{name}" in language.texts

    @pytest.mark.parametrize(
        ("accepted", "shown"),
        [
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("fr-FR, de;q=0.5, en;q=0.4", "de"),
            ("en-GB", "en"),
            ("xx", "en"),
            ("", "en"),
            ("de;q=x,en", "en"),
            (";q=1,,", "en"),
        ],
    )
    def test_a_page_is_in_the_language_that_the_browser_asks_for(
        self, browser: Browser, accepted: str, shown: str
    ) -> None:
        browser.language = accepted
        page = browser.get("/join")
        assert page.headers["Content-Language"] == shown
        assert f'<html lang="{shown}">' in page.text

    def test_a_language_that_was_chosen_stays(self, browser: Browser) -> None:
        assert browser.get("/join?lang=de").headers["Content-Language"] == "de"
        assert browser.get("/me/sign-in").headers["Content-Language"] == "de"
        assert browser.get("/join?lang=xx").headers["Content-Language"] == "de"

    def test_members_are_shown_their_own_language_and_mailed_the_code_in_it(
        self, shop: Shop, browser: Browser, mailbox: Mailbox
    ) -> None:
        shop.enroll("ada", email=ADA, locale="de-AT")
        browser.get("/me/sign-in?lang=de")
        browser.send("/me/sign-in", address=ADA)
        [message] = codes(mailbox)
        assert message.locale == "de"
        browser.language = "en"
        browser.cookies.pop("__Host-language")
        browser.send("/me/code", code=message.text.split()[0])
        assert browser.get("/me").headers["Content-Language"] == "de"

    def test_numbers_days_and_money_are_written_as_the_language_does(self) -> None:
        english, german = languages()["en"], languages()["de"]
        assert (english.points(1), english.points(1234)) == ("1 point", "1,234 points")
        assert (german.points(1), german.points(-1234567)) == ("1 Punkt", "-1.234.567 Punkte")
        assert english.money(123450, "EUR") == "1,234.50\N{NO-BREAK SPACE}EUR"
        assert german.money(123450, "EUR") == "1.234,50\N{NO-BREAK SPACE}EUR"
        assert english.money(1234, "JPY") == "1,234\N{NO-BREAK SPACE}JPY"
        assert (english.signed(42), english.signed(-42), english.signed(0)) == ("+42", "\N{MINUS SIGN}42", "0")


class TestStrangers:
    """What anybody can send without a token is answered soon, and is no failure."""

    GARBAGE = {
        "no form": ("", b"x"),
        "noise": (FORM, bytes(range(256)) * 10),
        "a large form": (FORM, b"a=b&" * 60_000),
        "many fields": (FORM, b"&".join(b"f%d=1" % number for number in range(500))),
        "half a letter": (FORM, b"form_token=%ED%A0%80&address=%ff"),
        "parts": ("multipart/form-data; boundary=b", b"--b\r\n\r\n" * 300),
        "json": ("application/json", b'{"form_token": ["x"]}'),
    }

    @pytest.mark.parametrize("sent", GARBAGE)
    @pytest.mark.parametrize(
        "path", ["/join", "/me/sign-in", "/me/code", "/me/rewards/%00", "/me/nothing", "/assets/x"]
    )
    def test_whatever_a_stranger_sends(self, shop: Shop, browser: Browser, path: str, sent: str) -> None:
        content_type, body = self.GARBAGE[sent]
        browser.get("/join")
        event = {**_event("POST", path), "headers": {"content-type": content_type}, "isBase64Encoded": True}
        event["body"] = b64encode(body).decode()
        event["cookies"] = ["=", "visit", f"{VISIT}=\x00", f"{SESSION}={'x' * 5000}", f"{SESSION}=a.b", *["a=b"] * 500]
        with shop.writing_nothing():
            started = time.process_time()
            answer = member_pages.handler(event, None)
            assert time.process_time() - started < 0.25
        assert answer["statusCode"] in {403, 404, 413, 400}

    def test_of_a_form_so_much_is_read_and_no_more(self, browser: Browser) -> None:
        browser.get("/join")
        token = browser.form("/join")["form_token"]
        room = FORM_BYTES_MAX - len(f"form_token={token}&name=")
        for size, status in ((room, 422), (room + 1, 413)):
            assert browser.ask("POST", "/join", f"form_token={token}&name={'x' * size}").status == status

    def test_a_language_or_a_code_of_any_length_is_passed_over(self, browser: Browser) -> None:
        for query in ("lang=" + "x" * 5000, "code=" + "x" * 5000, "said=<script>", "utm_source=poster"):
            assert browser.get(f"/join?{query}").status == 200


def values_in(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def _event(method: str, path: str) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "queryStringParameters": None,
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
    }
