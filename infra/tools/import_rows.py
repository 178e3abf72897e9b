"""What the lines of an import mean: members, pools, points, store credit, or tiers, told apart by the header.

members  any of external_id, email, phone, card_number; enrolled_at; and optionally name, birthday (12-10), locale,
         terms_version, marketing_email and marketing_sms (yes or no), referral_code, tags (blanks between them), place,
         time_zone, channel, also_known_as (what merged members were found by, as JSON)
pools    one of the identifiers; pool_id (32 random hexadecimal digits), and optionally contributed
         and spent (points that the member has put in, and spent of it)
points   one of the identifiers; points, earned_at, expires_on (a day, or never), reference; optionally available_on,
         and pool_id if they are in the pool that this member shares
credit   one of the identifiers; amount (12.50), currency, earned_at, expires_on, reference; optionally available_on
tiers    one of the identifiers; tier_id, since, and optionally review_on, qualifying (2026-03:120 2026-04:30),
         qualifying_before, grace (yes or no), earned_before (points earned beside those of the points file),
         badges (each with how often and since when, regular:2:2026-03-04)

Days are written 2026-11-20, times with their offset, 2026-11-20T18:03:00+01:00; a day alone is its first instant, and a
time without an offset is of the program's zone.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, TypeAdapter, ValidationError

from infra.errors import UsageError
from infra.tools.money import minor_units
from shared.domain.calendar import start_of_day
from shared.domain.earning.imports import BroughtPoints, BroughtTier, require_spendable, require_tier
from shared.domain.errors import InvalidRequestError
from shared.domain.facets import Badge, TierStatus
from shared.domain.fields import Day, Instant
from shared.domain.members.members import (
    IDENTIFIER_KINDS,
    IDENTITIES_MAX,
    Consent,
    Enrollment,
    Identifiers,
    Identity,
    identities,
)
from shared.domain.points.segments import TAGS_MAX
from shared.domain.program.program import Program
from shared.domain.program.segments import Tag

Kind = Literal["members", "pools", "points", "credit", "tiers"]

REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "members": ("enrolled_at",),
    "pools": ("pool_id",),
    "points": ("points", "earned_at", "expires_on", "reference"),
    "credit": ("amount", "currency", "earned_at", "expires_on", "reference"),
    "tiers": ("tier_id", "since"),
}
OPTIONAL: Mapping[Kind, tuple[str, ...]] = {
    "members": (
        "name",
        "birthday",
        "locale",
        "terms_version",
        "marketing_email",
        "marketing_sms",
        "referral_code",
        "tags",
        "place",
        "time_zone",
        "channel",
        "also_known_as",
    ),
    "pools": ("contributed", "spent"),
    "points": ("available_on", "pool_id"),
    "credit": ("available_on",),
    "tiers": ("review_on", "qualifying", "qualifying_before", "grace", "earned_before", "badges"),
}
NEVER = "never"
NUMBER_MAX = 10**15 - 1
"""Sums of many grants exceed what one grant may be. Spreadsheets keep fifteen digits exactly."""
REFERENCE_MAX = 128
_DETAILS = ("name", "birthday", "locale", "place", "time_zone", "channel")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{3,39}")
_MONTH = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2])):(\d{1,15})")
_POOL = re.compile(r"[0-9a-f]{32}")
_BADGE = re.compile(r"([a-z0-9][a-z0-9_.-]{0,63}):([1-9]\d{0,5}):(\d{4}-\d\d-\d\d)")
_SHORTENED = re.compile(r"\d[.,]?\d*[eE]\+\d+")
_NO_DAY = "must be a day, such as 2026-11-20"
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
YES, NO = frozenset({"yes", "true", "1", "y"}), frozenset({"", "no", "false", "0", "n"})
"""What says yes and what says no, in small letters."""
_DAY, _INSTANT = TypeAdapter[date](Day), TypeAdapter[datetime](Instant)
_IDENTITIES = TypeAdapter[tuple[Identity, ...]](tuple[Identity, ...])
_TAGS = TypeAdapter[tuple[str, ...]](tuple[Tag, ...])
_Model = TypeVar("_Model", bound=BaseModel)
_Value = TypeVar("_Value")


class Joining(NamedTuple):
    """Somebody who was a member elsewhere."""

    identities: tuple[Identity, ...]
    """The first stands for the member."""
    request: Enrollment
    consent: Consent
    joined_at: datetime
    referral_code: str | None
    tags: tuple[str, ...]
    also_known_as: tuple[Identity, ...] = ()
    """What merged members were found by, as it is kept."""

    @property
    def identity(self) -> Identity:
        """What stands for the member."""
        return self.identities[0]


class Bringing(NamedTuple):
    """A member's points or tier of elsewhere; points may be store credit in minor units, or in the pool they share."""

    identity: Identity
    brought: BroughtPoints | BroughtTier
    is_credit: bool = False
    pool_id: str | None = None

    @property
    def is_points(self) -> bool:
        """Whether it brings something to spend."""
        return isinstance(self.brought, BroughtPoints)


