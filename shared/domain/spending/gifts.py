"""Gifts: points that wait, locked on the giver's account, until the receiver takes them, somebody gives them back, or
they lapse as every hold does.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.provisional import require_consent
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError, NotOfferedError
from shared.domain.ledger import combined, draft, give, negative, next_entry_id, take
from shared.domain.lots import Hold
from shared.domain.points.expiry import moved_lots, returned_lots
from shared.domain.points.forgiveness import kept_back
from shared.domain.points.freezing import require_not_frozen
from shared.domain.program.expiry import Inactivity
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import OPEN_HOLDS_MAX, release, require_points
from shared.domain.spending.sharing_limits import counted
from shared.domain.spending.transfers import Moved

GiftState = Literal["offered", "accepted", "returned", "lapsed"]
_HOLD = "gift:"


def hold_of(gift_id: str) -> str:
    """Under which name a gift's points are locked: one that no redemption has."""
    return f"{_HOLD}{gift_id}"


def lapsed_gift(entry: Entry) -> str | None:
    """Which gift's points an entry gave back because nobody took them while they waited; None for any other entry.

    What a member has offered of others' points is cancelled when they leave a pool, and all when they are erased.
    """
    if entry.type not in {"lapse", "cancel"}:
        return None
    [name] = entry.closed
    return name.removeprefix(_HOLD) if name.startswith(_HOLD) else None


def offer(
    giver: Account,
    program: Program,
    points: int,
    *,
    to: str,
    gift_id: str,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> Entry:
    """Lock points for another member, those first that expire soonest.

    Raises MemberFrozenError, ConsentRequiredError, InvalidRequestError if the gift is larger than one may be,
    InsufficientPointsError, NotOfferedError if the program has no gifts, and InvalidStateError if a period's limit is
    reached, or too much waits already.
    """
    if program.gifts is None:
        raise NotOfferedError("the program has no gifts")
    require_not_frozen(giver)
    require_consent(giver)
    today = local_day(now, program.time_zone)
    uses = counted(giver, program, "gift", program.gifts, points, today)
    require_points(giver, points)
    if len(giver.holds) >= OPEN_HOLDS_MAX:
        first = min(hold.expires_at for hold in giver.holds.values())
        raise InvalidStateError(
            f"{OPEN_HOLDS_MAX} redemptions and gifts are open at most; end one, or wait: the first ends at {first}"
        )
    lots = take(giver.lots, points)
    expires_at = now + timedelta(days=program.gifts.accept_days)
    hold = Hold(points=points, lots=lots, expires_at=expires_at, opened_by=next_entry_id(giver))
    return draft(
        giver,
        "gift_offer",
        occurred_at=now,
        recorded_at=now,
        points=-points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        lots=negative(lots),
        opened={hold_of(gift_id): hold},
        uses=uses,
        source={"gift_id": gift_id, "from": giver.member_id, "to": to},
    )


def accept(receiver: Account, giver: Account, program: Program, gift_id: str, *, now: datetime, actor: str) -> Moved:
    """Hand a gift over; each lot keeps its date. What the giver owes by now is settled from it, then the receiver's.

    So nobody gives away what is taken back meanwhile, or what is forgiven. What of it has ended while it waited has
    expired.

    Raises MemberFrozenError if the giver has been frozen meanwhile, InvalidStateError if the gift waits no longer.
    """
    hold = _open(giver, gift_id)
    require_not_frozen(giver)
    today = local_day(now, program.time_zone)
    forgiven = kept_back(giver, hold, any_lot=isinstance(program.expiry, Inactivity))
    waiting = combined(hold.lots, negative(forgiven.lots))
    lots, expired = returned_lots(giver, program, waiting, today, has_grace=False)
    left = give(giver, lots)
    incoming = moved_lots(receiver, left["lots"], today)
    source = {"gift_id": gift_id, "from": giver.member_id, "to": receiver.member_id}
    shared = {"occurred_at": now, "recorded_at": now}
    version = program.version
    return Moved(
        draft(
            giver,
            "gift_out",
            **shared,
            points=-left["debt"],
            program_version=version,
            actor=actor,
            debt=left["debt"],
            closed={hold_of(gift_id): hold},
            expired=expired,
            forgiven_lots=forgiven.change,
            source=source,
        ),
        draft(
            receiver,
            "gift_in",
            **shared,
            points=sum(incoming.values()),
            program_version=version,
            actor=actor,
            **give(receiver, incoming),
            source=source,
        ),
    )


def give_back(giver: Account, program: Program, gift_id: str, *, to: str, now: datetime, actor: str) -> Entry:
    """Undo a gift that was declined or withdrawn. Raises InvalidStateError if it waits no longer."""
    _open(giver, gift_id)
    entry = release(giver, program, hold_of(gift_id), "gift_return", occurred_at=now, now=now, actor=actor)
    return entry.model_copy(update={"source": {"gift_id": gift_id, "from": giver.member_id, "to": to}})


def gift_state(entries: Mapping[str, Entry], giver: Account, now: datetime) -> GiftState:
    """A gift's state from its entries, by type, and its giver's account: a hold that is gone has lapsed."""
    if "gift_out" in entries:
        return "accepted"
    if "gift_return" in entries:
        return "returned"
    [(name, hold)] = entries["gift_offer"].opened.items()
    return "offered" if hold.expires_at > now and name in giver.holds else "lapsed"


def _open(giver: Account, gift_id: str) -> Hold:
    hold = giver.holds.get(hold_of(gift_id))
    if hold is None:
        raise InvalidStateError("the gift is no longer waiting to be accepted")
    return hold
