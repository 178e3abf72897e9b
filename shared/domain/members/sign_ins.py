"""Signing in to the members' pages: an address asks for a code, the code makes a session.

Whoever joins says so while they ask: their wish to join waits with the address until the code has proved that it is
theirs. So nobody joins with an address of somebody else's, and whether somebody has an address shows nowhere.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.domain.codes import drawn
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.fields import Locale, Stored
from shared.domain.members.members import AddressKind, Consent, Enrollment, normalised

ENTERED_WITHIN = timedelta(minutes=15)
"""For how long a code to sign in can be entered: mail is sometimes slow."""
SESSION_LASTS = timedelta(days=14)
"""A member takes the card out at a till: it must not ask for a code each time."""
_TOKEN_LENGTH = 26
"""128 bits."""


class Applicant(Stored):
    """What somebody has said who wants to join: for as long as their code is valid."""

    name: str | None = None
    locale: str | None = None
    consent: Consent = Consent.model_construct()
    referral_code: str | None = None
    age_confirmed: bool = False
    channel: str | None = None

    def enrollment(self, kind: AddressKind, value: str) -> Enrollment:
        """Their request, under the address that they have proved to be theirs."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return Enrollment.model_validate({**said, "consent": self.consent.model_dump(), kind: value})


class SignIn(Stored):
    """An address that has asked for a code. The code follows from its id and the shop's key."""

    sign_in_id: str
    kind: AddressKind
    value: str
    """The address, as it is kept of members."""
    locale: Locale
    """In which language the code is sent."""
    applicant: Applicant | None = None
    """What somebody has said who wants to join; None: they sign in."""
    ends_at: datetime


class Session(Stored):
    """A member who has signed in, by the browser that has the session's token."""

    started_at: datetime
    ends_at: datetime


def new_token(choice: Callable[[str], str]) -> str:
    """A token that a browser keeps, of characters that `choice` draws."""
    return drawn(choice, _TOKEN_LENGTH)


def address_of(text: str, country: str, *, is_new: bool) -> tuple[AddressKind, str]:
    """The address that somebody has typed, as it is kept: with an @ it is an e-mail address, else a phone number.

    `is_new`: that of somebody who joins. Raises InvalidRequestError.
    """
    kind: AddressKind = "email" if "@" in text else "phone"
    try:
        return kind, normalised({kind: text}, country, is_new=is_new)[kind]
    except InvalidRequestError as error:
        raise InvalidRequestError(Fault("/address", error.faults[0].detail)) from error
