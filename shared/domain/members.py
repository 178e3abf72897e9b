"""Who members are: identifiers, profile, consent. Kept apart from their points, so that it can be erased."""

import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from shared.domain.account import Status
from shared.domain.errors import Fault, InvalidRequestError, InvalidStateError, MemberNotActiveError
from shared.domain.fields import Flag, Record, Reference, Text

IdentifierKind = Literal["external_id", "email", "phone", "card_number"]
IDENTIFIER_KINDS: tuple[IdentifierKind, ...] = ("external_id", "email", "phone", "card_number")

IDENTITIES_MAX = 50
"""What one member may be found by, merged members' identifiers included: a transaction that frees them has bounds."""

# No character that is mistaken for another when read aloud or copied by hand.
_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE_NAME_LETTERS_MAX = 8
_CODE_RANDOM_LETTERS = 6


def _day_of_year(value: str) -> str:
    date.fromisoformat(f"2024-{value}")  # a leap year; raises ValueError for what no year has
    return value


Birthday = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^\d\d-\d\d$"),
    AfterValidator(_day_of_year),
    Field(description="month and day, 12-10"),
]
Locale = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")]
Contact = Annotated[str, StringConstraints(strict=True, min_length=3, max_length=254)]


class Marketing(Record):
    """By which means the member wants to hear offers. Nothing said is no."""

    email: Flag = False
    sms: Flag = False


class Consent(Record):
    """What the member agreed to: the version of the terms, and marketing by channel."""

    terms_version: Reference | None = None
    marketing: Marketing = Marketing()


class Preferences(Record):
    """By which channel messages reach the member; None: e-mail if there is an address, else SMS."""

    channel: Literal["email", "sms", "none"] | None = None


class Identifiers(Record):
    """What a member is found by."""

    external_id: Reference | None = None
    email: Contact | None = None
    phone: Contact | None = None
    card_number: Reference | None = None


class Enrollment(Identifiers):
    """A request to join: at least one identifier, and what the member tells of themselves."""

    name: Text | None = None
    birthday: Birthday | None = None
    locale: Locale | None = None
    consent: Consent = Consent()
    message_preferences: Preferences = Preferences()
    referral_code: Annotated[Reference, Field(max_length=40)] | None = None
    channel: Reference | None = None


class Change(Identifiers):
    """What to change of a member. Null removes a value; what is left out stays."""

    name: Text | None = None
    birthday: Birthday | None = None
    locale: Locale | None = None
    consent: Consent | None = None
    message_preferences: Preferences | None = None


class Identity(Record):
    """One thing that a member is found by. No two members share one."""

    kind: IdentifierKind | Literal["referral_code"]
    value: str


class Member(Identifiers):
    """A member's personal data, as kept."""

    member_id: str
    status: Status = "active"
    name: str | None = None
    birthday: str | None = None
    locale: str | None = None
    consent: Consent = Consent()
    message_preferences: Preferences = Preferences()
    referral_code: str | None = None
    referred_by_code: str | None = None
    channel: str | None = None
    enrolled_at: datetime
    merged_into: str | None = None
    also_known_as: tuple[Identity, ...] = ()
    """What merged members were found by, where this one has its own of the kind."""

    def identities(self) -> set[Identity]:
        """Everything the member is found by, as kept."""
        own = {Identity(kind=kind, value=value) for kind, value in _given_identifiers(self).items()}
        if self.referral_code:
            own.add(Identity(kind="referral_code", value=self.referral_code))
        return own | set(self.also_known_as)


def joined(request: Enrollment, *, member_id: str, referral_code: str, country: str, now: datetime) -> Member:
    """The member that a request to join describes; `country` is the region of phone numbers that name none.

    Raises InvalidRequestError if there is no identifier, or one is not what it says.
    """
    given = _given_identifiers(request)
    if not given:
        raise InvalidRequestError(Fault("", f"give at least one of {', '.join(IDENTIFIER_KINDS)}"))
    details = request.model_dump(exclude=set(IDENTIFIER_KINDS) | {"referral_code"})
    return Member.model_validate(
        {
            **details,
            **normalised(given, country),
            "member_id": member_id,
            "referral_code": referral_code,
            "referred_by_code": request.referral_code,
            "enrolled_at": now,
        }
    )


