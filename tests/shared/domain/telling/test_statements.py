"""What a member is told of a month."""

from datetime import timedelta

from shared.domain.telling.statements import is_of, statement
from tests.model.shop import Shop, a_program, at


def test_a_statement_says_what_came_what_went_and_what_ends_next() -> None:
    shop = Shop(a_program(expiry={"kind": "term", "days": 40}), at("2026-10-05 12:00"))
    shop.enroll("ada")
    shop.buy("ada", "A-1", 1000)
    shop.now = at("2026-11-02 12:00")
    shop.buy("ada", "A-2", 5000)
    shop.reserve("ada", "R-1", 4)
    shop.capture("ada", "R-1")
    shop.reserve("ada", "R-2", 3)
    shop.now = at("2026-11-20 12:00")
    shop.buy("ada", "A-3", 2000)
    of_month = [entry for entry in shop.peek("ada")[1] if is_of(entry, "2026-11", shop.program)]
    note = statement(shop.look("ada"), of_month, shop.program, "2026-11", shop.today)
    assert (note.message_id, note.member_id, note.kind) == ("statement:ada:2026-11", "ada", "statement")
    assert note.values == {
        "month": "2026-11",
        "balance": 70,
        "earned": 70,
        "spent": 4,
        "expired": 6,
        "expiring": 50,
        "expiring_on": "2026-12-12",
        "tier_name": "Bronze",
    }


def test_a_month_in_which_more_came_back_than_went_has_spent_and_earned_nothing() -> None:
    shop = Shop(a_program(), at("2026-10-31 12:00"))
    shop.enroll("ada")
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 6)
    shop.capture("ada", "R-1")
    shop.now += timedelta(days=1)
    shop.reverse("ada", "R-1")
    shop.refund("ada", "A-1", 300)
    of_month = [entry for entry in shop.ledgers["ada"] if is_of(entry, "2026-11", shop.program)]
    values = statement(shop.look("ada"), of_month, shop.program, "2026-11", shop.today).values
    assert (values["earned"], values["spent"], values["expired"]) == (0, 0, 0)
    assert (values["balance"], values["expiring"], values["expiring_on"]) == (7, 0, None)


def test_a_month_is_one_of_the_programs_days() -> None:
    shop = Shop(a_program(), at("2026-10-31 23:59"))
    entry = shop.enroll("ada")
    assert is_of(entry, "2026-10", shop.program)
    assert not is_of(entry, "2026-11", shop.program)
