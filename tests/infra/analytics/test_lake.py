"""What is in the lake, and what is not."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from infra.analytics import lake
from infra.analytics.columns import TABLES
from infra.errors import LocalError
from infra.tools import parts
from infra.tools.parts import Part, Tell
from shared import settings
from shared.tables import client
from tests.functions.shop import STOREFRONT, Shop
from tests.whole_tables import write_lake

WELCOME = 100
"""Points for joining."""


def written(shop: Shop, folder: Path) -> Path:
    write_lake(folder, shop.now)
    return folder


def ask(folder: Path, question: str) -> list[tuple[Any, ...]]:
    """What DuckDB answers in the folder; a table is named by its files."""
    for name in TABLES:
        question = question.replace(f"FROM {name}", f"FROM '{folder}/{name}/*.parquet'")
    return duckdb.execute(question).fetchall()


def everything(folder: Path) -> str:
    """All that is written, as text."""
    return json.dumps(
        [ask(folder, f"SELECT * FROM {name}") for name in TABLES if any((folder / name).iterdir())], default=str
    )


def test_every_table_has_its_columns_and_types(shop: Shop, tmp_path: Path) -> None:
    shop.order(shop.enroll(), "A-1")
    folder = written(shop, tmp_path / "lake")
    for name, columns in TABLES.items():
        found = ask(folder, f"DESCRIBE SELECT * FROM {name}")
        assert [(row[0], row[1]) for row in found] == [(one, column.type) for one, column in columns.items()]
    assert not list(folder.rglob("*.jsonl"))


def test_the_document_says_what_every_column_is() -> None:
    text = Path(lake.__file__).with_name("README.md").read_text(encoding="utf-8")
    for name, columns in TABLES.items():
        assert f"| `{name}` |" in text
        for one, column in columns.items():
            assert f"| `{one}` | {column.type} | {column.meaning} |" in text, one


def test_the_sums_of_the_entries_are_the_accounts(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100, "expiry": {"kind": "term", "months": 1}})
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 10_000)
    shop.refund(ada, 2_500)
    shop.spend(ada, 50, 1_000)
    folder = written(shop, tmp_path / "lake")
    of_entries = "SELECT unit, sum(net), sum(debt) FROM entries GROUP BY unit ORDER BY unit"
    of_accounts = (
        "SELECT unit, sum(available + pending + held - debt), sum(debt) FROM accounts GROUP BY unit ORDER BY unit"
    )
    of_lots = """SELECT unit, sum(units) FROM movements WHERE bucket IN ('available', 'pending', 'held')
                 GROUP BY unit ORDER BY unit"""
    assert ask(folder, of_entries) == ask(folder, of_accounts) == [("credit", 375, 0), ("points", WELCOME + 75, 0)]
    assert ask(folder, of_lots) == [("credit", 375), ("points", WELCOME + 75)]


def test_what_time_has_done_is_in_it_before_anybody_books_it(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(expiry={"kind": "term", "days": 10})
    shop.enroll("ada")
    shop.pass_time(days=20)
    folder = written(shop, tmp_path / "lake")
    assert ask(folder, "SELECT type, expired, effective_on::TEXT FROM entries WHERE NOT is_booked") == [
        ("expiry", WELCOME, "2026-12-01")
    ]
    assert ask(folder, "SELECT available, entries FROM accounts") == [(0, 2)]


def test_nobody_is_named_in_it(shop: Shop, tmp_path: Path) -> None:
    ada = shop.enroll("ada", email="ada@shop.example", name="Ada Lovelace", phone="+14155550123")
    shop.order(ada, "order-of-ada-1", channel="web")
    shop.adjust(ada, 5, "case-of-ada", caller="olga-the-operator")
    text = everything(written(shop, tmp_path / "lake"))
    assert ada in text
    for secret in ("lovelace", "ada@", "4155550123", "order-of-ada", "case-of-ada", "goodwill", "olga", "till-7"):
        assert secret not in text.lower(), secret
    roles = ask(tmp_path / "lake", "SELECT DISTINCT actor_role FROM entries ORDER BY 1")
    assert roles == [("operator",), (STOREFRONT.removeprefix("loyalty/"),)]


def test_a_member_who_is_gone_has_a_name_that_leads_nowhere(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(cashback={"amount": 5, "per_amount": 100, "expiry": {"kind": "never"}})
    old, ada, bob = shop.enroll("old"), shop.enroll("ada"), shop.enroll("bob")
    for number, member in enumerate((old, ada, bob)):
        shop.order(member, f"A-{number}", 10_000)
    shop.merge(ada, old)
    assert shop.erase(ada).status == 200
    first, second = (written(shop, tmp_path / name) for name in ("first", "second"))
    for folder in (first, second):
        text = everything(folder)
        assert bob in text
        assert ada not in text
        assert old not in text
    gone = f"SELECT account_id FROM accounts WHERE kind = 'member' AND member_id != '{bob}'"
    assert len(ask(first, gone)) == 2
    assert not set(ask(first, gone)) & set(ask(second, gone))
    keys = "SELECT order_key FROM entries WHERE order_key IS NOT NULL"
    assert not set(ask(first, keys)) & set(ask(second, keys))


def test_an_order_has_one_key_whatever_happens_to_it(shop: Shop, tmp_path: Path) -> None:
    ada = shop.enroll("ada")
    shop.order(ada, "A-1")
    shop.order(ada, "A-2")
    shop.refund(ada, 1_000, "A-1")
    found = ask(written(shop, tmp_path / "lake"), "SELECT type, order_key FROM entries WHERE order_key IS NOT NULL")
    keys = dict(found)
    assert len({key for _, key in found}) == 2
    assert keys["refund"] in {key for type_, key in found if type_ == "earn"}


def test_orders_are_counted_as_they_are_kept_whoever_holds_them(shop: Shop, tmp_path: Path) -> None:
    old, ada, bob = shop.enroll("old"), shop.enroll("ada"), shop.enroll("bob")
    shop.order(old, "A-1", 4_000)
    shop.order(ada, "A-2", 3_000)
    shop.order(ada, "A-3", 2_000)
    shop.merge(ada, old)
    shop.refund(ada, 4_000, "A-1")
    shop.refund(ada, 1_000, "A-2")
    body = {"claim_id": "C-1", "reason": "the wrong card"}
    assert shop.post(f"/v1/members/{bob}/orders/A-3/claim", body).status in {200, 201}
    sums = "SELECT sum(orders), sum(order_value) FROM entries"
    folder = written(shop, tmp_path / "lake")
    assert ask(folder, sums) == [(2, 4_000)]
    assert ask(folder, f"{sums} WHERE member_id = '{bob}'") == [(1, 2_000)]
    assert ask(folder, f"{sums} WHERE member_id = '{ada}'") == [(1, 2_000)], "her own, and those of who was merged"


def test_segments_that_are_written_apart_are_one_lake(shop: Shop, tmp_path: Path) -> None:
    for number in range(5):
        shop.order(shop.enroll(f"member-{number}"), f"A-{number}", 1_000 * number)
    secret = bytes([7] * 32)
    whole = write_lake(tmp_path / "whole", shop.now, secret=secret)
    assert write_lake(tmp_path / "parts", shop.now, secret=secret, segments=3) == whole
    for name in TABLES:
        everything_of = f"SELECT * FROM {name} ORDER BY ALL"
        assert ask(tmp_path / "parts", everything_of) == ask(tmp_path / "whole", everything_of), name


def test_a_run_that_was_stopped_goes_on_under_the_same_secret(shop: Shop, tmp_path: Path) -> None:
    for number in range(9):
        shop.order(shop.enroll(f"member-{number}"), f"A-{number}", 1_000)
    folder, stopped = tmp_path / "lake", shop.now
    with pytest.MonkeyPatch.context() as patch, parts.unkept(shop.now) as run:
        run.once("segments", lambda: 4)
        made: list[int] = []
        write_part = lake.write_part

        def twice(part: Part, tell: Tell) -> Any:
            if len(made) == 2:
                raise KeyboardInterrupt
            made.append(part["segment"])
            return write_part(part, tell)

        patch.setattr(lake, "write_part", twice)
        with pytest.raises(KeyboardInterrupt):
            lake.write(client.client(), settings.loyalty_table(), folder, run)
        patch.undo()
        shop.pass_time(days=3)
        rows = lake.write(client.client(), settings.loyalty_table(), folder, run)
    assert rows["accounts"] == 9
    assert ask(folder, "SELECT count(*), count(DISTINCT order_key) FROM entries WHERE type = 'earn'") == [(9, 9)]
    assert ask(folder, "SELECT as_of FROM about") == [(stopped.replace(tzinfo=None),)]
    assert not [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".parquet"]


def test_a_lake_that_is_there_is_not_written_over(shop: Shop, tmp_path: Path) -> None:
    shop.enroll()
    folder = written(shop, tmp_path / "lake")
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    with pytest.raises(LocalError, match="name another folder"):
        written(shop, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_questions_in_the_document_have_answers(shop: Shop, tmp_path: Path) -> None:
    text = Path(lake.__file__).with_name("README.md").read_text(encoding="utf-8")
    questions = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 10_000)
    folder = written(shop, tmp_path / "lake")
    answers = [duckdb.execute(question.replace("'lake/", f"'{folder}/")).fetchall() for question in questions]
    assert [[str(value) for value in row] for [row] in answers] == [
        ["2026-11-01", str(WELCOME + 100), "0", "0"],
        ["2027-11-01", str(WELCOME + 100)],
        ["bronze", "1", "1", "10000.0"],
    ]
