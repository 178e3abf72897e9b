"""Activity: what prolongs points where inactivity ends them, and what becomes of their last days once it has not been.

What is returned was never bought: once nothing of an order is kept, or all of a redemption has come back, the points
that it has prolonged have the days that they had before, unless other activity gives them the same or later ones. An
account notes how much activity gives a day, and from which lots points came to that day. What is taken meanwhile is of
those that would have ended soonest. Whatever is activity gives one day, so its entry has one mark.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.ledger import book, combined, negative, take
from shared.domain.lots import NEVER, Hold, LotDay, Lots, Prolonged
from shared.domain.points.expiry import expires_on, first_open_day, lot_day, returned_lots
from shared.domain.program.expiry import Expiry, Inactivity
from shared.domain.program.program import Program


def activity(account: Account, policy: Expiry, active_on: date, *, keeps_holds: bool = False) -> dict[str, Any]:
    """The effects of activity on a day, where inactivity ends points: all get the new deadline, reserved ones, too.

    With `keeps_holds`, what is reserved keeps its day. Points in a pool are nobody's alone: nobody's activity prolongs
    them.
    """
    if not isinstance(policy, Inactivity) or _shares(account):
        return {"lots": {}}
    return _active_until(account, lot_day(expires_on(policy, active_on)), keeps_holds=keeps_holds)


def active_by_capturing(account: Account, policy: Expiry, hold: Hold, active_on: date) -> tuple[Hold, dict[str, Any]]:
    """A captured hold, and the effects of its capture: what it takes is prolonged, and what the account has left."""
    effects = activity(account, policy, active_on, keeps_holds=True)
    if "prolonged" not in effects:
        return hold, effects
    [(deadline, mark)] = effects["prolonged"].items()
    came = combined(mark.lots, _before(hold.lots, deadline))
    captured = hold.model_copy(update={"lots": _moved(hold.lots, deadline)})
    return captured, {**effects, "prolonged": {deadline: Prolonged(by=1, lots=came)}}


def without_activity(
    account: Account, program: Program, entry: Entry, gone: Entry, *, has_grace: bool = False
) -> Entry:
    """An entry by which the activity of `gone` has not been, with what it makes of last days.

    With `has_grace`, those that have passed get the program's grace days.
    """
    if not gone.prolonged:
        return entry
    today = local_day(entry.recorded_at, program.time_zone)
    return _with(entry, inactive(book(account, entry), program, gone.prolonged, today, has_grace=has_grace))


def inactive(
    account: Account, program: Program, marks: Mapping[LotDay, Prolonged], today: date, *, has_grace: bool = False
) -> dict[str, Any]:
    """The effects on an account of activity with this mark that has not been; what would have ended ends today.

    Who shares a pool has put in there what it had prolonged: `account` has the pool's lots, too.
    """
    [deadline] = marks
    known = account.prolonged.get(deadline)
    if known is None or known.by == 0:
        return {"lots": {}}
    if known.by > 1:
        return {"lots": {}, "prolonged": {deadline: Prolonged(by=-1)}}
    return _brought_back(account, program, deadline, today, has_grace=has_grace)


def beside(effects: Mapping[str, Any], active: Mapping[str, Any]) -> dict[str, Any]:
    """Effects, with those that activity, or its end, has beside them."""
    return {**effects, **active, "lots": combined(effects["lots"], active["lots"])}


def active_again(account: Account, marks: Mapping[LotDay, Prolonged], today: date) -> dict[str, Any]:
    """The effects on an account of activity with this mark that has been after all; in a pool, on what it prolonged."""
    [(deadline, mark)] = marks.items()
    if deadline < first_open_day(account, today).isoformat():
        return {"lots": {}}
    if not _shares(account):
        return _active_until(account, deadline)
    ours = {day: min(points, mark.lots.get(day, 0)) for day, points in account.lots.items()}
    return _active_until(account.model_copy(update={"lots": combined(ours)}), deadline, keeps_holds=True)


def _shares(account: Account) -> bool:
    return bool(account.pool_id) and not account.frozen


def _active_until(account: Account, deadline: LotDay, *, keeps_holds: bool = False) -> dict[str, Any]:
    held = {} if keeps_holds else account.holds
    closed = {name: hold for name, hold in held.items() if _before(hold.lots, deadline)}
    opened = {name: hold.model_copy(update={"lots": _moved(hold.lots, deadline)}) for name, hold in closed.items()}
    early = _before(account.lots, deadline)
    came = combined(early, *(_before(hold.lots, deadline) for hold in closed.values()))
    lots = combined(negative(early), {deadline: sum(early.values())})
    return {
        "lots": lots,
        "prolonged": {deadline: Prolonged(by=1, lots=came)},
        "opened": opened,
        "closed": closed,
    }


def _before(lots: Lots, deadline: LotDay) -> dict[LotDay, int]:
    return {day: points for day, points in lots.items() if day < deadline}


def _moved(lots: Lots, deadline: LotDay) -> dict[LotDay, int]:
    early = _before(lots, deadline)
    return combined(lots, negative(early), {deadline: sum(early.values())})


def _brought_back(
    account: Account, program: Program, deadline: LotDay, today: date, *, has_grace: bool
) -> dict[str, Any]:
    """The effects by which the points of a deadline that nothing gives any more have their days before it."""
    holds = {name: hold for name, hold in sorted(account.holds.items()) if hold.lots.get(deadline, 0)}
    available = account.lots.get(deadline, 0)
    points = available + sum(hold.lots[deadline] for hold in holds.values())
    known = {**account.prolonged, deadline: account.prolonged[deadline].model_copy(update={"by": 0})}
    days, used = _days_before(known, deadline, points)
    marks = {day: Prolonged(by=-(day == deadline), lots=negative(change)) for day, change in used.items()}
    opened: dict[str, Hold] = {}
    for name, hold in holds.items():
        theirs = take(days, hold.lots[deadline])
        days = combined(days, negative(theirs))
        lots = combined(hold.lots, {deadline: -hold.lots[deadline]}, theirs)
        if lots != dict(hold.lots):
            opened[name] = hold.model_copy(update={"lots": lots})
    living, ended = returned_lots(account, program, days, today, has_grace=has_grace)
    ending = {lot_day(first_open_day(account, today)): sum(ended.values())}
    return {
        "lots": combined({deadline: -available}, living, ending),
        "prolonged": {deadline: Prolonged(by=-1), **marks},
        "opened": opened,
        "closed": {name: holds[name] for name in opened},
    }


def _days_before(
    known: Mapping[LotDay, Prolonged], day: LotDay, points: int
) -> tuple[dict[LotDay, int], dict[LotDay, dict[LotDay, int]]]:
    """The lots of `points` before activity brought them to a day; and which notes of that are used up, by the day.

    Those that would have ended soonest have been taken first, so the last ones are left. A day that other activity
    gives, or points of their own have, they keep.
    """
    note = known.get(day)
    if note is None or note.by > 0 or day == NEVER:
        return {day: points}, {}
    earlier = sum(note.lots.values())
    left = combined(note.lots, negative(take(note.lots, max(0, earlier - points))))
    days, used = {day: max(0, points - earlier)}, {day: left}
    for one, part in left.items():
        more, also = _days_before(known, one, part)
        days = combined(days, more)
        used = {name: combined(used.get(name, {}), also.get(name, {})) for name in {*used, *also}}
    return {one: part for one, part in days.items() if part}, used


def _with(entry: Entry, effects: Mapping[str, Any]) -> Entry:
    """An entry with further effects, which leave the balance as it is."""
    more = {
        name: {**getattr(entry, name), **effects[name]} for name in ("prolonged", "opened", "closed") if name in effects
    }
    return entry.model_copy(update={"lots": combined(entry.lots, effects["lots"]), **more})
