"""Pools: points that the members of a household share.

A pool is an account. A decision about a member of one is made as if the pool's points were the member's own; what it
takes is drawn from the pool first, and what it leaves with the member goes there, each lot with its date. So rules
that move points know nothing of pools, and each member's part is in the pool's ledger: see `stakes`.

A frozen member is kept apart until unfrozen: their stake is taken out of the pool to their own account, where nobody
spends it, what they earn stays there, and the others go on sharing theirs.

What was drawn from a pool goes back there. So whoever leaves, is removed or frozen lets go of what they have reserved
of others' points, and of what is reversed after that no more is theirs than they had put in.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.domain import entry_types
from shared.domain.account import Account
from shared.domain.actors import is_shop
from shared.domain.calendar import local_day
from shared.domain.earning.enrolment import open_side
from shared.domain.earning.provisional import require_consent
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError, NotOfferedError, PoolNotFoundError
from shared.domain.facets import Use
from shared.domain.ledger import book, combined, draft, give, negative, take
from shared.domain.lots import NEVER, Drawn, Hold, Lots
from shared.domain.points.expiry import moved_lots, returned_lots
from shared.domain.points.freezing import require_not_frozen
from shared.domain.program.program import Program
from shared.domain.spending import stakes
from shared.domain.spending.redemptions import release
from shared.domain.spending.stakes import SPENT, members_ever
from shared.domain.subaccounts import is_pool, owner_of, pool_account_of

MEMBERS_EVER_MAX = 30
"""A pool's account keeps what each has put in and spent, also of those who left."""

_NONE = Use(period="always")


def pools_of(accounts: Iterable[Account]) -> list[str]:
    """The accounts of the pools that members share in."""
    return list(dict.fromkeys(pool_account_of(one.pool_id) for one in accounts if one.pool_id))


def pool_among(member: Account, accounts: Iterable[Account]) -> Account | None:
    """The member's pool, if it is one of the accounts."""
    wanted = pool_account_of(member.pool_id) if member.pool_id else ""
    return next((one for one in accounts if one.member_id == wanted), None)


def drawn_by(entries: Iterable[Entry]) -> list[str]:
    """The accounts of the pools that points come back to which entries reverse."""
    return drawn_for(hold for entry in entries for hold in entry.reversed.values())


def drawn_for(holds: Iterable[Hold]) -> list[str]:
    """The accounts of the pools that points of holds were drawn from."""
    return list(dict.fromkeys(pool_account_of(hold.drawn.pool_id) for hold in holds if hold.drawn))


def missing_of_others(pool: Account, member_id: str, drawn: Drawn) -> int:
    """How many points that a member, who shares the pool no longer, has drawn from it are still missing there."""
    return _missing(pool, member_id, drawn.by, stakes.own_points(pool, drawn.by))


def united(member: Account, pool: Account | None) -> Account:
    """The member as if the pool's points were theirs; what they owe is settled from those first."""
    if pool is None or member.frozen:
        return member
    owed = _owed(member, pool)
    lots = combined(member.lots, pool.lots, negative(owed))
    return member.model_copy(update={"lots": lots, "debt": member.debt - sum(owed.values())})


