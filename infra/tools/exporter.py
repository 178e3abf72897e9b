"""`loyalty export`: members, their pools, the open lots of points and of store credit, and tiers, as import reads them.

Segments of the table are read, settled and written by themselves, a page of accounts at a time; memory does not grow
with their number.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter

from infra.errors import LocalError
from infra.tools import csv_files, segments
from infra.tools.import_rows import NEVER, OPTIONAL, REQUIRED, Kind
from infra.tools.money import whole_units
from infra.tools.parts import Part, Run, Tell
from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.calendar import start_of_day
from shared.domain.entry import Entry
from shared.domain.ledger import combined
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.members.members import IDENTIFIER_KINDS, Identity, Member
from shared.domain.points.expiry import date_of
from shared.domain.program.program import Program
from shared.domain.spending.stakes import CONTRIBUTED, EXPIRED, SPENT
from shared.domain.subaccounts import is_pool, is_wallet, owner_of
from shared.tables import accounts as accounts_table
from shared.tables import ledger, programs
from shared.tables import members as people

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KINDS: tuple[Kind, ...] = ("members", "pools", "points", "credit", "tiers")
"""The files, in the order in which import takes them."""
_IDENTITIES = TypeAdapter(tuple[Identity, ...])


@dataclass
class Exported:
    """What was written, and what no file of these can hold."""

    members: int = 0
    points: int = 0
    """In the members' own accounts and in their pools."""
    credit: int = 0
    """Store credit in minor units of the program's currency."""
    held: int = 0
    """Points held for open redemptions: they are written in the lots that they came from."""
    held_credit: int = 0
    waiting: int = 0
    """Points that wait for an operator's approval, which are left out."""
    debt: int = 0
    debt_of_credit: int = 0
    provisional: int = 0


class _Open(NamedTuple):
    """Points of a lot that were earned together; `reference` if they were brought in under one."""

    points: int
    earned_at: datetime
    expires_on: str
    available_on: str
    reference: str | None = None


_Rows = dict[Kind, list[Mapping[str, str]]]


def export(database: "DynamoDBClient", loyalty_table: str, folder: Path, run: Run) -> Exported:
    """Write a file of each kind as of the run's instant, which is told of each account.

    Raises LocalError if one of them is there already.
    """
    parts = segments.segments(database, loyalty_table, run)
    of_now = [{**part, "now": run.now.isoformat(), "folder": str(run.folder)} for part in parts]
    with _whole_files(folder) as files:
        exported = run.through("export", export_part, of_now)
        for kind, file in files.items():
            csv_files.write(file, [columns(kind)])
            for part in of_now:
                with _piece(part, kind).open(encoding="utf-8", newline="") as piece:
                    shutil.copyfileobj(piece, file)
    return _sum_of(Exported(**one) for one in exported)


def export_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """Write a piece of each file, of a segment's accounts as of its `now`: an Exported of them."""
    program, exported = programs.load_program(), Exported()
    with ExitStack() as files:
        opened = {kind: files.enter_context(_private(_unfinished(part, kind))) for kind in KINDS}
        for account, members in _accounts(part, program, exported, tell):
            for kind, rows in _rows(account, members, program, exported).items():
                csv_files.write(opened[kind], ([row.get(name, "") for name in columns(kind)] for row in rows))
    for kind in KINDS:
        _unfinished(part, kind).replace(_piece(part, kind))
    return asdict(exported)


def _sum_of(some: Iterable[Exported]) -> Exported:
    """What parts have written, added up."""
    total = Exported()
    for one in some:
        for name, number in asdict(one).items():
            setattr(total, name, getattr(total, name) + number)
    return total


def columns(kind: Kind) -> tuple[str, ...]:
    """The columns of a file."""
    return (*IDENTIFIER_KINDS, *REQUIRED[kind], *OPTIONAL[kind])


@contextmanager
def _whole_files(folder: Path) -> Iterator[dict[Kind, IO[str]]]:
    """The files to be written: under their names once the block has ended well.

    Raises LocalError if one of them is there already, or cannot be written.
    """
    paths: dict[Kind, Path] = {kind: folder / f"{kind}.csv" for kind in KINDS}
    hidden = {kind: path.with_name(f".{path.name}") for kind, path in paths.items()}
    if found := next((path for path in paths.values() if path.exists()), None):
        raise LocalError(f"{found} cannot be written: File exists; name another folder")
    with ExitStack() as unlinked, ExitStack() as closed:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            opened = {kind: closed.enter_context(_private(path)) for kind, path in hidden.items()}
        except OSError as error:
            raise LocalError(f"{error.filename} cannot be written: {error.strerror}; name another folder") from error
        for path in hidden.values():
            unlinked.callback(path.unlink, missing_ok=True)
        yield opened
        closed.close()
        for kind, path in hidden.items():
            path.replace(paths[kind])


