"""Who members are: identifiers, profile, consent. Kept apart from their points, so that it can be erased."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.domain.account import Status
from shared.domain.codes import drawn
from shared.domain.errors import (
    ConsentRequiredError,
    Fault,
    InvalidRequestError,
    InvalidStateError,
    MemberMergedError,
    MemberNotActiveError,
)
from shared.domain.fields import (
    Day,
    Flag,
    Locale,
    Record,
    Reference,
    Requested,
    Stored,
    Text,
    TimeZone,
    require_exactly_one,
)
from shared.domain.members.preferences import Suppression, Topics
from shared.domain.program.segments import Place

IdentifierKind = Literal["external_id", "email", "phone", "card_number"]
IDENTIFIER_KINDS: tuple[IdentifierKind, ...] = ("external_id", "email", "phone", "card_number")

AddressKind = Literal["email", "phone"]
ADDRESS_KINDS: tuple[AddressKind, ...] = ("email", "phone")
"""Identifiers that somebody can be written to, and can prove to be theirs."""
ONLY_SHOPS: tuple[IdentifierKind, ...] = ("external_id", "card_number")
"""Identifiers that the shop gives, and the shop alone changes: a till finds a member by them without any proof."""

IDENTITIES_MAX = 40
"""How many identifiers one member may have, those of merged members included: one transaction frees them all."""

CONSENT_HISTORY_MAX = 100
FINGERPRINTS_MAX = 5
FORMER_MAX = 10
"""How many addresses are kept that were a member's own."""
PROVEN_MAX = 10
"""How many addresses are kept from which a member has answered."""

_CODE_NAME_LETTERS_MAX = 8
_CODE_RANDOM_LETTERS = 6


def _day_of_year(value: str) -> str:
    try:
        date.fromisoformat(f"2024-{value}")  # a leap year
    except ValueError as error:
        raise ValueError(f"no year has the day {value}: send a month and a day, such as 12-10") from error
    return value


Birthday = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^\d\d-\d\d$"),
    AfterValidator(_day_of_year),
    Field(description="month and day, 12-10"),
]
Contact = Annotated[str, StringConstraints(strict=True, min_length=3, max_length=254)]


class Marketing(Stored):
    """By which channels the member wants offers. A channel that is left out is a no."""

    email: Flag = False
    sms: Flag = False

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that the member agreed to."""
        return tuple(name for name in ("email", "sms") if getattr(self, name))


class Consent(Stored):
    """What the member agreed to: the version of the terms, and marketing by channel."""

    terms_version: Reference | None = None
    marketing: Marketing = Marketing.model_construct()


class ConsentChange(Stored):
    """A change of consent: what it became, when, and where the member said so."""

    at: datetime
    consent: Consent
    channel: str | None = None
    by: str | None = None
    """Who recorded it, as entries name their actor."""


class Preferences(Stored):
    """By which channel messages reach the member; None: e-mail if there is an address, else SMS."""

    channel: Literal["email", "sms", "none"] | None = None


class Identifiers(Record):
    """The identifiers that a member is found by."""

    external_id: Reference | None = None
    email: Contact | None = None
    phone: Contact | None = None
    card_number: Reference | None = None


class OneIdentifier(Identifiers):
    """Exactly one identifier."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        require_exactly_one(self, IDENTIFIER_KINDS)
        return self


class Enrollment(Identifiers):
    """A request to join: at least one identifier, and what the member says about themselves."""

    name: Text | None = None
    birthday: Birthday | None = None
    locale: Locale | None = None
    consent: Requested[Consent] = Consent.model_construct()
    message_preferences: Requested[Preferences] = Preferences.model_construct()
    time_zone: TimeZone | None = None
    place: Place | None = None
    referral_code: Annotated[Reference, Field(max_length=40)] | None = None
    fingerprints: Annotated[tuple[Reference, ...], Field(max_length=FINGERPRINTS_MAX)] = ()
    """The shop's own fingerprints of a payment card or an address. Only keyed hashes of them are kept."""
    age_confirmed: Flag = False
    """That the member says they are as old as the program asks."""
    birth_date: Day | None = None
    """Checked where the program asks for an age, and not kept."""
    channel: Reference | None = None