def join(
    member: Account,
    pool: Account,
    program: Program,
    *,
    change_id: str,
    is_new: bool,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> list[Entry]:
    """Share a pool from now on, all available points included; the member's own entry comes before the pool's.

    Raises MemberFrozenError, ConsentRequiredError, PoolNotFoundError if nobody opened it, InvalidStateError if the
    member is in one already or owes points or if it is full, and NotOfferedError if the program has no pools.
    """
    if program.pools is None:
        raise NotOfferedError("the program has no pools")
    require_not_frozen(member)
    require_consent(member)
    if not pool.sequence and not is_new:
        raise PoolNotFoundError("there is no such pool")
    if member.pool_id:
        raise InvalidStateError("the member shares a pool already; leave that one first")
    if member.debt:
        raise InvalidStateError(f"the member owes {member.debt} points; who joins a pool owes none")
    if len(pool.pool_members) >= program.pools.members_max:
        raise InvalidStateError(f"a pool has at most {program.pools.members_max} members; one must leave first")
    if len({*members_ever(pool), member.member_id}) > MEMBERS_EVER_MAX:
        raise InvalidStateError(f"a pool takes in {MEMBERS_EVER_MAX} members over its life; open a new one")
    books = _Books([member, pool], program, now)
    books.note(open_side(pool, program, now=now, actor=actor))
    pool_id = owner_of(pool.member_id)
    source = {"pool_id": pool_id, "change_id": change_id, "by": member.member_id}
    common: dict[str, Any] = {"points": 0, "source": source}
    books.write(member.member_id, "pool_join", actor, **common, pool_id=pool_id, fingerprint=fingerprint)
    books.write(pool.member_id, "pool_join", actor, **common, pool_members=(*pool.pool_members, member.member_id))
    books.contribute(member.member_id, pool.member_id, actor)
    books.attribute(())
    return books.entries


def bring(
    member: Account,
    pool: Account,
    program: Program,
    *,
    contributed: int,
    spent: int,
    change_id: str,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> list[Entry]:
    """Share a pool of another program, which is opened if need be, with what the member had put in and spent there.

    Raises as `join` does.
    """
    entries = join(
        member, pool, program, change_id=change_id, is_new=True, now=now, actor=actor, fingerprint=fingerprint
    )
    uses = stakes.counts(member.member_id, contributed=contributed, spent=spent)
    return [
        one.model_copy(update={"uses": uses}) if (one.member_id, one.type) == (pool.member_id, "pool_join") else one
        for one in entries
    ]


def leave(
    member: Account,
    pool: Account,
    program: Program,
    *,
    change_id: str,
    now: datetime,
    actor: str,
    fingerprint: str = "",
    for_good: bool = False,
) -> list[Entry]:
    """Share the pool no longer. Who leaves takes along their stake, the last to leave also what is nobody's.

    It is at most what is there, and what expires soonest goes first. What they owe is settled from it. What they have
    reserved of the others' points is cancelled. `for_good`: they never come back for the rest of their stake.
    """
    books = _Books([member, pool], program, now)
    books.contribute(member.member_id, pool.member_id, actor)
    released = books.let_go(member.member_id, pool.member_id, actor)
    rest = tuple(one for one in pool.pool_members if one != member.member_id)
    source = {"pool_id": member.pool_id or "", "change_id": change_id, "by": member.member_id}
    common: dict[str, Any] = {"points": 0, "source": source}
    books.take_along(member.member_id, pool.member_id, actor, is_last=not rest)
    books.write(member.member_id, "pool_leave", actor, **common, pool_id="", fingerprint=fingerprint)
    books.write(pool.member_id, "pool_leave", actor, **common, pool_members=rest)
    if for_good:
        books.give_up(member.member_id, pool.member_id)
    books.attribute(released)
    return books.entries


def contribute(member: Account, pool: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """Put all that a member can spend into their pool."""
    books = _Books([member, pool], program, now)
    books.contribute(member.member_id, pool.member_id, actor)
    books.attribute(())
    return books.entries


class SharedBooks:
    """A decision about members of pools, made as if the pools' points were their own.

    The decision is made twice: on `as_own`, which shows what it needs of the pools, then on `drawn_for` that.
    """

    def __init__(self, accounts: Sequence[Account], program: Program, now: datetime) -> None:
        self._accounts = accounts
        self._own = [one for one in accounts if not is_pool(one.member_id)]
        self._sharers = _sharers(self._own, accounts)
        self._books = _Books(accounts, program, now)
        self._actor = ""
        self._released: list[Entry] = []

    @property
    def has_pools(self) -> bool:
        """Whether any of the accounts is a pool."""
        return len(self._own) < len(self._accounts)

    def as_own(self) -> list[Account]:
        """The members as if their pools' points were theirs."""
        return [united(one, self._sharers.get(one.member_id)) for one in self._own]

    def drawn_for(self, planned: Sequence[Entry]) -> list[Account]:
        """The members after drawing from their pools what the planned entries take, one at least."""
        self._actor = planned[0].actor
        for member in self._own:
            pool = self._sharers.get(member.member_id)
            if pool is not None:
                effects = [entry.lots for entry in planned if entry.member_id == member.member_id]
                needed = _needed(member, pool, effects)
                self._books.draw(member.member_id, pool.member_id, needed, self._actor)
                if any(entry.type == "freeze" and entry.member_id == member.member_id for entry in planned):
                    self._books.contribute(member.member_id, pool.member_id, self._actor)
                    self._released += self._books.let_go(member.member_id, pool.member_id, self._actor)
                    self._books.set_apart(member.member_id, pool.member_id, self._actor)
        return [self._books.current[one.member_id] for one in self._own]

    def shared(self, decided: Sequence[Entry]) -> list[Entry]:
        """All entries: what was drawn, what was decided after that, and what it leaves with members put into pools."""
        decided = _naming_pools(decided, self._sharers)
        self._books.note(decided)
        for entry in decided:
            for hold in entry.reversed.values():
                if hold.drawn is not None:
                    self._books.pay_back(entry, hold.drawn, hold, self._actor)
        for member in self._own:
            if (pool := pool_among(member, self._accounts)) is not None:
                self._books.contribute(member.member_id, pool.member_id, self._actor)
        self._books.attribute([*self._released, *decided])
        return self._books.entries


class _Books:
    """Accounts while several entries are made one upon another."""

    def __init__(self, accounts: Iterable[Account], program: Program, now: datetime) -> None:
        self.current = {one.member_id: one for one in accounts}
        self.entries: list[Entry] = []
        self._program = program
        self._now = now
        self._set_apart: dict[tuple[str, str], int] = {}
        self._moved: dict[tuple[str, str], Lots] = {}

    def note(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.current[entry.member_id] = book(self.current[entry.member_id], entry)
            self.entries.append(entry)

    def write(self, account_id: str, type_: str, actor: str, **rest: Any) -> None:  # noqa: ANN401
        account = self.current[account_id]
        when = {"occurred_at": self._now, "recorded_at": self._now}
        self.note([draft(account, type_, **when, program_version=self._program.version, actor=actor, **rest)])

    def draw(self, member_id: str, pool_id: str, lots: Lots, actor: str, *, pays_debt: bool = False) -> None:
        member, pool = self.current[member_id], self.current[pool_id]
        owed = {} if pays_debt else _owed(member, pool)
        all_lots = combined(lots, owed)
        if not all_lots:
            return
        effects = give(member, self._live(member, all_lots)) if pays_debt else self._spendable(member, lots, owed)
        points, source = sum(all_lots.values()), self._source(member, pool)
        self.write(pool_id, "pool_out", actor, points=-points, lots=negative(all_lots), source=source)
        self.write(member_id, "pool_in", actor, points=points, **effects, source=source)
        self._flow(member_id, pool_id, negative(all_lots))

    def let_go(self, member_id: str, pool_id: str, actor: str) -> list[Entry]:
        """Cancel what a member has reserved or offered, until no more is out than they have put in themselves."""
        released: list[Entry] = []
        for redemption_id in sorted(self.current[member_id].holds):
            if self._own_points(member_id, pool_id) >= 0:
                break
            member, at = self.current[member_id], {"occurred_at": self._now, "now": self._now}
            released.append(release(member, self._program, redemption_id, "cancel", **at, actor=actor))
            self.note(released[-1:])
            self._put_in(member_id, pool_id, actor)
        return released

    def set_apart(self, member_id: str, pool_id: str, actor: str) -> None:
        """Take a member's own part out of the pool; what expires soonest goes first."""
        part = self._set_apart[member_id, pool_id] = self._own_part(member_id, pool_id)
        self.draw(member_id, pool_id, take(self.current[pool_id].lots, part), actor)

    def take_along(self, member_id: str, pool_id: str, actor: str, *, is_last: bool) -> None:
        """As `set_apart`, and what is nobody's if nobody is left to share the pool; it pays what is owed.

        What is nobody's was spent by who takes it, in that they take it. Those who have left before find their stake.
        """
        pool, part = self.current[pool_id], self._own_part(member_id, pool_id)
        self._set_apart[member_id, pool_id] = part
        claimed = stakes.claimed_by_former(pool, member_id)
        points = max(part, pool.balance - claimed) if is_last else part
        self.draw(member_id, pool_id, take(pool.lots, points), actor, pays_debt=True)

    def give_up(self, member_id: str, pool_id: str) -> None:
        """Leave the rest of a stake to the others, as if it had been spent."""
        rest = max(0, self._own_points(member_id, pool_id))
        self._flow(member_id, pool_id, {NEVER: -rest})

    def pay_back(self, reversal: Entry, drawn: Drawn, hold: Hold, actor: str) -> None:
        """Give the pool that reversed points were drawn from what of them is not its former member's own.

        Who shares it still puts in everything. A debt that was settled from others' points is owed again. What else was
        taken of them at once, as by the return of an order, comes from the member's other points or is owed.
        """
        member, pool_id = self.current[reversal.member_id], pool_account_of(drawn.pool_id)
        if pool_id not in self.current or (member.pool_id == drawn.pool_id and not member.frozen):
            return
        pool = self.current[pool_id]
        own = self._own_points(drawn.by, pool_id)
        points = min(drawn.points, reversal.points, _missing(pool, member.member_id, drawn.by, own))
        if not points:
            return
        left = {day: min(one, member.lots.get(day, 0)) for day, one in reversal.lots.items()}
        lots = take(left, min(points, sum(left.values())))
        rest = points - sum(lots.values())
        others = combined(member.lots, negative(lots))
        others = take(others, min(rest, sum(others.values())))
        owed = rest - sum(others.values())
        today = local_day(self._now, self._program.time_zone)
        living, _ = returned_lots(member, self._program, hold.lots, today, has_grace=is_shop(reversal.actor))
        incoming = self._live(pool, combined(lots, take(living, rest)))
        source = {**self._source(member, pool), "by": drawn.by}
        gone = negative(combined(lots, others))
        self.write(member.member_id, "pool_out", actor, points=-points, lots=gone, debt=owed, source=source)
        self.write(pool_id, "pool_in", actor, points=points, lots=incoming, source=source)
        self._flow(drawn.by, pool_id, incoming)

    def _own_part(self, member_id: str, pool_id: str) -> int:
        """A member's stake, as far as it is still there."""
        return max(0, min(self._own_points(member_id, pool_id), self.current[pool_id].balance))

    def _own_points(self, member_id: str, pool_id: str) -> int:
        """A member's stake; below 0 if they have spent or reserved others' points."""
        own = stakes.own_points(self.current[pool_id], member_id)
        return own + sum(self._moved.get((member_id, pool_id), {}).values())

    def contribute(self, member_id: str, pool_id: str, actor: str) -> None:
        if not self.current[member_id].frozen:
            self._put_in(member_id, pool_id, actor)

    def _put_in(self, member_id: str, pool_id: str, actor: str) -> None:
        member, pool = self.current[member_id], self.current[pool_id]
        if not member.lots:
            return
        points, source = member.balance, self._source(member, pool)
        self.write(member_id, "pool_out", actor, points=-points, lots=negative(member.lots), source=source)
        incoming = self._live(pool, member.lots)
        self.write(pool_id, "pool_in", actor, points=points, lots=incoming, source=source)
        self._flow(member_id, pool_id, incoming)

    def attribute(self, decided: Iterable[Entry]) -> None:
        """Say in the pool's last entry about each member how much they have put in, or spent, all told."""
        for (member_id, pool_id), lots in self._moved.items():
            apart = self._set_apart.get((member_id, pool_id), 0)
            flow = sum(lots.values()) + apart
            of_member = (
                entry for entry in decided if entry.member_id == member_id and entry_types.of(entry.type).gives_back
            )
            before = self.current[pool_id].uses.get(f"{SPENT}:{member_id}", _NONE)
            back = min(max(0, flow), before.points, sum(max(0, entry.available_effect) for entry in of_member))
            spent, contributed = max(0, -flow) - back, max(0, flow) - back - apart
            index = max(
                index
                for index, entry in enumerate(self.entries)
                if entry.member_id == pool_id and entry.source.get("by") == member_id
            )
            uses = stakes.counts(member_id, contributed=contributed, spent=spent)
            change = stakes.moved(self.current[pool_id], member_id, lots)
            self.entries[index] = self.entries[index].model_copy(update={"uses": uses, "stakes": change})

    def _spendable(self, member: Account, lots: Lots, owed: Lots) -> dict[str, Any]:
        return {"lots": self._live(member, lots), "debt": -sum(owed.values())}

    def _live(self, account: Account, lots: Lots) -> dict[str, int]:
        today = local_day(self._now, self._program.time_zone)
        return moved_lots(account, lots, today)

    def _source(self, member: Account, pool: Account) -> dict[str, str]:
        move_id = f"{member.member_id}-{member.sequence + 1}"
        return {"move_id": move_id, "pool_id": owner_of(pool.member_id), "by": member.member_id}

    def _flow(self, member_id: str, pool_id: str, lots: Lots) -> None:
        self._moved[member_id, pool_id] = combined(self._moved.get((member_id, pool_id), {}), lots)


def _missing(pool: Account, member_id: str, drawn_by: str, own: int) -> int:
    """What others' points somebody with a stake of `own` has drawn; who have left have some only if it is claimed."""
    points = max(0, -own)
    has_members = bool(set(pool.pool_members) - {member_id})
    return points if has_members else min(points, stakes.claimed_by_former(pool, drawn_by))


def _sharers(own: Iterable[Account], accounts: Sequence[Account]) -> dict[str, Account]:
    """For each member who may draw, their pool. Of two who share one it is the first; the other may owe meanwhile."""
    sharers: dict[str, Account] = {}
    for member in own:
        pool = pool_among(member, accounts)
        if pool is not None and not member.frozen and pool not in sharers.values():
            sharers[member.member_id] = pool
    return sharers


def _naming_pools(decided: Sequence[Entry], sharers: Mapping[str, Account]) -> list[Entry]:
    """The entries, each hold that they open with the pool that its points were drawn from.

    Who shares a pool reserves of the pool, also what has lapsed and is not put in again yet.
    """
    named: dict[str, Drawn] = {}

    def with_pools(holds: Mapping[str, Hold]) -> dict[str, Hold]:
        return {
            name: one.model_copy(update={"drawn": named[name]}) if name in named else one for name, one in holds.items()
        }

    entries = []
    for entry in decided:
        pool = sharers.get(entry.member_id)
        if pool is not None:
            by, pool_id = entry.member_id, owner_of(pool.member_id)
            new = {name: hold for name, hold in entry.opened.items() if name not in entry.closed}
            named |= {name: Drawn(pool_id=pool_id, by=by, points=hold.points) for name, hold in new.items()}
        holds = {"opened": with_pools(entry.opened), "closed": with_pools(entry.closed)}
        entries.append(entry.model_copy(update=holds) if named else entry)
    return entries


def _owed(member: Account, pool: Account) -> dict[str, int]:
    return take(pool.lots, min(member.debt, pool.balance))


def _needed(member: Account, pool: Account, effects: Iterable[Lots]) -> dict[str, int]:
    """What of the pool's lots a row of effects takes that the member's own lots do not have."""
    change: dict[str, int] = {}
    lowest: dict[str, int] = {}
    for effect in effects:
        change = combined(change, effect)
        lowest = {day: min(lowest.get(day, 0), change.get(day, 0)) for day in {*lowest, *change}}
    missing = {day: -low - member.lots.get(day, 0) for day, low in lowest.items()}
    return {day: min(points, pool.lots.get(day, 0)) for day, points in sorted(missing.items()) if points > 0}
