"""What the clock alone does to an account: points mature and expire, holds lapse, tiers are reviewed.

Everything that looks at an account settles it first, so a balance is right to the second; a job books the same entries
where nobody looks. Each entry's key is its cause, so it is booked once however many do.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from shared.domain.account import Account
from shared.domain.actors import CLOCK
from shared.domain.calendar import end_of_day, local_day, start_of_day
from shared.domain.earning.anniversaries import celebrate_anniversary, next_anniversary
from shared.domain.earning.provisional import lapses_at, unclaimed
from shared.domain.entry import Entry
from shared.domain.ledger import book, combined, draft, give, negative
from shared.domain.lifecycle.retention import erased_on, warned_on
from shared.domain.lots import GRACED, NEVER, UNTIL_APPROVED, LotDay
from shared.domain.points.expiry import arriving_day, by_last_day, date_of
from shared.domain.points.paid_plans import current as current_membership
from shared.domain.points.paid_plans import end as end_membership
from shared.domain.points.paid_plans import ends_at as membership_ends_at
from shared.domain.points.tiers import missing_at_review, reviewed
from shared.domain.points.tiers_by_hand import end as end_tier_by_hand
from shared.domain.points.tiers_by_hand import ends_at as tier_by_hand_ends_at
from shared.domain.program.program import Program
from shared.domain.spending.given_vouchers import next_to_win_back
from shared.domain.spending.pools import pool_among, united
from shared.domain.spending.redemptions import release
from shared.domain.spending.stakes import lost
from shared.domain.spending.vouchers import expire, first_to_end
from shared.domain.subaccounts import is_pool


class Settled(NamedTuple):
    """An account as of an instant, the entries that brought it there, and whether more are due."""

    account: Account
    entries: tuple[Entry, ...]
    complete: bool


class _Change(NamedTuple):
    """One thing that time will do, at an instant; of several at the same one, the lower rank comes first."""

    at: datetime
    rank: int
    entry: Callable[[datetime], Entry]


class Reminder(NamedTuple):
    """On which day to tell a member that points end `days_ahead` days later, after `last_day`.

    Or that their tier will be reviewed on `last_day`, and that `points` are missing to keep it. Or that they will be
    erased on `last_day`, with the `points` that they have. Or that a voucher ends.
    """

    on: date
    days_ahead: int
    last_day: date
    points: int
    about: Literal["points", "tier", "erasure", "voucher"] = "points"
    voucher_id: str = ""


def settle(account: Account, program: Program, now: datetime, entries_max: int | None = None) -> Settled:
    """Everything time has done to the account up to and including `now`, the earliest first.

    After `entries_max` entries it stops, and says so.
    """
    entries: list[Entry] = []
    while (change := _next_change(account, program)) is not None and change.at <= now:
        if entries_max is not None and len(entries) == entries_max:
            return Settled(account, tuple(entries), complete=False)
        entry = change.entry(now)
        account = book(account, entry)
        entries.append(entry)
    return Settled(account, tuple(entries), complete=True)


def up_to_date(account: Account, program: Program, now: datetime) -> Account:
    """The account as it is now, or as its last entry left it if another machine's clock is ahead."""
    return settle(account, program, account.present(now)).account


def up_to_date_with_pool(found: Sequence[Account], program: Program, now: datetime) -> Account:
    """The first account as it is now, and with it its pool's points if its pool is among `found`."""
    settled = [up_to_date(one, program, now) for one in found]
    return united(settled[0], pool_among(settled[0], settled))


def due_on(account: Account, program: Program, reminded_on: date) -> date | None:
    """The local day on which time will next change the account or a reminder is to be sent; None: never.

    Reminders up to and including `reminded_on` are dealt with.
    """
    change = _next_change(account, program)
    reminder = _next_reminder_day(account, program, reminded_on)
    days = [] if reminder is None else [reminder]
    if change is not None:
        days.append(local_day(change.at, program.time_zone))
    if (last_day := erased_on(account, program)) is not None:
        days.append(last_day)
    if (won_back := next_to_win_back(account, program)) is not None:
        days.append(won_back.on)
    return min(days, default=None)


