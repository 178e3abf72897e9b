"""Partners' part in what members earn and spend: their limits, what they pay for, and what a month comes to.

A partner has no ledger of its own. Each entry that a partner pays for, or is paid for, says so, and what a month comes
to is the sum of those entries alone; so it always agrees with the members' accounts.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from math import floor, gcd
from typing import Literal, NamedTuple

from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of, period_frees_on
from shared.domain.entry import Entry
from shared.domain.entry_types import Movement
from shared.domain.errors import (
    Fault,
    ForbiddenError,
    InvalidRequestError,
    InvalidStateError,
    PartnerFundingExhaustedError,
    PartnerLimitReachedError,
    PartnerNotFoundError,
)
from shared.domain.facets import Use
from shared.domain.lots import PartnerShare
from shared.domain.points.eligibility import Cap
from shared.domain.points.limits import allowance, one_more, reached
from shared.domain.program.common import Limit
from shared.domain.program.partners import Partner
from shared.domain.program.program import Program

_BUDGET = "partner:"
MOVEMENTS: tuple[Movement, ...] = ("issued", "taken_back", "redeemed", "reversed")


class Sum(NamedTuple):
    """Points of one kind of movement, in how many entries, and what they come to in minor units."""

    entries: int
    points: int
    amount: int


class Taking(NamedTuple):
    """What a redemption uses up of its partner's limits: of the member's day, and of the day of all members."""

    uses: Mapping[str, Use] = {}
    budgets: Mapping[str, int] = {}


class Settlement(NamedTuple):
    """A partner's month: its movements, what of the points given was paid in advance, and what is to be paid.

    Amounts are positive where the partner owes them to the shop. They add up: `net` is that of the movements, less
    what was prepaid.
    """

    movements: Mapping[Movement, Sum]
    prepaid: Sum
    net: int

    @property
    def owed_by(self) -> Literal["partner", "shop", "nobody"]:
        """Who pays the net amount to the other."""
        if not self.net:
            return "nobody"
        return "partner" if self.net > 0 else "shop"


def require_partner(program: Program, partner_id: str | None) -> Partner:
    """The program's partner of an id. Raises PartnerNotFoundError."""
    partner = program.partner(partner_id)
    if partner is None:
        raise PartnerNotFoundError(f"the program has no partner {partner_id!r}")
    return partner


def share_of(partner: Partner) -> PartnerShare:
    """What an entry says of the partner whose points it moves."""
    cost = partner.point_cost
    prepaid = partner.funding == "prepaid"
    return PartnerShare(partner_id=partner.partner_id, points=cost.points, amount=cost.amount, prepaid=prepaid)


def require_may_earn(partner: Partner) -> None:
    """Raises ForbiddenError for a partner whose orders earn nothing here."""
    if not partner.may_earn:
        raise ForbiddenError(f"orders at {partner.name} earn no points in this program")


def caps_of(account: Account | None, partner: Partner, today: date) -> list[Cap]:
    """What a partner's limits leave for one order of one member."""
    limits, name = partner.limits, partner.name
    caps = []
    if limits.points_per_order:
        most = limits.points_per_order
        caps.append(Cap("cap:partner_order", most, f"An order at {name} earns at most {most} points"))
    for limit, use in _member_limits(partner).items():
        left = allowance(account, use, limit, today) or 0
        caps.append(Cap(f"cap:partner_{limit.per}", left, f"At {name} a {limit.per}'s {reached(limit, today)}"))
    return caps


def uses_of(account: Account | None, partner: Partner, points: int, today: date) -> dict[str, Use]:
    """What an order's points use up of the partner's limits for a member."""
    if not points:
        return {}
    return {use: one_more(account, use, limit, today, points) for limit, use in _member_limits(partner).items()}


def funding_name(partner_id: str) -> str:
    """Under which name the budget of a prepaid partner is kept."""
    return f"{_BUDGET}{partner_id}"


def month_name(partner_id: str, month: str) -> str:
    """Under which name the budget of a partner's month is kept."""
    return f"{_BUDGET}{partner_id}:{month}"


def redeemed_name(partner_id: str, day: date) -> str:
    """Under which name the budget is kept of what a partner redeems in a day."""
    return f"{_BUDGET}{partner_id}:redeemed:{day}"


def is_of_partner(budget_name: str) -> bool:
    """Whether a budget is some partner's."""
    return budget_name.startswith(_BUDGET)


def limited_total(program: Program, budget_name: str) -> int | None:
    """The points that the program gives the budget of a partner's month, or of a day's redemptions; None for others."""
    if not is_of_partner(budget_name):
        return None
    partner_id, _, period = budget_name.removeprefix(_BUDGET).partition(":")
    partner = program.partner(partner_id)
    if partner is None or not period:
        return None
    limits = partner.limits
    return limits.redeemed_points_per_day if period.startswith("redeemed:") else limits.points_per_month


def drawn(partner: Partner, points: int, today: date, left: Mapping[str, int]) -> dict[str, int]:
    """What points take out of the partner's budgets. `left` is what is known to be left, of those nearly used up.

    Raises PartnerFundingExhaustedError if its deposits do not pay for them, PartnerLimitReachedError if they are more
    than the month has room for.
    """
    if not points:
        return {}
    draws = {}
    if partner.funding == "prepaid":
        name = funding_name(partner.partner_id)
        if left.get(name, points) < points:
            detail = f"{points} points are to be given, and the deposits of {partner.name} pay for {left[name]} more"
            raise PartnerFundingExhaustedError(detail)
        draws[name] = points
    most = partner.limits.points_per_month
    if most is not None:
        name = month_name(partner.partner_id, month_of(today))
        if left.get(name, points) < points:
            frees_on = period_frees_on(today, "month")
            detail = f"{partner.name} gives {most} points a month, {left[name]} are left, not {points}"
            raise PartnerLimitReachedError(f"{detail}; it frees on {frees_on}")
        draws[name] = points
    return draws


