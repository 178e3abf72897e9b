"""What members and other systems are told of what happened: messages by consent and preference, events always."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Literal

from shared.domain.account import Account, Entry, EntryType
from shared.domain.calendar import local_day, month_of
from shared.domain.fields import Record
from shared.domain.members import Marketing, Member
from shared.domain.program import Program
from shared.domain.redeeming import nearest_reward, voucher_code
from shared.domain.settling import Reminder

Channel = Literal["email", "sms"]
Category = Literal["service", "marketing"]
Kind = Literal[
    "welcome", "points_earned", "reward_redeemed", "tier_reached", "points_refunded", "points_expiring", "nudge"
]

_CATEGORY: Mapping[Kind, Category] = {
    "welcome": "service",
    "points_earned": "marketing",
    "reward_redeemed": "service",
    "tier_reached": "marketing",
    "points_refunded": "service",
    "points_expiring": "service",
    "nudge": "marketing",
}
EVENT_TYPES: Mapping[EntryType, str] = {
    "enroll": "member.enrolled",
    "earn": "points.earned",
    "refund": "points.refunded",
    "adjust": "points.adjusted",
    "approve": "points.approved",
    "reject": "points.rejected",
    "badge": "badge.earned",
    "referral": "referral.rewarded",
    "referral_reversal": "referral.reversed",
    "birthday": "points.birthday",
    "anniversary": "points.anniversary",
    "transfer_out": "points.sent",
    "transfer_in": "points.received",
    "gift_offer": "gift.offered",
    "gift_out": "gift.accepted",
    "gift_in": "gift.received",
    "gift_return": "gift.returned",
    "pool_out": "pool.drawn",
    "pool_in": "pool.added",
    "pool_join": "pool.joined",
    "pool_leave": "pool.left",
    "merge_out": "member.merged",
    "merge_in": "member.absorbed",
    "reserve": "redemption.reserved",
    "capture": "redemption.captured",
    "cancel": "redemption.cancelled",
    "lapse": "redemption.lapsed",
    "reverse": "redemption.reversed",
    "payout": "credit.paid_out",
    "membership": "membership.paid",
    "membership_cancel": "membership.cancelled",
    "membership_end": "membership.ended",
    "freeze": "member.frozen",
    "unfreeze": "member.unfrozen",
    "traits": "member.traits_changed",
    "provisional": "member.provisional",
    "confirm": "member.confirmed",
    "unclaimed": "member.lapsed",
    "brought_in": "points.brought_in",
    "maturity": "points.matured",
    "expiry": "points.expired",
    "tier_review": "tier.reviewed",
    "erase": "member.erased",
}


class Event(Record):
    """Something that happened, for other systems. `sequence` has no gaps per member: who misses one can tell."""

    event_id: str
    type: str
    member_id: str
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    points: int
    balance_after: int
    program_version: int
    tier_id: str | None = None
    source: Mapping[str, str] = {}


class Message(Record):
    """Words for one member by one channel. The same cause always makes the same `message_id`."""

    message_id: str
    member_id: str
    kind: Kind
    category: Category
    channel: Channel
    to: str
    subject: str
    text: str


class Note(Record):
    """What is to be said, before it is known by which channel, if by any."""

    message_id: str
    kind: Kind
    subject: str
    text: str


def event_of(entry: Entry) -> Event:
    """The event that an entry is to other systems. No personal data."""
    return Event(
        event_id=entry.entry_id,
        type=EVENT_TYPES[entry.type],
        member_id=entry.member_id,
        sequence=entry.sequence,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        points=entry.points,
        balance_after=entry.balance_after,
        program_version=entry.program_version,
        tier_id=entry.tier.tier_id if entry.tier else None,
        source={name: value for name, value in entry.source.items() if name != "reason"},
    )


def notes_on(entry: Entry, account: Account, program: Program) -> Iterator[Note]:
    """What a member is told of an entry. `account` is theirs as it stands now, settled."""
    club = program.name
    if entry.type == "enroll":
        text = (
            f"You have joined {club}. {_count(entry.points)} to start with." if entry.points else f"Welcome to {club}."
        )
        yield _note(entry, "welcome", f"Welcome to {club}", text)
    elif entry.type == "earn" and entry.points:
        when = f" They can be spent from {entry.available_on} on." if entry.available_on else ""
        text = f"You have earned {_count(entry.points)}.{when} Your balance is {entry.balance_after}."
        yield _note(entry, "points_earned", f"{_count(entry.points)} earned", text)
    elif entry.type == "refund" and entry.points:
        text = f"A refund took back {_count(-entry.points)}. Your balance is {entry.balance_after}."
        yield _note(entry, "points_refunded", "Points taken back for a refund", text)
    elif entry.type == "capture":
        [(redemption_id, hold)] = entry.closed.items()
        reward = program.reward(hold.reward_id) if hold.reward_id else None
        what = reward.name if reward else "money off your order"
        text = f"You have spent {_count(hold.points)} on {what}. Your code is {voucher_code(redemption_id)}."
        yield _note(entry, "reward_redeemed", f"Your code for {what}", text)
    if entry.tier and entry.type not in {"enroll", "tier_review", "merge_in"}:
        yield from _tier_reached(entry, program)
    if entry.type == "earn":
        yield from _nudge(entry, account, program)


def reminder_note(member_id: str, reminder: Reminder, today: date) -> Note:
    """Points about to expire: how many, and the last day on which they can be spent."""
    days = (reminder.last_day - today).days
    when = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
    return Note(
        message_id=f"expiring:{member_id}:{reminder.last_day}:{reminder.days_ahead}",
        kind="points_expiring",
        subject=f"{_count(reminder.points)} expire {when}",
        text=f"{_count(reminder.points)} expire {when}: they can be spent until the end of {reminder.last_day}.",
    )


def addressed(note: Note, member: Member, program: Program) -> Message | None:
    """The message by the channel that the member's consent and preferences leave open; None: by none."""
    category = _CATEGORY[note.kind]
    found = channel_for(member, program, category)
    if found is None:
        return None
    channel, to = found
    return Message(
        message_id=note.message_id,
        member_id=member.member_id,
        kind=note.kind,
        category=category,
        channel=channel,
        to=to,
        subject=note.subject,
        text=note.text,
    )


