"""The life of a voucher: issued with a redemption, used by its code, given back by its use's reference, or over.

It is used once, or little by little where its reward says so. What was used and is undone can be used again.
"""

from datetime import date, datetime, timedelta
from typing import Literal

from shared.domain.account import Account
from shared.domain.actors import is_shop
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.errors import (
    Fault,
    InvalidRequestError,
    InvalidStateError,
    VoucherExpiredError,
    VoucherUsedError,
)
from shared.domain.fields import PositiveAmount, PositivePoints, Record, Reference
from shared.domain.ledger import draft
from shared.domain.lots import Hold
from shared.domain.points.freezing import require_not_frozen
from shared.domain.program.program import PartnerReward, Program, Reward
from shared.domain.spending.prices import reward_value
from shared.domain.vouchers import Voucher, taken_away

LIVE_MAX = 20
"""So many vouchers wait in one account at most, beside those that a merge brings."""

VoucherState = Literal["live", "used", "expired", "taken_back"]
"""`live`: something is left. `used`: all of it was. `expired`: its last day left something. `taken_back`: something
went with its redemption, or with its member."""


class Use(Record):
    """A voucher's use at a store, under the shop's own reference: `amount` minor units of it, or `quantity` pieces.

    Without either it is all that is left.
    """

    code: Reference
    reference: Reference
    store_id: Reference | None = None
    amount: PositiveAmount | None = None
    quantity: PositivePoints | None = None


def require_room(account: Account) -> None:
    """Raises InvalidStateError if the account has as many vouchers as it may."""
    if len(account.vouchers) >= LIVE_MAX:
        raise InvalidStateError(f"{LIVE_MAX} vouchers wait to be used at most; use one of them first")


def issued(program: Program, redemption_id: str, hold: Hold, today: date) -> dict[str, Voucher]:
    """The voucher that a captured redemption brings; none if its reward, as it is now, brings none."""
    reward = program.reward(hold.reward_id) if hold.reward_id else None
    if reward is None or reward.voucher is None or hold.voucher_code is None:
        return {}
    voucher = of_reward(reward, hold.voucher_code, today, hold.quantity)
    return {redemption_id: voucher.model_copy(update={"points": hold.points})}


def of_reward(reward: Reward, code: str, today: date, quantity: int = 1) -> Voucher:
    """A voucher for so many of a reward that has terms for it, from a day on."""
    if reward.voucher is None:
        raise AssertionError(f"the reward {reward.reward_id} brings no voucher")
    days = reward.voucher.valid_days
    value = reward_value(reward)
    units = quantity * (1 if value is None else value)
    return Voucher(
        reward_id=reward.reward_id,
        code=code,
        of=units,
        left=units,
        in_money=value is not None,
        in_parts=reward.voucher.in_parts,
        ends_on=None if days is None else today + timedelta(days=days),
        partner_id=reward.partner_id if isinstance(reward, PartnerReward) else None,
        points=reward.points * quantity,
    )


