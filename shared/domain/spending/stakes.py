"""Stakes: what each who shares a pool, or has left it, may take along of it.

It is what they have put in and neither spent nor lost by expiry. Of points that expire in a pool those stakes lose
first that were put in with the soonest last day, and of those with the same one each in proportion.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from shared.domain.account import Account
from shared.domain.facets import Use
from shared.domain.ledger import combined, negative, take
from shared.domain.lots import LotDay, Lots

CONTRIBUTED, SPENT, EXPIRED = "contributed", "spent", "expired"
STAKE_DAYS_MAX = 60
"""So many last days are kept of a member's stake: what ends later counts with the last of them."""

_NOTHING = Use(period="always")
_UNDATED = ""
"""The last day of what was put in before stakes were kept by their days: it loses first."""


def own_points(pool: Account, ids: Iterable[str]) -> int:
    """A member's stake, by all ids that they have had; below 0 if they have spent or reserved others' points."""
    return sum(
        pool.uses.get(f"{CONTRIBUTED}:{one}", _NOTHING).points
        - pool.uses.get(f"{SPENT}:{one}", _NOTHING).points
        - pool.uses.get(f"{EXPIRED}:{one}", _NOTHING).points
        for one in ids
    )


def members_ever(pool: Account) -> list[str]:
    """Everybody who shares a pool or has put anything in."""
    moved = (name.partition(":")[2] for name in pool.uses)
    return list(dict.fromkeys([*pool.pool_members, *moved]))


def claimed_by_former(pool: Account, but: Sequence[str]) -> int:
    """What those have a stake in who share a pool no longer, `but` for some ids."""
    former = set(members_ever(pool)) - {*pool.pool_members, *but}
    return sum(max(0, own_points(pool, [one])) for one in former)


def stake_of(pool: Account, ids: Sequence[str]) -> dict[LotDay, int]:
    """A member's stake by its key in the account, the soonest day first: 2026-12-20/ada."""
    dated = {key: points for key, points in pool.stakes.items() if key.rpartition("/")[2] in ids}
    undated = own_points(pool, ids) - sum(dated.values())
    return {f"{_UNDATED}/{ids[0]}": undated, **dated} if undated > 0 else dated


def put_in(stake: Lots, own: int, lots: Lots, member_id: str) -> dict[LotDay, int]:
    """A stake once its member puts in lots: others' points that they have spent, `own` being below 0, are made up for
    by what ends last."""
    points = sum(lots.values())
    more = take(lots, points - min(points, max(0, -own)))
    after = combined(stake, {f"{day}/{member_id}": points for day, points in more.items()})
    late = list(after)[STAKE_DAYS_MAX:]
    over = sum(after.pop(key) for key in late)
    return combined(after, {list(after)[-1]: over}) if over else after


def taken_out(stake: Lots, points: int) -> dict[LotDay, int]:
    """A stake once its member has spent points, what ends first going first; more of them have been others'."""
    return combined(stake, negative(take(stake, min(points, sum(stake.values())))))


def change_of(before: Lots, after: Lots) -> dict[LotDay, int]:
    """What an entry says of a stake: the undated rest follows from the sums."""
    change = combined(after, negative(before))
    return {key: points for key, points in change.items() if not key.startswith(f"{_UNDATED}/")}


def lost(pool: Account, points: int) -> tuple[dict[str, Use], dict[LotDay, int]]:
    """What points that expire in a pool change of its counts, and of its stakes: what is nobody's is not counted."""
    stakes = combined(*(stake_of(pool, [one]) for one in members_ever(pool)))
    losses: dict[LotDay, int] = {}
    for _, same_day in groupby(stakes.items(), lambda item: item[0].rpartition("/")[0]):
        losses |= _in_proportion(dict(same_day), points - sum(losses.values()))
    uses: dict[str, Use] = {}
    for key, loss in losses.items():
        name = f"{EXPIRED}:{key.rpartition('/')[2]}"
        before = uses.get(name, _NOTHING)
        uses[name] = Use(period="always", times=1, points=before.points + loss)
    return uses, change_of(losses, {})


def _in_proportion(stakes: Mapping[LotDay, int], points: int) -> dict[LotDay, int]:
    """`points`, or all if it is less, as whole ones of each stake's share."""
    total, passed, losses = sum(stakes.values()), 0, {}
    points = min(points, total)
    for key, stake in stakes.items():
        losses[key] = (passed + stake) * points // total - passed * points // total
        passed += stake
    return {key: loss for key, loss in losses.items() if loss}
