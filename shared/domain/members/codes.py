"""A code that a member shows at a till: it names them for a few minutes, and proves that they are there.

A card number stands on the card for ever and is read by many. A code is drawn by lot, short enough to be read aloud,
and soon over.
"""

from collections.abc import Callable
from datetime import timedelta

from shared.domain.codes import drawn

LENGTH = 8
"""40 bits: far more than can be tried in the minutes that a code lasts."""
LIFE = timedelta(minutes=5)
_SCHEME = "LOYALTY:"
"""Begins the text of a QR code. In capitals, it needs fewer modules."""


def new_code(choice: Callable[[str], str]) -> str:
    """A code of characters that `choice` draws."""
    return drawn(choice, LENGTH)


def text_of(code: str) -> str:
    """What a QR code says that shows the code to a scanner."""
    return _SCHEME + code


def read(text: str) -> str:
    """The code that was typed or scanned: case, spaces and hyphens do not matter."""
    return text.upper().removeprefix(_SCHEME).replace(" ", "").replace("-", "")
