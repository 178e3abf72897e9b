"""Import, export and catch-up on tables on AWS, with the shell's credentials."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from moto import mock_aws

from infra.cli import main
from infra.tools import catch_up, importer
from shared import runtime
from shared.domain.members.members import Identity
from shared.tables import accounts, client, members
from tests.infra.cloud.in_process import REGION, make_everything, make_tables

CREDENTIALS = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
MEMBERS = """external_id,email,enrolled_at,also_known_as
shop-1,ada@example.org,2020-01-02,"[{""kind"":""email"",""value"":""Ada.L@example.org""}]"
shop-2,bob@example.org,2021-01-02,
"""
POINTS = """external_id,points,earned_at,expires_on,reference
shop-1,120,2026-03-04,never,r1
shop-2,30,2026-03-04,never,r1
"""
TIERS = """external_id,tier_id,since,earned_before,badges
shop-1,bronze,2026-03-04,880,regular:2:2026-05-06
shop-2,bronze,2026-03-04,,
"""


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (importer, catch_up):
        monkeypatch.setattr(command, "WORKERS", 1)  # moto loses writes of several


@pytest.fixture
def aws() -> Iterator[list[str]]:
    """Options that name the tables of an account on AWS."""
    with patch.dict(os.environ, CREDENTIALS), mock_aws():
        runtime.reset()
        make_tables()
        made = make_everything()
        yield [
            *("--table", made["LOYALTY_TABLE"], "--people-table", made["PEOPLE_TABLE"]),
            *("--identity-secret", made["IDENTITY_KEY_SECRET_ID"], "--due-shards", made["DUE_SHARDS"]),
        ]
    runtime.reset()


def test_tables_on_aws_take_files_once_and_give_them_back(aws: list[str], tmp_path: Path) -> None:
    files = []
    for kind, text in {"members": MEMBERS, "points": POINTS, "tiers": TIERS}.items():
        files.append(tmp_path / f"{kind}.csv")
        files[-1].write_text(text, encoding="utf-8")
    paths = [str(path) for path in files]

    with pytest.MonkeyPatch.context() as untouched:
        untouched.setattr(client, "transact", None)
        assert main.main(["import", "--dry-run", paths[0], *aws]) == 0
    for _ in range(2):
        runtime.reset()
        assert main.main(["import", *paths, *aws]) == 0
    ada = members.find(Identity(kind="email", value="ada.l@example.org"))
    assert ada is not None
    account = accounts.load_account(ada).account
    assert (account.balance, account.earned, account.badges["regular"].times) == (120, 1000, 2)

    runtime.reset()
    assert main.main(["export", str(tmp_path / "out"), *aws]) == 0
    runtime.reset()
    assert main.main(["catch-up", *aws]) == 0
    for path in files:
        assert _said(tmp_path / "out" / path.name, path) == _said(path, path)
    runtime.reset()
    assert main.main(["verify", "--table", "loyalty"]) == 0


def test_tables_on_aws_are_named_whole_or_not_at_all(aws: list[str], tmp_path: Path) -> None:
    assert main.main(["export", str(tmp_path / "out"), *aws[:4]]) == 2
    assert main.main(["export", str(tmp_path / "out"), *aws[2:]]) == 2


def _said(path: Path, like: Path) -> list[list[str]]:
    """What a file says in the columns of another: identities as they are kept, times to their day."""
    with like.open(newline="", encoding="utf-8") as file:
        names = [name for name in next(csv.reader(file)) if name != "reference"]
    with path.open(newline="", encoding="utf-8") as file:
        return sorted([_kept(line[name]) for name in names] for line in csv.DictReader(file))


def _kept(cell: str) -> str:
    return cell.lower().partition("t05:00:00z")[0]
