"""The run that books birthdays: whose they are, what was missed, and nothing twice."""

from unittest.mock import patch

import pytest

from functions.birthdays import handler
from shared import runtime, settings
from shared.domain.errors import TryAgainError
from shared.services import runs
from shared.tables import member_search, operation
from tests.functions.run_queues import Queues
from tests.functions.shop import Shop, stored
from tests.shared.wire import Wire


def run(shop: Shop, queues: Queues) -> int:
    """How many birthdays a run has booked."""
    before = booked()
    handler({"time": shop.now.isoformat()}, None)
    queues.deliver()
    return booked() - before


def booked() -> int:
    return sum(item["sk"]["S"].startswith("BIRTHDAY#") for item in stored(settings.loyalty_table()))


@pytest.fixture
def shop_with_birthdays(shop: Shop) -> Shop:
    shop.change_program(celebrations={"birthday": {"points": 50}})
    return shop


def born_on() -> list[str]:
    pks = [item["pk"]["S"] for item in stored(settings.people_table())]
    return sorted(pk for pk in pks if pk.startswith("BIRTHDAY#"))


def test_a_birthday_is_paid_on_its_day_and_once(shop_with_birthdays: Shop, queues: Queues) -> None:
    shop = shop_with_birthdays
    ada = shop.enroll("ada", birthday="12-31")
    shop.enroll("grace", birthday="01-01")
    before = shop.balance(ada)
    assert run(shop, queues) == 0
    shop.pass_time(days=41)
    assert (run(shop, queues), run(shop, queues)) == (1, 0)
    assert shop.balance(ada) == before + 50
    assert shop.entries(ada)[0]["source"] == {"year": "2026"}


def test_days_without_a_run_are_made_up_for(shop_with_birthdays: Shop, queues: Queues) -> None:
    shop = shop_with_birthdays
    for name, birthday in (("ada", "12-25"), ("grace", "12-31"), ("mary", "01-05")):
        shop.enroll(name, birthday=birthday)
    run(shop, queues)
    shop.pass_time(days=45)
    assert run(shop, queues) == 2


def test_a_page_that_failed_comes_again_and_books_nothing_twice(shop_with_birthdays: Shop, queues: Queues) -> None:
    shop = shop_with_birthdays
    members = [shop.enroll(name, birthday="12-31") for name in ("ada", "grace", "mary")]
    run(shop, queues)
    shop.pass_time(days=41)
    before = {member: shop.balance(member) for member in members}
    settled = operation.run
    calls: list[str] = []

    def falter(accounts: list[str], *more: object, **rest: object) -> operation.Outcome:
        calls.append(accounts[0])
        if len(calls) == 2:
            raise TryAgainError("the database is away")
        return settled(accounts, *more, **rest)  # type: ignore[arg-type]

    with patch.object(operation, "run", falter):
        assert run(shop, queues) == 2
    assert queues.waiting("birthdays") == 1
    assert (run(shop, queues), queues.waiting("birthdays")) == (1, 0)
    assert {member: shop.balance(member) - points for member, points in before.items()} == dict.fromkeys(members, 50)


def test_a_day_is_listed_once_and_a_later_run_reads_nobody_again(
    shop_with_birthdays: Shop, queues: Queues, wire: Wire
) -> None:
    shop = shop_with_birthdays
    run(shop, queues)
    for number in range(25):
        shop.enroll(f"join-{number}", birthday="12-31")
    shop.pass_time(days=41)
    assert run(shop, queues) == 25
    wire.requests.clear()
    handler({"time": shop.now.isoformat()}, None)
    queues.deliver()
    assert wire.requests == ["GetItem"], "how far the last run came"


def test_a_day_that_takes_longer_than_a_call_ends_all_the_same(
    shop_with_birthdays: Shop, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_with_birthdays
    run(shop, queues)
    for number in range(5):
        shop.enroll(f"join-{number}", birthday="12-31")
    shop.pass_time(days=41)
    monkeypatch.setattr(runs, "LISTED_TOGETHER", 1)
    looks: list[tuple[str, str]] = []
    found = member_search.born_after

    def slow(birthday: str, after: str, members_max: int) -> list[str]:
        looks.append((birthday, after))
        seconds[0] += 140  # of the 300 that a call has: two looks fit in, and no third
        return found(birthday, after, members_max)

    seconds = [0.0]
    monkeypatch.setattr(member_search, "born_after", slow)
    with runtime.use(monotonic=lambda: seconds[0]):
        with runtime.within(300):
            handler({"time": shop.now.isoformat()}, None)
        while queues.messages:
            message, *queues.messages = queues.messages
            with runtime.within(300):
                assert queues.deliver_one(message)
    assert booked() == 5
    assert len(looks) == len(set(looks))
    assert run(shop, queues) == 0


def test_a_birthday_that_is_somebody_elses_since_it_was_listed_is_not_paid(
    shop_with_birthdays: Shop, queues: Queues
) -> None:
    shop = shop_with_birthdays
    ada = shop.enroll("ada", birthday="12-31")
    run(shop, queues)
    shop.pass_time(days=41)
    handler({"time": shop.now.isoformat()}, None)
    shop.erase(ada)
    assert queues.deliver() == []
    assert booked() == 0


def test_a_birthday_given_late_or_changed_waits(shop_with_birthdays: Shop, queues: Queues) -> None:
    shop = shop_with_birthdays
    ada = shop.enroll("ada", birthday="12-31")
    shop.pass_time(days=20)
    shop.patch(ada, {"birthday": "12-30"})
    run(shop, queues)
    shop.pass_time(days=21)
    assert run(shop, queues) == 0
    shop.pass_time(days=365)
    assert run(shop, queues) == 1


def test_the_list_of_birthdays_follows_the_profiles(shop: Shop) -> None:
    ada, grace = shop.enroll("ada", birthday="12-31"), shop.enroll("grace")
    shop.patch(ada, {"birthday": "12-30"})
    assert born_on() == ["BIRTHDAY#12-30"]
    shop.merge(grace, ada)
    assert born_on() == ["BIRTHDAY#12-30"]
    shop.erase(grace)
    assert born_on() == []


def test_a_program_that_celebrates_nothing_pays_nothing_later_either(shop: Shop, queues: Queues) -> None:
    shop.enroll("ada", birthday="12-31")
    run(shop, queues)
    shop.pass_time(days=42)
    assert run(shop, queues) == 0
    shop.change_program(celebrations={"birthday": {"points": 50}})
    assert run(shop, queues) == 0
