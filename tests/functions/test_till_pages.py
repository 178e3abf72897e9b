"""The till: cashiers sign in for a store, see who is there, earn, redeem and undo; and what nobody else can do."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from functions import till_pages
from shared.domain.tills import CODE_LASTS, SESSION_LASTS, UNDONE_WITHIN
from shared.services import tills
from tests.functions.browser import Browser, Shown
from tests.functions.shop import OPERATOR, Shop, check_every_account, stored
from tests.functions.test_member_pages import words

STORE = "Main Street"
SESSION = "__Host-till"


def code_for(shop: Shop, cashier: str = "otto", store_id: str = STORE) -> str:
    reply = shop.post("/v1/cashiers/codes", {"cashier": cashier, "store_id": store_id})
    assert reply.status == 201, reply.body
    return str(reply.body["code"])


def till(shop: Shop, cashier: str = "otto", store_id: str = STORE) -> Browser:
    """The browser of a cashier who has signed in."""
    browser = Browser(answers=lambda event: till_pages.handler(event, None))
    browser.get("/till/sign-in")
    page = browser.send("/till/sign-in", code=code_for(shop, cashier, store_id).lower().replace("-", " "))
    assert (page.status, page.path) == (200, "/till"), page.text
    return browser


def find(browser: Browser, who: str) -> Shown:
    browser.get("/till")
    return browser.send("/till/find", who=who)


def undo_of(page: Shown) -> str:
    [action] = re.findall(r'action="(/till/members/[^"]+/undo)"', page.text)
    return str(action)


@pytest.fixture
def ada(shop: Shop) -> str:
    return shop.enroll("ada", name="Ada", email="ada@example.org", phone="+44 20 7946 0958", card_number="C-1")


class TestSigningIn:
    def test_a_code_is_good_once(self, shop: Shop) -> None:
        code = code_for(shop)
        statuses = []
        for _ in range(2):
            browser = Browser(answers=lambda event: till_pages.handler(event, None))
            browser.get("/till/sign-in")
            statuses.append(browser.send("/till/sign-in", code=code).status)
        assert statuses == [200, 409]

    def test_a_code_lasts_an_hour_and_a_session_a_shift(self, shop: Shop) -> None:
        code = code_for(shop)
        browser = till(shop)
        shop.pass_time(seconds=CODE_LASTS.total_seconds())
        late = Browser(answers=lambda event: till_pages.handler(event, None))
        late.get("/till/sign-in")
        assert late.send("/till/sign-in", code=code).status == 409
        assert browser.get("/till").path == "/till"
        shop.pass_time(seconds=(SESSION_LASTS - CODE_LASTS).total_seconds())
        assert browser.get("/till").path == "/till/sign-in"
        assert SESSION not in browser.cookies

    def test_who_signs_out_is_signed_out_for_good(self, shop: Shop) -> None:
        browser = till(shop)
        token = browser.cookies[SESSION]
        browser.get("/till")
        assert browser.send("/till/sign-out").path == "/till/sign-in"
        browser.cookies[SESSION] = token
        assert browser.get("/till").path == "/till/sign-in"

    def test_nothing_is_shown_or_done_without_a_session(self, shop: Shop, ada: str) -> None:
        browser = Browser(answers=lambda event: till_pages.handler(event, None))
        for path in ("/till", f"/till/members/{ada}", "/till/voucher"):
            assert browser.get(path).path == "/till/sign-in"
        signed_in = till(shop)
        find(signed_in, "C-1")
        form = signed_in.form(f"/till/members/{ada}/sale")
        del signed_in.cookies[SESSION]
        with shop.writing_nothing():
            shown = signed_in.submit(f"/till/members/{ada}/sale", **form, amount="10")
        assert shown.status in {303, 403}

    def test_no_code_and_no_token_stands_in_a_table(self, shop: Shop) -> None:
        code, browser = code_for(shop), till(shop)
        held = json.dumps([stored(name) for name in ("loyalty", "people")], default=str)
        assert code.replace("-", "") not in held
        assert browser.cookies[SESSION] not in held

    def test_the_cookie_is_out_of_scripts_reach_and_of_this_host_alone(self, shop: Shop) -> None:
        browser = Browser(answers=lambda event: till_pages.handler(event, None))
        browser.get("/till/sign-in")
        told = browser.submit("/till/sign-in", code=code_for(shop)).set_cookie
        [session] = [one for one in told if one.startswith(f"{SESSION}=")]
        assert all(mark in session for mark in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/"))
        assert "Domain" not in session

    def test_an_operator_who_issues_a_code_leaves_a_trace(self, shop: Shop) -> None:
        shop.post("/v1/cashiers/codes", {"cashier": "otto", "store_id": STORE}, scope=OPERATOR, caller="olga")
        [trace] = shop.get("/v1/audit", scope=OPERATOR).body["items"]
        assert trace["what"] == "cashier.code_issued"


class TestFinding:
    @pytest.mark.parametrize("who", ["C-1", " Ada@Example.org", "+44 20 7946 0958"])
    def test_a_card_or_an_address_leads_to_who_it_is(self, shop: Shop, ada: str, who: str) -> None:
        page = find(till(shop), who)
        assert page.path == f"/till/members/{ada}"
        assert all(text in words(page) for text in ("Ada", "Bronze", "100 points", "50 points to: Free coffee"))

    def test_the_code_that_a_member_shows_is_scanned_or_typed(self, shop: Shop, ada: str) -> None:
        issued = shop.post(f"/v1/members/{ada}/codes").body
        for text in (issued["text"], issued["code"].lower()):
            assert find(till(shop), text).path == f"/till/members/{ada}"

    def test_an_unknown_one_is_said_at_the_field(self, shop: Shop) -> None:
        page = find(till(shop), "C-404")
        assert page.status == 404
        assert 'id="who-wrong"' in page.text

    def test_guesses_are_counted_by_cashier(self, shop: Shop, ada: str) -> None:
        browser = till(shop)
        for number in range(tills.GUESSES_MAX):
            assert find(browser, f"C-{number + 1000}").status == 404
        assert find(browser, "C-1").status == 429
        assert find(till(shop, "olga"), "C-1").path == f"/till/members/{ada}"
        shop.pass_time(hours=1)
        assert find(browser, "C-1").path == f"/till/members/{ada}"


class TestSales:
    @pytest.mark.parametrize("amount", ["42.50", "42,5", "42.5 "])
    def test_an_amount_earns_and_the_entry_names_cashier_and_store(self, shop: Shop, ada: str, amount: str) -> None:
        browser = till(shop)
        find(browser, "C-1")
        page = browser.send(f"/till/members/{ada}/sale", amount=amount)
        assert page.path == f"/till/members/{ada}?said=till_sold"
        [entry, *_] = shop.get(f"/v1/members/{ada}/entries", scope=OPERATOR).body["items"]
        assert (entry["points"], entry["actor"]) == (42, "storefront:till:Main Street:otto")
        assert (entry["source"]["store_id"], entry["source"]["channel"]) == (STORE, "till")

    def test_a_form_that_is_sent_twice_books_once(self, shop: Shop, ada: str) -> None:
        browser = till(shop)
        find(browser, "C-1")
        for _ in range(2):
            assert browser.submit(f"/till/members/{ada}/sale", amount="42.50").status == 303
        assert shop.balance(ada) == 142

    @pytest.mark.parametrize("amount", ["", "0", "x", "1.234", "-5", "1,000.00", "9" * 20])
    def test_what_is_no_amount_is_said_at_the_field(self, shop: Shop, ada: str, amount: str) -> None:
        browser = till(shop)
        find(browser, "C-1")
        with shop.writing_nothing():
            page = browser.send(f"/till/members/{ada}/sale", amount=amount)
        assert page.status == 422
        assert 'id="amount-wrong"' in page.text

    def test_a_form_from_elsewhere_books_nothing(self, shop: Shop, ada: str) -> None:
        browser, other = till(shop), till(shop, "olga")
        find(browser, "C-1")
        find(other, "C-1")
        foreign = other.form(f"/till/members/{ada}/sale")["form_token"]
        with shop.writing_nothing():
            for token in ("", "0" * 32, foreign):
                shown = browser.submit(f"/till/members/{ada}/sale", amount="1", form_token=token)
                assert shown.status == 403


class TestUndoing:
    def test_a_sale_is_undone_within_ten_minutes_once(self, shop: Shop, ada: str) -> None:
        browser = till(shop)
        find(browser, "C-1")
        page = browser.send(f"/till/members/{ada}/sale", amount="42.50")
        action = undo_of(page)
        page = browser.send(action)
        assert (page.path, shop.balance(ada)) == (f"/till/members/{ada}?said=till_undone", 100)
        assert "/undo" not in page.text
        check_every_account()

    def test_a_redemption_is_undone_too(self, shop: Shop, ada: str) -> None:
        shop.adjust(ada, 100)
        browser = till(shop)
        page = find(browser, "C-1")
        assert "Free coffee" in words(page)
        page = browser.send(f"/till/members/{ada}/rewards/free-coffee")
        assert (page.path, shop.balance(ada)) == (f"/till/members/{ada}?said=till_redeemed", 50)
        page = browser.send(undo_of(page))
        assert (page.path, shop.balance(ada)) == (f"/till/members/{ada}?said=till_undone", 200)
        check_every_account()

    def test_after_ten_minutes_nothing_is(self, shop: Shop, ada: str) -> None:
        browser = till(shop)
        find(browser, "C-1")
        action = undo_of(browser.send(f"/till/members/{ada}/sale", amount="42.50"))
        shop.pass_time(seconds=UNDONE_WITHIN.total_seconds() + 1)
        with shop.writing_nothing():
            assert browser.send(action).status == 409
        assert "/undo" not in browser.get(f"/till/members/{ada}").text

    @pytest.mark.parametrize(("cashier", "store_id"), [("otto", "Other Street"), ("olga", STORE)])
    def test_nobody_else_and_no_other_store_undoes_it(self, shop: Shop, ada: str, cashier: str, store_id: str) -> None:
        shop.adjust(ada, 100)
        browser, other = till(shop), till(shop, cashier, store_id)
        find(browser, "C-1")
        sale = undo_of(browser.send(f"/till/members/{ada}/sale", amount="42.50"))
        page = browser.send(f"/till/members/{ada}/rewards/free-coffee")
        [redemption] = [one for one in re.findall(r'action="([^"]+/undo)"', page.text) if "redemptions" in one]
        assert "/undo" not in find(other, "C-1").text
        token = other.form(f"/till/members/{ada}/sale")["form_token"]
        with shop.writing_nothing():
            for action in (sale, redemption):
                assert other.ask("POST", action, f"form_token={token}").status == 409


class TestRewards:
    def test_a_tap_that_comes_twice_redeems_once(self, shop: Shop, ada: str) -> None:
        shop.adjust(ada, 300)
        browser = till(shop)
        find(browser, "C-1")
        for _ in range(2):
            assert browser.submit(f"/till/members/{ada}/rewards/free-coffee").status == 303
        assert shop.balance(ada) == 250

    def test_what_cannot_be_had_is_refused_with_a_reason(self, shop: Shop, ada: str) -> None:
        shop.adjust(ada, 100)
        browser = till(shop)
        find(browser, "C-1")
        shop.adjust(ada, -100, "gone")
        page = browser.send(f"/till/members/{ada}/rewards/free-coffee")
        assert page.status == 409
        assert "There are not enough points" in words(page)

    def test_what_is_gone_is_not_offered(self, shop: Shop, ada: str) -> None:
        mug = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 50, "stock": 1}
        shop.change_program(redeeming={"rewards": [mug]})
        browser, path = till(shop), f"/till/members/{ada}/rewards/mug"
        assert path in find(browser, "C-1").text
        shop.redeem(shop.enroll("grace"), "mug")
        assert path not in find(browser, "C-1").text


class TestVouchers:
    @pytest.fixture
    def voucher(self, shop: Shop, ada: str) -> str:
        reward = {"reward_id": "bun", "name": "Bun", "kind": "product", "sku": "BUN", "points": 50}
        shop.change_program(redeeming={"rewards": [{**reward, "voucher": {"valid_days": 30}}]})
        return str(shop.redeem(ada, "bun", capture=True).body["voucher_code"])

    def check(self, browser: Browser, code: str) -> Shown:
        browser.get("/till/voucher")
        return browser.send("/till/voucher", voucher=code)

    def test_one_is_checked_used_once_and_given_back(self, shop: Shop, voucher: str) -> None:
        browser = till(shop)
        page = self.check(browser, voucher.lower())
        assert all(text in words(page) for text in ("Bun", "Good", "until 20 Dec 2026"))
        form = browser.form("/till/voucher/use")
        assert "Used." in words(browser.send("/till/voucher/use"))
        assert shop.post("/v1/vouchers/lookup", {"code": voucher}).body["uses"][0]["store_id"] == STORE
        again = browser.ask("POST", "/till/voucher/use", "&".join(f"{a}={b}" for a, b in form.items()))
        assert again.status == 200
        assert "Undone." in words(browser.send("/till/voucher/undo"))
        assert "Good" in words(self.check(browser, voucher))
        check_every_account()

    def test_another_store_gives_no_use_back(self, shop: Shop, voucher: str) -> None:
        browser, other = till(shop), till(shop, "otto", "Other Street")
        self.check(browser, voucher)
        used = browser.send("/till/voucher/use")
        assert "/till/voucher/undo" in used.text
        reference = browser.form("/till/voucher/undo")["reference"]
        assert "/till/voucher/undo" not in self.check(other, voucher).text
        token = other.form("/till/voucher")["form_token"]
        with shop.writing_nothing():
            body = f"form_token={token}&voucher={voucher}&reference={reference}"
            assert other.ask("POST", "/till/voucher/undo", body).status == 409

    def test_codes_are_guessed_so_often_and_no_more(self, shop: Shop, voucher: str) -> None:
        browser = till(shop)
        for number in range(tills.GUESSES_MAX):
            assert self.check(browser, f"AAAAA-AAAAA-{number:05}").status == 404
        assert self.check(browser, voucher).status == 429


class TestKeptSales:
    def send(self, browser: Browser, *sales: Any) -> Any:
        browser.get("/till")
        token = browser.form("/till/find")["form_token"]
        return browser.ask("POST", "/till/kept", urlencode({"form_token": token, "sales": json.dumps(sales)}))

    def sale(self, shop: Shop, order_id: str, **more: Any) -> dict[str, Any]:
        return {"order_id": order_id, "placed_at": shop.now.isoformat(), "total": 4_250, "store_id": STORE, **more}

    def test_each_is_booked_once_however_often_it_is_sent(self, shop: Shop, ada: str) -> None:
        browser = till(shop)
        sales = [self.sale(shop, "till-A", member_id=ada), self.sale(shop, "till-B", who="C-1")]
        shop.pass_time(hours=5)
        for _ in range(2):
            answer = json.loads(self.send(browser, *sales).text)
            assert [one["status"] for one in answer["items"]] == [200, 200]
        assert answer["now"] == int(shop.now.timestamp() * 1000)
        assert shop.balance(ada) == 184

    def test_a_refused_one_says_why_and_keeps_no_other_back(self, shop: Shop, ada: str) -> None:
        sales = [
            self.sale(shop, "till-A", who="C-404"),
            self.sale(shop, "till-B", member_id=ada, store_id="Other Street"),
            self.sale(shop, "till-C", who="no such\x00card"[:7]),
            self.sale(shop, "till-D", who="C-1"),
        ]
        items = json.loads(self.send(till(shop), *sales).text)["items"]
        assert [one["status"] for one in items] == [404, 403, 404, 200]
        assert items[1]["text"].startswith("This sale was made at another store")
        assert shop.balance(ada) == 142

    def test_whatever_else_is_sent_is_refused(self, shop: Shop, ada: str) -> None:
        browser = till(shop)
        good = self.sale(shop, "till-A", member_id=ada)
        with shop.writing_nothing():
            for sales in ([], [good] * 9, [{**good, "total": 0}], [{**good, "points": 5}], ["x"]):
                assert self.send(browser, *sales).status in {413, 422}
            token = "0" * 32
            assert browser.ask("POST", "/till/kept", f"form_token={token}&sales=[]").status == 403


def test_a_page_runs_our_own_file_alone_and_is_kept_nowhere(shop: Shop) -> None:
    page = till(shop).get("/till")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    [script] = re.findall(r'<script src="(/assets/till-[0-9a-f]+\.js)" defer></script>', page.text)
    assert Browser().get(script).headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "<script" not in re.sub(r"<script src=", "", page.text)