def _piece(part: Part, kind: Kind) -> Path:
    return Path(part["folder"]) / f"{kind}-{part['segment']}.csv"


def _unfinished(part: Part, kind: Kind) -> Path:
    """A piece while it is written: of a run that was stopped another process may still be writing its own."""
    return _piece(part, kind).with_suffix(f".{os.getpid()}")


def _accounts(part: Part, program: Program, exported: Exported, tell: Tell) -> Iterator[tuple[Account, list[Member]]]:
    """Every account of active members, settled, with whose it is: their own, their wallet, the pool that they share."""
    now = datetime.fromisoformat(part["now"])
    for page in segments.accounts(part, ConsistentRead=True):
        accounts = [up_to_date(accounts_table.account_of(item), program, now) for item in page]
        exported.provisional += sum(one.status == "provisional" for one in accounts)
        owners = {one.member_id: _owners(one) for one in accounts if one.status == "active"}
        wanted = list(dict.fromkeys(name for names in owners.values() for name in names))
        found = {member.member_id: member for member in people.load_members(wanted)}
        for account in accounts:
            members = [found[name] for name in owners.get(account.member_id, ()) if name in found]
            if members := [member for member in members if member.status == "active"]:
                yield account, members
            tell(1)


def _owners(account: Account) -> tuple[str, ...]:
    return account.pool_members if is_pool(account.member_id) else (owner_of(account.member_id),)


def _rows(account: Account, members: Sequence[Member], program: Program, exported: Exported) -> _Rows:
    if is_pool(account.member_id):
        return _of_pool(account, members, program, exported)
    [member] = members
    if is_wallet(account.member_id):
        return _of_wallet(account, member, program, exported)
    exported.members += 1
    exported.held += account.held_points
    exported.waiting += account.pending.get(UNTIL_APPROVED, 0)
    exported.debt += account.debt
    lots = list(_lots(account, program))
    points: list[Mapping[str, str]] = [{**_name(member), "points": str(one.points), **_dates(one)} for one in lots]
    brought = sum(one.points for one in lots)
    exported.points += brought
    return {
        "members": [_member(account, member)],
        "points": points,
        "tiers": [{**_name(member), **_tier(account, brought)}],
    }


def _of_wallet(account: Account, member: Member, program: Program, exported: Exported) -> _Rows:
    exported.held_credit += account.held_points
    exported.debt_of_credit += account.debt
    lots, currency = list(_lots(account, program)), program.currency
    exported.credit += sum(one.points for one in lots)
    rows = (
        {**_name(member), "amount": whole_units(one.points, currency), "currency": currency, **_dates(one)}
        for one in lots
    )
    return {"credit": list(rows)}


def _of_pool(account: Account, members: Sequence[Member], program: Program, exported: Exported) -> _Rows:
    """Who shares a pool, in the order in which they joined it; its points stand beside the first of them."""
    lots, pool_id = list(_lots(account, program)), {"pool_id": owner_of(account.member_id)}
    exported.points += sum(one.points for one in lots)
    sharers = ({**_name(one), **pool_id, **_shares(account, one)} for one in members)
    points = ({**_name(members[0]), **pool_id, "points": str(one.points), **_dates(one)} for one in lots)
    return {"pools": list(sharers), "points": list(points)}


def _shares(pool: Account, member: Member) -> dict[str, str]:
    """What of a member's contributions has expired in the pool they have not put in, elsewhere."""
    uses = {name: pool.uses.get(f"{name}:{member.member_id}") for name in (CONTRIBUTED, SPENT, EXPIRED)}
    points = {name: use.points if use else 0 for name, use in uses.items()}
    return {
        CONTRIBUTED: str(points[CONTRIBUTED] - points[EXPIRED] or ""),
        SPENT: str(points[SPENT] or ""),
    }


def _name(member: Member) -> dict[str, str]:
    """The first of a member's identifiers, which stands for them."""
    name = next(kind for kind in IDENTIFIER_KINDS if getattr(member, kind))
    return {name: str(getattr(member, name))}


def _dates(one: _Open) -> dict[str, str]:
    return {
        "earned_at": _text(one.earned_at),
        "expires_on": one.expires_on,
        "available_on": one.available_on,
        "reference": one.reference or "",
    }


