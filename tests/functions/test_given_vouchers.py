"""Vouchers without points: on a birthday, with a tier or a badge, for a friend, to win somebody back; each once."""

from datetime import timedelta
from typing import Any

import pytest

from functions import birthdays, expire
from infra.tools.verify import check
from shared import settings
from shared.tables import client
from tests.functions.run_queues import Queues
from tests.functions.shop import OPERATOR, Shop, assert_refused, stored
from tests.functions.test_referrals import brought, stream

CAKE = {"reward_id": "cake", "name": "Cake", "kind": "product", "sku": "C", "points": 80, "voucher": {"valid_days": 30}}
TEN_OFF = {
    "reward_id": "ten-off",
    "name": "10 off",
    "kind": "money_off",
    "value": 1000,
    "points": 500,
    "offered": False,
}
REWARDS = [CAKE, {**TEN_OFF, "voucher": {"in_parts": True}}]
BADGE = {"challenge_id": "two", "name": "Two", "goal": {"kind": "count", "of": "orders", "target": 2}}


def gift(on: dict[str, Any], reward: str = "cake", **more: Any) -> dict[str, Any]:
    return {"gift_id": f"{on['kind']}-{reward}", "reward_id": reward, "on": on, **more}


def a_shop(shop: Shop, *gifts: dict[str, Any], **sections: Any) -> Shop:
    earning = {"welcome_points": 0}
    shop.change_program(redeeming={"rewards": REWARDS}, earning=earning, **sections, given_vouchers=list(gifts))
    return shop


def vouchers(shop: Shop, member: str) -> list[str]:
    """For which rewards a member has vouchers."""
    return [one["reward_id"] for one in shop.get(f"/v1/members/{member}/vouchers").body["items"]]


def code_of(shop: Shop, member: str) -> str:
    [one] = shop.get(f"/v1/members/{member}/vouchers").body["items"]
    return str(one["code"])


def use(shop: Shop, code: str, **more: Any) -> None:
    reply = shop.post("/v1/vouchers/use", {"code": code, "reference": "T-1", **more})
    assert reply.status == 200, reply.body


def account_item(member: str) -> dict[str, Any]:
    """A member's account as it is stored."""
    key = (f"MEMBER#{member}", "ACCOUNT")
    [item] = [one for one in stored(settings.loyalty_table()) if (one["pk"]["S"], one["sk"]["S"]) == key]
    return item


def no_breach() -> bool:
    return not check(client.client(), settings.loyalty_table()).violations


class TestBirthdays:
    @pytest.fixture
    def ada(self, shop: Shop) -> str:
        celebrations = {"birthday": {"points": 0}}
        a_shop(shop, gift({"kind": "birthday"}), celebrations=celebrations)
        return shop.enroll("ada", birthday="12-31")

    @staticmethod
    def run(shop: Shop, queues: Queues) -> None:
        birthdays.handler({"time": shop.now.isoformat()}, None)
        queues.deliver()
        assert stream() == []

    def test_it_comes_once_a_year_whatever_runs_twice(self, shop: Shop, ada: str, queues: Queues) -> None:
        self.run(shop, queues)
        shop.pass_time(days=41)
        for _ in range(3):
            self.run(shop, queues)
        assert vouchers(shop, ada) == ["cake"]
        given = [entry for entry in shop.entries(ada) if entry["type"] == "voucher_given"]
        assert [(one["points"], one["source"]["on"]) for one in given] == [(0, "birthday")]
        use(shop, code_of(shop, ada))
        self.run(shop, queues)
        assert vouchers(shop, ada) == []
        shop.pass_time(days=365)
        self.run(shop, queues)
        assert vouchers(shop, ada) == ["cake"]
        assert shop.balance(ada) == 0

    def test_it_is_no_sign_of_life(self, shop: Shop, ada: str, queues: Queues) -> None:
        idle_since = shop.now
        self.run(shop, queues)
        shop.pass_time(days=41)
        self.run(shop, queues)
        item = account_item(ada)
        assert f'"idle_since":"{idle_since:%Y-%m-%d}' in item["state"]["S"]


