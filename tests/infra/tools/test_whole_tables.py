"""What processes do to the parts of a table on an engine is what one process does to the whole."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.bench.world import open_world
from infra.tables import LOYALTY
from infra.tools import exporter, importer, parts, segments
from infra.tools.catch_up import CaughtUp, catch_up_all
from infra.tools.parts import Run
from infra.tools.verify import Report, check, check_by_parts
from shared.domain.account import Account
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.members.members import Identity
from shared.tables import client, keys, programs

pytestmark = pytest.mark.process

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MEMBERS, SEGMENTS = 60, 5
LOTS = ((10, "never"), (20, "2026-12-31"))


@pytest.fixture(autouse=True)
def _engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(importer, "LINES_A_PART", 9)
    monkeypatch.setattr(segments, "_count", lambda *_: SEGMENTS)
    with open_world():
        yield


def bring_in(path: Path, header: str, lines: Sequence[str], run: Run) -> importer.Result:
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return importer.bring_in(path, run, dry_run=False)


def filled(folder: Path) -> None:
    """Members, and two lots of each, of which one expires."""
    lots = [f"c{number},{lot},2026-03-04,{day},r{lot}" for number in range(MEMBERS) for lot, day in LOTS]
    with parts.unkept(NOW, workers=2) as run:
        members = [f"c{number},2020-01-02" for number in range(MEMBERS)]
        assert bring_in(folder / "members.csv", "external_id,enrolled_at", members, run).new == MEMBERS
        done = bring_in(folder / "points.csv", "external_id,points,earned_at,expires_on,reference", lots, run)
    assert (done.new, done.before, done.bad_lines) == (2 * MEMBERS, 0, [])
    assert done.points == 30 * MEMBERS


def settled(account: Account) -> Account:
    return up_to_date(account, programs.load_program(), NOW)


def by_parts(workers: int) -> Report:
    with parts.unkept(NOW, workers=workers) as run:
        return check_by_parts(client.client(), LOYALTY.name, run)


def test_segments_have_every_item_once(tmp_path: Path) -> None:
    filled(tmp_path)
    pages = client.client().get_paginator("scan").paginate(TableName=LOYALTY.name)
    everything = Counter((item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"])
    with parts.unkept(NOW) as run:
        of_table = segments.segments(client.client(), LOYALTY.name, run)
    found = [item for part in of_table for page in segments.pages(part) for item in page]
    assert len(of_table) == SEGMENTS
    assert Counter((item["pk"]["S"], item["sk"]["S"]) for item in found) == everything
    assert set(everything.values()) == {1}


def test_two_workers_find_what_one_finds_and_name_the_account_that_is_broken(tmp_path: Path) -> None:
    filled(tmp_path)
    whole = check(client.client(), LOYALTY.name, settled)
    assert (whole.accounts, whole.entries, whole.outstanding) == (MEMBERS, 3 * MEMBERS, 30 * MEMBERS)
    assert whole.violations == []
    assert by_parts(1) == by_parts(2) == whole

    broken = importer.member_id_of(Identity(kind="external_id", value="c7"))
    item: Any = dict(client.get(LOYALTY.name, keys.account_key(broken)) or {})
    client.client().put_item(TableName=LOYALTY.name, Item={**item, "state": {"S": "{"}})
    report = by_parts(2)
    assert {violation.member_id for violation in report.violations} == {broken, ""}
    assert report.accounts == MEMBERS
    assert report.outstanding == 30 * (MEMBERS - 1)
    assert report == check(client.client(), LOYALTY.name, settled)


def test_a_check_that_was_stopped_goes_on_and_says_the_same(tmp_path: Path) -> None:
    filled(tmp_path)

    def checked(tell: parts.Tell, *, resume: bool) -> Report:
        with parts.begun("verify", ["here"], NOW, workers=1, resume=resume, tell=tell) as run:
            return check_by_parts(client.client(), LOYALTY.name, run)

    seen = 0

    def stop_in_the_middle(more: int) -> None:
        nonlocal seen
        seen += more
        if seen > MEMBERS / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checked(stop_in_the_middle, resume=False)
    told: list[int] = []
    assert checked(told.append, resume=True) == by_parts(1)
    assert sum(told) == MEMBERS


def test_files_and_entries_are_the_same_by_however_many(tmp_path: Path) -> None:
    filled(tmp_path)
    lines: list[list[str]] = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        with parts.unkept(NOW, workers=workers) as run:
            exported = exporter.export(client.client(), LOYALTY.name, folder, run)
        assert (exported.members, exported.points) == (MEMBERS, 30 * MEMBERS)
        assert sorted(path.name for path in folder.iterdir()) == sorted(f"{kind}.csv" for kind in exporter.KINDS)
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
        lines.append([(folder / f"{kind}.csv").read_text(encoding="utf-8") for kind in exporter.KINDS])
    assert lines[0] == lines[1]

    later = NOW + timedelta(days=60)
    for entries in (MEMBERS, 0):
        with parts.unkept(later, workers=2) as run:
            assert catch_up_all(client.client(), LOYALTY.name, run) == CaughtUp(MEMBERS, entries)
