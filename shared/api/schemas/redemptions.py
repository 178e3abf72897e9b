"""A redemption as callers see it."""

from datetime import datetime

from shared.api.schemas.accounts import AccountAnswer
from shared.api.schemas.money import Money, money_of
from shared.domain import order_ids
from shared.domain.entry import Entry
from shared.domain.entry_types import RedemptionState
from shared.domain.fields import Record
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import voucher_code_of
from shared.domain.subaccounts import is_wallet, member_of


class PartnerRedemptionAnswer(Record):
    """A redemption: its state, what it took (no points, if credit) and gives, and what the member shows at the till.

    `voucher_code` is there while it is captured. `returned` says how much of it came back: points, or minor units of
    credit.
    """

    redemption_id: str
    member_id: str
    state: RedemptionState
    points: int
    value: Money | None
    voucher_code: str | None
    returned: int
    hold_expires_at: datetime
    reward_id: str | None
    order_id: str | None


class RedemptionAnswer(PartnerRedemptionAnswer):
    """A redemption, and the account now where the request has changed it. A partner is never shown the account."""

    account: AccountAnswer | None = None


class RedemptionPage(Record):
    """A page of redemptions, the newest first. It may hold fewer than asked for, even none, while there are more."""

    items: tuple[RedemptionAnswer, ...]
    next_cursor: str | None


def redemption_answer(
    entry: Entry, state: RedemptionState, program: Program, account: AccountAnswer | None = None, returned: int = 0
) -> RedemptionAnswer:
    """A redemption, from an entry of its life, the state it is in, and how much of it has come back.

    A captured one is shown from an entry whose hold has its code: see `as_captured`.
    """
    seen = partner_redemption(entry, state, program, returned)
    return RedemptionAnswer(**seen.model_dump(), account=account)


def partner_redemption(
    entry: Entry, state: RedemptionState, program: Program, returned: int = 0
) -> PartnerRedemptionAnswer:
    """As `redemption_answer`, for a partner."""
    [(redemption_id, hold)] = (entry.reversed or entry.closed or entry.opened).items()
    points, value, order_id = hold.points, hold.value, entry.source.get("order_id")
    if entry.returned is not None:
        points, value = entry.returned.of_points, entry.returned.of_value
    return PartnerRedemptionAnswer(
        redemption_id=redemption_id,
        member_id=member_of(entry.member_id) or "",
        state=state,
        points=0 if is_wallet(entry.member_id) else points,
        value=money_of(value, program),
        voucher_code=voucher_code_of(redemption_id, hold) if state == "captured" else None,
        returned=returned,
        hold_expires_at=hold.expires_at,
        reward_id=hold.reward_id,
        order_id=order_ids.shown(order_id) if order_id else None,
    )
