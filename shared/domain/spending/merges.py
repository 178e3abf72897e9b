"""Merging two members: what the one has goes to the other, each lot with its dates."""

from datetime import date, datetime
from typing import Any

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.challenges import merged_badges, merged_progress
from shared.domain.earning.provisional import require_consent
from shared.domain.earning.referrals import carried, carried_beside
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError
from shared.domain.facets import Membership, TierStatus, Traits
from shared.domain.ledger import combined, draft, negative, take, uses_brought
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.expiry import maturing_day, moved_lots
from shared.domain.points.freezing import require_not_frozen
from shared.domain.points.grants import with_tier_raised
from shared.domain.points.paid_plans import current
from shared.domain.points.segments import united
from shared.domain.points.tiers_by_hand import longer
from shared.domain.program.program import Program
from shared.domain.spending.transfers import Moved
from shared.domain.vouchers import taken_away

MERGES_MAX = 20


def merge(gone: Account, into: Account, program: Program, *, now: datetime, actor: str) -> Moved:
    """Make two accounts one: lots, pending points and open holds with their dates, debt, counters, the higher tier.

    Raises InvalidRequestError if both are the same, MemberFrozenError if `gone` is frozen, InvalidStateError if `into`
    has taken in too many others.
    """
    if gone.member_id == into.member_id:
        raise InvalidRequestError(Fault("/from_member_id", "must be another member"))
    require_not_frozen(gone)
    require_consent(gone)
    require_consent(into)
    absorbed = gone.ids
    if len(into.merged_from) + len(absorbed) > MERGES_MAX:
        have = len(into.merged_from)
        raise InvalidStateError(f"a member can take in at most {MERGES_MAX} others, ever; {have} are in already")
    shared: dict[str, Any] = {
        "occurred_at": now,
        "recorded_at": now,
        "program_version": program.version,
        "actor": actor,
    }
    source = {"from": gone.member_id, "into": into.member_id}
    points = gone.balance + gone.pending_points - gone.debt
    out = draft(
        gone,
        "merge_out",
        **shared,
        points=-points,
        lots=negative(gone.lots),
        pending=negative(gone.pending),
        debt=-gone.debt,
        closed=dict(gone.holds),
        earned=-gone.earned,
        forgiven_lots=negative(gone.forgiven),
        vouchers=taken_away(gone.vouchers),
        source=source,
    )
    today = local_day(now, program.time_zone)
    incoming = moved_lots(into, gone.lots, today)
    received = draft(
        into,
        "merge_in",
        **shared,
        points=points,
        **_with_debt(into, incoming, gone.debt),
        pending=_pending_in(gone, into),
        opened=dict(gone.holds),
        earned=gone.earned,
        forgiven_lots=dict(gone.forgiven),
        vouchers=dict(gone.vouchers),
        prolonged=dict(gone.prolonged),
        qualifying=dict(gone.qualifying),
        qualifying_before=max(0, gone.qualifying_ever - sum(gone.qualifying.values())),
        uses=uses_brought(gone.uses, into.uses, today),
        tier=higher_tier(gone, into, program),
        tier_by_hand=longer(gone.tier_by_hand, into.tier_by_hand),
        badges=merged_badges(gone, into),
        progress=merged_progress(gone, into),
        membership=_longer_paid(gone, into),
        source=source,
        merged_from=absorbed,
        referred=carried(gone, into),
        also_referred=carried_beside(gone, into),
        activity=dict(gone.activity),
        last_order_on=gone.last_order_on,
        traits=None if gone.traits == Traits() else united(gone.traits, into.traits),
    )
    return Moved(out, with_tier_raised(into, program, received, today))


def _with_debt(into: Account, lots: dict[str, int], debt: int) -> dict[str, Any]:
    """What two debts and two balances make together: no account owes points while it has any."""
    owed = into.debt + debt
    have = combined(into.lots, lots)
    settled = take(have, min(owed, sum(have.values())))
    return {
        "lots": combined(lots, negative(settled)),
        "debt": debt - sum(settled.values()),
    }


def _pending_in(gone: Account, into: Account) -> dict[str, int]:
    """Pending points keep their days, but for a day whose maturity `into` has already booked."""
    waiting = {key: points for key, points in gone.pending.items() if key == UNTIL_APPROVED}
    days = {key: date.fromisoformat(key.split("/")[0]) for key in gone.pending if key not in waiting}
    dated = ({key.replace(f"{day}/", f"{maturing_day(into, day)}/"): gone.pending[key]} for key, day in days.items())
    return combined(waiting, *dated)


def _longer_paid(gone: Account, into: Account) -> Membership | None:
    """The membership that `into` takes over: it has none, or one that ends sooner."""
    theirs, own = current(gone), current(into)
    return theirs if theirs and (own is None or own.paid_through < theirs.paid_through) else None


def higher_tier(gone: Account, into: Account, program: Program) -> TierStatus | None:
    """The tier of `gone`, if that is higher than the one of `into`."""
    ranks = {account.member_id: program.tiers.rank(account.tier_status().tier_id) or 0 for account in (gone, into)}
    return gone.tier if ranks[gone.member_id] > ranks[into.member_id] else None