class Change(Identifiers):
    """What to change of a member. Null removes a value; what is left out stays."""

    name: Text | None = None
    birthday: Birthday | None = None
    locale: Locale | None = None
    consent: Requested[Consent] | None = None
    message_preferences: Requested[Preferences] | None = None
    time_zone: TimeZone | None = None
    place: Place | None = None


class Identity(Stored):
    """One identifier of one member. No two members have the same one."""

    kind: IdentifierKind | Literal["referral_code"]
    value: str


class FormerAddress(Stored):
    """An address that was a member's own until they, or the shop, put another in its place."""

    identity: Identity
    left_at: datetime


class ErasureRequest(Stored):
    """A wish to be erased that an operator decides on, at the latest on `due_on`."""

    review_id: str
    requested_at: datetime
    due_on: date


class Member(Identifiers, Stored):
    """A member's personal data, as kept."""

    member_id: str
    status: Status = "active"
    name: str | None = None
    birthday: str | None = None
    birthday_since: datetime | None = None
    """When the member gave this birthday; None: when they joined."""
    locale: str | None = None
    consent: Consent = Consent.model_construct()
    message_preferences: Preferences = Preferences.model_construct()
    time_zone: str | None = None
    place: str | None = None
    """Where the member lives: a country or a part of one, such as US-CA."""
    topics: Topics = Topics.model_construct()
    suppressed_channels: Mapping[Literal["email", "sms"], Suppression] = {}
    """Channels that are switched off until their address changes, after a bounce or a complaint."""
    referral_code: str | None = None
    referred_by_code: str | None = None
    fingerprints: tuple[str, ...] = ()
    age_confirmed: bool = False
    consent_history: tuple[ConsentChange, ...] = ()
    """Every change of consent, the newest last."""
    channel: str | None = None
    enrolled_at: datetime
    merged_into: str | None = None
    also_known_as: tuple[Identity, ...] = ()
    """Identifiers of merged members, where this member has another one of the same kind."""
    former: tuple[FormerAddress, ...] = ()
    """Addresses that were theirs, the newest first: whoever changes one and leaves is known by it for a time."""
    proven: tuple[Identity, ...] = ()
    """Addresses, present and former ones, from which a code or a link has come back, the newest first.

    What the shop enters counts at once, but it may be anybody's: a till takes what it is told.
    """
    erasure: ErasureRequest | None = None
    """While it waits, what is kept of the member is not used."""

    def identities(self) -> set[Identity]:
        """Every identifier of the member, as kept."""
        own = {Identity(kind=kind, value=value) for kind, value in _given_identifiers(self).items()}
        if self.referral_code:
            own.add(Identity(kind="referral_code", value=self.referral_code))
        return own | set(self.also_known_as)

    def confirmed_addresses(self) -> list[Identity]:
        """The e-mail addresses and phone numbers that are known to be the member's own, their present ones first.

        What the member enters is none of them until they have confirmed it: see `address_changes`.
        """
        kept = [one for one in self.identities() if one.kind in ADDRESS_KINDS]
        return sorted(kept, key=lambda one: (one in self.also_known_as, one.kind, one.value))

    def addresses_since(self, moment: datetime) -> list[Identity]:
        """The confirmed addresses, and after them those that were the member's own at some time since a moment."""
        former = [one.identity for one in self.former if one.left_at > moment]
        return list(dict.fromkeys((*self.confirmed_addresses(), *former)))

    def has_proven(self, kind: AddressKind, value: str) -> Self:
        """The member once a code or a link has come back from an address."""
        address = Identity(kind=kind, value=value)
        proven = dict.fromkeys((address, *self.proven))
        return self.model_copy(update={"proven": tuple(proven)[:PROVEN_MAX]})


def joined(request: Enrollment, *, member_id: str, referral_code: str, country: str, now: datetime) -> Member:
    """The member that a request to join describes; `country` is the region of phone numbers that name none.

    Raises InvalidRequestError if there is no identifier, or one is not valid.
    """
    given = _given_identifiers(request)
    if not given:
        raise InvalidRequestError(Fault("", f"give at least one of {', '.join(IDENTIFIER_KINDS)}"))
    return described(
        request, normalised(given, country), member_id=member_id, referral_code=referral_code, enrolled_at=now
    )