class Sharing(NamedTuple):
    """A member of a pool of elsewhere, and what they have put in and spent there."""

    identity: Identity
    pool_id: str
    contributed: int
    spent: int


Row = Joining | Bringing | Sharing


def kind_of(header: list[str]) -> Kind:
    """What a file with this header holds. Raises UsageError if that is nothing known, and says what is amiss."""
    marks: Mapping[str, Kind] = {"tier_id": "tiers", "points": "points", "amount": "credit", "pool_id": "pools"}
    kind: Kind = next((kind for mark, kind in marks.items() if mark in header), "members")
    missing = [name for name in REQUIRED[kind] if name not in header]
    unknown = [name for name in header if name not in (*IDENTIFIER_KINDS, *REQUIRED[kind], *OPTIONAL[kind])]
    if not set(header) & set(IDENTIFIER_KINDS):
        missing.insert(0, f"one of {', '.join(IDENTIFIER_KINDS)}")
    if missing or unknown:
        lacks = f"lacks {', '.join(missing)}" if missing else ""
        knows = f"names {', '.join(map(repr, unknown))}, which it cannot have" if unknown else ""
        raise UsageError(
            f"the header of {kind} {' and '.join(filter(None, (lacks, knows)))}. It must name "
            f"{', '.join(REQUIRED[kind])} and one of {', '.join(IDENTIFIER_KINDS)}; "
            f"it may name {', '.join(OPTIONAL[kind])}"
        )
    return kind


def parse(kind: Kind, cells: Mapping[str, str], program: Program, now: datetime) -> Row:
    """What a line says. Raises ValueError that says in which column what is wrong, and what to do about it."""
    faults: list[str] = []
    read = _Cells(cells, program.time_zone, faults)
    parsers: Mapping[Kind, _Parser] = {
        "members": _member,
        "pools": _sharer,
        "points": _points,
        "credit": _credit,
        "tiers": _tier,
    }
    row = parsers[kind](read, program, now)
    if faults or row is None:
        raise ValueError("; ".join(faults))
    return row


_Parser = Callable[["_Cells", Program, datetime], "Row | None"]


class _Cells:
    """The cells of one line by their column, and the list that their faults go to."""

    def __init__(self, cells: Mapping[str, str], zone: str, faults: list[str]) -> None:
        self._cells = cells
        self._zone = zone
        self._faults = faults

    def text(self, name: str) -> str | None:
        return self._cells.get(name) or None

    def fault(self, name: str, what: str) -> None:
        self._faults.append(f"{name}: {what}")

    def required(self, name: str) -> str:
        value = self._cells.get(name, "")
        if not value:
            self.fault(name, "is empty")
        return value

    def day(self, name: str) -> date | None:
        return self._checked(name, self.text(name), _DAY.validate_python)

    def instant(self, name: str) -> datetime | None:
        """A time, or the first instant of a day."""
        return self._checked(name, self.required(name) or None, self._instant)

    def flag(self, name: str) -> bool:
        value = self._cells.get(name, "").lower()
        if value not in YES | NO:
            self.fault(name, f"{value!r} is neither yes nor no")
        return value in YES

    def number(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or int(value[:16]) > NUMBER_MAX:
            self.fault(name, f"{value!r} is not a whole number of at most {NUMBER_MAX}, without separators")
            return None
        return int(value)

    def identifiers(self) -> Identifiers | None:
        given: dict[str, str] = {name: value for name in IDENTIFIER_KINDS if (value := self.text(name))}
        for name, value in given.items():
            if _SHORTENED.fullmatch(value):
                self.fault(name, f"{value!r} was shortened by a spreadsheet: make the column text and save it again")
                return None
        if not given:
            self._faults.append(f"give one of {', '.join(IDENTIFIER_KINDS)}")
            return None
        return self.model(Identifiers, given)

    def model(self, type_: type[_Model], values: Mapping[str, object]) -> _Model | None:
        try:
            return type_.model_validate(values)
        except ValidationError as error:
            for fault in error.errors():
                self.fault(str(fault["loc"][0]) if fault["loc"] else "line", _said(fault["msg"]))
            return None

    def _instant(self, value: str) -> datetime:
        if len(value) == len("2026-11-20"):
            return start_of_day(_DAY.validate_python(value), self._zone)
        if _LOCAL.fullmatch(value):
            value = datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(self._zone)).isoformat()
        return _INSTANT.validate_python(value)

    def _checked(self, name: str, value: str | None, check: Callable[[str], _Value]) -> _Value | None:
        if value is None:
            return None
        try:
            return check(value)
        except ValidationError as error:
            first = error.errors()[0]
            words = _NO_DAY if first["type"].startswith("date") else _said(first["msg"])
            self.fault(name, f"{value!r}: {words}")
            return None


