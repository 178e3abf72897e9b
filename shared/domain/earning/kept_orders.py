"""What is kept of an order, and what that would have earned.

Returns of lines are exact. What is returned as a mere amount comes out of all that is left, alike. So what is kept
depends on what has come back in all, not on the order of the returns.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from fractions import Fraction
from math import floor
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.actors import is_operator
from shared.domain.calendar import local_day
from shared.domain.earning.earnings import rounded
from shared.domain.entry import Entry, OrderEarned, OrderLine, Piece
from shared.domain.facets import Use
from shared.domain.ledger import uses_after, uses_given_back
from shared.domain.points.eligibility import DAY_USE, EXCLUDED
from shared.domain.program.partners import Counted


class Returned(NamedTuple):
    """What of an order has come back by now: minor units in all, and of its lines, by `line_names`, pieces and units.

    `changes` counts how often that has changed.
    """

    amount: int = 0
    lines: Mapping[str, tuple[int, int]] = {}
    changes: int = 0


NOTHING_RETURNED = Returned()


class Sale(NamedTuple):
    """An order: the entry that credited it, its last amendment if it was amended, and what has come back of it."""

    entry: Entry
    returned: Returned = NOTHING_RETURNED
    amendment: Entry | None = None

    @property
    def order(self) -> OrderEarned:
        """The order's figures as it stands."""
        order = (self.amendment or self.entry).order
        if order is None:
            raise AssertionError(f"{self.entry.entry_id} is not an order's entry")
        return order

    @property
    def program_version(self) -> int:
        """The version of the program that it was credited by."""
        return self.order.program or self.entry.program_version

    def booked_on(self, time_zone: str) -> date:
        """The local day on which it was credited first: the one that limits count it on."""
        return self.order.booked_on or local_day(self.entry.recorded_at, time_zone)

    @property
    def is_excluded(self) -> bool:
        """Whether it earned nothing because of whose it was."""
        return any(piece.rule_id == EXCLUDED for piece in self.breakdown)

    @property
    def breakdown(self) -> tuple[Piece, ...]:
        """How its points came about."""
        return (self.amendment or self.entry).breakdown

    @property
    def uses(self) -> Mapping[str, Use]:
        """The limits that it counts for, and in which period."""
        return {**self.entry.uses, **self.amendment.uses} if self.amendment else self.entry.uses

    @property
    def budgets(self) -> Sequence[str]:
        """The budgets that its points come out of."""
        return sorted({*self.entry.budgets, *(self.amendment.budgets if self.amendment else ())})

    def counts_toward(self, what: Counted) -> bool:
        """Whether the order counts toward something beside points, as the terms said when it was credited.

        What somebody excluded buys counts toward nothing.
        """
        return counts_for(what, self.order.counts_toward) and not self.is_excluded

    @property
    def amount_kept(self) -> int:
        """Minor units of the order that have not come back."""
        return self.order.total - self.returned.amount

    @property
    def is_gone(self) -> bool:
        """Whether nothing is kept of it: then it is no order. One of what is given away goes with the last piece."""
        if self.amount_kept or self.returned.amount:
            return not self.amount_kept
        pieces = sum(line.quantity for line in self.order.lines)
        return 0 < pieces <= sum(quantity for quantity, _ in self.returned.lines.values())


class Kept(NamedTuple):
    """What an order's kept part earns: `points` in all, by rule before and by budget after the order's cap."""

    points: int
    by_rule: Mapping[str, int]
    by_budget: Mapping[str, int]


class _Parts(NamedTuple):
    """Of what no line names, and then of each line: minor units and pieces bought, and those kept."""

    amounts: Sequence[Fraction]
    items: Sequence[Fraction]
    amounts_kept: Sequence[Fraction]
    items_kept: Sequence[Fraction]


def counts_for(what: Counted, counts_toward: Collection[str] | None) -> bool:
    """Whether an order counts toward something beside points. None: it counts toward everything."""
    return counts_toward is None or what in counts_toward


def together(back: Returned, part: Returned) -> Returned:
    """What has come back of an order once `part` has, too; its numbers are below 0 where a refund is taken back."""
    lines = dict(back.lines)
    for sku, (quantity, amount) in part.lines.items():
        pieces, paid = lines.get(sku, (0, 0))
        lines[sku] = (pieces + quantity, paid + amount)
    kept_lines = {sku: numbers for sku, numbers in sorted(lines.items()) if numbers != (0, 0)}
    return Returned(back.amount + part.amount, kept_lines, back.changes + 1)


def returned_of(entry: Entry) -> Returned:
    """What has come back of an order by an entry that says so."""
    return Returned(entry.refunded or 0, entry.returned_lines, entry.returns)


def line_names(lines: Sequence[OrderLine]) -> list[str]:
    """Under which names returns of an order's lines are noted: their SKU; with a number if it is not its first line.

    What was noted before lines of one SKU were told apart is all under that; it is of its first line, then the next.
    """
    counts = Counter[str]()
    names = []
    for line in lines:
        counts[line.sku] += 1
        number = counts[line.sku]
        names.append(line.sku if number == 1 else f"{line.sku}\n{number}")
    return names


def lines_left(lines: Sequence[OrderLine], back: Mapping[str, tuple[int, int]]) -> list[tuple[int, int]]:
    """Pieces and minor units of each line that have not come back."""
    names = line_names(lines)
    left = [(line.quantity, line.amount) for line in lines]
    for name, (quantity, amount) in sorted(back.items(), reverse=True):
        for index, line in enumerate(lines):
            if name in {names[index], line.sku}:
                pieces, paid = left[index]
                fewer, less = min(quantity, pieces), min(amount, paid)
                left[index] = (pieces - fewer, paid - less)
                quantity, amount = quantity - fewer, amount - less  # noqa: PLW2901 - the SKU's next line has the rest
    return left