def described(
    request: Enrollment,
    identifiers: Mapping[str, str],
    *,
    member_id: str,
    referral_code: str,
    enrolled_at: datetime,
) -> Member:
    """The member that a request to join describes, whose identifiers are given as they are kept."""
    details = request.model_dump(exclude={*IDENTIFIER_KINDS, "referral_code", "fingerprints", "birth_date", "consent"})
    member = Member.model_validate(
        {
            **details,
            **identifiers,
            "member_id": member_id,
            "referral_code": referral_code,
            "referred_by_code": request.referral_code,
            "enrolled_at": enrolled_at,
        }
    )
    return consenting(member, request.consent, now=enrolled_at, channel=request.channel)


def provisional(of: Identity, *, member_id: str, channel: str | None, now: datetime) -> Member:
    """Somebody known by one identifier, who has not agreed to the terms."""
    known = {of.kind: of.value, "member_id": member_id, "status": "provisional", "channel": channel}
    return Member.model_validate({**known, "enrolled_at": now})


def claimed(known: Member, newcomer: Member) -> Member:
    """A provisional member who joins: what they say about themselves, under the id that has the points."""
    return newcomer.model_copy(update={"member_id": known.member_id, "enrolled_at": known.enrolled_at})


def consenting(member: Member, consent: Consent, *, now: datetime, channel: str | None) -> Member:
    """The member with another consent, and the change of it in the history."""
    if consent == member.consent:
        return member
    change = ConsentChange(at=now, consent=consent, channel=channel)
    history = (*member.consent_history, change)[-CONSENT_HISTORY_MAX:]
    return member.model_copy(update={"consent": consent, "consent_history": history})


def attributed(member: Member, by: str, before: Member | None = None) -> Member:
    """The member with `by` as the actor of the newest change of consent, if `before` does not have that change."""
    newest = member.consent_history[-1:]
    if not newest or (before is not None and newest == before.consent_history[-1:]):
        return member
    named = (*member.consent_history[:-1], newest[0].model_copy(update={"by": by}))
    return member.model_copy(update={"consent_history": named})


def changed(member: Member, change: Change, country: str, now: datetime) -> Member:
    """The member after a change.

    Raises InvalidRequestError if an identifier is not valid, or none would be left.
    """
    given = change.model_dump(exclude_unset=True)
    for name in ("consent", "message_preferences"):
        if name in given and given[name] is None:
            given[name] = {}
    kept = _patched(member.model_dump(), given)
    after = Member.model_validate({**kept, **normalised(_given_identifiers(change), country)})
    after = _reachable_again(member, after)
    if not _given_identifiers(after):
        raise InvalidRequestError(Fault("", f"a member keeps at least one of {', '.join(IDENTIFIER_KINDS)}"))
    if after.birthday != member.birthday:
        after = after.model_copy(update={"birthday_since": now if after.birthday else None})
    return consenting(after.model_copy(update={"consent": member.consent}), after.consent, now=now, channel=None)


def addressed(member: Member, kind: AddressKind, value: str | None) -> Member:
    """The member with another e-mail address or phone number, by which they can be reached again."""
    return _reachable_again(member, member.model_copy(update={kind: value}))


def require_theirs_to_change(change: Change, *, is_place_shops: bool) -> None:
    """Raises InvalidRequestError for what a member may not change of themself, whatever it is changed to."""
    names = [*ONLY_SHOPS, *(["place"] if is_place_shops else [])]
    faults = [Fault(f"/{name}", "only the shop changes it") for name in names if name in change.model_fields_set]
    if faults:
        raise InvalidRequestError(*faults)


def asked_for(change: Change, country: str) -> tuple[Change, dict[AddressKind, str]]:
    """A member's change without the addresses that they have to confirm first, and those, as they are kept.

    Raises InvalidRequestError if one is not valid.
    """
    given = [kind for kind in ADDRESS_KINDS if getattr(change, kind) is not None]
    rest = change.model_dump(exclude_unset=True, exclude={*map(str, given)})
    kept = normalised({kind: getattr(change, kind) for kind in given}, country)
    return Change.model_validate(rest), {kind: kept[kind] for kind in given}


