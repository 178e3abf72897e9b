"""Changes of a member's e-mail address or phone number: asked for, confirmed with a code, and undone from the old one.

What a member enters is nobody's until they have entered the code that was sent there. Then it is theirs, and the
address before it gets a link that undoes the change for a week. What the shop enters counts at once, and ends what
waits: a thief who has lost an address to the shop cannot take it back.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self

from shared.domain import codes
from shared.domain.errors import TooManyRequestsError
from shared.domain.fields import Stored
from shared.domain.members.codes import LENGTH
from shared.domain.members.members import ADDRESS_KINDS, AddressKind, Member

CONFIRMED_WITHIN = timedelta(hours=24)
UNDONE_WITHIN = timedelta(days=7)
CHANGES_MAX = 5
"""How often a member changes an address of one kind in a week: one link undoes all that came after it."""
_ID_LENGTH = 16


class AddressChange(Stored):
    """One change of an address. Code and link follow from its id, which chance has drawn, and the shop's key."""

    change_id: str
    kind: AddressKind
    value: str | None
    """The new address; None: there is none any more."""
    old: str | None = None
    """The address before, once the change has been made."""
    at: datetime
    """When it was asked for, or made."""
    ends_at: datetime
    """Until when it can be confirmed, or undone."""
    is_made: bool = False
    is_shops: bool = False
    """Whether the shop has made it, which no link undoes."""
    is_undone: bool = False

    @property
    def waits(self) -> bool:
        """Whether it is to be confirmed."""
        return not self.is_made

    @property
    def can_be_undone(self) -> bool:
        """Whether a link undoes it, while it lasts."""
        return self.is_made and not self.is_shops and not self.is_undone and self.old is not None

    def made(self, old: str | None, now: datetime) -> Self:
        """The change when it has been confirmed, or needed no confirmation."""
        update = {"old": old, "at": now, "ends_at": now + UNDONE_WITHIN, "is_made": True}
        return self.model_copy(update=update)

    def undone(self) -> Self:
        """The change when it has been undone; what it was about is forgotten."""
        return self.model_copy(update={"is_undone": True, "value": None, "old": None})


def asked(kind: AddressKind, value: str | None, now: datetime, choice: Callable[[str], str]) -> AddressChange:
    """A new change, as a member or the shop asks for it; `choice` draws its id."""
    change_id = codes.drawn(choice, _ID_LENGTH)
    return AddressChange(change_id=change_id, kind=kind, value=value, at=now, ends_at=now + CONFIRMED_WITHIN)


def code_of(digest: str) -> str:
    """A code of characters that nobody mistakes, from a keyed hash in hexadecimal digits."""
    return codes.of_digest(digest, LENGTH)


def differences(before: Member, after: Member) -> list[AddressKind]:
    """Which addresses have changed."""
    return [kind for kind in ADDRESS_KINDS if getattr(before, kind) != getattr(after, kind)]


def waiting(known: Iterable[AddressChange], now: datetime) -> list[AddressChange]:
    """Those that are to be confirmed, and still can be."""
    return [one for one in known if one.waits and now < one.ends_at]


def superseded(known: Iterable[AddressChange], kind: AddressKind) -> list[AddressChange]:
    """What another change of the same address ends: what waits to be confirmed."""
    return [one for one in known if one.kind == kind and one.waits]


def ended_by_shop(known: Iterable[AddressChange], kind: AddressKind) -> list[AddressChange]:
    """What the shop's own change of an address ends: all that waits to be confirmed, or could be undone."""
    return [one for one in known if one.kind == kind and not one.is_undone]


def ended_by_undoing(known: Iterable[AddressChange], change: AddressChange) -> list[AddressChange]:
    """What ends when a change is undone: what came of the same address after it, whoever asked for it."""
    others = (one for one in known if one.change_id != change.change_id and one.kind == change.kind)
    return [one for one in others if not one.is_undone and (one.waits or one.at >= change.at)]


def require_may_change(known: Sequence[AddressChange], kind: AddressKind, now: datetime) -> None:
    """Raises TooManyRequestsError for a member who has changed an address too often this week."""
    own = (one for one in known if one.kind == kind and one.is_made and not one.is_shops and not one.is_undone)
    made = [one for one in own if now < one.ends_at]
    if len(made) >= CHANGES_MAX:
        left = min(one.ends_at for one in made) - now
        detail = f"an address can be changed {CHANGES_MAX} times in a week; the shop can change it at once"
        raise TooManyRequestsError(detail, int(left.total_seconds()) + 1)
