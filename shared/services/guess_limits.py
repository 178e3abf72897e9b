"""How often a caller may guess identifiers, so that nobody learns by trying which ones exist.

A partner who looks up cards learns which ones exist. A member who types a code of an invitation or of an address, or
who asks for another code, may be trying. The guesses of an hour are counted. Whoever reaches the limit waits for the
next hour, right or wrong.
"""

from datetime import datetime

from shared.caller import OPERATOR, PARTNER, STOREFRONT, Caller
from shared.domain.errors import TooManyRequestsError
from shared.tables import guess_counts

MEMBER_GUESSES_MAX = 10
"""A person mistypes an address now and then."""
PARTNER_GUESSES_MAX = 300
"""All tills of a partner have one token."""


def require_may_guess(caller: Caller, now: datetime) -> None:
    """Raises TooManyRequestsError for a member or partner who has guessed too often this hour."""
    most = _guesses_max(caller)
    if most is None:
        return
    require_fewer(_who(caller), most, now)


def count(caller: Caller, now: datetime) -> None:
    """Note that a caller has guessed; the shop's own callers are trusted."""
    if _guesses_max(caller) is not None:
        guess_counts.add(_who(caller), now)


def require_fewer(who: str, most: int, now: datetime) -> None:
    """Raises TooManyRequestsError for somebody who has guessed `most` times this hour."""
    if guess_counts.load(who, now) >= most:
        left = 3600 - now.minute * 60 - now.second
        raise TooManyRequestsError("too many guesses in this hour; try again in the next one", left)


def count_for(who: str, now: datetime) -> None:
    """Note that somebody has guessed."""
    guess_counts.add(who, now)


def _guesses_max(caller: Caller) -> int | None:
    if PARTNER in caller.scopes:
        return PARTNER_GUESSES_MAX
    return None if caller.scopes & {STOREFRONT, OPERATOR} else MEMBER_GUESSES_MAX


def _who(caller: Caller) -> str:
    return caller.partner_id or caller.member_id or ""