def _member(account: Account, member: Member) -> dict[str, str]:
    given = {name: getattr(member, name) for name in (*IDENTIFIER_KINDS, *OPTIONAL["members"]) if hasattr(member, name)}
    marketing = member.consent.marketing
    return {
        **{name: value or "" for name, value in given.items()},
        "enrolled_at": _text(member.enrolled_at),
        "terms_version": member.consent.terms_version or "",
        "marketing_email": _yes(marketing.email),
        "marketing_sms": _yes(marketing.sms),
        "tags": " ".join(account.traits.tags),
        "also_known_as": _IDENTITIES.dump_json(member.also_known_as).decode() if member.also_known_as else "",
    }


def _tier(account: Account, points: int) -> dict[str, str]:
    """The tier, and what of the member's past neither file of the others tells, where they bring so many points."""
    tier_status, earned_before = account.tier_status(), account.earned - points
    before = account.qualifying_ever - sum(account.qualifying.values())
    return {
        "tier_id": tier_status.tier_id,
        "since": tier_status.since.isoformat(),
        "review_on": tier_status.review_on.isoformat() if tier_status.review_on else "",
        "qualifying": " ".join(f"{month}:{amount}" for month, amount in account.qualifying.items()),
        "qualifying_before": str(before) if before > 0 else "",
        "grace": _yes(tier_status.grace),
        "earned_before": str(earned_before) if earned_before > 0 else "",
        "badges": " ".join(f"{name}:{badge.times}:{badge.on}" for name, badge in account.badges.items() if badge.times),
    }


def _lots(account: Account, program: Program) -> Iterator[_Open]:
    """The open lots, those of holds with them, divided by when their points were earned, the earliest first.

    What was brought in keeps the reference that it had: whoever imports it from here has the same lines.
    """
    lots = combined(account.lots, *(hold.lots for hold in account.holds.values()))
    waiting = {key: points for key, points in account.pending.items() if key != UNTIL_APPROVED}
    if not lots and not waiting:
        return
    history, used = ledger.load_whole_history(account.member_id), Counter[int]()
    parts = [
        _part(points, entry, key, program)
        for key, all_points in [*waiting.items(), *lots.items()]
        for points, entry in _earned(history, key, all_points, used)
    ]
    parts.sort(key=lambda one: (one.expires_on, one.available_on, one.earned_at))
    known = {one.reference for one in parts}
    new = (name for number in count(1) if (name := f"export-{account.member_id}-{number}") not in known)
    for one in parts:
        yield one if one.reference else one._replace(reference=next(new))


def _part(points: int, entry: Entry, key: str, program: Program) -> _Open:
    available_on, _, day = key.rpartition("/")
    last_day, earned_at = date_of(day), entry.occurred_at
    if last_day:
        earned_at = min(earned_at, start_of_day(last_day, program.time_zone))
    reference = entry.source["reference"] if entry.type == "brought_in" else None
    return _Open(points, earned_at, last_day.isoformat() if last_day else NEVER, available_on, reference)


def _earned(newest_first: Sequence[Entry], key: str, points: int, used: Counter[int]) -> Iterator[tuple[int, Entry]]:
    """Which entries the points of a lot came by: what was spent of it, was spent oldest first.

    `used` counts what of an entry is accounted for already, by its sequence. What no entry explains came by the first.
    """
    for entry in newest_first:
        came = 0 if _moves_earlier_points(entry) else _came(entry, key) - used[entry.sequence]
        if came > 0 and points:
            part = min(points, came)
            points -= part
            used[entry.sequence] += part
            yield part, entry
    if points:
        yield points, newest_first[-1]


def _moves_earlier_points(entry: Entry) -> bool:
    """Whether an entry spends points, gives them back or moves them between buckets: they were earned before it."""
    row = entry_types.of(entry.type)
    return (
        row.gives_back
        or row.spends
        or row.redemption_state is not None
        or (row.effect == "inside" and row.earned == "none")
    )


def _came(entry: Entry, key: str) -> int:
    """What an entry put into a lot, pending points that were to mature into it with them."""
    if "/" in key:
        return entry.pending.get(key, 0)
    return entry.lots.get(key, 0) + sum(points for at, points in entry.pending.items() if at.endswith(f"/{key}"))


def _private(path: Path) -> IO[str]:
    """A file that this user alone can read: it holds personal data."""
    return open(path, "w", encoding="utf-8", newline="", opener=lambda name, flags: os.open(name, flags, 0o600))


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
