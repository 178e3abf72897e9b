"""`loyalty import`: members, pools, points, store credit and tiers of another program, from CSV.

The whole file is checked first, line by line, and nothing is written while any line is wrong. Then every line is booked
under a key of its own, so a second run, or one after a crash, books nothing twice. Both go through stretches of the
file that do not touch; memory does not grow with the file. Many lines go in one request, whole or not at all.
"""

import hashlib
import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from infra.tools import csv_files, same_lines
from infra.tools.import_rows import Bringing, Joining, Kind, Row, Sharing, kind_of, parse
from infra.tools.parts import Part, Run, Tell
from infra.tools.purchases import BadLine
from shared import request_ids, runtime
from shared.domain.account import Account
from shared.domain.earning.imports import BroughtPoints, bring_credit, bring_points, bring_tier, join
from shared.domain.entry import Entry
from shared.domain.errors import IdempotencyMismatchError, LoyaltyError, TryAgainError
from shared.domain.ledger import book_all
from shared.domain.members import members
from shared.domain.members.members import Identity, Member
from shared.domain.points.segments import first_traits, retagged
from shared.domain.program.program import Program
from shared.domain.spending import pools
from shared.domain.subaccounts import is_wallet, pool_account_of, wallet_of
from shared.tables import accounts, bulk, client, keys, ledger, operation, programs
from shared.tables import members as people
from shared.tables.client import CancelledError, Key
from shared.tables.operation import Decision, Situation

WORKERS = 4
"""Threads of a process: each waits for the database most of its time."""
LINES_A_PART = 2_000
LINES_TOGETHER = 400
"""How many lines are at hand at a time; the threads share them."""
BAD_LINES_MAX = 500
"""How many are told of; the others are counted."""
MEMBERS_TOGETHER = 8
"""How many newcomers go in one request: a profile, up to six identifiers and its places in lists make a dozen items."""
CODE_ATTEMPTS = 3
ACTOR = "import"
_NEW, _STANDS = "0", "1"


@dataclass
class Result:
    """What an import did, or in a dry run would do: lines new, lines booked before, and lines that are wrong."""

    kind: Kind
    new: int = 0
    before: int = 0
    bad: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    points: int = 0
    """Of the new lines; of store credit minor units."""
    is_written: bool = False

    def refuse(self, line: int, reason: str) -> None:
        """Count a line that is wrong."""
        self.bad += 1
        if len(self.bad_lines) < BAD_LINES_MAX:
            self.bad_lines.append(BadLine(line, reason))


class _BroughtBeforeMergeError(IdempotencyMismatchError):
    """A line was brought in for a member who was merged since."""

    def __init__(self, entry: Entry) -> None:
        super().__init__("was brought in for a member who was merged into this one")
        self.entry = entry


class _Parsed(NamedTuple):
    """A line as understood: its place among the lines, what it says, and the fingerprint of its content."""

    place: int
    line: int
    row: Row
    fingerprint: str


def bring_in(
    path: Path, run: Run, *, dry_run: bool, may_be_members: bool = False, members_come: bool = False
) -> Result:
    """Import a file as of the run's instant. The environment says into which tables. Raises LocalError.

    `may_be_members`: whoever is a member already stays as they are. `members_come`: a dry run, of which an earlier file
    would bring in members.

    The run is told of lines that are dealt with, twice of each: checked, and written.
    """
    kind = kind_of(csv_files.header(path))
    prefix = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    stretches = list(csv_files.stretches(path, LINES_A_PART))
    parts: list[Part] = [
        {
            "name": f"{path.name} from line {stretch.number} on",
            "path": str(path.resolve()),
            "kind": kind,
            "now": run.now.isoformat(),
            "number": number,
            "stretch": stretch,
            "said": str(run.folder / f"{prefix}-said-{number}"),
            "may_be_members": may_be_members,
            "members_come": members_come,
        }
        for number, stretch in enumerate(stretches)
    ]
    checked = run.through(f"{prefix}-checked", check_part, parts)
    twice = _said_twice(parts, stretches, prefix, run)
    again = ({**parts[number], "twice": list(lines.items())} for number, lines in sorted(twice.items()))
    whole = (one for one in checked if one["number"] not in twice)
    result = _sum_of(kind, chain(whole, run.through(f"{prefix}-checked-again", check_part, again)))
    if result.bad or dry_run:
        return result
    if kind == "pools":  # whose members have an order
        run = replace(run, workers=1)
    wanted = ({**parts[one["number"]], "stands": one["stands"]} for one in checked)
    result = _sum_of(kind, run.through(f"{prefix}-written", write_part, wanted))
    result.is_written = True
    return result


