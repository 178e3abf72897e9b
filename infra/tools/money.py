"""Amounts as people read and write them."""

from decimal import Decimal, InvalidOperation

from iso4217 import Currency


def money(amount: int, currency: str) -> str:
    """Minor units in whole ones, with their currency: 1,234.50 USD."""
    return f"{Decimal(amount).scaleb(-_exponent(currency)):,f} {currency}"


def whole_units(amount: int, currency: str) -> str:
    """Minor units in whole ones, as a file has them: 1234.50."""
    return f"{Decimal(amount).scaleb(-_exponent(currency)):f}"


def minor_units(text: str, currency: str) -> int:
    """An amount such as 29.33 in minor units. Raises ValueError if it is none in that currency."""
    try:
        exact = Decimal(text).scaleb(_exponent(currency))
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not an amount") from error
    if not exact.is_finite() or exact != exact.to_integral_value():
        raise ValueError(f"{text!r} is not an amount in {currency}")
    return int(exact)


def _exponent(currency: str) -> int:
    return Currency(currency).exponent or 0
