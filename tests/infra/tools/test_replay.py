"""What a replay of years leaves behind is taken up by the schedules of today."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from functions import notify
from infra.tools import replay
from shared.tables import accounts
from tests.functions.shop import Shop

PURCHASES = """customer,order,date_time,amount,currency
early,E-1,2024-01-05T10:00,29.33,USD
late,L-1,2024-11-25T10:00,12.50,USD
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "THREADS", 1)  # moto loses writes of several


def test_who_should_have_been_reminded_on_the_way_is_reminded_after_it_and_then_left_alone(
    shop: Shop, tmp_path: Path
) -> None:
    shop.change_program(messages={"reminder_days": [90]})
    file = tmp_path / "purchases.csv"
    file.write_text(PURCHASES, encoding="utf-8")
    replay.replay(file, show_progress=False)
    last = date(2024, 11, 25)
    found = shop.post("/v1/members/lookup", {"external_id": "early"})
    member = found.body["member_id"]
    assert accounts.load_account(member).due_on == last, "in January it expires, in November it was to be announced"

    shop.now = shop.now.replace(year=2024, month=11, day=26)
    morning = {"time": shop.now.isoformat()}
    assert [notify.handler(morning, None)["reminders"] for _ in range(2)] == [1, 0]
    due = accounts.load_account(member).due_on
    assert due is not None
    assert due - last > timedelta(days=60)
