"""Vouchers given without points, and taken back where what brought them comes back.

A gift follows from an entry, or from a day that passes. What was used of a gift that is taken back is worth points:
they are taken, and what is not there is owed, or forgiven, as the program says.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.facets import Use
from shared.domain.ledger import draft, negative, take, uses_given_back
from shared.domain.points.eligibility import is_excluded
from shared.domain.points.limits import one_more, used
from shared.domain.program.common import Times
from shared.domain.program.given_vouchers import (
    GivenVoucher,
    Occasion,
    OnAbsence,
    OnBadge,
    OnBirthday,
    OnReferral,
    OnTier,
)
from shared.domain.program.program import Program
from shared.domain.spending.vouchers import LIVE_MAX, of_reward
from shared.domain.subaccounts import member_of
from shared.domain.vouchers import taken_away


class WonBack(NamedTuple):
    """On which day a member who stays away gets something, and what."""

    on: date
    gift: GivenVoucher


_ONCE = Times(times=1, per="lifetime")


def follow_from(entry: Entry, program: Program) -> bool:
    """Whether gifts may follow from an entry, or go with what it takes back."""
    return bool(program.given_vouchers) and (
        entry.type == "badge_lost" or may_lose_tier(entry) or any(True for _ in brought_by(entry, program))
    )


def brought_by(entry: Entry, program: Program) -> Iterator[GivenVoucher]:
    """The gifts that an entry on a member's own account brings, but for those of referrals."""
    if member_of(entry.member_id) != entry.member_id:
        return
    for gift in program.given_vouchers:
        on = gift.on
        if (
            (isinstance(on, OnBirthday) and entry.type == "birthday")
            or (isinstance(on, OnBadge) and entry.type == "badge" and entry.source["badge_id"] == on.challenge_id)
            or (isinstance(on, OnTier) and _reaches(entry, on))
        ):
            yield gift


def of_referral(program: Program, to: str) -> list[GivenVoucher]:
    """The gifts for an advocate, or for a friend."""
    return [gift for gift in program.given_vouchers if isinstance(gift.on, OnReferral) and gift.on.to == to]


def of_badge(program: Program, challenge_id: str) -> list[GivenVoucher]:
    """The gifts that come with a badge."""
    return [
        one for one in program.given_vouchers if isinstance(one.on, OnBadge) and one.on.challenge_id == challenge_id
    ]


def may_lose_tier(entry: Entry) -> bool:
    """Whether the tier in an entry is what a changed order leaves."""
    row = entry_types.of(entry.type)
    return entry.tier is not None and row.leaves_as == "taken_back" and "order_id" in entry.source


def tiers_lost(entry: Entry, program: Program, history: Sequence[Entry]) -> list[Entry]:
    """The gifts among an account's entries that came with tiers above the one which a returned order leaves.

    Of each tier it is the last that was given and is not taken back.
    """
    rank = program.tiers.rank(entry.tier.tier_id) if entry.tier else None
    if rank is None:
        return []
    over = {one.source["voucher_id"] for one in history if one.type == "voucher_taken_back"}
    given = [one for one in history if one.type == "voucher_given" and one.source["voucher_id"] not in over]
    before = sorted((one for one in given if one.recorded_at <= entry.recorded_at), key=lambda one: one.recorded_at)
    last = {one.source["gift_id"]: one for one in before}
    return [one for one in last.values() if (program.tiers.rank(one.source.get("tier_id", "")) or 0) > rank]


def next_to_win_back(account: Account, program: Program) -> WonBack | None:
    """The first day on which a member who stays away gets something, and what."""
    if account.status != "active" or member_of(account.member_id) != account.member_id:
        return None
    days = [
        WonBack(day, gift)
        for gift in program.given_vouchers
        if (day := _absence_ends_on(account, gift)) is not None and why_not(account, program, gift, day) is None
    ]
    return min(days, key=lambda one: (one.on, one.gift.gift_id), default=None)


def holds(account: Account, program: Program, on: Occasion) -> bool:
    """Whether the account still has what a gift came with: a tier may be lost before the gift is given."""
    if not isinstance(on, OnTier):
        return True
    rank = program.tiers.rank(account.tier_status().tier_id)
    return rank is None or rank >= (program.tiers.rank(on.tier_id) or 0)