def reminded_through(account: Account, program: Program, reminded_on: date, today: date) -> date:
    """Through which day an account's reminders are dealt with, today included unless one is waiting to be sent.

    So points that come today are not announced by a reminder whose day had passed before they came.
    """
    return reminded_on if waits_for_reminder(account, program, reminded_on, today) else max(reminded_on, today)


def waits_for_reminder(account: Account, program: Program, reminded_on: date, today: date) -> bool:
    """Whether a reminder's day has come that is not dealt with, be it too late to send it."""
    next_day = _next_reminder_day(account, program, reminded_on)
    return next_day is not None and next_day <= today


def reminders_to_send(account: Account, program: Program, reminded_on: date, today: date) -> list[Reminder]:
    """The reminders that wait to be sent: of several for one lot the latest, none for a lot whose day has passed."""
    due = (one for one in reminders(account, program, reminded_on, today) if today <= one.last_day)
    return list({(one.about, one.last_day, one.voucher_id): one for one in due}.values())


def reminders(account: Account, program: Program, after: date = date.min, through: date = date.max) -> list[Reminder]:
    """The reminders that the account's lots and its tier call for, the earliest first: those of the days after `after`
    up to and including `through`.
    """
    found = [one for one in _warnings(account, program) if after < one.on <= through]
    lots = _ending_lots(account)
    for ahead in program.messages.reminder_days:
        on = _reminded_of(ahead)
        first, end = (bisect_right(lots, day, key=on) for day in (after, through))
        ending = by_last_day({lot: account.lots[lot] for lot in lots[first:end]})
        found += [Reminder(day - timedelta(days=ahead), ahead, day, points) for day, points in ending.items() if day]
    return sorted(found)


def _next_reminder_day(account: Account, program: Program, after: date) -> date | None:
    """The first day after another that has a reminder. An account may have a lot for every day: few are looked at."""
    days = [one.on for one in _warnings(account, program) if one.on > after]
    lots = _ending_lots(account)
    for ahead in program.messages.reminder_days:
        on = _reminded_of(ahead)
        first = bisect_right(lots, after, key=on)
        days += map(on, lots[first : first + 1])
    return min(days, default=None)


def _ending_lots(account: Account) -> list[LotDay]:
    """The lots that end some day, the soonest first."""
    lots = sorted(account.lots)
    return lots[:-1] if lots and lots[-1] == NEVER else lots


def _reminded_of(days_ahead: int) -> Callable[[LotDay], date]:
    """On which day a lot's end is announced so many days ahead."""
    return lambda lot: date.fromisoformat(lot.removesuffix(GRACED)) - timedelta(days=days_ahead)


def _warnings(account: Account, program: Program) -> list[Reminder]:
    """What is announced beside the end of points."""
    return [
        *_tier_warnings(account, program),
        *_erasure_warnings(account, program),
        *_voucher_warnings(account, program),
    ]


def _voucher_warnings(account: Account, program: Program) -> list[Reminder]:
    """The reminders of vouchers that end, as many days ahead as those of points."""
    return [
        Reminder(one.ends_on - timedelta(days=ahead), ahead, one.ends_on, 0, "voucher", voucher_id)
        for voucher_id, one in account.vouchers.items()
        if one.ends_on is not None
        for ahead in program.messages.reminder_days
    ]


def _erasure_warnings(account: Account, program: Program) -> list[Reminder]:
    on, last_day = warned_on(account, program), erased_on(account, program)
    if on is None or last_day is None:
        return []
    return [Reminder(on, (last_day - on).days, last_day, account.balance, "erasure")]


def _tier_warnings(account: Account, program: Program) -> list[Reminder]:
    """The warnings before a review that would be missed if nothing more came; none once enough is there."""
    review_on = account.tier.review_on if account.tier else None
    if review_on is None or not program.messages.tier_warning_days or not account.is_open:
        return []
    missing = missing_at_review(account, program.tiers)
    if missing <= 0:
        return []
    return [
        Reminder(review_on - timedelta(days=ahead), ahead, review_on, missing, "tier")
        for ahead in program.messages.tier_warning_days
    ]


