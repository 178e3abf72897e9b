"""Points that wait for an operator's approval: granted from the day of the approval on, or taken back."""

from typing import Any, Literal

from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.explanations import explained
from shared.domain.ledger import combined, draft, uses_given_back
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.activity import activity, beside
from shared.domain.points.grants import granted, with_tier_raised
from shared.domain.points.reviews import Review, Verdict
from shared.domain.program.program import Program

_APPROVAL = "approval"


def left_waiting(account: Account, entry: Entry) -> Entry:
    """The entry of an action, its points left waiting: until the approval they count for nothing."""
    waiting = {
        "lots": {},
        "debt": 0,
        "balance_after": account.balance,
        "pending": {UNTIL_APPROVED: entry.points},
        "available_on": None,
        "expires_on": None,
        "earned": 0,
        "qualifying": {},
        "tier": None,
        "source": {**entry.source, _APPROVAL: "needed"},
    }
    return entry.model_copy(update=waiting)


def waits_for_approval(entry: Entry) -> bool:
    """Whether the entry's points wait for an operator's approval."""
    return entry.type == "earn" and _APPROVAL in entry.source


def review_of_action(entry: Entry, review_id: str) -> Review:
    """The question that an action's entry puts to operators."""
    return Review(
        review_id=review_id,
        kind="action",
        member_id=entry.member_id,
        requested_by=entry.actor,
        requested_at=entry.recorded_at,
        what=f"{entry.breakdown[0].description}: {entry.points} points",
        details={**entry.source, "points": str(entry.points), "occurred_at": entry.occurred_at.isoformat()},
    )


def approve_action(account: Account, program: Program, earned: Entry, verdict: Verdict) -> Entry:
    """Grant the points that `earned` left waiting, as if they had been earned at the approval.

    Raises InvalidStateError if they are gone.
    """
    points = _waiting(account, earned)
    today = local_day(verdict.at, program.time_zone)
    effects = granted(account, program, points, today, today)
    effects["pending"] = combined(effects.get("pending", {}), {UNTIL_APPROVED: -points})
    effects = beside(effects, activity(account, program.expiry, today))
    counts = points if program.tiers.measure == "points" else 0
    entry = _decision(
        account,
        program,
        "approve",
        earned,
        verdict,
        points=0,
        **effects,
        earned=points,
        qualifying={month_of(today): counts} if counts else {},
        breakdown=earned.breakdown,
    )
    return with_tier_raised(account, program, entry, today)


def reject_action(account: Account, program: Program, earned: Entry, verdict: Verdict) -> Entry:
    """Take back the points that `earned` left waiting; the action does not count against its limits.

    Raises InvalidStateError if they are gone.
    """
    points = _waiting(account, earned)
    pending, uses = {UNTIL_APPROVED: -points}, uses_given_back(earned.uses)
    return _decision(account, program, "reject", earned, verdict, points=-points, pending=pending, uses=uses)


def _waiting(account: Account, earned: Entry) -> int:
    points = earned.pending.get(UNTIL_APPROVED, 0)
    if account.pending.get(UNTIL_APPROVED, 0) < points:
        raise InvalidStateError("the points that waited for this are gone")
    return points


def _decision(
    account: Account,
    program: Program,
    type_: Literal["approve", "reject"],
    about: Entry,
    verdict: Verdict,
    **effects: Any,  # noqa: ANN401
) -> Entry:
    source = {"action": about.source["action"], "reference": about.source["reference"]}
    return draft(
        account,
        type_,
        occurred_at=verdict.at,
        recorded_at=verdict.at,
        program_version=program.version,
        actor=verdict.actor,
        fingerprint=verdict.fingerprint,
        source={**source, **(explained(verdict.reason, verdict.note) if verdict.reason else {})},
        **effects,
    )
