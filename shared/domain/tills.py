"""Cashiers at a till: who they are and at which store, for as long as their session lasts."""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.domain.codes import drawn, grouped
from shared.domain.fields import Record, Reference, Stored

CODE_LASTS = timedelta(hours=1)
"""From the back office to the till, and the coat off."""
SESSION_LASTS = timedelta(hours=12)
"""A long shift."""
UNDONE_WITHIN = timedelta(minutes=10)
"""While the customer is still there. Later it is a return, or the shop's to correct."""
_CODE_LENGTH, _GROUP = 12, 4
"""59 bits: it need not be told apart from guesses, so no stranger's guesses keep a cashier out."""


class Shift(Record):
    """Who is to sign in at a till, and of which store."""

    cashier: Reference
    store_id: Reference


class TillSession(Stored):
    """A cashier at a store: before they have signed in with their code, or since."""

    cashier: str
    store_id: str
    started_at: datetime
    ends_at: datetime


def new_code(choice: Callable[[str], str]) -> str:
    """A code to sign in with, of characters that `choice` draws."""
    return grouped(drawn(choice, _CODE_LENGTH), _GROUP)


def read(text: str) -> str:
    """The code that was typed: case, spaces and hyphens do not matter."""
    return "".join(text.upper().replace("-", "").split())
