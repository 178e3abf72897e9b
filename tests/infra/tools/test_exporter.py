"""What the files of an export say of members' points."""

import csv
from datetime import datetime
from pathlib import Path

from tests.functions.shop import Shop
from tests.whole_tables import export


def exported(shop: Shop, folder: Path, kind: str) -> list[dict[str, str]]:
    """The lines of one of the files."""
    export(folder, shop.now)
    with (folder / f"{kind}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_points_of_a_gift_that_came_back_were_earned_when_they_were_earned(shop: Shop, tmp_path: Path) -> None:
    shop.change_program(gifts={})
    joined, (ada, bob) = shop.now, (shop.enroll("ada"), shop.enroll("bob"))
    shop.pass_time(days=3)
    shop.adjust(ada, 70)
    earned = shop.now
    shop.pass_time(days=3)
    given = shop.post(f"/v1/members/{ada}/gifts", {"to_member_id": bob, "points": 170}, key="gift")
    assert shop.post(f"/v1/members/{bob}/gifts/{given.body['gift_id']}/return").status == 200

    lines = exported(shop, tmp_path, "points")

    own = [(one["points"], datetime.fromisoformat(one["earned_at"])) for one in lines if one["external_id"] == "ada"]
    assert own == [("100", joined), ("70", earned)]
