"""What waits for a person, put together, met on an account, and lifted."""

from shared.domain.account import Account
from shared.domain.facets import Badge, Use
from shared.domain.ledger import book
from shared.domain.lifecycle.remembered import Remembered, lifted, met, remembered_of, together
from tests.model.shop import Shop, a_program, at

NOW = at("2026-11-20 18:03")
TODAY = NOW.date()


def a_shop() -> Shop:
    shop = Shop(a_program(), NOW)
    shop.enroll("ada")
    shop.adjust("ada", 100)
    return shop


def meet(shop: Shop, what: Remembered) -> Account:
    entry = met(shop.look("ada"), shop.program, what, reference="case", now=NOW, actor="till")
    return book(shop.look("ada"), entry)


def test_of_several_accounts_debts_add_up_and_the_later_use_counts() -> None:
    one = Remembered(
        joined=True, debt=5, uses={"a": Use(period="2026-10", times=2), "b": Use(period="always", times=1)}
    )
    other = Remembered(credit_debt=7, frozen="F", uses={"a": Use(period="2026-11", times=1)}, counted=("r",))
    whole = together([one, other], TODAY)
    assert (whole.joined, whole.debt, whole.credit_debt, whole.frozen) == (True, 5, 7, "F")
    assert whole.uses == {"a": Use(period="2026-11", times=1), "b": Use(period="always", times=1)}
    assert together([], TODAY).is_nothing
    assert Remembered(counted=("r",)).is_nothing
    assert not one.is_nothing


def test_what_somebody_has_pays_what_they_owe_and_the_rest_is_debt() -> None:
    shop = a_shop()
    balance = shop.look("ada").balance
    after = meet(shop, Remembered(debt=balance + 30))
    assert (after.balance, after.debt, after.totals.taken_back) == (0, 30, balance + 30)
    less = meet(shop, Remembered(debt=balance - 30))
    assert (less.balance, less.debt) == (30, 0)


def test_an_older_use_or_another_freeze_replaces_nothing() -> None:
    shop = a_shop()
    account = meet(shop, Remembered(frozen="F-1", uses={"a": Use(period="2026-11", times=3)}))
    again = Remembered(frozen="F-2", uses={"a": Use(period="2026-10", times=9)})
    after = book(account, met(account, shop.program, again, reference="other", now=NOW, actor="till"))
    assert (after.frozen, after.uses) == ("F-1", {"a": Use(period="2026-11", times=3)})


def test_what_is_lifted_is_as_if_it_had_never_been_met() -> None:
    shop = a_shop()
    before = shop.look("ada")
    badge = Badge(on=NOW.date())
    what = Remembered(debt=200, frozen="F", uses={"a": Use(period="always", times=1)}, badges={"tea": badge})
    entry = met(before, shop.program, what, reference="case", now=NOW, actor="till")
    account = book(before, entry)
    back = lifted(account, shop.program, entry, reason="no", now=NOW, actor="olga", fingerprint="f")
    after = book(account, back)
    assert (after.balance, after.debt, after.frozen) == (before.balance, 0, "")
    assert after.uses == {"a": Use(period="always")}
    assert after.badges["tea"].times == 0


def test_who_of_the_shop_adjusted_anything_is_not_remembered() -> None:
    shop = a_shop()
    use = Use(period="2026-11-20", times=1, points=9)
    account = shop.look("ada").model_copy(update={"uses": {"operator:olga": use, "reward:mug": use}})
    assert remembered_of(account, Account(member_id="ada~credit"), shop.program).uses == {"reward:mug": use}


def test_a_provisional_member_has_not_been_welcomed() -> None:
    shop = a_shop()
    account = shop.look("ada")
    nobody = Account(member_id="ada~credit")
    assert remembered_of(account, nobody, shop.program).joined
    assert not remembered_of(account.model_copy(update={"status": "provisional"}), nobody, shop.program).joined


def test_what_one_person_used_of_a_limit_in_two_accounts_counts_together() -> None:
    first, second = (
        Remembered(uses={"reward:mug": Use(period="2026-11", times=times, points=times * 10)}) for times in (4, 1)
    )
    earlier = Remembered(uses={"reward:mug": Use(period="2026-10", times=9, points=90)})
    assert together([earlier, first, second], TODAY).uses["reward:mug"] == Use(period="2026-11", times=5, points=50)