def lines_mask(indexes: Sequence[int], *, with_rest: bool) -> str:
    """What a piece notes of the lines that bring it, counted from 0, and whether what no line names does, too."""
    return format(sum(2 << index for index in indexes) + with_rest, "x")


def kept(sale: Sale) -> Kept:
    """What the kept part of an order earns, rounded once."""
    order, parts = sale.order, _parts(sale)
    exact, before = Fraction(0), 0
    by_rule: list[tuple[str, int]] = []
    for piece in sale.breakdown:
        exact += _worth(piece, sale, parts)
        after = rounded(exact, order.rounding)
        by_rule.append((piece.rule_id, after - before))
        before = after
    points = before if order.cap is None else min(before, order.cap)
    return Kept(points, _sums(by_rule), _drawn(sale, by_rule))


def kept_categories(sale: Sale) -> tuple[str, ...]:
    """The categories of the lines of which something is kept."""
    parts = _parts(sale)
    lines = zip(sale.order.lines, parts.items_kept[1:], parts.amounts_kept[1:], strict=True)
    return tuple(line.category for line, items, amount in lines if line.category and items > 0 and not sale.is_gone)


def uses_kept(sale: Sale, earned: Kept) -> dict[str, Use]:
    """What the kept part counts for each limit that the whole order counted for."""
    found = {}
    for name, use in sale.uses.items():
        if is_operator(name):  # counts what somebody has moved by hand, whatever is kept
            continue
        is_whole = name == DAY_USE or name.startswith("partner")
        points = earned.points if is_whole else earned.by_rule.get(name.removeprefix("rule:"), 0)
        found[name] = Use(period=use.period, times=1 if points else 0, points=points)
    return found


def without_uses(account: Account, sale: Sale, earned: Kept) -> Account:
    """The account had it never bought the order, as far as limits go."""
    freed = uses_given_back(uses_kept(sale, earned))
    return account.model_copy(update={"uses": uses_after(account.uses, freed)})


def _worth(piece: Piece, sale: Sale, parts: _Parts) -> Fraction:
    """Unrounded points of a piece for what is kept."""
    if sale.is_gone or sale.amount_kept < piece.minimum_spend:
        return Fraction(0)
    whole = Fraction(piece.exact) if piece.exact else Fraction(piece.points)
    mask = int(piece.lines, 16) if piece.lines else (2 << len(parts.amounts)) - 1

    def of_piece(each: Sequence[Fraction]) -> Fraction:
        return sum((one for index, one in enumerate(each) if mask >> index & 1), Fraction(0))

    if piece.flat:
        worth = whole if of_piece(parts.amounts_kept) > 0 else Fraction(0)
    else:
        bought, left = (parts.items, parts.items_kept) if piece.by_items else (parts.amounts, parts.amounts_kept)
        share = of_piece(left) / of_piece(bought) if of_piece(bought) else Fraction(0)
        worth = whole * (share if piece.steps is None else _whole_steps(Fraction(piece.steps), share))
    return worth if piece.cap is None else min(worth, Fraction(piece.cap))


def _whole_steps(steps: Fraction, share: Fraction) -> Fraction:
    """Which share of the whole steps of an order a share of what made them still makes."""
    return Fraction(floor(steps * share), max(1, floor(steps)))


def _parts(sale: Sale) -> _Parts:
    lines = sale.order.lines
    rest = sale.order.total - sum(line.amount for line in lines)
    amounts, items = [rest, *(line.amount for line in lines)], [0, *(line.quantity for line in lines)]
    of_lines = lines_left(lines, sale.returned.lines)
    items_left, amounts_left = [0, *(pieces for pieces, _ in of_lines)], [rest, *(paid for _, paid in of_lines)]
    left = sum(amounts_left)
    share = Fraction(sale.amount_kept, left) if left else Fraction(1)
    return _Parts(
        [Fraction(one) for one in amounts],
        [Fraction(one) for one in items],
        [one * share for one in amounts_left],
        [one * share for one in items_left],
    )


def _sums(by_rule: Sequence[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for rule_id, points in by_rule:
        sums[rule_id] = sums.get(rule_id, 0) + points
    return sums


def _drawn(sale: Sale, by_rule: Sequence[tuple[str, int]]) -> dict[str, int]:
    """What budgets pay for of what is kept: never more than of the whole order.

    Less of a capped order may have more of a campaign under its cap, when the budget has been used up by others.
    """
    most = _paid_by_budgets(sale, [(piece.rule_id, max(0, piece.points)) for piece in sale.breakdown])
    return {name: min(points, most[name]) for name, points in _paid_by_budgets(sale, by_rule).items()}


def _paid_by_budgets(sale: Sale, by_rule: Sequence[tuple[str, int]]) -> dict[str, int]:
    """What budgets would pay for: what the order's cap cuts are the points of the last pieces."""
    points, cap = sum(points for _, points in by_rule), sale.order.cap
    cut = 0 if cap is None else max(0, points - cap)
    drawn: dict[str, int] = {}
    budgets = sale.budgets
    for rule_id, worth in reversed(by_rule):
        lost = min(cut, worth)
        cut -= lost
        if rule_id in budgets:
            drawn[rule_id] = drawn.get(rule_id, 0) + worth - lost
    return drawn
