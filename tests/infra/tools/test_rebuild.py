"""A table of which transactions are there by halves: what is wrong is found, and made whole from the ledger."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.cli import main
from infra.errors import LocalError
from infra.tools import rebuild as rebuilding
from infra.tools.rebuild import Report
from infra.tools.verify import Violation, check
from shared import runtime, settings
from shared.domain.account import Account
from shared.domain.ledger import book_all
from shared.domain.points.partner_funding import funding_name
from shared.domain.spending.shelves import shelf_of
from shared.tables import budgets, client, keys, ledger, programs, stock, upkeep
from shared.tables.client import Key
from tests.functions.shop import OPERATOR, Shop
from tests.whole_tables import rebuild

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CASHBACK = {"amount": 10, "per_amount": 100, "minimum_payout": 100, "order_share_percent": 50}
HOTEL = {"partner_id": "hotel", "name": "Hotel", "funding": "prepaid", "point_cost": {"points": 1, "amount": 1}}
DOUBLE = {
    "campaign_id": "double",
    "description": "Double points",
    "effect": {"kind": "multiply", "percent": 200},
    "budget": {"points": 500},
}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "WORKERS", 1)  # moto is not safe under threads


def violations() -> list[Violation]:
    return check(client.client(), settings.loyalty_table()).violations


def run(withdrawn_to: Path | None = None, *, writes: bool = True) -> Report:
    return rebuild(NOW, writes=writes, withdrawn_to=withdrawn_to)


def item(key: Key) -> dict[str, Any]:
    found = client.get(settings.loyalty_table(), key)
    assert found, key
    return dict(found)


def lose(*places: Key) -> None:
    for key in places:
        item(key)
        client.client().delete_item(TableName=settings.loyalty_table(), Key=client.key_of(key))


@contextmanager
def kept_back(*places: Key) -> Iterator[None]:
    """These items end as they are now, whatever happens to them meanwhile."""
    before = [item(key) for key in places]
    yield
    for one in before:
        client.client().put_item(TableName=settings.loyalty_table(), Item=one)


def is_whole() -> bool:
    return not violations() and not any(run()[1:])


def test_a_sound_table_is_left_alone(shop: Shop) -> None:
    shop.order(shop.enroll())
    before = shop.tables()
    assert run() == Report(1)
    assert shop.tables() == before


def test_an_account_that_lags_behind_its_entries_catches_up(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1", 1_000)
    with kept_back(keys.account_key(ada)):
        shop.order(ada, "A-2", 2_000)
        shop.refund(ada, 500, "A-1")
        expected = shop.account(ada)
    assert {one.member_id for one in violations()} == {ada}

    report = run()

    assert len(report.put_right) == 1
    assert "at entry 2, is rebuilt from 4 entries" in report.put_right[0]
    assert not report.lost
    assert shop.account(ada) == expected
    assert is_whole()


def test_an_account_without_its_last_entry_goes_back_and_the_entry_is_named(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1", 1_000)
    expected = shop.account(ada)
    shop.order(ada, "A-2", 2_000)
    lose(keys.of("earn", order_id="A-2"))
    assert violations()

    report = run()

    assert report.lost == (f"{ada}-3",)
    assert shop.account(ada) == expected
    assert is_whole()
    assert shop.order(ada, "A-2", 2_000).status == 201


def test_an_account_that_is_missing_is_made_from_its_entries(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada)
    expected = shop.account(ada)
    before = item(keys.account_key(ada))
    lose(keys.account_key(ada))

    run()

    assert shop.account(ada) == expected
    assert item(keys.account_key(ada))["due_pk"] == before["due_pk"]
    assert is_whole()


def test_a_dry_run_says_the_same_and_writes_nothing(shop: Shop, tmp_path: Path) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1")
    shop.order(ada, "A-2")
    lose(keys.of("earn", order_id="A-1"))
    before = shop.tables()

    report = run(tmp_path / "withdrawn", writes=False)

    assert shop.tables() == before
    assert not (tmp_path / "withdrawn").exists()
    assert report == run(tmp_path / "withdrawn")
    assert is_whole()


def test_entries_beyond_a_missing_one_stay_until_a_file_is_given_for_them(shop: Shop, tmp_path: Path) -> None:
    ada = shop.enroll()
    expected = shop.account(ada)
    shop.order(ada, "A-1")
    shop.order(ada, "A-2")
    lose(keys.of("earn", order_id="A-1"))
    beyond, before = item(keys.of("earn", order_id="A-2")), shop.tables()

    report = run()
    assert report.left == (f"{ada}: entry {ada}-2 is missing; 1 entries follow it",)
    assert report.lost == (f"{ada}-2",)
    assert shop.tables() == before

    report = run(tmp_path / "withdrawn")
    assert not report.left
    assert [line.split(" ")[0] for line in report.withdrawn] == [f"{ada}-3"]
    assert [json.loads(line) for line in (tmp_path / "withdrawn").read_text().splitlines()] == [beyond]
    assert shop.account(ada) == expected
    assert is_whole()


@pytest.mark.parametrize("side", ["OUT", "IN"])
def test_half_a_transfer_is_found_and_taken_back(shop: Shop, tmp_path: Path, side: str) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    expected = shop.account(ada), shop.account(grace)
    reply = shop.transfer(ada, grace, 40)
    transfer = keys.of("transfer_out", transfer_id=reply.body["entry"]["source"]["transfer_id"])
    loser, other = (ada, grace) if side == "OUT" else (grace, ada)
    lose(transfer._replace(sk=side))
    upkeep.replace_account(item(keys.account_key(loser)), _as_enrolled(loser))
    [found] = violations()
    assert (found.invariant, found.member_id) == (5, other)
    assert f"stands without {transfer.pk}#{side}" in found.detail

    report = run(tmp_path / "withdrawn")

    assert [line.split(" ")[0] for line in report.withdrawn] == [f"{other}-2"]
    assert (shop.account(ada), shop.account(grace)) == expected
    assert is_whole()


def test_what_followed_half_a_transfer_goes_with_it_in_every_ledger(shop: Shop, tmp_path: Path) -> None:
    """One missing entry of Ada's takes with it what Grace got from her, and what Kim got from Grace after that."""
    shop.change_program(transfers={})
    ada, grace, kim = (shop.enroll(name) for name in ("ada", "grace", "kim"))
    expected = [shop.account(member) for member in (ada, grace, kim)]
    shop.adjust(ada, 10)
    shop.transfer(ada, grace, 40, "one")
    shop.transfer(grace, kim, 130, "two")
    lose(keys.of("adjust", member_id=ada, reference="case-1"))

    report = run(tmp_path / "withdrawn")

    assert {line.split(" ")[0] for line in report.withdrawn} == {f"{ada}-3", f"{grace}-2", f"{grace}-3", f"{kim}-2"}
    assert [shop.account(member) for member in (ada, grace, kim)] == expected
    assert is_whole()


