"""How much one member may give to others: each gift or transfer by itself, in a period, and both together."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from shared.domain.account import Account
from shared.domain.calendar import period_frees_on
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError
from shared.domain.facets import Use
from shared.domain.points.limits import one_more, used
from shared.domain.program.common import Limit
from shared.domain.program.program import Program
from shared.domain.program.sharing import Gifts, Transfers

Way = Literal["gift", "transfer"]
_TOGETHER = "sharing"


def counted(
    giver: Account, program: Program, way: Way, terms: Gifts | Transfers, points: int, today: date
) -> Mapping[str, Use]:
    """What points given away count toward, by the limit's name.

    Raises InvalidRequestError if they are more than one gift or transfer may have, and InvalidStateError if a limit of
    a period is reached.
    """
    if terms.points_max is not None and points > terms.points_max:
        raise InvalidRequestError(Fault("/points", f"a {way} has at most {terms.points_max} points"))
    limits = {way: (terms.limit, f"{way}s"), _TOGETHER: (program.sharing_limit, "gifts and transfers")}
    uses = {}
    for name, (limit, what) in limits.items():
        if limit is not None:
            _require_within(giver, name, limit, what, points, today)
            uses[name] = one_more(giver, name, limit, today, points)
    return uses


def _require_within(giver: Account, name: str, limit: Limit, what: str, points: int, today: date) -> None:
    use = used(giver, name, limit, today)
    is_often = limit.times is not None and use.times >= limit.times
    is_much = limit.points is not None and use.points + points > limit.points
    if is_often or is_much:
        most = [f"{limit.times} {what}" if limit.times else "", f"{limit.points} points" if limit.points else ""]
        by = "" if limit.times or name != _TOGETHER else f" by {what}"
        frees_on = period_frees_on(today, limit.per)
        until = f"; it frees on {frees_on}" if frees_on else "; it never frees"
        detail = f"a member gives at most {' and '.join(filter(None, most))}{by} per {limit.per}"
        raise InvalidStateError(f"{detail}, {use.points} points so far{until}")