def _member(read: _Cells, program: Program, now: datetime) -> Joining | None:
    given = read.identifiers()
    joined_at = read.instant("enrolled_at")
    if joined_at is not None and joined_at > now:
        read.fault("enrolled_at", f"{joined_at} has not come yet")
    marketing = {"email": read.flag("marketing_email"), "sms": read.flag("marketing_sms")}
    terms = read.text("terms_version")
    consent = read.model(Consent, {"terms_version": terms, "marketing": marketing})
    code, tags, others = _code(read), _tags(read), _others(read, program)
    if given is None:
        return None
    known = given.model_dump(exclude_none=True)
    request = read.model(Enrollment, {**known, **{name: value for name in _DETAILS if (value := read.text(name))}})
    found = _identities(read, given, program, is_new=True)
    if request is None or not found or joined_at is None or consent is None:
        return None
    return Joining(tuple(found), request, consent, joined_at, code, tags, others)


def _points(read: _Cells, program: Program, now: datetime) -> Bringing | None:
    points = read.number("points")
    if read.required("points") and points == 0:
        read.fault("points", "must be more than 0")
    pool_id = _pool_id(read) if read.text("pool_id") else None
    row = _lot(read, points or 0, program, now)
    return row and row._replace(pool_id=pool_id)


def _credit(read: _Cells, program: Program, now: datetime) -> Bringing | None:
    if program.cashback is None:
        read.fault("amount", "the program gives no store credit")
    amount, currency, minor = read.required("amount"), read.required("currency"), 0
    if currency and currency != program.currency:
        read.fault("currency", f"must be {program.currency}, the program's currency")
    elif amount and currency:
        try:
            minor = minor_units(amount, currency)
        except ValueError as error:
            read.fault("amount", str(error))
        else:
            if not 0 < minor <= NUMBER_MAX:
                read.fault("amount", f"must be more than 0, and at most {NUMBER_MAX} minor units")
    row = _lot(read, minor, program, now)
    return row and row._replace(is_credit=True)


def _lot(read: _Cells, points: int, program: Program, now: datetime) -> Bringing | None:
    """What is to be spent, `points` of it, with its dates."""
    given, reference = read.identifiers(), read.required("reference")
    if len(reference) > REFERENCE_MAX or not reference.isprintable():
        read.fault("reference", f"must be at most {REFERENCE_MAX} printable characters")
    earned_at, available_on = read.instant("earned_at"), read.day("available_on")
    is_endless = read.required("expires_on").lower() == NEVER
    expires_on = None if is_endless else read.day("expires_on")
    identity = _identity(read, given, program) if given else None
    if identity is None or not points or earned_at is None or (expires_on is None and not is_endless):
        return None
    brought = BroughtPoints(
        reference=reference, points=points, earned_at=earned_at, expires_on=expires_on, available_on=available_on
    )
    _checked_by(read, lambda: require_spendable(brought, program, now))
    return Bringing(identity, brought)


def _sharer(read: _Cells, program: Program, _: datetime) -> Sharing | None:
    if program.pools is None:
        read.fault("pool_id", "the program has no pools")
    given, pool_id = read.identifiers(), _pool_id(read)
    contributed, spent = read.number("contributed") or 0, read.number("spent") or 0
    identity = _identity(read, given, program) if given else None
    return Sharing(identity, pool_id, contributed, spent) if identity else None


def _pool_id(read: _Cells) -> str:
    pool_id = read.required("pool_id")
    if pool_id and not _POOL.fullmatch(pool_id):
        read.fault("pool_id", f"{pool_id!r} must be 32 random hexadecimal digits, as an issued id")
    return pool_id