def with_former(before: Member, after: Member, now: datetime) -> Member:
    """The member after a change, with a note of the addresses that were theirs before it."""
    gone = [one for one in before.confirmed_addresses() if one not in after.identities()]
    if not gone:
        return after
    known = (one for one in after.former if one.identity not in gone)
    former = (*(FormerAddress(identity=one, left_at=now) for one in gone), *known)
    return after.model_copy(update={"former": former[:FORMER_MAX]})


def require_active(member: Member) -> None:
    """Raises MemberMergedError, MemberNotActiveError for who is not there or leaves, ConsentRequiredError."""
    require_staying(member)
    if member.status == "provisional":
        raise ConsentRequiredError(f"the member {member.member_id} has not agreed to the terms yet")
    if member.merged_into:
        raise MemberMergedError(member.member_id, member.merged_into)
    if member.status != "active":
        raise MemberNotActiveError(f"the member {member.member_id} was {member.status}")


def require_staying(member: Member) -> None:
    """Raises MemberNotActiveError for a member whose erasure waits for an operator."""
    if member.erasure is not None:
        raise MemberNotActiveError(
            f"the member {member.member_id} is to be erased; an operator decides by {member.erasure.due_on}"
        )


def leaving(member: Member, request: ErasureRequest, *, now: datetime) -> Member:
    """The member while their erasure waits: they are told of no offers any more, whatever is decided."""
    consent = Consent(terms_version=member.consent.terms_version)
    return consenting(member, consent, now=now, channel=None).model_copy(update={"erasure": request})


def erased(member: Member) -> Member:
    """What is left of an erased member: their id, and when they joined."""
    return Member(member_id=member.member_id, status="erased", enrolled_at=member.enrolled_at)


def lapsed(member: Member) -> Member:
    """What is left of a provisional member who never agreed to the terms: their id, and since when it has existed."""
    return Member(member_id=member.member_id, status="lapsed", enrolled_at=member.enrolled_at)


def united(gone: Member, into: Member) -> tuple[Member, Member]:
    """Both members after a merge: `into` has the identifiers of both, and takes the details that it lacks.

    Consent is never widened. `gone` keeps nothing but the id that it was merged into. Raises InvalidStateError if
    `into` would have too many identifiers.
    """
    keep = into.model_dump()
    for name in (*IDENTIFIER_KINDS, "name", "birthday", "locale", "channel", "place"):
        keep[name] = keep[name] if keep[name] is not None else getattr(gone, name)
    if into.birthday is None and gone.birthday is not None:
        keep["birthday_since"] = gone.birthday_since or gone.enrolled_at
    survivor = Member.model_validate(keep)
    survivor = survivor.model_copy(update={"suppressed_channels": _suppressed_after(gone, into, survivor)})
    others = sorted(gone.identities() - survivor.identities(), key=lambda identity: (identity.kind, identity.value))
    rest = Member(member_id=gone.member_id, status="merged", enrolled_at=gone.enrolled_at, merged_into=into.member_id)
    history = sorted((*gone.consent_history, *survivor.consent_history), key=lambda change: change.at)
    former = (*survivor.former, *gone.former)
    survivor = survivor.model_copy(
        update={
            "also_known_as": (*survivor.also_known_as, *others),
            "former": tuple(sorted(former, key=lambda one: one.left_at, reverse=True)[:FORMER_MAX]),
            "proven": tuple(dict.fromkeys((*survivor.proven, *gone.proven)))[:PROVEN_MAX],
            "consent_history": tuple(history[-CONSENT_HISTORY_MAX:]),
            "fingerprints": tuple(dict.fromkeys((*survivor.fingerprints, *gone.fingerprints)))[:FINGERPRINTS_MAX],
        }
    )
    if len(survivor.identities()) > IDENTITIES_MAX:
        raise InvalidStateError(
            f"a member is found by at most {IDENTITIES_MAX} identifiers and codes; remove some first"
        )
    return rest, survivor


def identities(of: Identifiers, country: str, *, is_new: bool = False) -> list[Identity]:
    """The identifiers given, as they are kept; `is_new`: those of somebody new.

    Raises InvalidRequestError naming each that is not valid.
    """
    return [
        Identity.model_validate({"kind": kind, "value": value})
        for kind, value in normalised(_given_identifiers(of), country, is_new=is_new).items()
    ]


