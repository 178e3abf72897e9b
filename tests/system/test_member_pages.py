"""The members' pages in a real browser, on a phone and on a large screen: from the poster to the card, and on."""

import os
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.system.browser import browser
from tests.system.chromium import Tab, tab
from tests.system.conftest import Server, serving

pytestmark = pytest.mark.process

PICTURES = "LOYALTY_PICTURES"
"""Names a folder, if somebody wants to look at what the pages look like."""
TO_CARD_SECONDS_MAX = 30
REACH_MAX = 60
WIDTHS = (360, 1280)
OWN = ("/me", "/me/card", "/me/rewards", "/me/vouchers", "/me/points", "/me/friends", "/me/you", "/me/erase")
OPEN = ("/join", "/join/poster", "/me/sign-in", "/me/code")
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
UNNAMED = """
[...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary, progress, [role=img]")].filter(
  one => !(one.innerText || "").trim() && !one.getAttribute("aria-label") && !(one.labels && one.labels.length)
).map(one => one.outerHTML)
"""
SMALL = """
[...document.querySelectorAll("main button, main .button, .tabs a, main input:not([type=hidden]), main select")].filter(
  one => one.offsetParent && Math.min(one.getBoundingClientRect().height, one.getBoundingClientRect().width) < 24
).map(one => one.outerHTML)
"""
"""Targets that a thumb misses: WCAG 2.2 asks for 24 pixels."""
PALE = """
(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, number) => sum + one * [0.2126, 0.7152, 0.0722][number], 0);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const style = getComputedStyle(one);
      if (style.backgroundImage !== "none") return parts(style.backgroundImage.match(/rgb\\([^)]+\\)/)[0]);
      const [r, g, b, a = 1] = parts(style.backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.closest("svg, .hidden, .skip, option") || !one.getClientRects().length) continue;
    const style = getComputedStyle(one);
    const [high, low] = [light(parts(style.color)), light(behind(one))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) found.push([ratio.toFixed(2), one.tagName, one.textContent.trim()]);
  }
  return found;
})()
"""
"""Words that are hard to read: WCAG 2.2 AA asks for a contrast of 4.5, of 3 where they are large."""
HEADINGS = "[...document.querySelectorAll('h1, h2, h3')].map(one => Number(one.tagName[1]))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    browser()
    with serving(tmp_path_factory.mktemp("home"), "--empty") as started:
        started.change_program(referrals={"advocate_points": 100, "friend_points": 50})
        yield started


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Tab]:  # noqa: ARG001 - it goes there
    with tab(tmp_path_factory.mktemp("phone")) as opened:
        opened.look(360)
        yield opened


def code_for(server: Server, address: str) -> str:
    """The code that was sent to an address last, as its owner reads it."""
    sent = [one for one in server.http.get("/_local/mailbox").json()["messages"] if one["to"] == address]
    return str([one for one in sent if one["kind"] == "sign_in_code"][-1]["text"]).split()[0]


def sign_in(server: Server, page: Tab, address: str) -> None:
    page.go(f"{server.url}/me/sign-in")
    page.fill("E-mail", address)
    page.press("Send me a code")
    page.fill("Code", code_for(server, address))
    page.press("Continue")
    assert page.path() == "/me"


def test_from_the_poster_to_the_card_in_half_a_minute(server: Server, phone: Tab) -> None:
    phone.go(f"{server.url}/join/poster")
    [address] = re.findall(r"http://\S+/join", phone.text())
    started = time.monotonic()
    phone.go(address)
    phone.fill("E-mail", "grace.hopper@example.com")
    phone.fill("Your name", "Grace")
    phone.tick("I want to take part")
    phone.press("Join")
    phone.fill("Code", code_for(server, "grace.hopper@example.com"))
    phone.press("Continue")
    phone.press("Show my card")
    assert time.monotonic() - started < TO_CARD_SECONDS_MAX
    [shown] = re.findall(r"\b[2-9A-Z]{4} [2-9A-Z]{4}\b", phone.text())
    found = server.call("POST", "/v1/members/lookup", {"code": shown})
    assert found.json()["name"] == "Grace"


