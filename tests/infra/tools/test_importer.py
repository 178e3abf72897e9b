"""Many lines go in one request; one that cannot go keeps no other back, and whatever was interrupted is taken up."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from infra.tools import importer, parts
from shared.domain.errors import TryAgainError
from shared.tables import client
from shared.tables.client import Write
from tests.functions.shop import Shop
from tests.shared.wire import Wire
from tests.whole_tables import bring_in

MANY = 40


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "WORKERS", 1)  # moto loses writes of several


def bring(shop: Shop, path: Path, header: str, lines: Sequence[str]) -> importer.Result:
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return bring_in(path, shop.now)


def bring_members(shop: Shop, path: Path) -> importer.Result:
    return bring(shop, path, "external_id,enrolled_at", [f"c{number},2020-01-02" for number in range(MANY)])


def bring_points(shop: Shop, path: Path, last_day: str = "never") -> importer.Result:
    lines = [f"c{number},{1 + number},2026-03-04,{last_day},r{lot}" for number in range(MANY) for lot in range(2)]
    return bring(shop, path, "external_id,points,earned_at,expires_on,reference", lines)


def member_of(shop: Shop, number: int) -> str:
    return str(shop.post("/v1/members/lookup", {"external_id": f"c{number}"}).body["member_id"])


def outcome(result: importer.Result) -> tuple[int, int, int]:
    return result.new, result.before, result.bad


def test_lines_go_in_together(shop: Shop, tmp_path: Path, wire: Wire) -> None:
    assert outcome(bring_members(shop, tmp_path / "members.csv")) == (MANY, 0, 0)
    assert wire.requests.count("TransactWriteItems") == MANY / importer.MEMBERS_TOGETHER
    wire.requests.clear()
    assert outcome(bring_points(shop, tmp_path / "points.csv")) == (2 * MANY, 0, 0)
    assert wire.requests.count("TransactWriteItems") == 2
    assert "GetItem" not in wire.requests[1:]
    wire.requests.clear()
    assert outcome(bring_points(shop, tmp_path / "points.csv")) == (0, 2 * MANY, 0)
    assert "TransactWriteItems" not in wire.requests
    assert shop.balance(member_of(shop, 7)) == 16


def test_a_line_that_is_refused_keeps_no_other_back(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(automatic_enrolment={"consent_days": 30})
    order = {
        "type": "order",
        "order_id": "P-1",
        "placed_at": shop.now.isoformat(),
        "currency": "USD",
        "total": 4250,
        "identifier": {"external_id": "c3"},
    }
    assert shop.post("/v1/earn", order).status == 201
    others = [f"c{number},2020-01-02" for number in range(MANY) if number != 3]
    bring(shop, tmp_path / "members.csv", "external_id,enrolled_at", others)
    done = bring_points(shop, tmp_path / "points.csv")
    assert outcome(done) == (2 * MANY - 2, 0, 2)
    assert [(bad.line, bad.reason.split(":")[0]) for bad in done.bad_lines] == [
        (8, "consent_required"),
        (9, "consent_required"),
    ]
    assert shop.balance(member_of(shop, 4)) == 10


def test_what_a_crash_left_undone_is_done_by_the_next_run(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_members(shop, tmp_path / "members.csv")
    transact, calls = client.transact, list[int]()

    def crashing(writes: Sequence[Write]) -> None:
        calls.append(len(writes))
        if len(calls) > 1:
            raise KeyboardInterrupt
        transact(writes)

    with monkeypatch.context() as patch:
        patch.setattr(client, "transact", crashing)
        with pytest.raises(KeyboardInterrupt):
            bring_points(shop, tmp_path / "points.csv")
    done = bring_points(shop, tmp_path / "points.csv")
    assert outcome(done) == (2 * MANY - 50, 50, 0)
    assert [shop.balance(member_of(shop, number)) for number in (0, MANY - 1)] == [2, 2 * MANY]


def test_an_answer_that_got_lost_books_nothing_twice(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_members(shop, tmp_path / "members.csv")
    transact, lost = client.transact, list[Sequence[Write]]()

    def losing(writes: Sequence[Write]) -> None:
        transact(writes)
        if not lost:
            lost.append(writes)
            raise TryAgainError("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(client, "transact", losing)
        done = bring_points(shop, tmp_path / "points.csv")
    assert outcome(done) == (2 * MANY - 50, 50, 0)
    assert shop.balance(member_of(shop, 0)) == 2


def test_accounts_that_time_has_changed_are_settled_on_the_way(shop: Shop, tmp_path: Path) -> None:
    bring_members(shop, tmp_path / "members.csv")
    tomorrow = (shop.now + timedelta(days=1)).date().isoformat()
    path = tmp_path / "points.csv"
    bring(shop, path, "external_id,points,earned_at,expires_on,reference", [f"c5,9,2026-03-04,{tomorrow},soon"])
    shop.now += timedelta(days=3)
    assert outcome(bring_points(shop, path)) == (2 * MANY, 0, 0)
    types = [entry["type"] for entry in shop.entries(member_of(shop, 5))]
    assert types == ["brought_in", "brought_in", "expiry", "brought_in", "enroll"]


def test_a_line_that_says_what_one_of_another_part_says_is_named(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "LINES_A_PART", 2)
    path = tmp_path / "members.csv"
    lines = ["a,,2020-01-02", "b,b@example.org,2020-01-02", "c,,2020-01-02"]
    twice = ["d,B@example.org,2020-01-02", "c,b@example.org,2020-01-02"]
    with shop.writing_nothing():
        result = bring(shop, path, "external_id,email,enrolled_at", [*lines, *twice])
    assert result.bad_lines == [
        (5, "email: the same member stands on a line before; one of them must go"),
        (6, "external_id, email: the same member stands on a line before; one of them must go"),
    ]
    assert outcome(result) == (3, 0, 2)

    assert outcome(bring(shop, path, "external_id,email,enrolled_at", lines)) == (3, 0, 0)


def test_an_import_that_was_stopped_goes_on_with_what_is_not_finished(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(importer, "LINES_A_PART", MANY // 4)
    path = tmp_path / "members.csv"
    path.write_text("\n".join(["external_id,enrolled_at", *(f"c{number},2020-01-02" for number in range(MANY))]))

    def run(tell: parts.Tell, *, resume: bool) -> importer.Result:
        with parts.begun("import", [str(path)], shop.now, workers=1, resume=resume, tell=tell) as begun:
            return importer.bring_in(path, begun, dry_run=False)

    done = 0

    def stop_after_half(more: int) -> None:
        nonlocal done
        done += more
        if done > MANY + MANY / 2:  # all are checked first
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stop_after_half, resume=False)
    wire.requests.clear()
    one_part = MANY // 4
    assert outcome(run(parts.nobody, resume=True)) == (MANY - one_part, one_part, 0)
    assert "BatchGetItem" not in wire.requests, "what was checked is not checked again"
    assert outcome(run(parts.nobody, resume=False)) == (0, MANY, 0)
