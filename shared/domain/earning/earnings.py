"""What an order or an action earns: its lines, rounded once; what caps leave of them; and the entry that books it.

Every piece is an exact fraction. The points shown for a piece are what the running sum's rounding gained by it, so that
the pieces add up to the total.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day, month_of
from shared.domain.earning.terms import EarningTerms
from shared.domain.entry import Entry, Piece
from shared.domain.facets import Use
from shared.domain.ledger import draft
from shared.domain.points.activity import activity, beside
from shared.domain.points.eligibility import Cap, capped
from shared.domain.points.expiry import ends_on
from shared.domain.points.grants import granted_until
from shared.domain.program.common import Rounding
from shared.domain.program.program import Program


class Earned(NamedTuple):
    """The pieces of an earning, and what they use up of the member's limits and of budgets.

    `groups` says for each campaign that was open to the order whether the member was treated or held out;
    `is_excluded` that whose it is earns nothing, whatever they buy.
    """

    breakdown: tuple[Piece, ...]
    uses: Mapping[str, Use] = {}
    budgets: Mapping[str, int] = {}
    groups: Mapping[str, str] = {}
    cap: int | None = None
    is_excluded: bool = False

    @property
    def points(self) -> int:
        """All pieces together."""
        return sum(piece.points for piece in self.breakdown)


class RunningSum:
    """Hands each piece the points that rounding the sum so far, with it, gains.

    Below the `minimum_spend` of all earning no piece is worth anything, whatever its own.
    """

    def __init__(self, rounding: Rounding, minimum_spend: int) -> None:
        self._rounding: Rounding = rounding
        self._minimum_spend = minimum_spend
        self._exact = Fraction(0)

    def piece(
        self,
        rule_id: str,
        description: str,
        exact: Fraction,
        *,
        flat: bool = False,
        cap: int | None = None,
        minimum_spend: int = 0,
        lines: str | None = None,
        by_items: bool = False,
        steps: Fraction | None = None,
    ) -> Piece:
        """The next line: worth `exact` or at most `cap`, and what `Piece` says of the rest."""
        before = rounded(self._exact, self._rounding)
        self._exact += exact if cap is None else min(exact, Fraction(cap))
        points = rounded(self._exact, self._rounding) - before
        return Piece(
            rule_id=rule_id,
            points=points,
            description=description,
            exact=None if exact == points else str(exact),
            flat=flat,
            cap=cap,
            minimum_spend=max(minimum_spend, self._minimum_spend),
            lines=lines,
            by_items=by_items,
            steps=None if steps is None else str(steps),
        )


def rounded(exact: Fraction, how: Rounding) -> int:
    """Whole points: down, up, or to the nearest with halves up."""
    if how == "nearest":
        return floor(exact + Fraction(1, 2))
    return floor(exact) if how == "down" else ceil(exact)


def under_caps(
    account: Account | None,
    program: Program,
    earned: Earned,
    today: date,
    *,
    is_order: bool,
    also: Sequence[Cap] = (),
) -> Earned:
    """The earning under the program's caps, and those that it has `also`; a line says where one has cut it.

    What is cut of a campaign with a budget, which does not pay for it then, comes by no return either.
    """
    under = capped(account, program, earned.breakdown, today, is_order=is_order, also=also)
    cut = earned.points - sum(piece.points for piece in under.pieces)
    budgets = _really_drawn(earned, cut)
    less = {
        piece.rule_id: budgets.get(piece.rule_id, 0)
        for piece in earned.breakdown
        if piece.rule_id in earned.budgets and budgets.get(piece.rule_id, 0) < piece.points
    }
    pieces = (
        piece.model_copy(update={"cap": less[piece.rule_id]}) if piece.rule_id in less else piece
        for piece in under.pieces
    )
    uses = {
        name: use.model_copy(update={"points": less[name]}) if name in less else use
        for name, use in earned.uses.items()
        if less.get(name) != 0
    }
    return earned._replace(breakdown=tuple(pieces), uses={**uses, **under.uses}, budgets=budgets, cap=under.cap)


def earn_entry(
    account: Account,
    program: Program,
    terms: EarningTerms,
    earned: Earned,
    *,
    member: Account,
    occurred_at: datetime,
    now: datetime,
    actor: str,
    fingerprint: str,
    source: Mapping[str, str | None],
    counts: int = 0,
    is_activity: bool = True,
) -> Entry:
    """Credit an earning to an account, be it `member`'s own or their wallet. `counts` goes toward tiers.

    If it brings anything, it is activity of the member's where `is_activity`. What is earned dates from when it came
    about, but never from later than now.
    """
    today = local_day(now, program.time_zone)
    began_on = local_day(min(occurred_at, now), program.time_zone)
    available_on = began_on + timedelta(days=terms.pending_days)
    last_day = ends_on(member, program, terms.expiry, available_on)
    effects = granted_until(account, program, earned.points, available_on, last_day, today)
    if is_activity and earned.points > 0:
        effects = beside(effects, activity(account, terms.expiry, began_on))
    return draft(
        account,
        "earn",
        occurred_at=occurred_at,
        recorded_at=now,
        points=earned.points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **effects,
        earned=earned.points,
        qualifying={month_of(began_on): counts} if counts else {},
        uses=earned.uses,
        budgets=earned.budgets,
        source={name: value for name, value in source.items() if value is not None},
        breakdown=earned.breakdown,
    )


def _really_drawn(earned: Earned, cut: int) -> dict[str, int]:
    """What budgets pay for once a cap has cut so many points: those of the last pieces go first.

    Campaigns come on top of all else, so a budget pays for nothing that the order would have earned without it.
    """
    drawn_points: dict[str, int] = {}
    for piece in reversed(earned.breakdown):
        lost = min(cut, piece.points)
        cut -= lost
        if piece.rule_id in earned.budgets and piece.points > lost:
            drawn_points[piece.rule_id] = piece.points - lost
    return drawn_points
