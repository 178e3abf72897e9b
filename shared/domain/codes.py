"""Codes that people read, type and say aloud: drawn by lot, or made of a keyed hash."""

from collections.abc import Callable

UNAMBIGUOUS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""None of these is mistaken for another."""


def drawn(choice: Callable[[str], str], length: int, letters: str = UNAMBIGUOUS) -> str:
    """A code that nobody can work out: so many letters that `choice` picks."""
    return "".join(choice(letters) for _ in range(length))


def of_digest(digest: str, length: int, letters: str = UNAMBIGUOUS) -> str:
    """The code that hexadecimal digits make: as random as they are."""
    number, picked = int(digest, 16), []
    for _ in range(length):
        number, place = divmod(number, len(letters))
        picked.append(letters[place])
    return "".join(picked)


def grouped(code: str, size: int) -> str:
    """A code in groups that can be read aloud, with hyphens between them."""
    return "-".join(code[start : start + size] for start in range(0, len(code), size))
