"""What export leaves of members, import brings back: nothing of their past is lost."""

from pathlib import Path

import pytest

from infra.tools import importer
from infra.tools.exporter import KINDS
from infra.tools.totals import holdings
from shared import runtime, settings
from shared.tables import client, programs
from tests.functions.shop import Shop, check_every_account, moto_tables
from tests.whole_tables import bring_in, export


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "WORKERS", 1)  # moto loses writes of several


def move(shop: Shop, folder: Path) -> dict[str, int]:
    """Export everything, forget it, and import it; how many lines each file had."""
    program = programs.load_program()
    export(folder, shop.now)
    for table in moto_tables().values():
        table.items.clear()
    runtime.forget()
    shop.replace_program(program.model_dump(mode="json", exclude={"version"}), 1)
    lines: dict[str, int] = {}
    for kind in KINDS:
        done = bring_in(folder / f"{kind}.csv", shop.now)
        assert done.bad_lines == []
        lines[kind] = done.new
    return lines


def said(folder: Path) -> dict[str, list[str]]:
    """The lines of every file; members come in the order in which the table has them."""
    return {kind: sorted((folder / f"{kind}.csv").read_text(encoding="utf-8").splitlines()) for kind in KINDS}


def found(shop: Shop, name: str) -> str:
    return str(shop.post("/v1/members/lookup", {"external_id": name}).body["member_id"])


class TestWholeHousehold:
    """A pool, store credit, points that wait, that are held, and that are more than one grant may be."""

    @pytest.fixture
    def pool_id(self, shop: Shop) -> str:
        shop.change_program(
            pools={"members_max": 3}, cashback={"amount": 5, "per_amount": 100}, earning={"pending_days": 3}
        )
        ada, bob, cid, twin = (shop.enroll(name) for name in ("ada", "bob", "cid", "twin"))
        pool_id = str(shop.post("/v1/pools", {"member_id": ada}, key="pool").body["pool_id"])
        assert shop.join_pool(pool_id, bob).status == 201
        assert shop.order(bob, "B-1", 10_000).status == 201
        shop.pass_time(days=5)
        assert shop.redeem(ada, capture=True).status == 201
        assert shop.order(cid, "C-1", 20_000).status == 201
        assert shop.order(cid, "C-2", 3_000).status == 201
        shop.pass_time(days=1)
        assert shop.adjust(cid, 60, "case-9").status == 201
        assert shop.redeem(cid, key="held").status == 201
        for number in range(2):
            assert shop.adjust(twin, 1_000_000_000, f"case-{number}").status == 201
        assert shop.merge(cid, twin).status == 200
        return pool_id

    def test_what_is_exported_imported_and_exported_again_says_the_same(
        self, shop: Shop, pool_id: str, tmp_path: Path
    ) -> None:
        names = ("ada", "bob", "cid")
        pool = shop.get(f"/v1/pools/{pool_id}").body
        outstanding = holdings(client.client(), settings.loyalty_table(), shop.now)

        lines = move(shop, tmp_path / "first")
        export(tmp_path / "second", shop.now)

        assert lines["pools"] == 2
        assert lines["credit"] == 3
        assert said(tmp_path / "first") == said(tmp_path / "second")
        again = shop.get(f"/v1/pools/{pool_id}").body
        assert (again["balance"], [found(shop, name) for name in names[:2]]) == (
            pool["balance"],
            [one["member_id"] for one in again["members"]],
        )
        for one, before in zip(again["members"], pool["members"], strict=True):
            assert (one["contributed"], one["spent"]) == (before["contributed"], before["spent"])
        after = holdings(client.client(), settings.loyalty_table(), shop.now)
        assert (after.outstanding, after.credit_amount) == (outstanding.outstanding, outstanding.credit_amount)
        assert after.credit_amount == 500 + 1_000 + 150
        assert after.outstanding > 2_000_000_000
        check_every_account()

    def test_a_second_import_brings_nothing_in_twice(self, shop: Shop, pool_id: str, tmp_path: Path) -> None:
        lines = move(shop, tmp_path)
        with shop.writing_nothing():
            for kind in KINDS:
                done = bring_in(tmp_path / f"{kind}.csv", shop.now)
                assert (done.new, done.before, done.bad) == (0, lines[kind], 0)
        assert shop.get(f"/v1/pools/{pool_id}").status == 200