class TestTiers:
    @pytest.fixture
    def ada(self, shop: Shop) -> str:
        a_shop(shop, gift({"kind": "tier", "tier_id": "silver"}, "ten-off"))
        return shop.enroll("ada")

    def test_who_reaches_it_gets_one_and_told_again_no_other(self, shop: Shop, ada: str) -> None:
        shop.order(ada, "A-1", 50_000)
        assert [stream(), stream()] == [[], []]
        assert vouchers(shop, ada) == ["ten-off"]
        shop.order(ada, "A-2", 50_000)
        assert stream() == []
        assert vouchers(shop, ada) == ["ten-off"]

    def test_with_the_order_that_brought_it_an_unused_one_goes(self, shop: Shop, ada: str) -> None:
        shop.order(ada, "A-1", 50_000)
        stream()
        code = code_of(shop, ada)
        shop.refund(ada, 50_000)
        assert [stream(), stream()] == [[], []]
        assert vouchers(shop, ada) == []
        assert shop.account(ada)["debt"] == 0
        assert_refused(shop.post("/v1/vouchers/use", {"code": code, "reference": "T"}), 409, "invalid_state")
        shop.order(ada, "A-2", 50_000)
        assert stream() == []
        assert vouchers(shop, ada) == ["ten-off"]

    def test_what_was_used_of_it_is_owed(self, shop: Shop, ada: str) -> None:
        shop.order(ada, "A-1", 50_000)
        stream()
        use(shop, code_of(shop, ada), amount=400)
        shop.refund(ada, 50_000)
        assert stream() == []
        assert vouchers(shop, ada) == []
        assert (shop.account(ada)["debt"], shop.balance(ada)) == (200, 0)
        assert no_breach()

    def test_a_tier_lost_before_it_was_told_brings_nothing(self, shop: Shop, ada: str) -> None:
        shop.order(ada, "A-1", 50_000)
        shop.refund(ada, 50_000)
        assert stream() == []
        assert vouchers(shop, ada) == []

    def test_a_program_that_forgives_takes_what_is_there(self, shop: Shop, ada: str) -> None:
        shop.change_program(refund_debt="forgiven")
        shop.order(ada, "A-0", 3_000)
        shop.order(ada, "A-1", 50_000)
        stream()
        use(shop, code_of(shop, ada))
        shop.refund(ada, 50_000)
        assert stream() == []
        assert (shop.account(ada)["debt"], shop.balance(ada)) == (0, 0)
        assert no_breach()


class TestBadges:
    @pytest.fixture
    def ada(self, shop: Shop) -> str:
        a_shop(shop, gift({"kind": "badge", "challenge_id": "two"}), challenges=[{**BADGE, "repeatable": True}])
        return shop.enroll("ada")

    def test_each_badge_brings_one_and_takes_its_own_along(self, shop: Shop, ada: str) -> None:
        for number in range(4):
            shop.order(ada, f"A-{number}", 1_000)
        assert [stream(), stream()] == [[], []]
        assert vouchers(shop, ada) == ["cake", "cake"]
        shop.refund(ada, 1_000, "A-3")
        assert [stream(), stream()] == [[], []]
        assert vouchers(shop, ada) == ["cake"]

    def test_a_badge_lost_before_it_was_told_brings_nothing(self, shop: Shop, ada: str) -> None:
        for number in range(2):
            shop.order(ada, f"A-{number}", 1_000)
        shop.refund(ada, 1_000, "A-1")
        assert stream() == []
        assert vouchers(shop, ada) == []

    def test_a_limit_bounds_it(self, shop: Shop, ada: str) -> None:
        once = gift({"kind": "badge", "challenge_id": "two"}, limit={"times": 1, "per": "year"})
        shop.change_program(given_vouchers=[once])
        for number in range(4):
            shop.order(ada, f"A-{number}", 1_000)
        assert stream() == []
        assert vouchers(shop, ada) == ["cake"]

    def test_who_earns_nothing_gets_none(self, shop: Shop, ada: str) -> None:
        shop.change_program(standing_rules={"excluded": {"tags": ["staff"]}})
        shop.post(f"/v1/members/{ada}/tags", {"add": ["staff"]}, key="t")
        for number in range(2):
            shop.order(ada, f"A-{number}", 1_000)
        assert stream() == []
        assert vouchers(shop, ada) == []


