"""What the pages say in each language, and how it writes numbers, days and money. A language is a file in `texts`."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

_TEXTS = Path(__file__).parent / "texts"
DEFAULT = "en"
_DIGITS_MAX = 12


class Language(NamedTuple):
    """One language: its BCP 47 tag, and its texts by name."""

    tag: str
    texts: Mapping[str, str]

    def text(self, name: str, /, **values: object) -> str:
        """A text with its values in place."""
        return self.texts[name].format_map(values)

    def any_text(self, name: str, otherwise: str) -> str:
        """The text of a name that may not be among the texts, or another one."""
        return self.texts[name if name in self.texts else otherwise]

    def number(self, number: int) -> str:
        """A number with its thousands apart: 1,234."""
        return f"{number:,}".replace(",", self.texts["format.group"])

    def counted(self, name: str, count: int) -> str:
        """A number of something: 1 point, 2 points."""
        return self.text(f"{name}.{'one' if count == 1 else 'other'}", count=self.number(count))

    def points(self, points: int) -> str:
        """So many points, in words."""
        return self.counted("points", points)

    def signed(self, points: int) -> str:
        """A change of points: +42, or with a real minus sign."""
        return f"+{self.number(points)}" if points > 0 else self.number(points).replace("-", "\N{MINUS SIGN}")

    def day(self, day: date) -> str:
        """A day: 30 Nov 2027."""
        month = self.texts["format.months"].split(" ")[day.month - 1]
        return self.text("format.day", day=day.day, month=month, year=day.year)

    def moment(self, moment: datetime, zone: ZoneInfo) -> str:
        """A day and a time there."""
        local = moment.astimezone(zone)
        return self.text("format.moment", day=self.day(local.date()), time=f"{local:%H:%M}")

    def money(self, amount: int, currency: str) -> str:
        """Minor units as an amount: 1,250.00 EUR."""
        from iso4217 import Currency  # noqa: PLC0415 - parses its tables; few pages need it

        exponent = Currency(currency).exponent or 0
        major, minor = divmod(abs(amount), 10**exponent)
        text = self.number(major) + (f"{self.texts['format.decimal']}{minor:0{exponent}}" if exponent else "")
        return f"{text}\N{NO-BREAK SPACE}{currency}"


def minor_units(text: str, currency: str) -> int | None:
    """The minor units of an amount that somebody has typed, with a point or a comma; None if it is not one."""
    from iso4217 import Currency  # noqa: PLC0415 - parses its tables; few pages need it

    exponent = Currency(currency).exponent or 0
    major, _, minor = text.strip().replace(",", ".").partition(".")
    digits = f"{major}{minor.ljust(exponent, '0')}"
    is_amount = major.isdecimal() and len(minor) <= exponent and digits.isascii() and digits.isdecimal()
    return int(digits) if is_amount and len(digits) <= _DIGITS_MAX else None


@cache
def languages() -> Mapping[str, Language]:
    """Every language, by its tag."""
    files = sorted(_TEXTS.glob("*.json"))
    return {path.stem: Language(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in files}


def nearest(wanted: Iterable[str | None]) -> Language:
    """The language of the first wish that there is one for: de-AT is content with de."""
    for wish in wanted:
        tag = (wish or "").split("-")[0].lower()
        if tag in languages():
            return languages()[tag]
    return languages()[DEFAULT]


def accepted(header: str) -> list[str]:
    """The languages that a browser asks for, the most wanted first."""
    wishes = []
    for number, part in enumerate(header.split(",")[:20]):
        tag, _, weight = part.partition(";q=")
        try:
            wishes.append((-float(weight or 1), number, tag.strip()))
        except ValueError:
            continue
    return [tag for _, _, tag in sorted(wishes)]