def check_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """Look at a stretch of a file beside what the tables have. What its lines say of whom goes to a file of digests.

    `twice` has its lines that say what a line before them says, each with the places of those digests among its own.
    """
    program = programs.load_program()
    check = _Check(part["kind"], part, dict(part.get("twice", ())))
    for parsed in _batches(part, program, check):
        check.look(parsed)
        tell(len(parsed))
    same_lines.write(Path(part["said"]), check.said)
    return {"number": part["number"], "stands": check.stands.decode(), "counts": asdict(check.result)}


def write_part(part: Part, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """Write the lines of a stretch that do not stand already; the counts of a Result."""
    program, now, stands = programs.load_program(), datetime.fromisoformat(part["now"]), part["stands"]
    result = Result(part["kind"])
    with ThreadPoolExecutor(WORKERS) as workers:
        for parsed in _batches(part, program, None):
            shares: dict[int, list[_Parsed]] = {}
            for one in parsed:
                if stands[one.place] == _STANDS:
                    result.before += 1
                else:
                    shares.setdefault(crc32(_written_by(one.row).encode()) % WORKERS, []).append(one)
            for done in [workers.submit(_write_all, share, program, now) for share in shares.values()]:
                for one, refusal, was_before in done.result():
                    _count(result, one, refusal, was_before=was_before)
            tell(len(parsed))
    return {"counts": asdict(result)}


def _said_twice(
    parts: Sequence[Part], stretches: Sequence[csv_files.Stretch], prefix: str, run: Run
) -> dict[int, dict[int, list[int]]]:
    """The lines that say what a line before them says, by part and number, and in which of their digests."""
    buckets = same_lines.parts([part["said"] for part in parts], sum(stretch.lines for stretch in stretches))
    starts = [stretch.number for stretch in stretches]
    twice: dict[int, dict[int, list[int]]] = {}
    for found in run.through(f"{prefix}-same", same_lines.find_part, buckets):
        for line, place in found:
            twice.setdefault(bisect_right(starts, line) - 1, {}).setdefault(line, []).append(place)
    return twice


def _sum_of(kind: Kind, results: Iterable[Any]) -> Result:
    total = Result(kind)
    for one in results:
        part = Result(**one["counts"])
        total.new += part.new
        total.before += part.before
        total.points += part.points
        total.bad += part.bad
        bad_lines = (BadLine(*bad) for bad in part.bad_lines)
        total.bad_lines = heapq.nsmallest(BAD_LINES_MAX, [*total.bad_lines, *bad_lines])
    return total


def member_id_of(identity: Identity) -> str:
    """The id of a member who is brought in: the same for the same identifier."""
    return people.new_member_id(f"import:{identity.kind}:{identity.value}")


_Done = tuple[_Parsed, str | None, bool]
"""A line, why it was refused, if it was, and whether it had been booked before."""


class _Check:
    """The first of the two runs through a stretch of a file.

    `twice` has the lines of which a line before them says the same, by number, and in which of its digests.
    """

    def __init__(self, kind: Kind, part: Part, twice: Mapping[int, Sequence[int]]) -> None:
        self.result = Result(kind)
        self._may_be_members: bool = part["may_be_members"]
        self._members_come: bool = part["members_come"]
        self._known: set[int] = set()
        """The places of lines of people who are members already."""
        self.stands = bytearray()
        """For each line whether it stands already."""
        self.said: list[same_lines.Said] = []
        self._twice = twice

    def fault(self, line: int, reason: str) -> None:
        self.result.refuse(line, reason)

    def look(self, lines: Sequence[_Parsed]) -> None:
        """Look at some lines beside what is there."""
        lines = [one for one in lines if self._once(one)]
        looked = self._at_members(lines) if self.result.kind == "members" else self._at_brought(lines)
        for one, existing, refusal in looked:
            if refusal is not None:
                self.fault(one.line, refusal)
                continue
            if existing is not None and existing.fingerprint != one.fingerprint and not self._stays(one):
                self.fault(one.line, "was brought in before with other details, which stay; correct it over the API")
                continue
            self.stands += _NEW.encode() * (one.place + 1 - len(self.stands))
            if existing is not None or one.place in self._known:
                self.stands[one.place] = ord(_STANDS)
            _count(self.result, one, None, was_before=self.stands[one.place] == ord(_STANDS))

    def _stays(self, one: _Parsed) -> bool:
        """Whether a line is of somebody of whom it need say no more than who they are."""
        return self._may_be_members and isinstance(one.row, Joining)

    def _once(self, one: _Parsed) -> bool:
        """Whether no line before says the same of the same member."""
        names = [f"{found.kind}:{found.value}" for found in _identities(one.row)]
        if isinstance(one.row, Bringing):
            names = [f"{names[0]}|{_reference(one.row)}|{one.row.pool_id or ''}"]
        self.said += (same_lines.Said(name, one.line, place) for place, name in enumerate(names))
        twice = [names[place].split(":")[0] for place in sorted(self._twice.get(one.line, ()))]
        if twice:
            has_references = self.result.kind in {"points", "credit"}
            what = "the same member has this reference" if has_references else "the same member stands"
            self.fault(one.line, f"{', '.join(twice)}: {what} on a line before; one of them must go")
        return not twice

    def _at_members(self, lines: Sequence[_Parsed]) -> Iterator[tuple[_Parsed, Entry | None, str | None]]:
        ids = [member_id_of(one.row.identity) for one in lines]
        entries = bulk.load_entries([keys.of("enroll", member_id=member_id) for member_id in ids])
        wanted = [_identities(one.row) for one in lines]
        owners = iter(people.find_all([identity for some in wanted for identity in some]))
        for one, member_id, entry, some in zip(lines, ids, entries, wanted, strict=True):
            taken = [identity.kind for identity in some if next(owners) not in {None, member_id}]
            refusal = f"{', '.join(taken)}: another member has it already" if taken and entry is None else None
            if taken and self._may_be_members:
                self._known.add(one.place)
                refusal = None
            yield one, entry, refusal

    def _at_brought(self, lines: Sequence[_Parsed]) -> Iterator[tuple[_Parsed, Entry | None, str | None]]:
        ids = people.find_all([one.row.identity for one in lines])
        found = [(one, member_id) for one, member_id in zip(lines, ids, strict=True) if member_id is not None]
        entries = bulk.load_entries([_brought_key(member_id, one.row) for one, member_id in found])
        existing = {one.place: entry for (one, _), entry in zip(found, entries, strict=True)}
        shared = _sharers_of(lines)
        for one, member_id in zip(lines, ids, strict=True):
            kind, refusal = one.row.identity.kind, None
            if member_id is None and not self._members_come:
                refusal = f"{kind}: there is no such member; import members first"
            elif member_id and _is_outside(one.row, member_id, shared):
                refusal = "pool_id: the member does not share this pool; import pools first"
            yield one, existing.get(one.place), refusal


def _is_outside(row: Row, member_id: str, shared: Mapping[str, Sequence[str]]) -> bool:
    """Whether a line's points are in a pool that their member does not share."""
    return isinstance(row, Bringing) and bool(row.pool_id) and member_id not in shared[row.pool_id or ""]


def _batches(part: Part, program: Program, check: _Check | None) -> Iterator[list[_Parsed]]:
    """The good lines of a stretch, some at a time; `check` is told of the others."""
    path, kind, now = Path(part["path"]), part["kind"], datetime.fromisoformat(part["now"])
    names = csv_files.header(path)
    rows = enumerate(csv_files.lines(path, csv_files.Stretch(*part["stretch"])))
    while some := list(islice(rows, LINES_TOGETHER)):
        parsed = []
        for place, line in some:
            try:
                parsed.append(_parsed(place, line, names, kind, program, now))
            except ValueError as error:
                if check is not None:
                    check.fault(line.number, str(error))
        yield parsed


def _parsed(place: int, line: csv_files.Line, names: list[str], kind: Kind, program: Program, now: datetime) -> _Parsed:
    if len(line.cells) != len(names):
        raise ValueError(f"{len(line.cells)} cells where the header has {len(names)}: put quotes around commas")
    values = dict(zip(names, line.cells, strict=True))
    said = "\x1f".join(f"{name}={value}" for name, value in sorted(values.items()) if value)
    return _Parsed(place, line.number, parse(kind, values, program, now), people.keyed_hash(f"import:{said}")[:32])


def _write_all(lines: Sequence[_Parsed], program: Program, now: datetime) -> list[_Done]:
    """Each line with why it was refused, if it was, and whether it had been booked before.

    Many go in one request. Where that does not work, each goes alone, which tells what is the matter with it.
    """
    done: list[_Done] = []
    for some in _groups(lines):
        if _together(some, program, now):
            done += [(one, None, False) for one in some]
        else:
            done += [_alone(one, program, now) for one in some]
    return done


def _together(lines: Sequence[_Parsed], program: Program, now: datetime) -> bool:
    """Write lines of one kind at once; all or none, and which it was."""
    kind = lines[0].row
    if isinstance(kind, Joining):
        return _joined_together(lines, program, now)
    return isinstance(kind, Bringing) and _brought_together(lines, now)


def _groups(lines: Sequence[_Parsed]) -> Iterator[list[_Parsed]]:
    """As many lines as one request may take, all of a member's together."""
    by_member: dict[Identity, list[_Parsed]] = {}
    for one in lines:
        by_member.setdefault(one.row.identity, []).append(one)
    group: list[_Parsed] = []
    members_in_it = 0
    for own in by_member.values():
        most = MEMBERS_TOGETHER if isinstance(own[0].row, Joining) else client.READS_TOGETHER_MAX
        is_full = len(group) + len(own) + members_in_it >= client.WRITES_TOGETHER_MAX
        if group and (is_full or members_in_it == most):
            yield group
            group, members_in_it = [], 0
        group += own
        members_in_it += 1
    if group:
        yield group


def _alone(one: _Parsed, program: Program, now: datetime) -> _Done:
    try:
        if isinstance(one.row, Sharing):
            return one, None, _shared(one, one.row, now)
        return one, None, _joined(one, program, now) if isinstance(one.row, Joining) else _brought(one, now)
    except LoyaltyError as error:
        return one, f"{error.code}: {error}", False


def _newcomer(one: _Parsed, program: Program, now: datetime) -> tuple[Member, Entry]:
    """The profile of a member, without their referral code, and their first entry."""
    row = one.row
    if not isinstance(row, Joining):
        raise TypeError(row)
    member_id, channels = member_id_of(row.identity), row.consent.marketing.channels
    kept: dict[str, str] = {identity.kind: identity.value for identity in row.identities}
    member = members.described(row.request, kept, member_id=member_id, referral_code="", enrolled_at=row.joined_at)
    member = members.consenting(member, row.consent, now=now, channel=row.request.channel)
    member = members.attributed(member, ACTOR).model_copy(update={"also_known_as": row.also_known_as})
    traits = first_traits(program, member.place, channels, member.email)
    if row.tags:
        traits = retagged(traits or Account(member_id=member_id).traits, row.tags, ())
    entry = join(member_id, program, row.joined_at, now=now, actor=ACTOR, fingerprint=one.fingerprint, traits=traits)
    return member, entry


def _with_code(member: Member, row: Row) -> Member:
    given = row.referral_code if isinstance(row, Joining) else None
    code = given or members.new_referral_code(member.name, runtime.random().choice)
    return member.model_copy(update={"referral_code": code})


def _joined_together(lines: Sequence[_Parsed], program: Program, now: datetime) -> bool:
    """Write members whom nobody was before; all or none, and which it was."""
    newcomers = []
    for one in lines:
        member, entry = _newcomer(one, program, now)
        newcomers.append((entry, people.writes(None, _with_code(member, one.row))))
    return bulk.enroll_together(newcomers)


def _joined(one: _Parsed, program: Program, now: datetime) -> bool:
    """Write a member; whether they were there before."""
    member, entry = _newcomer(one, program, now)
    for _ in range(CODE_ATTEMPTS):
        writes = people.writes(None, _with_code(member, one.row))
        try:
            operation.enroll([entry], writes, program, now)
        except CancelledError as cancelled:
            existing = ledger.load_entry(keys.of("enroll", member_id=member.member_id))
            if existing is not None:
                return _same(existing, one.fingerprint)
            refusal = people.identity_taken(cancelled, writes)
            if not isinstance(refusal, TryAgainError):
                raise refusal from cancelled
        else:
            return False
    raise TryAgainError("the referral code belongs to another member, or others write the same; import the file again")


def _brought_together(lines: Sequence[_Parsed], now: datetime) -> bool:
    """Book points, credit or tiers that were not booked before; all or none, and which it was."""
    by_account: dict[str, list[_Parsed]] = {}
    owners: dict[str, str] = {}
    for one, member_id in zip(lines, people.find_all([one.row.identity for one in lines]), strict=True):
        if member_id is None:
            return False
        account_id = _account_of(member_id, one.row)
        by_account.setdefault(account_id, []).append(one)
        owners[account_id] = member_id
    with_wallets = list(dict.fromkeys(owners[name] for name in owners if is_wallet(name)))
    try:
        members = {one.member_id: one for one in (accounts.load_accounts(with_wallets) if with_wallets else ())}
    except TryAgainError:
        return False

    def bring(account: Account, program: Program) -> list[Entry]:
        entries: list[Entry] = []
        for one in by_account[account.member_id]:
            new = _entries(account, members.get(owners[account.member_id], account), one, program, now)
            account = book_all(account, new)
            entries += new
        return entries

    return bulk.book_together(list(by_account), bring, now)


def _entries(account: Account, member: Account, one: _Parsed, program: Program, now: datetime) -> list[Entry]:
    """What a line books on an account: the member's own, their wallet, or the pool that they share."""
    row = one.row
    if not isinstance(row, Bringing):
        raise TypeError(row)
    if not isinstance(row.brought, BroughtPoints):
        return [bring_tier(account, program, row.brought, now=now, actor=ACTOR, fingerprint=one.fingerprint)]
    if row.is_credit:
        return bring_credit(member, account, program, row.brought, now=now, actor=ACTOR, fingerprint=one.fingerprint)
    return [bring_points(account, program, row.brought, now=now, actor=ACTOR, fingerprint=one.fingerprint)]


def _brought(one: _Parsed, now: datetime) -> bool:
    """Book points, credit or a tier; whether they were booked before."""
    row = one.row
    member_id = people.find(row.identity)
    if member_id is None or not isinstance(row, Bringing):
        raise TryAgainError("the member has gone since the file was checked")
    ids = list(dict.fromkeys((_account_of(member_id, row), member_id)))

    def bring(situation: Situation) -> Decision:
        account, member = situation.accounts[0], situation.accounts[len(ids) - 1]
        for gone in member.merged_from:
            existing = ledger.load_entry(_brought_key(gone, row))
            if existing is not None:
                raise _BroughtBeforeMergeError(existing)
        return Decision(_entries(account, member, one, situation.program, situation.now))

    key = _brought_key(member_id, row)
    try:
        return operation.run(ids, bring, key=key, fingerprint=one.fingerprint, now=now, shares=False).replayed
    except _BroughtBeforeMergeError as before:
        return _same(before.entry, one.fingerprint)


def _shared(one: _Parsed, row: Sharing, now: datetime) -> bool:
    """Have a member share a pool; whether they were brought into it before."""
    member_id = people.find(row.identity)
    if member_id is None:
        raise TryAgainError("the member has gone since the file was checked")

    def bring(situation: Situation) -> Decision:
        member, pool = situation.accounts[:2]
        entries = pools.bring(
            member,
            pool,
            situation.program,
            contributed=row.contributed,
            spent=row.spent,
            change_id=_change_id(member_id, row),
            now=situation.now,
            actor=ACTOR,
            fingerprint=one.fingerprint,
        )
        return Decision(entries)

    ids, key = [member_id, pool_account_of(row.pool_id)], _brought_key(member_id, row)
    return operation.run(ids, bring, key=key, fingerprint=one.fingerprint, now=now, shares=False).replayed


def _same(existing: Entry, fingerprint: str) -> bool:
    if existing.fingerprint != fingerprint:
        raise IdempotencyMismatchError("was brought in before with other details")
    return True


def _identities(row: Row) -> list[Identity]:
    """Everything on the line that no two members share; first that which stands for the member."""
    if not isinstance(row, Joining):
        return [row.identity]
    code = [Identity(kind="referral_code", value=row.referral_code)] if row.referral_code else []
    return [*row.identities, *code, *row.also_known_as]


def _reference(row: Bringing) -> str:
    return row.brought.reference if isinstance(row.brought, BroughtPoints) else "tier"


def _brought_key(member_id: str, row: Row) -> Key:
    if isinstance(row, Sharing):
        return keys.of("pool_join", change_id=_change_id(member_id, row), member_id=member_id)
    if not isinstance(row, Bringing):
        raise TypeError(row)
    what, account_id = "points" if row.is_points else "tier", _account_of(member_id, row)
    return keys.of("brought_in", member_id=account_id, brought_in=what, reference=_reference(row))


def _change_id(member_id: str, row: Sharing) -> str:
    return request_ids.derived_id("import", row.pool_id, member_id)


def _account_of(member_id: str, row: Row) -> str:
    """The account that a line is for."""
    if isinstance(row, Bringing) and row.is_credit:
        return wallet_of(member_id)
    if isinstance(row, Bringing) and row.pool_id:
        return pool_account_of(row.pool_id)
    return member_id


def _sharers_of(lines: Sequence[_Parsed]) -> dict[str, tuple[str, ...]]:
    """The members of the pools that lines bring points of."""
    wanted = list(dict.fromkeys(one.row.pool_id for one in lines if isinstance(one.row, Bringing) and one.row.pool_id))
    found: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(wanted), client.READS_TOGETHER_MAX):
        some = wanted[start : start + client.READS_TOGETHER_MAX]
        stored = accounts.load_accounts([pool_account_of(pool_id) for pool_id in some])
        found |= {pool_id: pool.pool_members for pool_id, pool in zip(some, stored, strict=True)}
    return found


def _written_by(row: Row) -> str:
    """What decides which worker writes a line: whatever writes to one pool is written one after another."""
    pool_id = None if isinstance(row, Joining) else row.pool_id
    return pool_id or row.identity.value


def _count(result: Result, one: _Parsed, refusal: str | None, *, was_before: bool) -> None:
    if refusal is not None:
        result.refuse(one.line, refusal)
    elif was_before:
        result.before += 1
    else:
        result.new += 1
        if isinstance(one.row, Bringing) and isinstance(one.row.brought, BroughtPoints):
            result.points += one.row.brought.points
