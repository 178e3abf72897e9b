"""Messages to members about what happened, by consent and preference; their texts are in `built_in_templates`."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.fields import Record, Stored
from shared.domain.lifecycle.passing_of_time import Reminder
from shared.domain.members.contact_preferences import allows
from shared.domain.members.members import AddressKind, Member, mail_address
from shared.domain.message_types import CHANNELS, KINDS, Category, Channel, Kind, Value
from shared.domain.points.segments import in_any
from shared.domain.points.tiers import held_tier
from shared.domain.program.program import Program, Reward
from shared.domain.spending.gifts import lapsed_gift
from shared.domain.spending.prices import nearest_reward, why_unavailable
from shared.domain.spending.redemptions import voucher_code_of
from shared.domain.subaccounts import is_wallet, member_of

_FOR_PROSPECTS: frozenset[Kind] = frozenset({"consent_requested", "programme_explained"})
"""What somebody who has not joined yet may be told."""
_CHANNELS: Mapping[AddressKind, Channel] = {"email": "email", "phone": "sms"}
_REWARD_ID = "reward_id"
"""Under which name a note says which reward it is about."""


class Message(Record):
    """Words for one member by one channel. The same cause always makes the same `message_id`."""

    message_id: str
    member_id: str
    kind: Kind
    category: Category
    channel: Channel
    locale: str
    to: str
    subject: str
    text: str
    html: str | None = None
    headers: Mapping[str, str] = {}


class Note(Stored):
    """A message to a member, before its channel and text are chosen. It holds nothing personal."""

    message_id: str
    member_id: str
    kind: Kind
    values: Mapping[str, Value] = {}


class Way(NamedTuple):
    """By which channel a member is reached, and where."""

    channel: Channel
    to: str


def notes_on(entry: Entry, account: Account, program: Program) -> Iterator[Note]:
    """The messages about an entry, whether or not the program sends them. `account` is the entry's, settled now."""
    member_id = member_of(entry.member_id)
    if member_id is None:
        return
    if is_wallet(entry.member_id):
        yield from _on_credit(entry, member_id)
        return
    if entry.type == "enroll" and entry.source:  # brought in from another program, where they were welcomed
        return
    row = entry_types.of(entry.type)
    yield from _on_points(entry, program)
    if entry.tier and row.tells_tier:
        yield from _tier_reached(entry, program)
    if entry.type == "earn":
        yield from _nudge(entry, account, program)
    if row.may_reach_reward:
        yield from _reward_reached(entry, account, program)


def reminder_note(account: Account, program: Program, reminder: Reminder, today: date) -> Note | None:
    """What ends soon: points, credit, or a tier. None if it is nobody's alone."""
    member_id = member_of(account.member_id)
    if member_id is None:
        return None
    days = (reminder.last_day - today).days
    about = f"{account.member_id}:{reminder.last_day}:{reminder.days_ahead}"
    if reminder.about == "tier":
        tier = held_tier(account, program.tiers, today)
        values: dict[str, Value] = {
            "tier_name": tier.name,
            "review_on": reminder.last_day.isoformat(),
            "days": days,
            "missing": reminder.points,
            "measure": program.tiers.measure,
        }
        return Note(message_id=f"tier:{about}", member_id=member_id, kind="tier_warning", values=values)
    last_day = reminder.last_day.isoformat()
    if reminder.about == "erasure":
        values = {"last_day": last_day, "days": days}
        return Note(message_id=f"erasure:{about}", member_id=member_id, kind="erasure_warning", values=values)
    if reminder.about == "voucher":
        voucher = account.vouchers[reminder.voucher_id]
        values = {
            **_named(program.reward(voucher.reward_id), voucher.reward_id),
            "voucher_code": voucher.code,
            "last_day": last_day,
            "days": days,
        }
        about = f"{account.member_id}:{reminder.voucher_id}:{reminder.days_ahead}"
        return Note(message_id=f"voucher:{about}", member_id=member_id, kind="voucher_expiring", values=values)
    if is_wallet(account.member_id):
        values = {"amount": reminder.points, "last_day": last_day, "days": days}
        return Note(message_id=f"expiring:{about}", member_id=member_id, kind="credit_expiring", values=values)
    values = {"points": reminder.points, "last_day": last_day, "days": days, "balance": account.balance}
    return Note(message_id=f"expiring:{about}", member_id=member_id, kind="points_expiring", values=values)


