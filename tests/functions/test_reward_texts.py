"""Rewards in other languages, with pictures, and before they start for those of a tier."""

from typing import Any

import pytest

from shared.domain.members.members import Member
from shared.domain.telling.notifications import notes_on, values_for
from shared.tables import accounts, ledger, programs
from tests.functions.shop import OPERATOR, Shop, assert_refused

TEA = {
    "reward_id": "tea",
    "name": "Tea",
    "description": "A pot",
    "kind": "product",
    "sku": "T",
    "points": 10,
    "picture": "https://shop.example/tea.png",
    "translations": {"de": {"name": "Tee", "description": "Eine Kanne"}, "de-CH": {"name": "Kanne Tee"}},
}


@pytest.mark.parametrize(
    ("locale", "name", "description"),
    [(None, "Tea", "A pot"), ("de-AT", "Tee", "Eine Kanne"), ("de_ch", "Kanne Tee", None), ("fr", "Tea", "A pot")],
)
def test_the_catalogue_speaks_the_nearest_language(shop: Shop, locale: Any, name: str, description: Any) -> None:
    shop.change_program(redeeming={"rewards": [TEA]})
    [tea] = shop.get("/v1/rewards", query={"locale": locale} if locale else {}).body["items"]
    assert (tea["name"], tea["description"], tea["picture"]) == (name, description, TEA["picture"])


def test_a_locale_that_is_none_is_refused(shop: Shop) -> None:
    assert shop.get("/v1/rewards", query={"locale": "german"}).pointers == ["query:locale"]


def test_a_message_names_it_in_the_members_language(shop: Shop) -> None:
    shop.change_program(redeeming={"rewards": [TEA]})
    ada = shop.enroll("ada")
    shop.redeem(ada, "tea", capture=True)
    program, account = programs.load_program(), accounts.load_account(ada).account
    [note] = notes_on(ledger.load_history(ada, 1)[0], account, program)
    member = Member(member_id=ada, referral_code="X-1", enrolled_at=shop.now)
    names = []
    for locale in ("en", "de"):
        values = values_for(note, member, account, program, locale, shop.now.date())
        names.append(values and values["reward_name"])
    assert names == ["Tea", "Tee"]


class TestEarlyAccess:
    SOON = {**TEA, "starts_on": "2026-12-10", "early_access": {"tier_id": "gold", "days": 14}}

    def test_a_tier_has_it_before_the_others(self, shop: Shop) -> None:
        shop.change_program(redeeming={"rewards": [self.SOON]})
        ada, grace = shop.enroll("ada"), shop.enroll("grace")
        shop.order(ada, "A-1", 120_000)
        assert_refused(shop.redeem(ada, "tea"), 409, "reward_unavailable")
        shop.now = shop.now.replace(day=26)
        assert_refused(shop.redeem(grace, "tea", key="g"), 409, "reward_unavailable")
        assert shop.redeem(ada, "tea").status == 201
        shop.now = shop.now.replace(month=12, day=10)
        assert shop.redeem(grace, "tea", key="g").status == 201

    @pytest.mark.parametrize(
        "change", [{"starts_on": None}, {"early_access": {"tier_id": "iron", "days": 1}}, {"picture": "javascript:x"}]
    )
    def test_what_cannot_be_is_refused(self, shop: Shop, change: Any) -> None:
        text = shop.get("/v1/program/whole", scope=OPERATOR).body
        text["redeeming"]["rewards"] = [{**self.SOON, **change}]
        assert_refused(shop.replace_program(text, 1), 422, "invalid_request")
