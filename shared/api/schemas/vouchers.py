"""Vouchers as callers see them."""

from datetime import date, datetime

from shared.api.schemas.money import Money, money_of
from shared.domain.fields import Record
from shared.domain.spending.vouchers import VoucherState
from shared.services.vouchers import BookedUse, Found, LookedUp, Used


class VoucherAnswer(Record):
    """A voucher: what it is for, what it was good for and what is left of it, in money or in pieces, and how it stands.

    `voucher_id` is the redemption's id, where one brought it.
    """

    voucher_id: str
    member_id: str
    state: VoucherState
    reward_id: str
    name: str | None
    value: Money | None
    left: Money | None
    quantity: int | None
    quantity_left: int | None
    in_parts: bool
    ends_on: date | None


class OwnVoucherAnswer(VoucherAnswer):
    """A member's voucher, with the code that is shown at the till."""

    code: str


class VoucherUseAnswer(Record):
    """A use of a voucher: under which reference, how much, in money or in pieces, and when it was undone."""

    reference: str
    store_id: str | None
    amount: Money | None
    quantity: int | None
    used_at: datetime
    undone_at: datetime | None


class UsedVoucherAnswer(Record):
    """A voucher after a use or its undoing, and that use."""

    voucher: VoucherAnswer
    use: VoucherUseAnswer


class FoundVoucherAnswer(Record):
    """A voucher, and its uses, the first one first."""

    voucher: VoucherAnswer
    uses: tuple[VoucherUseAnswer, ...]


class VoucherList(Record):
    """The vouchers that a member can use, those first that end soonest."""

    items: tuple[OwnVoucherAnswer, ...]


def found_voucher(looked_up: LookedUp) -> FoundVoucherAnswer:
    """A voucher that was looked up."""
    found = looked_up.found
    return FoundVoucherAnswer(voucher=_voucher(found), uses=tuple(_use(found, one) for one in looked_up.uses))


def used_voucher(used: Used) -> UsedVoucherAnswer:
    """A voucher that was used, or whose use was undone."""
    return UsedVoucherAnswer(voucher=_voucher(used.found), use=_use(used.found, used.use))


def own_voucher(found: Found) -> OwnVoucherAnswer:
    """A voucher for whoever has it."""
    return OwnVoucherAnswer(**_voucher(found).model_dump(), code=found.voucher.code)


def _voucher(found: Found) -> VoucherAnswer:
    voucher, reward = found.voucher, found.program.reward(found.voucher.reward_id)
    in_money = voucher.in_money
    return VoucherAnswer(
        voucher_id=found.voucher_id,
        member_id=found.member_id,
        state=found.state,
        reward_id=voucher.reward_id,
        name=reward.name if reward else None,
        value=money_of(voucher.of, found.program) if in_money else None,
        left=money_of(found.left, found.program) if in_money else None,
        quantity=None if in_money else voucher.of,
        quantity_left=None if in_money else found.left,
        in_parts=voucher.in_parts,
        ends_on=voucher.ends_on,
    )


def _use(found: Found, use: BookedUse) -> VoucherUseAnswer:
    units, source = use.entry.voucher_used, use.entry.source
    return VoucherUseAnswer(
        reference=source["reference"],
        store_id=source.get("store_id"),
        amount=money_of(units, found.program) if found.voucher.in_money else None,
        quantity=None if found.voucher.in_money else units,
        used_at=use.entry.recorded_at,
        undone_at=use.undone_at,
    )
