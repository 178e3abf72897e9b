"""Members as callers name and see them."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from shared.api.schemas.money import Money, money_of
from shared.domain.facets import Traits
from shared.domain.fields import Record
from shared.domain.members.address_changes import AddressChange
from shared.domain.members.members import Consent, Member, Preferences
from shared.services.erasure import Awaited, Erased

ERASURE_REQUESTED = "erasure_requested"
"""How answers call the status of a member whose erasure waits."""


class AwaitedAddress(Record):
    """An address that counts once the member enters the code that was sent there, until `expires_at`."""

    kind: str
    value: str
    expires_at: datetime


class MemberAnswer(Record):
    """Who a member is."""

    member_id: str
    status: str
    external_id: str | None
    email: str | None
    phone: str | None
    card_number: str | None
    name: str | None
    birthday: str | None
    locale: str | None
    place: Annotated[str | None, Field(exclude_if=lambda place: place is None)] = None
    consent: Consent
    message_preferences: Preferences
    referral_code: str | None
    channel: str | None
    enrolled_at: datetime
    merged_into: str | None
    awaiting_confirmation: Annotated[tuple[AwaitedAddress, ...], Field(exclude_if=lambda waiting: not waiting)] = ()
    """Addresses that the member has entered, and is still to confirm. They alone see them."""


class TraitsAnswer(Record):
    """What segments look at in a member, besides points, tier and purchases."""

    member_id: str
    tags: tuple[str, ...]
    place: str | None
    opt_ins: tuple[str, ...]
    excluded: bool
    """Whether an address of theirs has excluded the member from earning."""


class MemberPage(Record):
    """A page of members. It may hold fewer than asked for, even none, while there are more."""

    items: tuple[MemberAnswer, ...]
    next_cursor: str | None


class MemberFound(Record):
    """The id of the member who was found."""

    member_id: str


class CodeAnswer(Record):
    """A code that names a member until `expires_at`; `text` is what a QR code says that shows it."""

    code: str
    text: str
    expires_at: datetime


class ErasedAnswer(MemberAnswer):
    """A member who was erased, and what has lapsed with that: points, and store credit if there was any."""

    lapsed_points: int
    lapsed_credit: Money | None


class ErasureAwaited(Record):
    """An erasure that waits for an operator, who is to decide by `due_on`. What is kept is not used meanwhile."""

    member_id: str
    status: str
    review_id: str
    requested_at: datetime
    due_on: date


def awaited_answer(awaited: Awaited) -> ErasureAwaited:
    """An erasure that waits, as callers see it."""
    return ErasureAwaited(member_id=awaited.member_id, status=ERASURE_REQUESTED, **awaited.request.model_dump())


def erased_answer(erased: Erased) -> ErasedAnswer:
    """An erased member, and what they have lost, as callers see them."""
    credit = None if erased.lapsed_credit is None else money_of(erased.lapsed_credit, erased.program)
    return ErasedAnswer(
        **member_answer(erased.member).model_dump(), lapsed_points=erased.lapsed_points, lapsed_credit=credit
    )


def member_answer(member: Member, waiting: Iterable[AddressChange] = ()) -> MemberAnswer:
    """A member as callers see them, with addresses that wait; while their erasure waits, nothing that is personal."""
    names = set(MemberAnswer.model_fields) - {"awaiting_confirmation"}
    if member.erasure is None:
        awaited = [
            AwaitedAddress(kind=one.kind, value=one.value, expires_at=one.ends_at) for one in waiting if one.value
        ]
        shown = {name: getattr(member, name) for name in names}
        return MemberAnswer.model_validate({**shown, "awaiting_confirmation": awaited})
    hidden = Member(member_id=member.member_id, enrolled_at=member.enrolled_at)
    shown = {name: getattr(hidden, name) for name in names}
    return MemberAnswer.model_validate({**shown, "status": ERASURE_REQUESTED})


def traits_answer(member_id: str, traits: Traits) -> TraitsAnswer:
    """A member's traits."""
    return TraitsAnswer(
        member_id=member_id,
        tags=traits.tags,
        place=traits.place,
        opt_ins=traits.opt_ins,
        excluded=traits.excluded,
    )