def changed(member: Member, change: Change, country: str) -> Member:
    """The member after a change.

    Raises InvalidRequestError if an identifier is not what it says, or none would be left.
    """
    given = change.model_dump(exclude_unset=True)
    for name in ("consent", "message_preferences"):
        if name in given and given[name] is None:
            given[name] = {}
    kept = _patched(member.model_dump(), given)
    after = Member.model_validate({**kept, **normalised(_given_identifiers(change), country)})
    if not _given_identifiers(after):
        raise InvalidRequestError(Fault("", f"a member keeps at least one of {', '.join(IDENTIFIER_KINDS)}"))
    return after


def require_active(member: Member) -> None:
    """Raises MemberNotActiveError for a member who was erased or merged into another."""
    if member.status != "active":
        where = f" into {member.merged_into}" if member.merged_into else ""
        raise MemberNotActiveError(f"the member {member.member_id} was {member.status}{where}")


def erased(member: Member) -> Member:
    """What is left of an erased member: that they were one, and since when."""
    return Member(member_id=member.member_id, status="erased", enrolled_at=member.enrolled_at)


def united(gone: Member, into: Member) -> tuple[Member, Member]:
    """Both members after a merge: `into` is found by whatever either was, and takes the details that it lacks.

    Consent is never widened. `gone` keeps nothing but where it went. Raises InvalidStateError if `into` would be found
    by too many identifiers.
    """
    keep = into.model_dump()
    for name in (*IDENTIFIER_KINDS, "name", "birthday", "locale", "channel"):
        keep[name] = keep[name] if keep[name] is not None else getattr(gone, name)
    survivor = Member.model_validate(keep)
    others = sorted(gone.identities() - survivor.identities(), key=lambda identity: (identity.kind, identity.value))
    rest = Member(member_id=gone.member_id, status="merged", enrolled_at=gone.enrolled_at, merged_into=into.member_id)
    survivor = survivor.model_copy(update={"also_known_as": (*survivor.also_known_as, *others)})
    if len(survivor.identities()) > IDENTITIES_MAX:
        raise InvalidStateError(f"a member is found by at most {IDENTITIES_MAX} identifiers and codes")
    return rest, survivor


def identities(of: Identifiers, country: str) -> list[Identity]:
    """The identifiers given, as they are kept. Raises InvalidRequestError naming each that is not what it says."""
    return [
        Identity.model_validate({"kind": kind, "value": value})
        for kind, value in normalised(_given_identifiers(of), country).items()
    ]


def normalised(identifiers: Mapping[IdentifierKind, str], country: str) -> dict[str, str]:
    """Identifiers as kept and compared: e-mail in lower case, phone as E.164, the rest exactly as given.

    Raises InvalidRequestError naming each that is not what it says.
    """
    kept: dict[str, str] = {}
    faults = []
    for kind, value in identifiers.items():
        try:
            kept[kind] = _normalised(kind, value, country)
        except ValueError as error:
            faults.append(Fault(f"/{kind}", str(error)))
    if faults:
        raise InvalidRequestError(*faults)
    return kept


def new_referral_code(name: str | None) -> str:
    """A code to pass on: the name's first letters and six at random, such as GRACE-7Q2KXM."""
    first = (name or "").split(" ")[0].upper()
    letters = "".join(letter for letter in first if letter.isascii() and letter.isalpha())[:_CODE_NAME_LETTERS_MAX]
    random = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_RANDOM_LETTERS))
    return f"{letters or 'FRIEND'}-{random}"


def _patched(kept: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept, with the change laid over it; what the change leaves out stays, inside objects too."""
    nested = {
        name: _patched(kept[name], value) for name, value in change.items() if value and isinstance(value, Mapping)
    }
    return {**kept, **change, **nested}


def _normalised(kind: IdentifierKind, value: str, country: str) -> str:
    if kind == "email":
        return _email(value)
    return _phone(value, country) if kind == "phone" else value


def _email(address: str) -> str:
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - only who writes members needs it

    try:
        return validate_email(address, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from error


def _phone(number: str, country: str) -> str:
    import phonenumbers  # noqa: PLC0415 - only who writes members needs it

    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        raise ValueError("is not a phone number, such as +44 20 7946 0958") from error
    if not phonenumbers.is_possible_number(parsed):
        raise ValueError("is not a possible phone number, such as +44 20 7946 0958")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _given_identifiers(of: Identifiers) -> dict[IdentifierKind, str]:
    return {kind: value for kind in IDENTIFIER_KINDS if (value := getattr(of, kind)) is not None}