def test_points_are_spent_with_one_tap_and_the_voucher_is_shown(server: Server, phone: Tab) -> None:
    member_id = server.enroll("katherine")
    server.order(member_id, "K-1", 30_000)
    sign_in(server, phone, "katherine@example.org")
    phone.press("See all rewards")
    phone.press("Get it for 150 points")
    assert phone.path().startswith("/me/vouchers/")
    [redemption] = server.call("GET", f"/v1/members/{member_id}/redemptions").json()["items"]
    assert redemption["voucher_code"] in phone.text()
    assert server.account(member_id)["balance"] == 100 + 300 - 150


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_reads_well_and_can_be_used_by_thumb(
    server: Server, phone: Tab, width: int, is_dark: bool
) -> None:
    name = f"mary-{width}-{'dark' if is_dark else 'light'}"
    server.order(server.enroll(name), name, 30_000)
    phone.look(width, is_dark=is_dark)
    sign_in(server, phone, f"{name}@example.org")
    for path in (*OWN, *OPEN, "/me/nothing"):
        phone.go(server.url + path)
        _keep_picture(phone, f"{path.strip('/').replace('/', '-')}-{width}-{'dark' if is_dark else 'light'}")
        phone.value(UNFOLD)
        assert phone.value(FITS), path
        assert phone.value(UNNAMED) == [], path
        assert phone.value(SMALL) == [], path
        assert phone.value(PALE) == [], path
        levels = phone.value(HEADINGS)
        assert levels[0] == 1, path
        assert levels.count(1) == 1, path
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)
        # Of a page that is not there the browser says so.
        assert [one for one in phone.complaints() if "404" not in one] == [], path
        assert {url.partition("?")[0] for url in phone.requests()} <= {server.url + path, *_styles(phone)}, path


def test_everything_is_reached_by_the_keyboard_alone(server: Server, phone: Tab) -> None:
    server.order(server.enroll("dorothy"), "D-1", 30_000)
    phone.look(360)
    sign_in(server, phone, "dorothy@example.org")
    for path in (*OWN, *OPEN):
        phone.go(server.url + path)
        phone.value(UNFOLD)
        wanted = phone.value(
            "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary')]"
            ".filter(one => one.offsetParent !== null || one.className === 'skip')"
            ".map((one, number) => one.dataset.number = String(number)).length"
        )
        assert wanted < REACH_MAX
        reached = set()
        for _ in range(wanted + 2):
            phone.key("Tab", windowsVirtualKeyCode=9)
            reached.add(phone.value("document.activeElement.dataset.number ?? null"))
        assert reached - {None} == {str(number) for number in range(wanted)}, path
    phone.go(f"{server.url}/me/sign-in")
    phone.fill("E-mail", "dorothy@example.org")
    phone.events.clear()
    phone.key("Enter", windowsVirtualKeyCode=13, text="\r")
    deadline = time.monotonic() + TO_CARD_SECONDS_MAX
    while phone.path() != "/me/code":
        assert time.monotonic() < deadline


def test_a_script_that_somebody_slips_in_does_not_run(server: Server, phone: Tab) -> None:
    """No page has one of its own: all that the tests here do works without."""
    phone.go(f"{server.url}/join")
    assert phone.value("document.scripts.length") == 0
    phone.value(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'})), true"
    )
    assert phone.value("document.title") != "1"


def test_no_page_is_shown_in_another_sites_frame(server: Server, phone: Tab) -> None:
    phone.go(f"{server.url}/docs")
    other = server.url.replace("127.0.0.1", "localhost")
    phone.go(f"data:text/html,<iframe src='{other}/join'></iframe>")
    frames = phone.call("Page.getFrameTree")["frameTree"].get("childFrames", [])
    assert [one["frame"].get("unreachableUrl") for one in frames] == [f"{other}/join"]


def _styles(page: Tab) -> list[str]:
    return list(page.value("[...document.querySelectorAll('link[rel=stylesheet]')].map(one => one.href)"))


def _keep_picture(page: Tab, name: str) -> None:
    if folder := os.environ.get(PICTURES):
        page.picture(Path(folder) / f"{name}.png")
