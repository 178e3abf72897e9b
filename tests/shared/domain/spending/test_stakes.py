"""What each who shares a pool may take along."""

from shared.domain.account import Account
from shared.domain.facets import Use
from shared.domain.ledger import combined
from shared.domain.spending import stakes


def a_pool(lots: dict[str, int], days: dict[str, int], **counts: int) -> Account:
    """A pool with `lots`, the `days` of its members' stakes, and their counts: contributed_ada=10."""
    uses = {name.replace("_", ":"): Use(period="always", times=1, points=points) for name, points in counts.items()}
    return Account(member_id="p~pool", sequence=1, lots=lots, stakes=days, uses=uses, pool_members=("ada", "bob"))


def points_of(uses: dict[str, Use]) -> dict[str, int]:
    return {name: use.points for name, use in uses.items()}


def test_a_stake_is_what_was_put_in_and_neither_spent_nor_lost() -> None:
    pool = a_pool({}, {}, contributed_ada=10, spent_ada=3, expired_ada=2, spent_bob=4)
    assert (stakes.own_points(pool, "ada"), stakes.own_points(pool, "bob")) == (5, -4)
    assert (stakes.stake_of(pool, "ada"), stakes.stake_of(pool, "bob")) == ({"/ada": 5}, {})


def test_what_was_put_in_before_days_were_kept_expires_first() -> None:
    pool = a_pool({"2026-12-20": 20}, {"2026-12-20/bob": 10}, contributed_ada=10, contributed_bob=10)
    uses, change = stakes.lost(pool, 12)
    assert (points_of(uses), change) == ({"expired:ada": 10, "expired:bob": 2}, {"2026-12-20/bob": -2})


def test_of_one_day_each_loses_a_share_to_the_point() -> None:
    days = {"2026-12-20/ada": 10, "2026-12-20/bob": 21, "2026-12-25/ada": 5}
    pool = a_pool({"2026-12-20": 31}, days, contributed_ada=15, contributed_bob=21)
    for points in range(32):
        uses, change = stakes.lost(pool, points)
        assert sum(points_of(uses).values()) == points == -sum(change.values())
        assert abs(points_of(uses).get("expired:ada", 0) - points * 10 / 31) < 1
    uses, change = stakes.lost(pool, 33)
    assert (points_of(uses)["expired:ada"], change["2026-12-25/ada"]) == (12, -2)


def test_what_is_nobodys_is_nobodys_loss() -> None:
    pool = a_pool({"2026-12-20": 9}, {"2026-12-20/ada": 4}, contributed_ada=4)
    assert points_of(stakes.lost(pool, 9)[0]) == {"expired:ada": 4}


def test_what_is_spent_goes_off_what_ends_first_whichever_lot_it_came_from() -> None:
    pool = a_pool({}, {"2026-12-20/ada": 4, "2026-12-25/ada": 4}, contributed_ada=8)
    assert stakes.moved(pool, "ada", {"2026-12-25": -5}) == {"2026-12-20/ada": -4, "2026-12-25/ada": -1}
    assert stakes.moved(pool, "ada", {"2026-12-25": -9}) == {"2026-12-20/ada": -4, "2026-12-25/ada": -4}


def test_others_points_are_made_up_for_by_what_ends_last() -> None:
    pool = a_pool({}, {}, spent_ada=5)
    brought = {"2026-12-20": 4, "2026-12-25+": 4}
    assert stakes.moved(pool, "ada", brought) == {"2026-12-20/ada": 3}
    assert stakes.moved(pool, "bob", brought) == {"2026-12-20/bob": 4, "2026-12-25/bob": 4}


def test_lots_that_only_get_another_day_change_no_stake() -> None:
    pool = a_pool({}, {"2026-12-20/ada": 4}, contributed_ada=4)
    assert stakes.moved(pool, "bob", {"2026-12-20": -4, "2026-12-25": 4}) == {}


def test_only_so_many_days_of_a_member_are_kept_apart() -> None:
    pool = a_pool({}, {}, contributed_bob=1)
    for number in range(stakes.STAKE_DAYS_MAX + 3):
        change = stakes.moved(pool, "ada", {f"2027-{1 + number // 28:02}-{1 + number % 28:02}": 1})
        counted = {**pool.uses, "contributed:ada": Use(period="always", times=1, points=number + 1)}
        pool = pool.model_copy(update={"stakes": combined(pool.stakes, change), "uses": counted})
    kept = stakes.stake_of(pool, "ada")
    assert (len(kept), sum(kept.values())) == (stakes.STAKE_DAYS_MAX, stakes.STAKE_DAYS_MAX + 3)
    assert list(kept.values())[-1] == 4
