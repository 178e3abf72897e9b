"""Amounts of money."""

from shared.domain.fields import Record
from shared.domain.program.program import Program


class Money(Record):
    """An amount in minor units of an ISO 4217 currency."""

    amount: int
    currency: str


def money_of(amount: int | None, program: Program) -> Money | None:
    """An amount of the program's currency; None: there is none."""
    return None if amount is None else Money(amount=amount, currency=program.currency)