class TestReferrals:
    @pytest.fixture
    def ada(self, shop: Shop) -> str:
        both = [gift({"kind": "referral", "to": "advocate"}), gift({"kind": "referral", "to": "friend"}, "ten-off")]
        a_shop(shop, *both, referrals={"advocate_points": 10, "minimum_spend": 2000})
        return shop.enroll("ada")

    def test_both_get_one_for_the_first_purchase_and_lose_it_with_that(self, shop: Shop, ada: str) -> None:
        grace = brought(shop, ada)
        assert stream() == []
        assert (vouchers(shop, ada), vouchers(shop, grace)) == ([], [])
        shop.order(grace, "A-1", 2_000)
        assert [stream(), stream()] == [[], []]
        assert (vouchers(shop, ada), vouchers(shop, grace)) == (["cake"], ["ten-off"])
        shop.refund(grace, 2_000)
        assert [stream(), stream()] == [[], []]
        assert (vouchers(shop, ada), vouchers(shop, grace)) == ([], [])
        shop.order(grace, "A-2", 2_000)
        assert [stream(), stream()] == [[], []]
        assert (vouchers(shop, ada), vouchers(shop, grace)) == (["cake"], ["ten-off"])


class TestAbsence:
    @pytest.fixture
    def ada(self, shop: Shop) -> str:
        a_shop(shop, gift({"kind": "absence", "days": 90}))
        member = shop.enroll("ada")
        shop.order(member, "A-1", 1_000)
        return member

    @staticmethod
    def run(shop: Shop, queues: Queues) -> None:
        expire.handler({"time": shop.now.isoformat()}, None)
        queues.deliver()

    def test_who_stays_away_gets_one_until_they_order_again(self, shop: Shop, ada: str, queues: Queues) -> None:
        shop.pass_time(days=89)
        self.run(shop, queues)
        assert vouchers(shop, ada) == []
        shop.pass_time(days=1)
        for _ in range(3):
            self.run(shop, queues)
        assert vouchers(shop, ada) == ["cake"]
        shop.pass_time(days=100)
        self.run(shop, queues)
        assert vouchers(shop, ada) == []
        shop.order(ada, "A-2", 1_000)
        shop.pass_time(days=90)
        self.run(shop, queues)
        assert vouchers(shop, ada) == ["cake"]

    def test_it_is_no_sign_of_life_and_not_asked_for_every_day(self, shop: Shop, ada: str, queues: Queues) -> None:
        shop.pass_time(days=90)
        self.run(shop, queues)
        item = account_item(ada)
        assert f'"idle_since":"{shop.now - timedelta(days=90):%Y-%m-%d}' in item["state"]["S"]
        assert item["due_pk"]["S"].split("#")[1] > f"{shop.now:%Y-%m-%d}"


def test_what_is_only_given_is_not_for_points(shop: Shop) -> None:
    a_shop(shop)
    ada = shop.enroll("ada")
    shop.adjust(ada, 1_000)
    assert_refused(shop.redeem(ada, "ten-off"), 409, "reward_unavailable")
    assert [one["reward_id"] for one in shop.get("/v1/rewards").body["items"]] == ["cake"]


@pytest.mark.parametrize(
    ("gifts", "sections"),
    [
        ([gift({"kind": "tier", "tier_id": "iron"})], {}),
        ([gift({"kind": "badge", "challenge_id": "none"})], {}),
        ([gift({"kind": "birthday"})], {}),
        ([gift({"kind": "absence", "days": 90}, "plain")], {}),
        ([gift({"kind": "absence", "days": 90}, "nothing")], {}),
        ([gift({"kind": "absence", "days": 90}), gift({"kind": "absence", "days": 80})], {}),
        ([], {"celebrations": {"birthday": {"points": 0}}}),
    ],
)
def test_a_gift_that_nobody_could_get_is_refused(shop: Shop, gifts: Any, sections: Any) -> None:
    text = shop.get("/v1/program/whole", scope=OPERATOR).body
    plain = {"reward_id": "plain", "name": "Plain", "kind": "free_shipping", "points": 10}
    text["redeeming"]["rewards"] = [*REWARDS, plain]
    assert_refused(shop.replace_program({**text, **sections, "given_vouchers": gifts}, 1), 422, "invalid_request")