def taking(account: Account, partner: Partner, points: int, today: date, left: Mapping[str, int]) -> Taking:
    """What a redemption of so many points uses up of the partner's limits. `left` is as for `drawn`.

    Raises PartnerLimitReachedError if the day, the member's or that of all members, has no room for it.
    """
    of_member, of_all = partner.limits.redeemed_points_per_member_day, partner.limits.redeemed_points_per_day
    uses, budgets = dict[str, Use](), dict[str, int]()
    if of_member is not None:
        limit, name = Limit(points=of_member, per="day"), f"partner_redeemed:{partner.partner_id}"
        _require_room(partner, "of a member", of_member, allowance(account, name, limit, today) or 0, points, today)
        uses[name] = one_more(account, name, limit, today, points)
    if of_all is not None:
        name = redeemed_name(partner.partner_id, today)
        _require_room(partner, "in all", of_all, min(of_all, left.get(name, of_all)), points, today)
        budgets[name] = points
    return Taking(uses, budgets)


def deposit_points(partner: Partner, amount: int) -> int:
    """The points that a deposit pays for.

    Raises InvalidStateError for a partner that pays afterwards, InvalidRequestError if part of a point would be lost.
    """
    if partner.funding != "prepaid":
        raise InvalidStateError(f"{partner.name} is postpaid: it pays what its month's settlement says")
    cost = partner.point_cost
    step = cost.amount // gcd(cost.points, cost.amount)
    if amount % step:
        usable = max(step, amount // step * step)
        detail = f"must be a multiple of {step}, or part of a point would be lost: {usable}, say"
        raise InvalidRequestError(Fault("/amount", detail))
    return amount * cost.points // cost.amount


def settlement_month(entry: Entry, program: Program) -> str:
    """The month whose settlement an entry belongs to: that in which it was booked."""
    return month_of(local_day(entry.recorded_at, program.time_zone))


def points_of(entry: Entry) -> int:
    """How many points an entry moves between members and its partner, whichever way."""
    # A redemption's points are in its hold: a capture itself moves none out of a member's balance.
    if entry_types.of(entry.type).partner_movement in {"redeemed", "reversed"}:
        return sum(hold.points for hold in (entry.reversed or entry.closed).values())
    return abs(entry.points) + entry.unbooked


def points_for_partner(entry: Entry) -> int:
    """The signed points of an entry as its partner sees them: positive if members get them, negative if they pay."""
    if entry.type == "capture":
        return -points_of(entry)
    return points_of(entry) if entry.type == "reverse" else entry.points - entry.unbooked


def settle_up(entries: Iterable[Entry]) -> Settlement:
    """What a partner's entries of a month come to. Reservations and what became of them otherwise move nothing."""
    counts = dict.fromkeys(MOVEMENTS, 0)
    points = dict.fromkeys(MOVEMENTS, 0)
    amounts = dict.fromkeys(MOVEMENTS, Fraction(0))
    prepaid_points, prepaid_amount = 0, Fraction(0)
    for entry in entries:
        movement, share = entry_types.of(entry.type).partner_movement, entry.partner
        if movement is None or share is None:
            continue
        if movement == "issued" and entry.points < 0:  # an amendment that makes an order less
            movement = "taken_back"
        moved = points_of(entry)
        sign = 1 if movement in {"issued", "reversed"} else -1
        amount = Fraction(sign * moved * share.amount, share.points)
        counts[movement] += 1
        points[movement] += moved
        amounts[movement] += amount
        if share.prepaid and movement in {"issued", "taken_back"}:
            prepaid_points += sign * moved
            prepaid_amount += amount
    return _rounded(counts, points, amounts, prepaid_points, prepaid_amount)


def _require_room(partner: Partner, whose: str, most: int, left: int, points: int, today: date) -> None:
    """Raises PartnerLimitReachedError if `points` are more than a day's limit has left."""
    if points > left:
        frees_on = period_frees_on(today, "day")
        detail = f"{partner.name} redeems {most} points {whose} a day, {left} are left, not {points}"
        raise PartnerLimitReachedError(f"{detail}; it frees on {frees_on}")


def _rounded(
    counts: Mapping[Movement, int],
    points: Mapping[Movement, int],
    amounts: Mapping[Movement, Fraction],
    prepaid_points: int,
    prepaid_amount: Fraction,
) -> Settlement:
    """Whole minor units: each line what rounding the sum so far, with it, gains, so that all add up to the net."""
    exact, before, lines = Fraction(0), 0, dict[Movement, Sum]()
    for movement in MOVEMENTS:
        exact += amounts[movement]
        after = _nearest(exact)
        lines[movement] = Sum(counts[movement], points[movement], after - before)
        before = after
    net = _nearest(exact - prepaid_amount)
    paid = Sum(counts["issued"] + counts["taken_back"], prepaid_points, before - net)
    return Settlement(lines, paid, net)


def _nearest(exact: Fraction) -> int:
    return floor(exact + Fraction(1, 2))


def _member_limits(partner: Partner) -> dict[Limit, str]:
    """The limits for each member, and under which name an account counts them."""
    limits = partner.limits
    found = {}
    if limits.points_per_member_day:
        found[Limit(points=limits.points_per_member_day, per="day")] = f"partner_day:{partner.partner_id}"
    if limits.points_per_member_month:
        found[Limit(points=limits.points_per_member_month, per="month")] = f"partner_month:{partner.partner_id}"
    return found
