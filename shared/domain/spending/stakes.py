"""Stakes: what each who shares a pool, or has left it, may take along of it.

It is what they have put in and neither spent nor lost by expiry. Of points that expire in a pool those stakes lose
first that were put in with the soonest last day, and of those with the same one each in proportion.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby

from shared.domain.account import Account
from shared.domain.facets import Use
from shared.domain.ledger import combined, negative, take
from shared.domain.lots import GRACED, LotDay, Lots

CONTRIBUTED, SPENT, EXPIRED = "contributed", "spent", "expired"
STAKE_DAYS_MAX = 60
"""So many last days are kept of a member's stake: what ends later counts with the last of them."""

_NOTHING = Use(period="always")
_UNDATED = ""
"""The last day of what was put in before stakes were kept by their days: it loses first."""


def own_points(pool: Account, member_id: str) -> int:
    """A member's stake; below 0 if they have spent or reserved others' points."""
    contributed, spent, expired = (
        pool.uses.get(f"{name}:{member_id}", _NOTHING).points for name in (CONTRIBUTED, SPENT, EXPIRED)
    )
    return contributed - spent - expired


def members_ever(pool: Account) -> list[str]:
    """Everybody who shares a pool or has put anything in."""
    moved = (name.partition(":")[2] for name in pool.uses)
    return list(dict.fromkeys([*pool.pool_members, *moved]))


def claimed_by_former(pool: Account, leaving: str) -> int:
    """The sum of the stakes of former members, without `leaving`."""
    former = set(members_ever(pool)) - {*pool.pool_members, leaving}
    return sum(max(0, own_points(pool, one)) for one in former)


def stake_of(pool: Account, member_id: str) -> dict[LotDay, int]:
    """A member's stake by its key in the account, the soonest day first: 2026-12-20/ada."""
    dated = {key: points for key, points in pool.stakes.items() if key.rpartition("/")[2] == member_id}
    undated = own_points(pool, member_id) - sum(dated.values())
    return {f"{_UNDATED}/{member_id}": undated, **dated} if undated > 0 else dated


def counts(member_id: str, *, contributed: int, spent: int) -> dict[str, Use]:
    """What an entry of a pool adds to how much a member has put in and spent, all told."""
    named = ((SPENT, spent), (CONTRIBUTED, contributed))
    return {f"{name}:{member_id}": Use(period="always", times=1, points=points) for name, points in named if points}


def moved(pool: Account, member_id: str, change: Lots) -> dict[LotDay, int]:
    """The change of stakes by what a member has put into a pool, all told, or has taken out of it.

    What is taken out goes off what ends first. Of what is put in, what ends last makes up for others' points that they
    have spent before.
    """
    stake, points = stake_of(pool, member_id), sum(change.values())
    if points < 0:
        return _dated(negative(take(stake, min(-points, sum(stake.values())))))
    by_day = combined(*({day.removesuffix(GRACED): one} for day, one in change.items()))
    more = take({day: one for day, one in by_day.items() if one > 0}, points)
    more = take(more, points - min(points, max(0, -own_points(pool, member_id))))
    after = combined(stake, {f"{day}/{member_id}": one for day, one in more.items()})
    late = list(after)[STAKE_DAYS_MAX:]
    over = sum(after.pop(key) for key in late)
    after = combined(after, {list(after)[-1]: over}) if over else after
    return _dated(combined(after, negative(stake)))


def lost(pool: Account, points: int) -> tuple[dict[str, Use], dict[LotDay, int]]:
    """What points that expire in a pool change of its counts, and of its stakes: what is nobody's is not counted."""
    stakes = combined(*(stake_of(pool, one) for one in members_ever(pool)))
    lost_of: dict[str, int] = {}
    losses: dict[LotDay, int] = {}
    for _, same_day in groupby(stakes.items(), lambda item: item[0].rpartition("/")[0]):
        for key, loss in _in_proportion(dict(same_day), points).items():
            member_id = key.rpartition("/")[2]
            losses[key], points = loss, points - loss
            lost_of[member_id] = lost_of.get(member_id, 0) + loss
    uses = {f"{EXPIRED}:{one}": Use(period="always", times=1, points=loss) for one, loss in lost_of.items()}
    return uses, _dated(negative(losses))


def lost_by(uses: Mapping[str, Use], member_ids: Iterable[str]) -> int:
    """How many points of some members' stakes an entry of a pool books as expired, by what it adds to the counts."""
    return sum(uses.get(f"{EXPIRED}:{name}", _NOTHING).points for name in member_ids)


def _in_proportion(stakes: Mapping[LotDay, int], points: int) -> dict[LotDay, int]:
    """`points`, or all if it is less, as whole ones of each stake's share."""
    total, passed, losses = sum(stakes.values()), 0, {}
    points = min(points, total)
    for key, stake in stakes.items():
        losses[key] = (passed + stake) * points // total - passed * points // total
        passed += stake
    return {key: loss for key, loss in losses.items() if loss}


def _dated(change: Lots) -> dict[LotDay, int]:
    """What an entry says of stakes: the undated rest follows from the sums."""
    return {key: points for key, points in change.items() if not key.startswith(f"{_UNDATED}/")}