def channel_for(member: Member, program: Program, category: Category) -> tuple[Channel, str] | None:
    """The first channel that the member has an address for and allows, the preferred one alone if there is one."""
    preferred = member.message_preferences.channel
    if member.status != "active" or preferred == "none":
        return None
    if category == "service" and program.messages.service == "never":
        return None
    needs_consent = category == "marketing" or program.messages.service == "with_consent"
    addresses: list[tuple[Channel, str | None]] = [("email", member.email), ("sms", member.phone)]
    for channel, address in addresses:
        if (
            address
            and preferred in {None, channel}
            and (not needs_consent or _agreed(member.consent.marketing, channel))
        ):
            return channel, address
    return None


def _tier_reached(entry: Entry, program: Program) -> Iterator[Note]:
    rank = program.tiers.rank(entry.tier.tier_id) if entry.tier else None
    if rank is not None:
        tier = program.tiers.levels[rank]
        benefits = f" Yours from now on: {', '.join(tier.benefits)}." if tier.benefits else ""
        text = f"You have reached {tier.name}.{benefits}"
        yield _note(entry, "tier_reached", f"Welcome to {tier.name}", text)


def _nudge(entry: Entry, account: Account, program: Program) -> Iterator[Note]:
    """How little is missing for the nearest reward, once a month for each."""
    today = local_day(entry.recorded_at, program.time_zone)
    reward = nearest_reward(account, program, today)
    if reward is None or reward.points - account.balance > program.messages.nudge_within_points:
        return
    missing = reward.points - account.balance
    yield Note(
        message_id=f"nudge:{entry.member_id}:{reward.reward_id}:{month_of(today)}",
        kind="nudge",
        subject=f"{_count(missing)} to {reward.name}",
        text=f"Only {_count(missing)} to {reward.name}.",
    )


def _note(entry: Entry, kind: Kind, subject: str, text: str) -> Note:
    return Note(message_id=f"{kind}:{entry.entry_id}", kind=kind, subject=subject, text=text)


def _agreed(marketing: Marketing, channel: Channel) -> bool:
    return marketing.email if channel == "email" else marketing.sms


def _count(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"