def normalised(identifiers: Mapping[IdentifierKind, str], country: str, *, is_new: bool = True) -> dict[str, str]:
    """Identifiers as kept and compared: e-mail in lower case, phone as E.164, the rest exactly as given.

    What `is_new` has to be one that a message can be sent to; what is looked for may have been kept before that was
    asked. Raises InvalidRequestError naming each that is not valid.
    """
    kept: dict[str, str] = {}
    faults = []
    for kind, value in identifiers.items():
        try:
            kept[kind] = _normalised(kind, value, country, is_new=is_new)
        except ValueError as error:
            faults.append(Fault(f"/{kind}", str(error)))
    if faults:
        raise InvalidRequestError(*faults)
    return kept


def new_referral_code(name: str | None, choice: Callable[[str], str]) -> str:
    """A referral code: the name's first letters and six characters that `choice` draws, such as GRACE-7Q2KXM."""
    first = (name or "").split(" ")[0].upper()
    letters = "".join(letter for letter in first if letter.isascii() and letter.isalpha())[:_CODE_NAME_LETTERS_MAX]
    return f"{letters or 'FRIEND'}-{drawn(choice, _CODE_RANDOM_LETTERS)}"


def _reachable_again(before: Member, after: Member) -> Member:
    """The member with each channel on again whose address has changed."""
    addresses = {"email": before.email == after.email, "sms": before.phone == after.phone}
    kept = {channel: why for channel, why in after.suppressed_channels.items() if addresses[channel]}
    return after.model_copy(update={"suppressed_channels": kept})


def _suppressed_after(gone: Member, into: Member, survivor: Member) -> Mapping[Literal["email", "sms"], Suppression]:
    """The channels that a merge leaves off: those whose address was switched off before it."""
    taken = {
        **({"email": gone} if survivor.email != into.email else {}),
        **({"sms": gone} if survivor.phone != into.phone else {}),
    }
    channels: tuple[Literal["email", "sms"], ...] = ("email", "sms")
    found = {channel: taken.get(channel, into).suppressed_channels.get(channel) for channel in channels}
    return {channel: why for channel, why in found.items() if why is not None}


def _patched(kept: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept, with the change applied; what the change leaves out stays, inside objects, too."""
    nested = {
        name: _patched(kept[name], value) for name, value in change.items() if value and isinstance(value, Mapping)
    }
    return {**kept, **change, **nested}


def mail_address(address: str) -> str | None:
    """An address as the mail service takes it: its domain in ASCII (IDNA); None if the rest has other letters."""
    if address.isascii():
        return address
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - few addresses need it

    try:
        return validate_email(address, check_deliverability=False).ascii_email
    except EmailNotValidError:
        return None


def _normalised(kind: IdentifierKind, value: str, country: str, *, is_new: bool) -> str:
    if kind == "email":
        return _email(value, is_new=is_new)
    return _phone(value, country, is_new=is_new) if kind == "phone" else value


def _email(address: str, *, is_new: bool) -> str:
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - only who writes members needs it

    try:
        known = validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError("must be an e-mail address, such as ada@example.com") from error
    if is_new and known.ascii_email is None:
        raise ValueError("has letters before the @ that mail cannot be sent to: use a to z, digits and . _ % + -")
    return known.normalized.lower()


def _phone(number: str, country: str, *, is_new: bool) -> str:
    import phonenumbers  # noqa: PLC0415 - only who writes members needs it

    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        raise ValueError("must be a phone number, such as +44 20 7946 0958") from error
    if not phonenumbers.is_possible_number(parsed):
        raise ValueError("is not a possible phone number; send one such as +44 20 7946 0958")
    is_local = phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE
    if is_new and (is_local or parsed.extension):
        raise ValueError("must be a whole phone number, with its area code and without an extension: +44 20 7946 0958")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _given_identifiers(of: Identifiers) -> dict[IdentifierKind, str]:
    return {kind: value for kind in IDENTIFIER_KINDS if (value := getattr(of, kind)) is not None}