def _next_change(account: Account, program: Program) -> _Change | None:
    if not account.is_open:
        return None
    zone = program.time_zone
    changes: list[_Change] = []
    first_pending = min(account.pending, default=UNTIL_APPROVED)
    if first_pending != UNTIL_APPROVED:
        day = date.fromisoformat(first_pending.split("/")[0])
        changes.append(_Change(start_of_day(day, zone), 0, lambda now: _mature(account, program, day, now)))
    if account.holds:
        redemption_id, hold = min(account.holds.items(), key=lambda item: (item[1].expires_at, item[0]))
        lapse = _lapse_of(account, program, redemption_id, hold.expires_at)
        changes.append(_Change(hold.expires_at, 1, lapse))
    last_day = date_of(min(account.lots, default=NEVER))
    if last_day is not None:
        ends_at = end_of_day(last_day, zone)
        changes.append(_Change(ends_at, 2, lambda now: _expire(account, program, last_day, ends_at, now)))
    review_on = account.tier.review_on if account.tier else None
    if review_on is not None:
        starts_at = start_of_day(review_on, zone)
        changes.append(_Change(starts_at, 3, lambda now: _review(account, program, starts_at, now)))
    membership = current_membership(account)
    if membership is not None:
        over_at = membership_ends_at(membership, program)
        changes.append(_Change(over_at, 4, lambda now: end_membership(account, program, now)))
    anniversary = next_anniversary(account, program)
    if anniversary is not None:
        at = start_of_day(anniversary, zone)
        changes.append(_Change(at, 4, lambda now: celebrate_anniversary(account, program, anniversary, now)))
    changes += _ends_of_days(account, program)
    lapse_at = lapses_at(account, program)
    if lapse_at is not None:
        changes.append(_Change(lapse_at, 5, lambda now: unclaimed(account, program, lapse_at, now)))
    return min(changes, key=lambda change: change[:2], default=None)


def _ends_of_days(account: Account, program: Program) -> Iterator[_Change]:
    """The ends of what has a last day of its own: vouchers, and a tier set by hand."""
    last_day, by_hand = first_to_end(account), account.tier_by_hand
    if last_day is not None:
        ends_at = end_of_day(last_day, program.time_zone)
        yield _Change(ends_at, 2, lambda now: expire(account, program, last_day, ends_at, now))
    if by_hand is not None:
        yield _Change(
            tier_by_hand_ends_at(by_hand, program), 3, lambda now: end_tier_by_hand(account, program, by_hand, now)
        )


def _mature(account: Account, program: Program, day: date, now: datetime) -> Entry:
    matured = {key: points for key, points in account.pending.items() if key.startswith(f"{day}/")}
    lots = combined(
        *({arriving_day(account, program, key.split("/")[1], day): points} for key, points in matured.items())
    )
    return draft(
        account,
        "maturity",
        occurred_at=start_of_day(day, program.time_zone),
        recorded_at=now,
        points=0,
        program_version=program.version,
        **give(account, lots),
        pending={key: -points for key, points in matured.items()},
        available_on=day,
        source={"on": day.isoformat()},
    )


def _lapse_of(
    account: Account, program: Program, redemption_id: str, expires_at: datetime
) -> Callable[[datetime], Entry]:
    return lambda now: release(account, program, redemption_id, "lapse", occurred_at=expires_at, now=now, actor=CLOCK)


def _expire(account: Account, program: Program, last_day: date, ends_at: datetime, now: datetime) -> Entry:
    lots = {lot: points for lot, points in account.lots.items() if date_of(lot) == last_day}
    uses, stakes = lost(account, sum(lots.values())) if is_pool(account.member_id) else ({}, {})
    return draft(
        account,
        "expiry",
        occurred_at=ends_at,
        recorded_at=now,
        points=-sum(lots.values()),
        program_version=program.version,
        lots=negative(lots),
        uses=uses,
        stakes=stakes,
        expires_on=last_day,
        source={"on": last_day.isoformat()},
    )


def _review(account: Account, program: Program, starts_at: datetime, now: datetime) -> Entry:
    before = account.tier_status()
    after = reviewed(account, program.tiers)
    return draft(
        account,
        "tier_review",
        occurred_at=starts_at,
        recorded_at=now,
        points=0,
        program_version=program.version,
        tier=after,
        source={"on": str(before.review_on), "from": before.tier_id, "to": after.tier_id},
    )