CREDIT = "external_id,amount,currency,earned_at,expires_on,reference"
POINTS = "external_id,pool_id,points,earned_at,expires_on,reference"
POOLS = "external_id,pool_id,contributed"
POOL_ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("header", "line", "fault"),
    [
        (CREDIT, "ada,12.50,EUR,2026-03-04,never,r1", "currency: must be USD"),
        (CREDIT, "ada,12.505,USD,2026-03-04,never,r1", "amount: '12.505' is not an amount in USD"),
        (CREDIT, "ada,-1.00,USD,2026-03-04,never,r1", "amount: must be more than 0"),
        (CREDIT, "ada,1.00,USD,2026-03-04,2026-03-05,r1", "expires_on: 2026-03-05 has passed"),
        (CREDIT, "eve,1.00,USD,2026-03-04,never,r1", "there is no such member"),
        (POOLS, "ada,household-7,", "pool_id: 'household-7' must be 32 random hexadecimal digits"),
        (POOLS, f"eve,{POOL_ID},", "there is no such member"),
        (POINTS, f"ada,{POOL_ID},5,2026-03-04,never,r1", "the member does not share this pool; import pools first"),
        (POINTS, f"ada,,{10**15},2026-03-04,never,r1", "is not a whole number of at most 999999999999999"),
    ],
)
def test_a_line_that_cannot_be_is_named_and_nothing_is_written(
    shop: Shop, tmp_path: Path, header: str, line: str, fault: str
) -> None:
    shop.change_program(pools={}, cashback={"amount": 5, "per_amount": 100})
    shop.enroll("ada")
    path = tmp_path / "file.csv"
    path.write_text(f"{header}\n{line}\n", encoding="utf-8")
    with shop.writing_nothing():
        done = bring_in(path, shop.now)
    assert [bad.line for bad in done.bad_lines] == [2]
    assert fault in done.bad_lines[0].reason


@pytest.mark.parametrize(
    ("header", "line", "fault"),
    [
        (CREDIT, "ada,12.50,USD,2026-03-04,never,r1", "the program gives no store credit"),
        (POOLS, f"ada,{POOL_ID},", "the program has no pools"),
    ],
)
def test_what_the_program_does_not_have_is_not_brought_in(
    shop: Shop, tmp_path: Path, header: str, line: str, fault: str
) -> None:
    shop.enroll("ada")
    path = tmp_path / "file.csv"
    path.write_text(f"{header}\n{line}\n", encoding="utf-8")
    with shop.writing_nothing():
        done = bring_in(path, shop.now)
    assert fault in done.bad_lines[0].reason


def test_who_has_not_agreed_to_the_terms_gets_no_credit(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(automatic_enrolment={"consent_days": 30}, cashback={"amount": 5, "per_amount": 100})
    order = {"order_id": "A-1", "placed_at": shop.now.isoformat(), "currency": "USD", "total": 1_000}
    booked = shop.post("/v1/earn", {"type": "order", "identifier": {"external_id": "ada"}, **order})
    path = tmp_path / "credit.csv"
    path.write_text(f"{CREDIT}\nada,1.00,USD,2026-03-04,never,r1\n", encoding="utf-8")
    done = bring_in(path, shop.now)
    assert booked.status == 201, booked.body
    assert "consent_required" in done.bad_lines[0].reason


def test_a_merged_member_keeps_names_badges_and_what_was_earned_over_the_move(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(
        challenges=[
            {
                "challenge_id": "regular",
                "name": "Regular",
                "goal": {"kind": "count", "of": "orders", "target": 2},
                "points": 5,
                "repeatable": True,
            }
        ]
    )
    ada = shop.enroll("ada", email="ada@example.org", phone="+1 212 555 0100")
    twin = shop.enroll("twin", email="ada.l@example.org", card_number="a card, with a comma")
    for number in range(4):
        shop.order(ada, f"A-{number}", 10_000)
    shop.redeem(ada, capture=True)
    shop.merge(ada, twin)
    before = shop.account(ada)
    done = move(shop, tmp_path / "out")
    assert [kind for kind in KINDS if done[kind]] == ["members", "points", "tiers"]

    names = {
        shop.post("/v1/members/lookup", one).body["member_id"]
        for one in (
            {"external_id": "ada"},
            {"external_id": "twin"},
            {"email": "ada.l@example.org"},
            {"card_number": "a card, with a comma"},
        )
    }
    [moved] = names
    after = shop.account(moved)
    for name in ("balance", "lifetime_earned", "badges", "tier", "expiring"):
        assert after[name] == before[name], name
    assert before["badges"][0]["times"] == 2
    assert before["lifetime_earned"] > before["balance"]


@pytest.mark.parametrize(
    ("header", "cell", "fault"),
    [
        ("also_known_as", "ada.l@example.org", "must be JSON"),
        ("also_known_as", '"[{""kind"":""email"",""value"":""no address""}]"', "'no address' is not a valid email"),
        ("badges", "regular", "must be a badge"),
        ("badges", "regular:1:2026-02-30", "must be a badge"),
        ("badges", "regular:1:2099-01-01", "has not come yet"),
        ("earned_before", "1e3", "is not a whole number"),
    ],
)
def test_what_cannot_be_is_named_by_line(shop: Shop, tmp_path: Path, header: str, cell: str, fault: str) -> None:
    required = "enrolled_at" if header == "also_known_as" else "tier_id,since"
    values = "2020-01-02" if header == "also_known_as" else "bronze,2026-03-04"
    path = tmp_path / "file.csv"
    path.write_text(f"external_id,{required},{header}\nshop-1,{values},{cell}\n", encoding="utf-8")
    done = bring_in(path, shop.now)
    assert [bad.line for bad in done.bad_lines] == [2]
    assert fault in done.bad_lines[0].reason
