"""What columns are called elsewhere, and what they are here.

The names of shop systems' own exports stand among those that people give: a file is known by its columns, whoever wrote
it. Several columns may make one of ours: of names all are joined, else the first that says something counts.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from infra.errors import LocalError, UsageError
from infra.tools.import_rows import OPTIONAL, REQUIRED
from shared.domain.members.members import IDENTIFIER_KINDS

OTHERS: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "customer id",
        "customer number",
        "reference id",
        "square customer id",
        "member id",
        "kundennummer",
    ),
    "email": ("e-mail", "email address", "e-mail address", "mail", "e-mail-adresse"),
    "phone": ("phone number", "mobile", "mobile number", "telephone", "telefon", "handy"),
    "card_number": ("card", "card number", "loyalty card", "kartennummer"),
    "name": ("first name", "last name", "given name", "family name", "surname", "full name", "vorname", "nachname"),
    "birthday": ("date of birth", "birth date", "birthdate", "geburtstag", "geburtsdatum"),
    "enrolled_at": ("enrolled on", "member since", "joined", "joined on", "sign up", "signup date", "first visit"),
    "marketing_email": ("accepts email marketing", "email subscription status", "accepts marketing"),
    "marketing_sms": ("accepts sms marketing", "sms subscription status"),
    "tags": ("groups", "segments"),
    "points": ("points balance", "balance", "loyalty points", "current points", "punkte", "punktestand"),
}
"""In small letters, each by the name that it has here."""

SYSTEMS: Mapping[str, frozenset[str]] = {
    "customers of Shopify": frozenset({"accepts email marketing", "tax exempt"}),
    "customers of WooCommerce": frozenset({"last active", "aov"}),
    "customers of Square": frozenset({"square customer id"}),
    "loyalty accounts of Square": frozenset({"loyalty program status"}),
}
"""By what their exports are known, in small letters."""

_OURS = frozenset(
    {*IDENTIFIER_KINDS, *(one for known in (REQUIRED, OPTIONAL) for names in known.values() for one in names)}
)


class Columns(NamedTuple):
    """Which columns of a file make which of ours, by place; and those that make none."""

    of: Mapping[str, tuple[int, ...]]
    passed_over: tuple[str, ...]
    system: str | None = None

    def cell(self, name: str, cells: Sequence[str]) -> str:
        """What a line's cells make one of our columns say."""
        found = [cells[place] for place in self.of.get(name, ()) if place < len(cells) and cells[place]]
        return " ".join(found) if name == "name" else next(iter(found), "")


def recognised(header: Sequence[str]) -> Columns:
    """The columns that are known, by our names or others'."""
    names = [name.lower() for name in header]
    of: dict[str, tuple[int, ...]] = {}
    for name in _OURS:
        known = (name, *OTHERS.get(name, ()))
        places = [names.index(one) for one in known if one in names]
        if name in names:  # our own name says it all
            places = places[:1]
        if places:
            of[name] = tuple(places)
    system = next((system for system, marks in SYSTEMS.items() if marks <= set(names)), None)
    return Columns(of, _passed_over(header, of), system)


def mapped(header: Sequence[str], file: Path) -> Columns:
    """The columns that a file of the shop names: TOML, ours on the left, `email = "Mail"`, several as a list.

    Raises LocalError if it cannot be read, UsageError for names that it or the header does not have.
    """
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise LocalError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f'{file} is not TOML, such as email = "Mail": {error}') from error
    names = {name.lower(): place for place, name in enumerate(header) if name}
    of = {name: tuple(_places(file, name, theirs, names)) for name, theirs in told.items()}
    return Columns(of, _passed_over(header, of))


def _passed_over(header: Sequence[str], of: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    taken = {place for places in of.values() for place in places}
    return tuple(name for place, name in enumerate(header) if name and place not in taken)


def _places(file: Path, name: str, theirs: object, names: Mapping[str, int]) -> Iterator[int]:
    if name not in _OURS:
        raise UsageError(f"{file}: {name!r} is no column of an import; there are {', '.join(sorted(_OURS))}")
    for one in theirs if isinstance(theirs, list) else [theirs]:
        if not isinstance(one, str) or one.lower() not in names:
            raise UsageError(f"{file}: {name} names {one!r}, which the header does not have")
        yield names[one.lower()]
