"""The month as lines of a journal: what to debit and what to credit, each pair as much as the other."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from infra.analytics.lines import Line

LIABILITY = {"points": "Liability: points", "credit": "Liability: store credit"}
_AGAINST = {
    ("points", "earned"): "Revenue: deferred for points",
    ("points", "taken back"): "Revenue: deferred for points",
    ("points", "spent"): "Revenue: points redeemed",
    ("points", "given back"): "Revenue: points redeemed",
    ("points", "expired"): "Revenue: breakage of points",
    ("points", "forfeited"): "Revenue: breakage of points",
    ("points", "revalued"): "Revaluation of points",
    ("credit", "earned"): "Marketing: store credit",
    ("credit", "taken back"): "Marketing: store credit",
    ("credit", "spent"): "Settlement: store credit",
    ("credit", "given back"): "Settlement: store credit",
    ("credit", "expired"): "Revenue: breakage of store credit",
    ("credit", "forfeited"): "Revenue: breakage of store credit",
}
"""The account on the other side of the liability, by what moved it."""
_OF_PARTNER = {
    "issued": "Revenue: points given for partners",
    "taken back": "Revenue: points given for partners",
    "redeemed": "Cost: points redeemed at partners",
    "reversed": "Cost: points redeemed at partners",
}
_EXPECTED = "Liability: points, expected breakage"


class Posting(NamedTuple):
    """One line: `amount` minor units, more than 0, from the debit to the credit."""

    debit: str
    credit: str
    amount: int
    text: str


def postings(lines: Sequence[Line]) -> list[Posting]:
    """The journal of a statement's lines, those without an amount left out."""
    return [posting for line in lines for posting in _of_line(line)] + list(_expected(lines))


def _of_line(line: Line) -> Iterator[Posting]:
    if line.section != "statement" or not line.amount:
        return
    kind, _, name = line.subject.partition(" ")
    if kind == "partner" and line.what in _OF_PARTNER:
        yield _posted(
            _OF_PARTNER[line.what], f"Receivable: partner {name}", line.amount, f"{line.what}, {line.subject}"
        )
    elif (line.subject, line.what) in _AGAINST:
        other = _AGAINST[line.subject, line.what]
        yield _posted(LIABILITY[line.subject], other, line.amount, f"{line.subject} {line.what}")


def _posted(credit: str, debit: str, amount: int, text: str) -> Posting:
    """`amount` to the credit of an account, or if it is below 0 to its debit."""
    return Posting(debit, credit, amount, text) if amount > 0 else Posting(credit, debit, -amount, text)


def _expected(lines: Sequence[Line]) -> Iterator[Posting]:
    """What is expected to go unspent now, against what was when the month began."""
    now, before = (
        sum(line.amount or 0 for line in lines if line.section == section and "expected breakage" in line.what)
        for section in ("deferred revenue", "deferred revenue before")
    )
    if now != before:
        yield _posted(_EXPECTED, "Revenue: breakage of points", now - before, "change of the expected breakage")
