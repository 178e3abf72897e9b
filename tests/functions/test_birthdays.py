"""The run that books birthdays: whose they are, what was missed, and nothing twice."""

from unittest.mock import patch

import pytest

from functions.birthdays import handler
from shared import settings
from shared.domain.errors import TryAgainError
from shared.services import birthdays
from shared.tables import operation
from tests.functions.shop import Shop, stored


def run(shop: Shop) -> int:
    return int(handler({"time": shop.now.isoformat()}, None)["birthdays"])


@pytest.fixture
def shop_with_birthdays(shop: Shop) -> Shop:
    shop.change_program(celebrations={"birthday": {"points": 50}})
    return shop


def born_on() -> list[str]:
    pks = [item["pk"]["S"] for item in stored(settings.people_table())]
    return sorted(pk for pk in pks if pk.startswith("BIRTHDAY#"))


def test_a_birthday_is_paid_on_its_day_and_once(shop_with_birthdays: Shop) -> None:
    shop = shop_with_birthdays
    ada = shop.enroll("ada", birthday="12-31")
    shop.enroll("grace", birthday="01-01")
    before = shop.balance(ada)
    assert run(shop) == 0
    shop.pass_time(days=41)
    assert (run(shop), run(shop)) == (1, 0)
    assert shop.balance(ada) == before + 50
    assert shop.entries(ada)[0]["source"] == {"year": "2026"}


def test_days_without_a_run_are_made_up_for(shop_with_birthdays: Shop) -> None:
    shop = shop_with_birthdays
    for name, birthday in (("ada", "12-25"), ("grace", "12-31"), ("mary", "01-05")):
        shop.enroll(name, birthday=birthday)
    run(shop)
    shop.pass_time(days=45)
    assert run(shop) == 2


def test_a_run_that_failed_is_run_again_and_books_nothing_twice(shop_with_birthdays: Shop) -> None:
    shop = shop_with_birthdays
    members = [shop.enroll(name, birthday="12-31") for name in ("ada", "grace", "mary")]
    run(shop)
    shop.pass_time(days=41)
    before = {member: shop.balance(member) for member in members}
    settled = operation.run
    calls: list[str] = []

    def falter(accounts: list[str], *more: object, **rest: object) -> operation.Outcome:
        calls.append(accounts[0])
        if len(calls) == 2:
            raise TryAgainError("the database is away")
        return settled(accounts, *more, **rest)  # type: ignore[arg-type]

    with patch.object(operation, "run", falter), pytest.raises(birthdays.IncompleteError):
        run(shop)
    assert run(shop) == 1
    assert {member: shop.balance(member) - points for member, points in before.items()} == dict.fromkeys(members, 50)


def test_a_birthday_given_late_or_changed_waits(shop_with_birthdays: Shop) -> None:
    shop = shop_with_birthdays
    ada = shop.enroll("ada", birthday="12-31")
    shop.pass_time(days=20)
    shop.patch(ada, {"birthday": "12-30"})
    run(shop)
    shop.pass_time(days=21)
    assert run(shop) == 0
    shop.pass_time(days=365)
    assert run(shop) == 1


def test_the_list_of_birthdays_follows_the_profiles(shop: Shop) -> None:
    ada, grace = shop.enroll("ada", birthday="12-31"), shop.enroll("grace")
    shop.patch(ada, {"birthday": "12-30"})
    assert born_on() == ["BIRTHDAY#12-30"]
    shop.merge(grace, ada)
    assert born_on() == ["BIRTHDAY#12-30"]
    shop.erase(grace)
    assert born_on() == []


def test_a_program_that_celebrates_nothing_pays_nothing_later_either(shop: Shop) -> None:
    shop.enroll("ada", birthday="12-31")
    run(shop)
    shop.pass_time(days=42)
    assert run(shop) == 0
    shop.change_program(celebrations={"birthday": {"points": 50}})
    assert run(shop) == 0