def _named(reward: Reward | None, otherwise: str = "") -> dict[str, Value]:
    """A reward's name, and which it is where it has names in other languages; without it, `otherwise`."""
    if reward is None:
        return {"reward_name": otherwise}
    which: dict[str, Value] = {_REWARD_ID: reward.reward_id} if reward.translations else {}
    return {"reward_name": reward.name, **which}


def _named_in(values: Mapping[str, Value], program: Program, locale: str) -> dict[str, Value]:
    """The name of a note's reward in a language, where it has one there."""
    reward = program.reward(str(values.get(_REWARD_ID)))
    return {"reward_name": reward.text_in(locale).name} if reward else {}


def is_wanted(note: Note, account: Account, program: Program, today: date) -> bool:
    """Whether the program tells such things at all, and to members like this one (account settled)."""
    audience = next((one.segments for one in program.messages.audiences if one.kind == note.kind), ())
    return program.messages.sends(note.kind) and in_any(account, program, audience, today)


def way_to_address(kind: AddressKind, address: str) -> Way | None:
    """The way to one address, whatever its owner prefers; None if mail cannot be sent there."""
    to = mail_address(address) if kind == "email" else address
    return Way(_CHANNELS[kind], to) if to else None


def way_to(member: Member, program: Program, kind: Kind) -> Way | None:
    """The first channel that the member has an address for and allows, the preferred one alone if there is one."""
    category = KINDS[kind].category
    preferred = member.message_preferences.channel
    is_reachable = member.status == "active" or (member.status == "provisional" and kind in _FOR_PROSPECTS)
    if not is_reachable or member.erasure is not None or preferred == "none":
        return None
    if category == "service" and program.messages.service == "never":
        return None
    needs_consent = category == "service" and program.messages.service == "with_consent"
    addresses: Mapping[Channel, str | None] = {
        "email": mail_address(member.email) if member.email else None,
        "sms": member.phone,
    }
    for channel in CHANNELS:
        address = addresses[channel]
        if (
            address
            and preferred in {None, channel}
            and channel not in member.suppressed_channels
            and allows(member, category, channel)
            and (not needs_consent or allows(member, "marketing", channel))
        ):
            return Way(channel, address)
    return None


def quiet_until(member: Member, program: Program, kind: Kind, now: datetime) -> datetime | None:
    """When a message may go that must not go now: the end of the quiet hours in the member's zone; None: it may."""
    hours = program.messages.quiet_hours
    if hours is None or KINDS[kind].is_urgent:
        return None
    zone = ZoneInfo(member.time_zone or program.time_zone)
    local = now.astimezone(zone)
    starts, ends = time.fromisoformat(hours.starts_at), time.fromisoformat(hours.ends_at)
    clock = local.time()
    is_quiet = starts <= clock < ends if starts < ends else clock >= starts or clock < ends
    if not is_quiet:
        return None
    day = local.date() if clock < ends else local.date() + timedelta(days=1)
    return datetime.combine(day, ends, zone).astimezone(now.tzinfo)


def values_for(
    note: Note, member: Member, account: Account, program: Program, locale: str, today: date
) -> dict[str, Value] | None:
    """What a template gets: the note's own values over those that every kind has.

    None if the note speaks of a day that has passed while it waited.
    """
    last_day = note.values.get("last_day") or note.values.get("review_on")
    days: dict[str, Value] = {}
    if isinstance(last_day, str):
        left = (date.fromisoformat(last_day) - today).days
        if left < 0:
            return None
        days = {"days": left}
    return {
        "program_name": program.name,
        "member_name": member.name or "",
        "balance": account.balance,
        "locale": locale,
        "currency": program.currency,
        "unsubscribe_url": "",
        **note.values,
        **_named_in(note.values, program, locale),
        **days,
    }


def _on_credit(entry: Entry, member_id: str) -> Iterator[Note]:
    kind = entry_types.of(entry.type).wallet_message
    if kind is not None and entry.points:
        yield _note(entry, kind, {"amount": abs(entry.points)}, member_id)


