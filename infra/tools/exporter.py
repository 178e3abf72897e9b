"""`loyalty export`: members, their open lots with both dates, and their tiers, as import reads them.

One account after another is read, settled and written; memory does not grow with their number.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from pydantic import TypeAdapter

from infra.errors import LocalError
from infra.tools import csv_files
from infra.tools.import_rows import NEVER, OPTIONAL, REQUIRED, Kind
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
from shared.domain.subaccounts import member_of
from shared.tables import accounts as accounts_table
from shared.tables import ledger, programs
from shared.tables import members as people

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KINDS: tuple[Kind, ...] = ("members", "points", "tiers")
_IDENTITIES = TypeAdapter(tuple[Identity, ...])


@dataclass
class Exported:
    """What was written, and what no file of these can hold."""

    members: int = 0
    points: int = 0
    held: int = 0
    """Points held for open redemptions: they are written in the lots that they came from."""
    waiting: int = 0
    """Points that wait for an operator's approval, which are left out."""
    debt: int = 0
    elsewhere: int = 0
    """Points and credit in pools and wallets, in accounts of their own, which are left out."""
    provisional: int = 0


class _Open(NamedTuple):
    """Points of a lot that were earned together."""

    points: int
    earned_at: datetime
    expires_on: str
    available_on: str


def export(client: "DynamoDBClient", loyalty_table: str, folder: Path, now: datetime) -> Exported:
    """Write members.csv, points.csv and tiers.csv as of an instant. Raises LocalError if one of them stands already."""
    program, exported = programs.load_program(), Exported()
    with ExitStack() as files:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            opened = {kind: files.enter_context(_private(folder / f"{kind}.csv")) for kind in KINDS}
        except OSError as error:
            raise LocalError(f"{error.filename} cannot be written: {error.strerror}; name another folder") from error
        for kind, file in opened.items():
            csv_files.write(file, [columns(kind)])
        for account, member in _members(client, loyalty_table, program, now, exported):
            for kind, rows in _rows(account, member, program, exported).items():
                csv_files.write(opened[kind], ([row.get(name, "") for name in columns(kind)] for row in rows))
    return exported


def columns(kind: Kind) -> tuple[str, ...]:
    """The columns of a file."""
    return (*IDENTIFIER_KINDS, *REQUIRED[kind], *OPTIONAL[kind])


def _members(
    client: "DynamoDBClient", loyalty_table: str, program: Program, now: datetime, exported: Exported
) -> Iterator[tuple[Account, Member]]:
    """Every active member with their account, settled."""
    for page in client.get_paginator("scan").paginate(TableName=loyalty_table, ConsistentRead=True):
        accounts = [accounts_table.account_of(item) for item in page["Items"] if item["sk"]["S"] == "ACCOUNT"]
        accounts = [up_to_date(one, program, now) for one in accounts]
        sides = [one for one in accounts if member_of(one.member_id) != one.member_id]
        exported.elsewhere += sum(one.balance + one.pending_points + one.held_points for one in sides)
        exported.provisional += sum(one.status == "provisional" for one in accounts)
        own = {one.member_id: one for one in accounts if one.status == "active" and one not in sides}
        for member in people.load_members(list(own)):
            yield own[member.member_id], member


def _rows(
    account: Account, member: Member, program: Program, exported: Exported
) -> dict[Kind, list[Mapping[str, str]]]:
    name = next(kind for kind in IDENTIFIER_KINDS if getattr(member, kind))
    known: dict[str, str] = {name: str(getattr(member, name))}
    exported.members += 1
    exported.held += account.held_points
    exported.waiting += account.pending.get(UNTIL_APPROVED, 0)
    exported.debt += account.debt
    points: list[Mapping[str, str]] = [
        {
            **known,
            "points": str(one.points),
            "earned_at": _text(one.earned_at),
            "expires_on": one.expires_on,
            "available_on": one.available_on,
            "reference": f"export-{account.member_id}-{number}",
        }
        for number, one in enumerate(_lots(account, program), start=1)
    ]
    brought = sum(int(one["points"]) for one in points)
    exported.points += brought
    return {"members": [_member(account, member)], "points": points, "tiers": [{**known, **_tier(account, brought)}]}


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
        "badges": " ".join(f"{name}:{badge.times}:{badge.on}" for name, badge in account.badges.items()),
    }


def _lots(account: Account, program: Program) -> Iterator[_Open]:
    """The open lots, those of holds with them, divided by when their points were earned."""
    lots = combined(account.lots, *(hold.lots for hold in account.holds.values()))
    waiting = {key: points for key, points in account.pending.items() if key != UNTIL_APPROVED}
    if not lots and not waiting:
        return
    history = ledger.load_whole_history(account.member_id)
    for key, points in [*lots.items(), *waiting.items()]:
        available_on, _, day = key.rpartition("/")
        last_day = date_of(day)
        for part, earned_at in _earned(history, key, points):
            earlier = min(earned_at, start_of_day(last_day, program.time_zone)) if last_day else earned_at
            yield _Open(part, earlier, last_day.isoformat() if last_day else NEVER, available_on)


def _earned(newest_first: Sequence[Entry], key: str, points: int) -> Iterator[tuple[int, datetime]]:
    """When the points of a lot were earned: what was spent of it, was spent oldest first."""
    first = newest_first[-1].occurred_at
    for entry in newest_first:
        came = 0 if _moves_earlier_points(entry) else _came(entry, key)
        if came > 0 and points:
            part = min(points, came)
            points -= part
            yield part, entry.occurred_at
    if points:
        yield points, first


def _moves_earlier_points(entry: Entry) -> bool:
    """Whether an entry gives points back to their lots, or moves them between buckets: they were earned before it."""
    row = entry_types.of(entry.type)
    return row.gives_back or (row.effect == "inside" and row.earned == "none")


def _came(entry: Entry, key: str) -> int:
    """What an entry put into a lot, pending points that were to mature into it with them."""
    if "/" in key:
        return entry.pending.get(key, 0)
    return entry.lots.get(key, 0) + sum(points for at, points in entry.pending.items() if at.endswith(f"/{key}"))


def _private(path: Path) -> IO[str]:
    """A new file that this user alone can read: it holds personal data."""
    return open(path, "x", encoding="utf-8", newline="", opener=lambda name, flags: os.open(name, flags, 0o600))


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
