"""What all members could spend at an instant, whether or not anybody has booked what time has done."""

from infra.tools.totals import holdings
from infra.tools.verify import check
from shared import settings
from shared.domain.account import Account
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.tables import client, programs
from tests.functions.shop import Shop

WELCOME = 100
"""Points for joining."""


def verified(shop: Shop) -> tuple[int, int]:
    """Points and store credit as `loyalty verify` adds them up."""
    program = programs.load_program()
    report = check(
        client.client(), settings.loyalty_table(), view=lambda account: up_to_date(account, program, shop.now)
    )
    assert report.violations == []
    return report.outstanding, report.credit


def test_what_time_has_done_counts_before_anybody_books_it(shop: Shop) -> None:
    shop.change_program(celebrations={"anniversary": {"points": 50, "starts_on": "2026-01-01"}})
    ada = shop.enroll("ada")
    shop.pass_time(days=366)
    assert verified(shop) == (WELCOME + 50, 0)
    assert holdings(client.client(), settings.loyalty_table(), shop.now).outstanding == WELCOME + 50
    assert shop.balance(ada) == WELCOME + 50
    assert check(client.client(), settings.loyalty_table()).outstanding == WELCOME, "as booked"

    shop.pass_time(days=366 * 5)
    assert verified(shop)[0] == shop.balance(ada)


def test_store_credit_is_added_up_apart_from_points(shop: Shop) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100, "expiry": {"kind": "term", "months": 1}})
    for name in ("ada", "bob"):
        shop.order(shop.enroll(name), f"{name}-1", 10_000)
    assert verified(shop) == (2 * (WELCOME + 100), 2 * 500)
    held = holdings(client.client(), settings.loyalty_table(), shop.now)
    assert (held.outstanding, held.credit_amount, held.currency) == (2 * (WELCOME + 100), 2 * 500, "USD")

    shop.pass_time(days=70)
    assert verified(shop) == (2 * (WELCOME + 100), 0)


def test_an_account_that_is_wrong_counts_as_it_was_booked(shop: Shop) -> None:
    ada = shop.enroll("ada")
    found = client.get(settings.loyalty_table(), client.Key(f"MEMBER#{ada}", "ACCOUNT"))
    assert found is not None
    state = found["state"]["S"].replace(":100}", ":-100}", 1)
    client.client().put_item(TableName=settings.loyalty_table(), Item={**found, "state": {"S": state}})

    def unreachable(_: Account) -> Account:
        raise AssertionError

    report = check(client.client(), settings.loyalty_table(), view=unreachable)
    client.client().put_item(TableName=settings.loyalty_table(), Item=found)
    assert report.violations
    assert report.outstanding == -100