def test_credit_does_not_stay_without_the_points_of_its_order(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(cashback=CASHBACK)
    ada = shop.enroll()
    shop.order(ada, "A-1", 1_000)
    shop.order(ada, "A-2", 2_000)
    lose(keys.of("earn", order_id="A-2"))

    run(tmp_path / "withdrawn")

    assert shop.get(f"/v1/members/{ada}/credit").body["balance"]["amount"] == 100
    assert is_whole()


def test_the_sum_of_an_orders_refunds_is_made_again(shop: Shop) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1", 1_000)
    shop.refund(ada, 300, "A-1", "R-1")
    with kept_back(keys.refunded_key("A-1")):
        shop.refund(ada, 200, "A-1", "R-2")
    assert violations() == [Violation(3, "", "ORDER#A-1#REFUNDED is 300, the entries make 500")]
    run()
    assert item(keys.refunded_key("A-1"))["amount"] == {"N": "500"}
    lose(keys.refunded_key("A-1"))
    run()
    assert item(keys.refunded_key("A-1"))["amount"] == {"N": "500"}
    assert is_whole()


def test_refunds_of_an_order_before_and_after_a_merge_are_one_sum(shop: Shop) -> None:
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    shop.order(ada, "A-1", 1_000)
    shop.refund(ada, 300, "A-1", "R-1")
    shop.merge(grace, ada)
    shop.refund(grace, 700, "A-1", "R-2")
    assert not violations()


def test_how_an_order_stands_is_made_again_exactly(shop: Shop) -> None:
    shop.change_program(cashback=CASHBACK)
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    key, path = keys.refunded_key("A-1"), "/v1/members/{}/orders/A-1"
    tea = {"sku": "TEA", "category": "tea", "quantity": 4, "amount": 4_000}
    shop.order(ada, "A-1", 5_000, lines=[tea])
    whole: list[dict[str, Any]] = []

    def is_made_again() -> None:
        whole.append(item(key))
        lose(key)
        assert [one.detail.partition(" ")[0] for one in violations()] == ["ORDER#A-1#REFUNDED"]
        run()
        assert item(key) == whole[-1]
        assert is_whole()

    tea_back = {"order_id": "A-1", "refund_id": "R-1", "lines": [{"sku": "TEA", "quantity": 1, "amount": 1_000}]}
    assert shop.post(f"/v1/members/{ada}/refunds", tea_back).status == 201
    is_made_again()
    assert shop.post(f"/v1/members/{ada}/refunds/R-1/reverse").status == 201
    is_made_again()
    amended = {"amendment_id": "E-1", "total": 6_000, "lines": [tea]}
    assert shop.post(path.format(ada) + "/amend", amended).status == 201
    is_made_again()
    assert shop.post(path.format(grace) + "/claim", {"claim_id": "C-1", "reason": "her card"}).status == 201
    is_made_again()
    assert shop.post(path.format(grace) + "/amend", {**amended, "amendment_id": "E-2", "total": 7_000}).status == 201
    is_made_again()
    assert shop.post(f"/v1/members/{grace}/refunds", {**tea_back, "refund_id": "R-2"}).status == 201
    is_made_again()

    amended_at = [one.get("amendment", {}).get("S") for one in whole]
    assert amended_at == [None, None, "AMEND#E-1", None, "AMEND#E-2", "AMEND#E-2"]
    assert [one.get("claim", {}).get("S") for one in whole] == [None] * 3 + ["CLAIM#C-1"] * 3
    assert [one["amount"]["N"] for one in whole] == ["1000", "0", "0", "0", "0", "1000"]
    assert json.loads(whole[-1]["lines"]["S"]) == {"TEA": [1, 1_000]}
    with kept_back(key):
        shop.post(f"/v1/members/{grace}/refunds", {**tea_back, "refund_id": "R-3"})
        newest = item(key)
    run()
    assert item(key) == newest


def test_what_redemptions_pay_of_an_order_is_added_up_again(shop: Shop) -> None:
    shop.change_program(cashback=CASHBACK)
    ada = shop.enroll()
    shop.order(ada, "earlier", 10_000)
    first = shop.spend(ada, 10, 100, key="k1", order_id="X")
    credit = {"credit": 20, "order_total": 100, "currency": "USD", "order_id": "X"}
    shop.post(f"/v1/members/{ada}/redemptions", credit, key="k2")
    with kept_back(keys.paid_key("X")):
        shop.spend(ada, 30, 100, key="k3", order_id="X", capture=True)
        shop.move(ada, first.body["redemption_id"], "cancel")
    assert violations() == [Violation(3, "", "ORDER#X#PAID is 10, the entries make 30")]
    run()
    whole = item(keys.paid_key("X"))
    assert {name: whole[name]["N"] for name in ("by_points", "by_credit", "order_total")} == {
        "by_points": "30",
        "by_credit": "20",
        "order_total": "100",
    }
    lose(keys.paid_key("X"))
    assert len(violations()) == 2
    run()
    assert item(keys.paid_key("X")) == whole
    assert is_whole()


def test_the_sum_of_a_redemptions_parts_is_made_again(shop: Shop) -> None:
    ada = shop.enroll()
    redemption_id = shop.spend(ada, 50, 100, capture=True).body["redemption_id"]
    path, key = f"/v1/members/{ada}/redemptions/{redemption_id}/reverse", keys.returned_key(redemption_id)
    shop.post(path, {"reversal_id": "V-1", "points": 10})
    with kept_back(key):
        shop.post(path, {"reversal_id": "V-2", "points": 20})
    assert violations() == [Violation(3, "", f"REDEMPTION#{redemption_id}#RETURNED is 10, the entries make 30")]
    run()
    assert item(key)["amount"] == {"N": "30"}
    assert is_whole()


def test_stock_is_counted_again(shop: Shop) -> None:
    ada = shop.enroll()
    shop.change_program(
        redeeming={
            "rewards": [{"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "M", "points": 10, "stock": 3}]
        }
    )
    assert shop.redeem(ada, "mug").status == 201
    lose(keys.stock_key("mug"))
    assert violations() == [Violation(3, "", "REWARD#mug#STOCK is 0, the entries make 1")]
    run()
    assert stock.stock_taken(["mug"]) == {"mug": 1}
    assert is_whole()


@pytest.mark.parametrize("lost", ["stock", "shelf"])
def test_pieces_on_shelves_are_counted_again_too(shop: Shop, lost: str) -> None:
    ada = shop.enroll()
    mug = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "M", "points": 10, "stock": 1000}
    shop.change_program(redeeming={"rewards": [mug]})
    assert shop.redeem(ada, "mug").status == 201
    assert violations() == []
    number = shelf_of(programs.load_program().reward("mug"), ada)
    assert number is not None
    lose(keys.stock_key("mug") if lost == "stock" else keys.shelf_key("mug", number))
    holds = {"stock": -14, "shelf": 15}[lost]
    assert violations() == [Violation(3, "", f"REWARD#mug#STOCK is {holds}, the entries make 1")]
    run()
    assert stock.stock_taken(["mug"]) == {"mug": 1}
    assert is_whole()
    assert shop.redeem(ada, "mug", key="again").status == 201


@pytest.mark.parametrize("place", ["TOTAL", "SLICE"])
def test_what_is_left_of_a_budget_is_reckoned_again(shop: Shop, place: str) -> None:
    shop.change_program(campaigns=[DOUBLE])
    members = [shop.enroll(f"m{number}") for number in range(5)]
    for number, member in enumerate(members):
        assert shop.order(member, f"o{number}", 1_000).status == 201
    spent = budgets.load("campaign:double").spent
    table = client.client().scan(TableName=settings.loyalty_table())["Items"]
    lose(*(Key(one["pk"]["S"], one["sk"]["S"]) for one in table if one["sk"]["S"] == place))
    assert violations()

    run()

    budget = budgets.load("campaign:double")
    assert (budget.total, budget.spent) == (500, spent)
    assert shop.order(members[0], "later", 1_000).body["entry"]["points"] == 20
    assert is_whole()


def test_what_a_partner_has_paid_in_is_reckoned_again(shop: Shop) -> None:
    shop.change_program(partners=[HOTEL])
    total = keys.budget_key(funding_name("hotel"))

    def pay(amount: int, reference: str) -> None:
        body = {"amount": amount, "currency": "USD", "reference": reference}
        assert shop.post("/v1/partners/hotel/deposits", body, scope=OPERATOR).status == 201

    pay(100, "d-1")
    with kept_back(total):
        pay(50, "d-2")
    found = violations()
    assert [one.detail for one in found] == ["BUDGET#partner:hotel#budgeted is 100, the deposits make 150"]
    run()
    assert budgets.load(funding_name("hotel")).left == 150
    assert is_whole()


def test_a_deposit_that_is_lost_after_it_was_spent_is_named(shop: Shop) -> None:
    shop.change_program(partners=[HOTEL])
    ada = shop.enroll()
    body = {"amount": 100, "currency": "USD", "reference": "d-1"}
    shop.post("/v1/partners/hotel/deposits", body, scope=OPERATOR)
    order = {"type": "order", "order_id": "h", "placed_at": shop.now.isoformat(), "currency": "USD", "total": 3_000}
    assert shop.post(f"/v1/members/{ada}/earn", order, partner_id="hotel").status == 201
    lose(keys.deposit_key("hotel", "d-1"))

    report = run()

    assert report.left == ("BUDGET#partner:hotel: 30 points are spent, of deposits only 0 are there",)
    assert budgets.load(funding_name("hotel")).left == 0


def test_a_program_whose_newest_version_was_not_current_can_be_replaced_again(shop: Shop) -> None:
    shop.change_program(name="Second")
    with kept_back(Key("PROGRAM", "CURRENT")):
        shop.change_program(name="Third")
    runtime.forget()
    assert violations() == [Violation(3, "", "PROGRAM is 2, its versions make 3")]
    run()
    runtime.forget()
    assert programs.load_program().name == "Third"
    assert shop.change_program(name="Fourth") == 4
    lose(Key("PROGRAM", "VERSION#4"))
    run()
    assert item(Key("PROGRAM", "VERSION#4"))["body"] == item(Key("PROGRAM", "CURRENT"))["body"]
    assert is_whole()


def test_a_write_in_between_is_noticed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = shop.enroll()
    shop.order(ada, "A-1")
    with kept_back(keys.account_key(ada)):
        shop.order(ada, "A-2")
    replace = upkeep.replace_account

    def late(existing: Any, account: Any) -> None:
        replace(existing, account)
        replace(existing, account)

    monkeypatch.setattr(upkeep, "replace_account", late)
    with pytest.raises(LocalError, match="somebody else is writing"):
        run()
    monkeypatch.undo()
    assert is_whole()


def test_a_run_that_died_on_the_way_is_run_again(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.change_program(transfers={})
    ada, grace = shop.enroll("ada"), shop.enroll("grace")
    expected = shop.account(ada), shop.account(grace)
    shop.adjust(ada, 10)
    shop.transfer(ada, grace, 40)
    shop.order(grace, "A-1")
    lose(keys.of("adjust", member_id=ada, reference="case-1"))

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "replace_account", die)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "withdrawn")
    run(tmp_path / "withdrawn")

    assert (shop.account(ada), shop.account(grace)) == expected
    assert is_whole()


def test_a_table_on_aws_is_rebuilt_as_its_functions_stand_accounts_in_the_index(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["rebuild", "--table", "loyalty"]) == 2
    assert "--due-shards" in capsys.readouterr().err


def _as_enrolled(member: str) -> Any:
    return book_all(Account(member_id=member), ledger.load_whole_history(member)[-1:])
