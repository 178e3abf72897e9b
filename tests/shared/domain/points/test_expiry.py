"""Points live to the end of a local day, and not a second longer or shorter."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.entry import Entry
from tests.model.shop import (
    AUCKLAND,
    BEIRUT,
    BERLIN,
    CAIRO,
    KIRITIMATI,
    KOLKATA,
    NEW_YORK,
    SAO_PAULO,
    SECOND,
    ZONES,
    Shop,
    a_program,
    at,
)


def ends_on(expiry: dict[str, Any], bought_on: str, **earning: Any) -> date | None:
    """The last day of points from an order placed at noon of a day."""
    shop = Shop(a_program(expiry=expiry, earning=earning), at(f"{bought_on} 12:00"))
    shop.enroll("ada")
    return shop.buy("ada", "A-1", 1000).expires_on


def balance_at(shop: Shop, instant: datetime) -> int:
    shop.now = instant
    account, _ = shop.peek("ada")
    return account.balance


@pytest.mark.parametrize(
    ("length", "bought_on", "last_day"),
    [
        ({"months": 12}, "2026-11-20", "2027-11-20"),
        ({"months": 12}, "2028-02-29", "2029-02-28"),
        ({"months": 1}, "2026-01-31", "2026-02-28"),
        ({"days": 30}, "2026-12-15", "2027-01-14"),
        ({"months": 12, "ends": "month"}, "2026-11-01", "2027-11-30"),
        ({"months": 12, "ends": "month"}, "2027-02-28", "2028-02-29"),
        ({"months": 3, "ends": "quarter"}, "2026-11-20", "2027-03-31"),
        ({"months": 6, "ends": "half_year"}, "2026-01-01", "2026-12-31"),
        ({"months": 1, "ends": "half_year"}, "2026-05-31", "2026-06-30"),
        ({"months": 12, "ends": "year"}, "2026-01-01", "2027-12-31"),
        ({"days": 1, "ends": "year"}, "2026-12-31", "2027-12-31"),
    ],
)
def test_a_term_runs_to_the_end_of_its_last_unit(length: dict[str, Any], bought_on: str, last_day: str) -> None:
    assert ends_on({"kind": "term", **length}, bought_on) == date.fromisoformat(last_day)


@pytest.mark.parametrize(
    ("minimum_days", "bought_on", "last_day"),
    [
        (0, "2026-11-20", "2026-12-31"),
        (0, "2026-12-31", "2026-12-31"),
        (0, "2027-01-01", "2027-12-31"),
        (41, "2026-11-20", "2026-12-31"),
        (42, "2026-11-20", "2027-12-31"),
    ],
)
def test_on_a_fixed_day_of_the_year_points_end_but_not_before_their_minimum(
    minimum_days: int, bought_on: str, last_day: str
) -> None:
    policy = {"kind": "calendar_date", "month": 12, "day": 31, "minimum_days": minimum_days}
    assert ends_on(policy, bought_on) == date.fromisoformat(last_day)


def test_points_that_never_expire_have_no_last_day_and_are_there_after_a_lifetime() -> None:
    shop = Shop(a_program(), at("2026-11-20 12:00"))
    shop.enroll("ada")
    assert shop.buy("ada", "A-1", 1000).expires_on is None
    assert shop.look("ada").lots == {"never": 10}
    assert balance_at(shop, at("2126-11-20 12:00")) == 10


def test_a_term_begins_when_pending_points_become_available() -> None:
    assert ends_on({"kind": "term", "months": 1}, "2026-11-20", pending_days=14) == date(2027, 1, 4)


@pytest.mark.parametrize(
    ("zone", "bought", "gone_at"),
    [
        (NEW_YORK, "2026-10-31", "2026-11-02T05:00:00Z"),  # a day of 25 hours
        (NEW_YORK, "2026-03-07", "2026-03-09T04:00:00Z"),  # of 23
        (BERLIN, "2026-10-24", "2026-10-25T23:00:00Z"),
        (BERLIN, "2026-03-28", "2026-03-29T22:00:00Z"),
        (KOLKATA, "2026-12-30", "2026-12-31T18:30:00Z"),
        (AUCKLAND, "2026-09-26", "2026-09-27T11:00:00Z"),
        (KIRITIMATI, "2026-12-30", "2026-12-31T10:00:00Z"),
        (SAO_PAULO, "2018-11-02", "2018-11-04T03:00:00Z"),  # the next day has no midnight
        (SAO_PAULO, "2018-11-03", "2018-11-05T02:00:00Z"),
        (SAO_PAULO, "2018-02-16", "2018-02-18T03:00:00Z"),  # 23:00 to midnight comes twice
        (CAIRO, "2024-04-24", "2024-04-25T22:00:00Z"),
        (BEIRUT, "2026-03-27", "2026-03-28T22:00:00Z"),
    ],
)
def test_points_are_gone_at_the_instant_the_local_day_ends_and_not_a_second_before(
    zone: str, bought: str, gone_at: str
) -> None:
    shop = Shop(a_program(time_zone=zone, expiry={"kind": "term", "days": 1}), at(f"{bought} 12:00", zone))
    shop.enroll("ada")
    shop.buy("ada", "A-1", 1000)
    instant = datetime.fromisoformat(gone_at)
    assert balance_at(shop, instant - SECOND) == 10
    assert balance_at(shop, instant) == 0
    expiry = shop.peek("ada")[1][-1]
    assert (expiry.type, expiry.points, expiry.occurred_at, expiry.actor) == ("expiry", -10, instant, "clock")


@given(
    zone=st.sampled_from(ZONES),
    bought=st.datetimes(datetime(2017, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001
    days=st.integers(1, 400),
    after=st.integers(0, 500 * 86_400),
)
def test_points_are_there_exactly_as_long_as_the_calendar_on_the_wall_has_not_passed_their_day(
    zone: str, bought: datetime, days: int, after: int
) -> None:
    shop = Shop(a_program(time_zone=zone, expiry={"kind": "term", "days": days}), at(bought.isoformat(), zone))
    shop.enroll("ada")
    last_day = shop.buy("ada", "A-1", 1000).expires_on
    assert last_day is not None
    later = shop.now + timedelta(seconds=after)
    on_the_wall = later.astimezone(ZoneInfo(zone)).date()
    assert balance_at(shop, later) == (10 if on_the_wall <= last_day else 0)


def test_each_lot_ends_on_its_own_day_and_has_its_own_entry() -> None:
    shop = Shop(a_program(expiry={"kind": "term", "days": 10}), at("2026-11-20 12:00"))
    shop.enroll("ada")
    for number in range(3):
        shop.buy("ada", f"A-{number}", 1000)
        shop.now += timedelta(days=1)
    shop.now = at("2026-12-02 12:00")
    assert shop.look("ada").lots == {"2026-12-02": 10}
    assert [entry.source["on"] for entry in shop.ledgers["ada"] if entry.type == "expiry"] == [
        "2026-11-30",
        "2026-12-01",
    ]
    assert shop.look("ada").totals.expired == 20


class TestInactivity:
    """All points live so many months from the last order or action, or redemption that the shop captured."""

    def shop(self, review: dict[str, Any] | None = None, **more: Any) -> Shop:
        review = review or {"action_id": "review", "description": "A review", "points": 1}
        program = a_program(expiry={"kind": "inactivity", "months": 6}, earning={"actions": [review]}, **more)
        shop = Shop(program, at("2026-01-31 12:00"))
        shop.enroll("ada")
        shop.buy("ada", "A-1", 1000)
        return shop

    def test_without_activity_all_points_end_together(self) -> None:
        shop = self.shop()
        assert shop.look("ada").lots == {"2026-07-31": 10}
        assert balance_at(shop, at("2026-07-31 23:59:59")) == 10
        assert balance_at(shop, at("2026-08-01 00:00")) == 0

    def test_an_order_prolongs_all_points(self) -> None:
        shop = self.shop()
        shop.now = at("2026-07-31 23:59:59")
        shop.buy("ada", "A-2", 300)
        assert shop.look("ada").lots == {"2027-01-31": 13}

    def test_what_brings_nothing_prolongs_nothing(self) -> None:
        review = {"action_id": "review", "description": "A review", "points": 1, "limit": {"times": 1, "per": "year"}}
        shop = self.shop(review)
        shop.act("ada", "review")
        shop.now = at("2026-03-10 12:00")
        for entry in (shop.buy("ada", "A-2", 1), shop.act("ada", "review")):
            assert entry.points == entry.net_effect == 0
        assert shop.look("ada").lots == {"2026-07-31": 11}

    def test_a_partners_order_prolongs_only_if_its_terms_count_it(self) -> None:
        terms = {"partner_id": "cafe", "name": "Cafe", "point_cost": {"points": 100, "amount": 100}}
        for counts_toward, last_day in ((["segments"], "2026-07-31"), (["activity"], "2026-09-10")):
            shop = self.shop(partners=[{**terms, "counts_toward": counts_toward}])
            shop.now = at("2026-03-10 12:00")
            shop.buy("ada", "C-1", 1000, partner_id="cafe")
            assert shop.look("ada").lots[last_day] >= 10

    def test_what_is_returned_has_prolonged_nothing(self) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        shop.buy("ada", "A-2", 1000)
        shop.now = at("2026-04-10 12:00")
        shop.refund("ada", "A-2", 400)
        assert shop.look("ada").lots == {"2026-09-10": 16}
        shop.refund("ada", "A-2", 600)
        assert shop.look("ada").lots == {"2026-07-31": 10}

    @pytest.mark.parametrize("first", ["A-2", "A-3"])
    def test_after_several_returns_in_any_order_the_days_are_those_of_what_is_kept(self, first: str) -> None:
        shop = self.shop()
        for day, order in (("2026-03-10", "A-2"), ("2026-04-10", "A-3"), ("2026-04-10", "A-4")):
            shop.now = at(f"{day} 12:00")
            shop.buy("ada", order, 100)
        shop.refund("ada", "A-4", 100)
        assert shop.look("ada").lots == {"2026-10-10": 12}
        second = {"A-2": "A-3", "A-3": "A-2"}[first]
        shop.refund("ada", first, 100)
        assert shop.look("ada").lots == {"2026-10-10" if first == "A-2" else "2026-09-10": 11}
        shop.refund("ada", second, 100)
        assert shop.look("ada").lots == {"2026-07-31": 10}

    def test_what_was_spent_meanwhile_is_of_the_points_that_would_have_ended_first(self) -> None:
        shop = self.shop()
        shop.now = at("2026-02-10 12:00")
        shop.adjust("ada", 5)
        shop.now = at("2026-03-10 12:00")
        shop.buy("ada", "A-2", 100)
        assert shop.look("ada").lots == {"2026-09-10": 16}
        shop.adjust("ada", -8)
        shop.refund("ada", "A-2", 100)
        assert shop.look("ada").lots == {"2026-07-31": 2, "2026-08-10": 5}

    def test_what_would_have_ended_before_its_return_ends_with_that_day(self) -> None:
        shop = self.shop()
        shop.now = at("2026-07-30 12:00")
        shop.buy("ada", "A-2", 1000)
        shop.now = at("2026-08-20 12:00")
        shop.refund("ada", "A-2", 1000)
        assert shop.look("ada").lots == {"2026-08-20": 10}
        assert balance_at(shop, at("2026-08-21 00:00")) == 0

    def test_a_redemption_that_comes_back_whole_has_prolonged_nothing(self) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        shop.reserve("ada", "R-1", 4)
        shop.capture("ada", "R-1")
        assert shop.look("ada").lots == {"2026-09-10": 6}
        shop.reverse("ada", "R-1")
        assert shop.look("ada").lots == {"2026-07-31": 10}

    def test_a_hold_that_is_let_go_has_the_day_of_the_rest(self) -> None:
        shop = self.shop(redeeming={"hold_minutes": 60 * 24 * 60})
        shop.reserve("ada", "R-1", 4)
        shop.now = at("2026-03-10 12:00")
        shop.buy("ada", "A-2", 100)
        assert shop.look("ada").holds["R-1"].lots == {"2026-09-10": 4}
        shop.refund("ada", "A-2", 100)
        assert shop.look("ada").holds["R-1"].lots == {"2026-07-31": 4}
        shop.buy("ada", "A-3", 100)
        shop.cancel("ada", "R-1", by="member:ada")
        assert shop.look("ada").lots == {"2026-09-10": 11}

    def test_an_action_prolongs_all_points(self) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        shop.act("ada", "review")
        assert shop.look("ada").lots == {"2026-09-10": 11}

    def test_a_redemption_that_the_shop_captures_prolongs_what_is_left_and_what_it_took(self) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        shop.reserve("ada", "R-1", 4)
        assert shop.look("ada").lots == {"2026-07-31": 6}
        captured = shop.capture("ada", "R-1")
        assert shop.look("ada").lots == {"2026-09-10": 6}
        assert captured.closed["R-1"].lots == {"2026-09-10": 4}

    def test_reserving_and_letting_go_prolongs_nothing(self) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        for by in ("member:app", "storefront:till"):
            shop.reserve("ada", by, 4)
            shop.cancel("ada", by, by)
        assert shop.look("ada").lots == {"2026-07-31": 10}

    @pytest.mark.parametrize("actor", ["member:app", "partner:cafe"])
    def test_what_a_member_or_a_partner_captures_prolongs_nothing(self, actor: str) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        shop.reserve("ada", "R-1", 4)
        shop.capture("ada", "R-1", actor)
        assert shop.look("ada").lots == {"2026-07-31": 6}
        shop.reverse("ada", "R-1")
        assert shop.look("ada").lots == {"2026-07-31": 10}

    def test_an_order_reported_late_prolongs_from_the_day_it_was_placed(self) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        shop.buy("ada", "A-2", 300, at("2026-03-05 12:00"))
        assert shop.look("ada").lots == {"2026-09-05": 13}

    def test_an_order_reported_later_than_a_newer_one_does_not_shorten_anything(self) -> None:
        shop = self.shop()
        shop.now = at("2026-03-10 12:00")
        shop.buy("ada", "A-2", 300)
        shop.buy("ada", "A-3", 200, at("2026-02-10 12:00"))
        assert shop.look("ada").lots == {"2026-08-10": 2, "2026-09-10": 13}

    def test_what_others_do_prolongs_nothing(self) -> None:
        shop = self.shop()
        shop.enroll("bob")
        shop.now = at("2026-03-10 12:00")
        shop.adjust("ada", 5)
        shop.buy("bob", "B-1", 100)
        shop.transfer("bob", "ada", 1)
        assert shop.look("ada").lots == {"2026-07-31": 10, "2026-09-10": 6}


def test_points_of_an_order_reported_after_their_day_get_the_grace_days() -> None:
    program = a_program(expiry={"kind": "term", "days": 30}, redeeming={"returned_points_grace_days": 14})
    shop = Shop(program, at("2026-11-20 12:00"))
    shop.enroll("ada")
    assert shop.buy("ada", "A-1", 1000, at("2026-10-20 12:00")).expires_on == date(2026, 12, 4)
    assert shop.buy("ada", "A-2", 1000, at("2026-10-21 12:00")).expires_on == date(2026, 11, 20)


def by_time(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(entry.type, entry.source["on"]) for entry in entries if "on" in entry.source]


def test_a_lot_that_has_ended_never_opens_again_even_if_the_shop_moves_west() -> None:
    """Else its expiry would be booked twice under the one key that it has."""
    shop = Shop(a_program(time_zone=KIRITIMATI, expiry={"kind": "term", "days": 1}), at("2026-11-20 12:00", KIRITIMATI))
    shop.enroll("ada")
    shop.enroll("bob")
    shop.buy("ada", "A-1", 1000)
    shop.now = at("2026-11-22 00:30", KIRITIMATI)
    assert shop.look("ada").balance == 0
    shop.program = a_program(
        time_zone=NEW_YORK,  # where it is the 21st again
        expiry={"kind": "calendar_date", "month": 11, "day": 21},
        redeeming={"returned_points_grace_days": 0},
    )
    shop.adjust("ada", 5)
    shop.adjust("bob", 7)
    shop.transfer("bob", "ada", 2)
    shop.merge("bob", "ada")
    assert shop.look("ada").lots == {"2026-11-22": 5, "2026-11-22+": 7}
    shop.now = at("2026-12-22 12:00")
    shop.look("ada")
    assert by_time(shop.ledgers["ada"]) == [("expiry", "2026-11-21"), ("expiry", "2026-11-22")]


def test_a_day_on_which_points_matured_never_matures_again_even_if_the_shop_moves_west() -> None:
    program = a_program(time_zone=KIRITIMATI, earning={"pending_days": 1})
    shop = Shop(program, at("2026-11-20 12:00", KIRITIMATI))
    shop.enroll("ada")
    shop.enroll("bob")
    shop.buy("ada", "A-1", 1000)
    shop.now = at("2026-11-21 00:30", KIRITIMATI)
    assert shop.look("ada").balance == 10
    shop.program = a_program(time_zone=NEW_YORK, earning={"pending_days": 1})
    shop.buy("ada", "A-2", 500)
    shop.buy("bob", "B-1", 200)
    shop.merge("bob", "ada")
    assert shop.look("ada").pending_points == 7
    shop.refund("ada", "A-2", 100)
    shop.now = at("2026-12-22 12:00")
    assert shop.look("ada").balance == 16
    assert by_time(shop.ledgers["ada"]) == [("maturity", "2026-11-21"), ("maturity", "2026-11-22")]