def why_not(account: Account, program: Program, gift: GivenVoucher, today: date) -> str | None:
    """Why a member does not get a gift; None: nothing is in the way."""
    if account.status != "active" or is_excluded(account, program):
        return "the member earns nothing"
    limit = _limit(gift)
    if limit is not None and used(account, _use(gift), limit, today).times >= limit.times:
        return "the member has had it as often as the program gives it"
    if len(account.vouchers) >= LIVE_MAX:
        return f"{LIVE_MAX} vouchers wait to be used"
    reward = program.reward(gift.reward_id)
    return None if reward and reward.voucher else "the program has no such voucher any more"


def given(
    account: Account,
    program: Program,
    gift: GivenVoucher,
    *,
    voucher_id: str,
    code: str,
    cause: str,
    now: datetime,
    actor: str,
) -> Entry:
    """Give a voucher, because of `cause`. The caller has asked what is in the way."""
    reward, today, limit = program.reward(gift.reward_id), local_day(now, program.time_zone), _limit(gift)
    if reward is None:
        raise AssertionError(f"the program has no reward {gift.reward_id}")
    uses = {_use(gift): one_more(account, _use(gift), limit, today)} if limit else {}
    if isinstance(gift.on, OnAbsence) and account.last_order_on is not None:
        uses[_away(gift)] = Use(period=account.last_order_on.isoformat(), times=1)
    of_tier = {"tier_id": gift.on.tier_id} if isinstance(gift.on, OnTier) else {}
    return draft(
        account,
        "voucher_given",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        uses=uses,
        vouchers={voucher_id: of_reward(reward, code, today)},
        source={
            "voucher_id": voucher_id,
            "gift_id": gift.gift_id,
            "reward_id": gift.reward_id,
            "on": gift.on.kind,
            "cause": cause,
            **of_tier,
        },
    )


def gift_taken_back(
    account: Account, program: Program, given_by: Entry, *, used: int, now: datetime, actor: str
) -> Entry:
    """Take a gift back: what is left of it, and the worth of what was used, in points, rounded down.

    It does not count toward the gift's limit any more.
    """
    [(voucher_id, issue)] = given_by.vouchers.items()
    live = account.vouchers.get(voucher_id)
    worth = issue.points * used // issue.of
    available = min(worth, account.balance)
    debt = worth - available if program.refund_debt == "allowed" else 0
    names = ("voucher_id", "gift_id", "reward_id")
    return draft(
        account,
        "voucher_taken_back",
        occurred_at=now,
        recorded_at=now,
        points=-(available + debt),
        program_version=program.version,
        actor=actor,
        lots=negative(take(account.lots, available)),
        debt=debt,
        uses=uses_given_back({name: use for name, use in given_by.uses.items() if name.startswith(_GIVEN)}),
        vouchers=taken_away({voucher_id: live}) if live else {},
        source={name: given_by.source[name] for name in names},
    )


_GIVEN, _AWAY = "given:", "away:"


def _absence_ends_on(account: Account, gift: GivenVoucher) -> date | None:
    """The day on which a member has stayed away for so long as a gift to win them back says; None: not to be given."""
    last = account.last_order_on
    if not isinstance(gift.on, OnAbsence) or last is None:
        return None
    noted = account.uses.get(_away(gift))
    return None if noted and noted.period >= last.isoformat() else last + timedelta(days=gift.on.days)


def _use(gift: GivenVoucher) -> str:
    return f"{_GIVEN}{gift.gift_id}"


def _away(gift: GivenVoucher) -> str:
    return f"{_AWAY}{gift.gift_id}"


def _limit(gift: GivenVoucher) -> Times | None:
    return gift.limit or (_ONCE if isinstance(gift.on, OnTier) else None)


def _reaches(entry: Entry, on: OnTier) -> bool:
    """Whether an entry brings the gift's tier, and that is news."""
    return entry.tier is not None and entry.tier.tier_id == on.tier_id and entry_types.of(entry.type).tells_tier
