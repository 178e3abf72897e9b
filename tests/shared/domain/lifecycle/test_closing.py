"""Members that leave."""

from tests.shared.domain.spending.test_transfers import a_shop, owing


def test_everything_left_is_forfeited_and_the_ledger_still_adds_up() -> None:
    shop = a_shop(earning={"pending_days": 14})
    shop.adjust("ada", 10)
    shop.buy("ada", "A-1", 700)
    shop.reserve("ada", "R-1", 4)
    entries = shop.erase("ada")
    assert [(entry.type, entry.points) for entry in entries] == [("cancel", 4), ("erase", -17)]
    account = shop.look("ada")
    assert (account.status, account.balance, account.pending_points, account.held_points) == ("erased", 0, 0, 0)
    assert account.totals.forfeited == 17


def test_what_is_owed_is_forgiven() -> None:
    shop = a_shop()
    owing(shop, "ada", 8)
    shop.erase("ada")
    assert (shop.look("ada").debt, shop.look("ada").totals.forfeited) == (0, 0)


def test_what_is_owed_is_first_settled_from_redemptions_that_were_open() -> None:
    shop = a_shop()
    shop.buy("ada", "A-1", 1000)
    shop.reserve("ada", "R-1", 10)
    shop.refund("ada", "A-1", 400)
    shop.erase("ada")
    assert (shop.look("ada").debt, shop.look("ada").totals.forfeited) == (0, 6)
