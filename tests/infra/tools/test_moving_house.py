"""What export leaves of members, import brings back: nothing of their past is lost."""

from pathlib import Path

import pytest

from infra.tools import importer
from infra.tools.exporter import KINDS, export
from shared import runtime, settings
from shared.tables import client, programs
from tests.functions.shop import Shop, moto_tables


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "WORKERS", 1)  # moto loses writes of several


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
    before, program = shop.account(ada), programs.load_program()
    export(client.client(), settings.loyalty_table(), tmp_path, shop.now)

    for table in moto_tables().values():
        table.items.clear()
    runtime.forget()
    shop.replace_program(program.model_dump(mode="json", exclude={"version"}), 1)
    for kind in KINDS:
        done = importer.run(tmp_path / f"{kind}.csv", shop.now, dry_run=False)
        assert (done.bad_lines, done.new > 0) == ([], True)

    found = {
        shop.post("/v1/members/lookup", one).body["member_id"]
        for one in (
            {"external_id": "ada"},
            {"external_id": "twin"},
            {"email": "ada.l@example.org"},
            {"card_number": "a card, with a comma"},
        )
    }
    [moved] = found
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
    done = importer.run(path, shop.now, dry_run=False)
    assert [bad.line for bad in done.bad_lines] == [2]
    assert fault in done.bad_lines[0].reason