def _tier(read: _Cells, program: Program, now: datetime) -> Bringing | None:
    given = read.identifiers()
    tier_id, since, review_on = read.required("tier_id"), read.day("since"), read.day("review_on")
    if read.required("since"):
        before, grace, months = read.number("qualifying_before"), read.flag("grace"), _months(read)
        earned_before, badges = read.number("earned_before"), _badges(read)
    identity = _identity(read, given, program) if given else None
    if identity is None or since is None:
        return None
    tier_status = TierStatus(tier_id=tier_id, since=since, review_on=review_on, grace=grace)
    brought = BroughtTier(
        tier_status=tier_status,
        qualifying=months,
        qualifying_before=before or 0,
        earned_before=earned_before or 0,
        badges=badges,
    )
    _checked_by(read, lambda: require_tier(brought, program, now))
    return Bringing(identity, brought)


def _identity(read: _Cells, given: Identifiers, program: Program) -> Identity | None:
    """The first identifier, which stands for the member; all are looked at."""
    return next(iter(_identities(read, given, program)), None)


def _identities(read: _Cells, given: Identifiers, program: Program, *, is_new: bool = False) -> list[Identity]:
    """The identifiers as they are kept; of who is new they are looked at more closely."""
    found: list[Identity] = []
    _checked_by(read, lambda: found.extend(identities(given, program.country, is_new=is_new)))
    return found


def _checked_by(read: _Cells, check: Callable[[], None]) -> None:
    try:
        check()
    except InvalidRequestError as error:
        for fault in error.faults:
            read.fault(fault.pointer.removeprefix("/"), fault.detail)


def _code(read: _Cells) -> str | None:
    code = read.text("referral_code")
    if code is not None and not _CODE.fullmatch(code.upper()):
        read.fault("referral_code", f"{code!r} must be 4 to 40 letters, digits and hyphens")
    return code.upper() if code else None


def _tags(read: _Cells) -> tuple[str, ...]:
    words = tuple(sorted(set((read.text("tags") or "").split())))
    try:
        _TAGS.validate_python(words)
    except ValidationError:
        read.fault("tags", "a tag is at most 32 small letters, digits and _ . : -, with blanks between tags")
    if len(words) > TAGS_MAX:
        read.fault("tags", f"a member has at most {TAGS_MAX}")
    return words


def _others(read: _Cells, program: Program) -> tuple[Identity, ...]:
    """What else a member is found by, as it is kept; a cell of JSON, for an external id may have blanks."""
    text = read.text("also_known_as")
    try:
        given = _IDENTITIES.validate_json(text) if text else ()
    except ValidationError:
        read.fault("also_known_as", 'must be JSON, such as [{"kind": "email", "value": "ada@example.org"}]')
        return ()
    if len(given) > IDENTITIES_MAX - len(IDENTIFIER_KINDS) - 1:
        read.fault("also_known_as", f"a member is found by at most {IDENTITIES_MAX} identifiers and codes")
        return ()
    kept: list[Identity] = []
    for one in given:
        if one.kind == "referral_code":
            kept.append(one)
            continue
        try:
            kept += identities(Identifiers.model_validate({one.kind: one.value}), program.country)
        except (InvalidRequestError, ValidationError):
            read.fault("also_known_as", f"{one.value!r} is not a valid {one.kind}")
    return tuple(kept)


def _badges(read: _Cells) -> dict[str, Badge]:
    """The badges held, each with how often it was earned and since when."""
    badges: dict[str, Badge] = {}
    for word in (read.text("badges") or "").split():
        found = _BADGE.fullmatch(word)
        try:
            on = _DAY.validate_python(found[3]) if found else None
        except ValidationError:
            on = None
        if found is None or on is None or found[1] in badges:
            read.fault("badges", f"{word!r} must be a badge, how often, and since when, such as regular:2:2026-03-04")
        else:
            badges[found[1]] = Badge(on=on, times=int(found[2]))
    return badges


def _months(read: _Cells) -> dict[str, int]:
    """What counted toward the tier, by month."""
    months: dict[str, int] = {}
    for word in (read.text("qualifying") or "").split():
        found = _MONTH.fullmatch(word)
        if found is None or found[1] in months:
            read.fault("qualifying", f"{word!r} must be a month and an amount, such as 2026-03:120, each month once")
        else:
            months[found[1]] = int(found[2])
    return months


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
