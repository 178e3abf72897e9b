"""The till in a real browser: a card is scanned, a sale earns; and without a connection no sale is lost."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.browser import browser
from tests.system.chromium import Tab, tab
from tests.system.conftest import Server, serving
from tests.system.test_member_pages import FITS, HEADINGS, PALE, PICTURES, SMALL, UNNAMED

pytestmark = pytest.mark.process

SALE_SECONDS_MAX = 5
BACK_SECONDS_MAX = 20
KEPT = "document.querySelectorAll('[data-list] li').length"
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    browser()
    with serving(tmp_path_factory.mktemp("home"), "--empty") as started:
        yield started


@pytest.fixture
def till(server: Server, tmp_path: Path) -> Iterator[Tab]:
    with tab(tmp_path) as opened:
        sign_in(server, opened)
        yield opened


def sign_in(server: Server, till: Tab, store_id: str = "Main Street") -> None:
    code = server.post("/v1/cashiers/codes", {"cashier": "otto", "store_id": store_id}).json()["code"]
    till.go(f"{server.url}/till/sign-in")
    till.fill("Your code", code)
    till.press("Sign in")
    assert till.path() == "/till"


def scan(till: Tab, text: str) -> None:
    """As a hand scanner does: it types into the field that the page has put the cursor in, and ends with Enter."""
    till.events.clear()
    till.call("Input.insertText", text=text)
    till.key("Enter", windowsVirtualKeyCode=13, text="\r")
    until(till, "location.pathname.startsWith('/till/members/')")


def until(till: Tab, expression: str) -> None:
    deadline = time.monotonic() + BACK_SECONDS_MAX
    while not till.value(f"document.readyState === 'complete' && ({expression})"):
        assert time.monotonic() < deadline, (expression, till.text())
        time.sleep(0.05)


def carded(server: Server, name: str) -> str:
    details = {"external_id": name, "card_number": f"CARD-{name}", "name": name.title()}
    return str(server.post("/v1/members", details, key=f"join-{name}").json()["member_id"])


def test_a_sale_takes_under_five_seconds_from_the_scan_on(server: Server, till: Tab) -> None:
    member_id = carded(server, "grace")
    server.order(member_id, "G-1", 10_000)
    started = time.monotonic()
    scan(till, "CARD-grace")
    till.fill("Amount", "42.50")
    till.press("Earn points")
    until(till, "document.body.innerText.includes('Booked.')")
    till.press("Redeem")
    until(till, "document.body.innerText.includes('Redeemed.')")
    assert time.monotonic() - started < SALE_SECONDS_MAX
    assert server.account(member_id)["balance"] == 100 + 100 + 42 - 150


def test_twenty_sales_without_a_connection_are_each_booked_once(server: Server, till: Tab) -> None:
    member_id = carded(server, "ada")
    till.call("Network.emulateNetworkConditions", **OFFLINE)
    until(till, "document.querySelector('form[data-sale]').offsetParent !== null")
    for number in range(20):
        till.fill("Card, e-mail or phone", "CARD-ada" if number else "CARD-nobody")
        till.fill("Amount", "10")
        till.open("Keep the sale")
        until(till, f"{KEPT} === {number + 1}")
    assert server.account(member_id)["balance"] == 100
    till.call("Network.emulateNetworkConditions", **{**OFFLINE, "offline": False})
    until(till, f"{KEPT} === 1")
    assert "Nobody has this" in till.text()
    assert server.account(member_id)["balance"] == 100 + 19 * 10
    assert till.complaints() == [] or all("net::ERR" in one for one in till.complaints())
    till.open("Remove")
    assert till.value(KEPT) == 0


def test_what_is_kept_outlives_the_session_and_is_the_own_stores(server: Server, till: Tab) -> None:
    member_id = carded(server, "mary")
    scan(till, "CARD-mary")
    till.call("Network.emulateNetworkConditions", **OFFLINE)
    till.fill("Amount", "30")
    till.open("Earn points")
    until(till, f"{KEPT} === 1")
    till.call("Network.clearBrowserCookies")
    till.call("Network.emulateNetworkConditions", **{**OFFLINE, "offline": False})
    till.go(f"{server.url}/till")
    assert till.path() == "/till/sign-in"
    until(till, f"{KEPT} === 1")
    assert "Sign in to send" in till.text()
    sign_in(server, till, "Other Street")
    until(till, "document.body.innerText.includes('another store')")
    sign_in(server, till)
    till.open("Try again")
    until(till, f"{KEPT} === 0")
    assert server.account(member_id)["balance"] == 130


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_and_reads_well(server: Server, till: Tab, width: int, is_dark: bool) -> None:
    name = f"dorothy-{width}-{is_dark}"
    member_id = carded(server, name)
    server.order(member_id, name, 60_000)
    till.look(width, is_dark=is_dark)
    till.go(f"{server.url}/till/members/{member_id}")
    till.fill("Amount", "12.50")
    till.press("Earn points")
    for path in ("/till", f"/till/members/{member_id}", "/till/voucher", "/till/sign-in"):
        till.go(server.url + path)
        _keep_picture(till, f"till-{path.split('/')[2] if path != '/till' else 'home'}-{width}-{is_dark}")
        assert till.value(FITS), path
        assert till.value(UNNAMED) == [], path
        assert till.value(SMALL) == [], path
        assert till.value(PALE) == [], path
        assert till.value(HEADINGS)[0] == 1, path
        assert till.complaints() == [], path


def _keep_picture(till: Tab, name: str) -> None:
    if folder := os.environ.get(PICTURES):
        till.picture(Path(folder) / f"{name}.png")