def use(
    account: Account,
    program: Program,
    voucher_id: str,
    issue: Voucher,
    request: Use,
    *,
    used: int,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Use a voucher, `issue` when it was issued, of which `used` units were used before.

    Raises VoucherUsedError if less is left, VoucherExpiredError, InvalidStateError if it went with its redemption,
    InvalidRequestError for a part where it is used all at once, MemberFrozenError.
    """
    require_not_frozen(account)
    today = local_day(now, program.time_zone)
    voucher = account.vouchers.get(voucher_id)
    if voucher is None:
        state = state_of(None, issue, used, today)
        if state == "expired":
            raise VoucherExpiredError(f"the voucher could be used until {issue.ends_on}")
        if state == "taken_back":
            raise InvalidStateError("the voucher went with its redemption, which has come back")
        raise VoucherUsedError("all of the voucher has been used")
    units = _units(voucher, request)
    source = {"voucher_id": voucher_id, "reference": request.reference, "reward_id": voucher.reward_id}
    return draft(
        account,
        "voucher_use",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        vouchers={voucher_id: voucher.model_copy(update={"left": -units})},
        voucher_used=units,
        source=source | ({"store_id": request.store_id} if request.store_id else {}),
    )


def undo(
    account: Account,
    program: Program,
    voucher_id: str,
    used_by: Entry,
    *,
    used: int,
    stays: int,
    now: datetime,
    actor: str,
) -> Entry:
    """Give back what a use, the entry `used_by`, has taken; `used` units are used, this use included.

    What has come back of its redemption meanwhile does not come back here: of the voucher, `stays` units are still paid
    for. One whose last day has passed lives through the program's grace days, counted from that day, if the shop gives
    it back; after these it comes back with nothing.
    """
    [taken] = used_by.vouchers.values()
    units, live = -taken.left, account.vouchers.get(voucher_id)
    left = live.left if live else 0
    back = max(0, min(units, stays - (used - units) - left))
    today = local_day(now, program.time_zone)
    ends_on = live.ends_on if live else taken.ends_on
    if ends_on is not None and ends_on < today:
        ends_on += timedelta(days=program.redeeming.returned_points_grace_days if is_shop(actor) else 0)
        back = back if today <= ends_on else 0
    change = (live or taken).model_copy(update={"left": back, "ends_on": ends_on})
    source = {name: used_by.source[name] for name in ("voucher_id", "reference", "reward_id")}
    return draft(
        account,
        "voucher_undo",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        vouchers={voucher_id: change},
        voucher_used=-units,
        source=source,
    )


def given_up(account: Account, captured: Entry, redemption_id: str, before: int, back: int) -> dict[str, Voucher]:
    """What of a redemption's voucher goes when of its points `back` have come back, and `before` had before.

    What has been used of it is the shop's to undo first; a refund of the order that it was used on passes over it.
    """
    voucher, hold = account.vouchers.get(redemption_id), captured.closed[redemption_id]
    if voucher is None:
        return {}
    gone = paid_for(voucher, hold.points, before) - paid_for(voucher, hold.points, back)
    units = min(voucher.left, gone)
    return {redemption_id: voucher.model_copy(update={"left": -units})} if units else {}


def paid_for(voucher: Voucher, points: int, back: int) -> int:
    """How much of a voucher is still paid for, when of the points that it cost `back` have come back.

    Money falls with each point. A piece stays until the last of its points is back.
    """
    stays = points - back
    return voucher.of * stays // points if voucher.in_money else -(-voucher.of * stays // points)


def first_to_end(account: Account) -> date | None:
    """The first last day of the account's vouchers; None: none ends."""
    return min((one.ends_on for one in account.vouchers.values() if one.ends_on is not None), default=None)


def expire(account: Account, program: Program, last_day: date, ends_at: datetime, now: datetime) -> Entry:
    """What is left of vouchers whose last day has passed is gone. The caller has found the day."""
    return draft(
        account,
        "voucher_expiry",
        occurred_at=ends_at,
        recorded_at=now,
        points=0,
        program_version=program.version,
        vouchers=taken_away({name: one for name, one in account.vouchers.items() if one.ends_on == last_day}),
        source={"on": last_day.isoformat()},
    )


def state_of(live: Voucher | None, issue: Voucher, used: int, today: date) -> VoucherState:
    """How a voucher stands: `live` is what the account, settled, still has of it."""
    if live is not None:
        return "live"
    if used >= issue.of:
        return "used"
    return "expired" if issue.ends_on is not None and issue.ends_on < today else "taken_back"


def _units(voucher: Voucher, request: Use) -> int:
    asked, other = ("amount", "quantity") if voucher.in_money else ("quantity", "amount")
    if getattr(request, other) is not None:
        raise InvalidRequestError(Fault(f"/{other}", f"this voucher is used by {asked}"))
    units: int | None = getattr(request, asked)
    if units is None or units == voucher.left:
        return voucher.left
    if units > voucher.left:
        raise VoucherUsedError(f"{voucher.left} are left of the voucher, not {units}")
    if not voucher.in_parts:
        raise InvalidRequestError(Fault(f"/{asked}", f"this voucher is used all at once: {voucher.left}, or leave out"))
    return units
