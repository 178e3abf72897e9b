"""What an action earns: something other than an order, such as a review."""

from datetime import date, datetime, timedelta

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.earnings import Earned, earn_entry, under_caps
from shared.domain.earning.moments import moment
from shared.domain.earning.terms import terms_of_points
from shared.domain.entry import Entry, Piece
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.facets import Use
from shared.domain.fields import Instant, Record, Reference, Text
from shared.domain.points.approvals import left_waiting
from shared.domain.points.eligibility import is_excluded, nothing_for_excluded
from shared.domain.points.grants import with_tier_raised
from shared.domain.points.limits import allowance, one_more, reached
from shared.domain.program.program import Action, Program


class Occasion(Record):
    """An action that a member took."""

    action: Reference
    reference: Reference
    occurred_at: Instant | None = None
    note: Text | None = None


def earn_action(
    account: Account, program: Program, occasion: Occasion, *, now: datetime, actor: str, fingerprint: str
) -> Entry:
    """Credit an action; past its limit it is booked with no points, and the entry says when the limit frees.

    Where the action asks for approval, its points wait for it.

    Raises InvalidRequestError if the program does not know the action, or for a moment that it does not take.
    """
    action = next((one for one in program.earning.actions if one.action_id == occasion.action), None)
    if action is None:
        known = ", ".join(one.action_id for one in program.earning.actions) or "none"
        raise InvalidRequestError(Fault("/action", f"{occasion.action!r} is not an action of the program: {known}"))
    earned = _action_earnings(account, program, action, now)
    entry = earn_entry(
        account,
        program,
        terms_of_points(program),
        earned,
        member=account,
        occurred_at=moment(occasion.occurred_at, "/occurred_at", program, now),
        now=now,
        actor=actor,
        fingerprint=fingerprint,
        source={"action": occasion.action, "reference": occasion.reference},
        counts=earned.points if program.tiers.measure == "points" else 0,
        is_activity=not action.approval,
    )
    entry = with_tier_raised(account, program, entry, local_day(now, program.time_zone))
    return left_waiting(account, entry) if action.approval and entry.points else entry


def _action_earnings(account: Account, program: Program, action: Action, now: datetime) -> Earned:
    if is_excluded(account, program):
        return Earned((nothing_for_excluded(),), is_excluded=True)
    today = local_day(now, program.time_zone)
    name, rests = f"action:{action.action_id}", f"cool_off:{action.action_id}"
    cap = allowance(account, name, action.limit, today)
    points = action.points if cap is None else min(action.points, cap)
    text = action.description
    if action.limit and points < action.points:
        text = f"{text} ({reached(action.limit, today)})"
    frees_on = _cools_off_until(account, rests, action.cool_off_days)
    if frees_on is not None and today < frees_on:
        points, text = 0, f"{action.description} (once in {action.cool_off_days} days, frees on {frees_on})"
    elif action.approval and account.status != "active":
        points, text = 0, f"{action.description} (for those who have agreed to the terms)"
    earned = Earned((Piece(rule_id=name, points=points, description=text),))
    capped = under_caps(account, program, earned, today, is_order=False)
    uses = dict(capped.uses)  # what a cap has cut off has used up nothing of the action's own limit
    if action.limit and capped.points:
        uses[name] = one_more(account, name, action.limit, today, capped.points)
    if action.cool_off_days and capped.points:
        uses[rests] = Use(period=today.isoformat(), times=1)
    return capped._replace(uses=uses)


def _cools_off_until(account: Account, name: str, days: int | None) -> date | None:
    """The day on which an action pays again; None: it does not rest."""
    last = account.uses.get(name)
    if days is None or last is None or not last.times:
        return None
    return date.fromisoformat(last.period) + timedelta(days=days)
