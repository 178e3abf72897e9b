"""What a report consists of: numbers, each with the question that it answers."""

from typing import NamedTuple


class Line(NamedTuple):
    """One number of a report: of whom (`points`, `credit`, `pool ...`, `partner ...`), what, in units and in money.

    `amount` is in minor units, None where units have no price. `query` is the question to the lake that it answers.
    """

    section: str
    subject: str
    what: str
    units: int | None
    amount: int | None
    query: str