def _on_points(entry: Entry, program: Program) -> Iterator[Note]:
    row = entry_types.of(entry.type)
    kind = "gift_returned" if lapsed_gift(entry) else row.message
    if entry.type == "earn":
        yield from _earned(entry, program)
    elif entry.type == "gift_offer":
        yield _note(entry, "gift_offered", {"points": _moved(entry)}, entry.source["to"])
    elif entry.type == "capture":
        [(redemption_id, hold)] = entry.closed.items()
        reward = program.reward(hold.reward_id) if hold.reward_id else None
        code = voucher_code_of(redemption_id, hold)
        yield _note(entry, "reward_redeemed", {"points": hold.points, **_named(reward), "voucher_code": code})
    elif entry.type == "voucher_given":
        [voucher] = entry.vouchers.values()
        ends_on = {"last_day": voucher.ends_on.isoformat() if voucher.ends_on else None}
        name = _named(program.reward(voucher.reward_id), voucher.reward_id)
        yield _note(entry, "voucher_given", {**name, "voucher_code": voucher.code, **ends_on})
    elif kind is not None and (entry.points or not row.message_needs_points):
        yield _note(entry, kind, _values_of(entry, program))


def _earned(entry: Entry, program: Program) -> Iterator[Note]:
    if entry.points:
        available_on = entry.available_on.isoformat() if entry.available_on else None
        yield _note(entry, "points_earned", {"points": entry.points, "available_on": available_on})
    if "order_id" in entry.source:
        offered = [reward for reward in program.redeeming.rewards if reward.offered]
        cheapest = min(offered, key=lambda reward: reward.points, default=None)
        yield Note(
            message_id=f"programme_explained:{entry.member_id}",
            member_id=entry.member_id,
            kind="programme_explained",
            values={
                "points": entry.points,
                "how": program.earning.description,
                **_named(cheapest),
                "reward_points": cheapest.points if cheapest else None,
            },
        )


def _values_of(entry: Entry, program: Program) -> dict[str, Value]:
    if entry.type == "badge":
        name = entry.source["badge_id"]
        found = next((one.name for one in program.challenges if one.challenge_id == name), name)
        return {"badge_name": found, "points": entry.points}
    if entry.type in {"approve", "reject"}:
        action = entry.source["action"]
        found = next((one.description for one in program.earning.actions if one.action_id == action), action)
        return {"action_name": found, **({"points": entry.earned} if entry.type == "approve" else {})}
    if entry.type.startswith("membership"):
        plan_id = entry.source["plan_id"]
        plan = program.plan(plan_id)
        paid = entry.membership.paid_through.isoformat() if entry.membership and entry.type == "membership" else None
        return {"plan_name": plan.name if plan else plan_id, **({"paid_through": paid} if paid else {})}
    if entry.type == "provisional":
        until = entry.provisional_until
        return {"points": entry.balance_after + entry.pending_effect, "until": until.isoformat() if until else None}
    return {"points": _moved(entry)}


def _moved(entry: Entry) -> int:
    return abs(entry.points) or abs(entry.available_effect)


def _tier_reached(entry: Entry, program: Program) -> Iterator[Note]:
    rank = program.tiers.rank(entry.tier.tier_id) if entry.tier else None
    if rank is not None:
        tier = program.tiers.levels[rank]
        yield _note(entry, "tier_reached", {"tier_name": tier.name, "benefits": tier.benefits})


def _nudge(entry: Entry, account: Account, program: Program) -> Iterator[Note]:
    """How little is missing for the nearest reward, once a month for each."""
    today = local_day(entry.recorded_at, program.time_zone)
    reward = nearest_reward(account, program, today)
    if reward is None or reward.points - account.balance > program.messages.nudge_within_points:
        return
    yield Note(
        message_id=f"nudge:{entry.member_id}:{reward.reward_id}:{month_of(today)}",
        member_id=entry.member_id,
        kind="nudge",
        values={**_named(reward), "missing": reward.points - account.balance},
    )


def _reward_reached(entry: Entry, account: Account, program: Program) -> Iterator[Note]:
    """The dearest of the rewards that the balance covers since this entry and did not before; none of the others."""
    today = local_day(entry.recorded_at, program.time_zone)
    before = entry.balance_after - entry.available_effect
    crossed = [
        reward
        for reward in program.redeeming.rewards
        if before < reward.points <= min(entry.balance_after, account.balance)
        and why_unavailable(account, program, reward, today) is None
    ]
    if crossed:
        dearest = max(crossed, key=lambda reward: reward.points)
        yield _note(entry, "reward_reached", {**_named(dearest), "points": dearest.points})


def _note(entry: Entry, kind: Kind, values: Mapping[str, Value], to: str | None = None) -> Note:
    """A note on an entry; the balance is the one after it, unless it is for somebody else."""
    member_id = to or entry.member_id
    own: dict[str, Value] = {"balance": entry.balance_after} if member_id == entry.member_id else {}
    return Note(message_id=f"{kind}:{entry.entry_id}", member_id=member_id, kind=kind, values={**own, **values})
