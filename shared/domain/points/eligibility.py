"""The standing rules at work: who earns nothing, and how much an order or a day earns at most.

A capped order keeps the exact worth of its pieces. The cap is kept beside them, so that after a refund it is compared
with what the rest of the order would have earned.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.entry import Piece
from shared.domain.errors import NotEligibleError
from shared.domain.facets import Use
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.limits import allowance, one_more, reached
from shared.domain.program.common import Limit
from shared.domain.program.program import Program

DAY_USE = "standing:day"
EXCLUDED = "excluded"
"""What a breakdown calls the line that says why somebody has earned nothing."""


class Capped(NamedTuple):
    """Pieces with a line for each cap that cut them, the most they may come to, and what they use up of the day."""

    pieces: tuple[Piece, ...]
    cap: int | None
    uses: dict[str, Use]


class Cap(NamedTuple):
    """The most points that an order or action may earn, and the line that says so where it cut them."""

    rule_id: str
    points: int
    text: str


def is_excluded(account: Account | None, program: Program) -> bool:
    """Whether the member is one of those who earn nothing."""
    rules = program.standing_rules
    if rules is None or account is None:
        return False
    return account.traits.excluded or bool(set(account.traits.tags) & set(rules.excluded.tags))


def points_for(account: Account, program: Program, points: int) -> int:
    """What a member is given of `points` that the program promises: all of them, or nothing if they earn nothing."""
    return 0 if is_excluded(account, program) else points


def nothing_for_excluded() -> Piece:
    """The line that says why an order or action has earned nothing."""
    return Piece(rule_id=EXCLUDED, points=0, description="This customer is excluded from earning, as staff or reseller")


def capped(
    account: Account | None,
    program: Program,
    pieces: Sequence[Piece],
    today: date,
    *,
    is_order: bool,
    also: Sequence[Cap] = (),
) -> Capped:
    """The pieces of an earning under the program's caps, and those that it has `also`."""
    points = sum(piece.points for piece in pieces)
    most: int | None = None
    lines: list[Piece] = []
    for cap in (*_of_entry(program, points), *_caps(account, program, today, is_order=is_order), *also):
        most = cap.points if most is None else min(most, cap.points)
        if points > most:
            lines.append(Piece(rule_id=cap.rule_id, points=most - points, description=cap.text, exact="0"))
            points = most
    limit = _of_day(program)
    uses = {DAY_USE: one_more(account, DAY_USE, limit, today, points)} if limit and points else {}
    return Capped((*pieces, *lines), most, uses)


def require_age(program: Program, today: date, *, is_confirmed: bool, born_on: date | None) -> None:
    """Raises NotEligibleError for a member below the program's age, or one whose age nobody has confirmed.

    A day of birth is looked at and not kept.
    """
    age = program.standing_rules.minimum_age if program.standing_rules else None
    if age is None:
        return
    if born_on is None:
        if not is_confirmed:
            detail = f"members are {age} or older: send age_confirmed, or birth_date, which is checked and not kept"
            raise NotEligibleError(detail)
        return
    old_enough_on = _birthday(born_on, age)
    if old_enough_on > today:
        raise NotEligibleError(f"members are {age} or older: this person may join from {old_enough_on} on")


def is_excluded_address(program: Program, email: str | None) -> bool:
    """Whether an e-mail address is one whose owners earn nothing."""
    rules = program.standing_rules
    if rules is None or email is None:
        return False
    domain = email.rpartition("@")[2]
    return any(domain == one or domain.endswith(f".{one}") for one in rules.excluded.email_domains)


def never_expires(account: Account | None, program: Program) -> bool:
    """Whether what the member earns now, points or credit, never expires, because of where the member lives."""
    rules = program.standing_rules
    place = account.traits.place if account else None
    if rules is None or place is None:
        return False
    return any(place == one or place.startswith(f"{one}-") for one in rules.no_expiry_in)


def _of_entry(program: Program, points: int) -> list[Cap]:
    """The bound of every entry, where so many points reach beyond it. Elsewhere an order need not note it: no part of
    one earns more than the whole."""
    most = program.earning.entry_max
    return [Cap("cap:entry", most, f"One order or action earns at most {most} points")] if points > most else []


def _of_day(program: Program) -> Limit | None:
    rules = program.standing_rules
    most = rules.caps.points_per_day if rules else None
    return Limit(points=most, per="day") if most else None


def _caps(account: Account | None, program: Program, today: date, *, is_order: bool) -> list[Cap]:
    caps = []
    rules, automatic = program.standing_rules, program.automatic_enrolment
    if rules is not None and is_order and (most := rules.caps.points_per_order):
        caps.append(Cap("cap:order", most, f"An order earns at most {most} points"))
    if limit := _of_day(program):
        caps.append(Cap("cap:day", allowance(account, DAY_USE, limit, today) or 0, f"A day's {reached(limit, today)}"))
    if automatic is not None and automatic.points_max and account is not None and account.status == "provisional":
        most = automatic.points_max
        text = f"At most {most} points wait for consent; more are earned once the member agrees to the terms"
        caps.append(Cap("cap:provisional", max(0, most - account.pending.get(UNTIL_APPROVED, 0)), text))
    return caps


def _birthday(born_on: date, age: int) -> date:
    """The day on which somebody reaches an age; who was born on 29 February does so on 1 March in a common year."""
    try:
        return born_on.replace(year=born_on.year + age)
    except ValueError:
        return date(born_on.year + age, 3, 1)
