"""Vouchers at the till: looked up by their code, used under the shop's reference, and given back by it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from shared import request_ids
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.errors import (
    InvalidStateError,
    MemberMergedError,
    VoucherNotFoundError,
    VoucherUsedError,
)
from shared.domain.fields import Record, Reference
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.program.program import Program
from shared.domain.spending import vouchers as rules
from shared.domain.spending.merges import MERGES_MAX
from shared.domain.spending.vouchers import Use, VoucherState, paid_for, state_of
from shared.domain.vouchers import Voucher
from shared.services import guess_limits, partner_access
from shared.tables import accounts, audit, keys, ledger, operation, programs
from shared.tables import vouchers as stored
from shared.tables.client import Key
from shared.tables.operation import Decide, Decision, Situation
from shared.tables.vouchers import Issued


class Undo(Record):
    """A use of a voucher that is to be undone, by the reference that it was used under."""

    code: Reference
    reference: Reference


class BookedUse(NamedTuple):
    """A use of a voucher: the entry that booked it, and when it was undone, if it was."""

    entry: Entry
    undone_at: datetime | None


class Found(NamedTuple):
    """A voucher: its id, whose it is, how it was issued or is, how much is left, and how it stands."""

    voucher_id: str
    member_id: str
    voucher: Voucher
    left: int
    state: VoucherState
    program: Program


class Used(NamedTuple):
    """A voucher after a use or its undoing, that use, and whether this had been done before."""

    found: Found
    use: BookedUse
    replayed: bool


class LookedUp(NamedTuple):
    """A voucher, and what it was used for, the first use first."""

    found: Found
    uses: Sequence[BookedUse]


def look_up(code: str, *, caller: Caller, now: datetime) -> LookedUp:
    """The voucher with a code, as it stands. Raises VoucherNotFoundError, TooManyRequestsError."""
    pointed = _pointed(code, caller, now)
    account = accounts.load_survivor(pointed.member_id)
    entries = stored.load_uses(pointed.voucher_id)
    undone = {one.source["reference"]: one.recorded_at for one in entries if one.type == "voucher_undo"}
    booked = sorted((one for one in entries if one.type == "voucher_use"), key=lambda one: one.recorded_at)
    uses = [BookedUse(one, undone.get(one.source["reference"])) for one in booked]
    return LookedUp(_found(pointed, account, programs.load_program(), now), uses)


def list_live(member_id: str, *, caller: Caller, now: datetime) -> list[Found]:
    """The vouchers of which a member can use something, those first that end soonest.

    Raises MemberNotFoundError, MemberMergedError.
    """
    account = accounts.load_account(caller.authorized_member_id(member_id)).account
    accounts.require_not_merged(account)
    program = programs.load_program()
    held = up_to_date(account, program, now).vouchers
    return [
        Found(name, account.member_id, one, one.left, "live", program)
        for name, one in sorted(held.items(), key=lambda item: (str(item[1].ends_on or "never"), item[0]))
    ]


def use(request: Use, *, caller: Caller, now: datetime) -> Used:
    """Use a voucher. Raises VoucherNotFoundError, and what the rules refuse."""
    pointed = _pointed(request.code, caller, now)
    name, issue = pointed.voucher_id, pointed.issue
    fingerprint = request_ids.fingerprint(request.model_copy(update={"code": name}))
    used_key = stored.used_key(name)

    def decide(situation: Situation) -> Decision:
        entry = rules.use(
            situation.account,
            situation.program,
            name,
            issue,
            request,
            used=stored.used_of(situation.items.get(used_key)),
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        trail = audit.trail(caller, "voucher.used", now, situation.account.member_id, reference=request.reference)
        return Decision([entry], trail)

    key = keys.of("voucher_use", voucher_id=name, reference=request.reference)
    outcome = _booked(pointed, decide, key, fingerprint, [used_key], now)
    found = _found(pointed, outcome.accounts[0], outcome.program, outcome.now)
    undone = ledger.load_entry(_undo_key(name, request.reference)) if outcome.replayed else None
    return Used(found, BookedUse(outcome.entry, undone.recorded_at if undone else None), outcome.replayed)


def undo(request: Undo, *, caller: Caller, now: datetime) -> Used:
    """Undo a use of a voucher. Raises VoucherNotFoundError, InvalidStateError if there is no such use."""
    pointed = _pointed(request.code, caller, now)
    name, issue = pointed.voucher_id, pointed.issue
    use_key = keys.of("voucher_use", voucher_id=name, reference=request.reference)
    key, used_key = _undo_key(name, request.reference), stored.used_key(name)

    def decide(situation: Situation) -> Decision:
        used_by = situation.entry(use_key)
        if used_by is None or situation.entry(key) is not None:
            raise InvalidStateError("the voucher was not used under this reference, or that was undone")
        entry = rules.undo(
            situation.account,
            situation.program,
            name,
            used_by,
            used=stored.used_of(situation.items.get(used_key)),
            stays=_stays(situation, name, issue),
            now=situation.now,
            actor=caller.actor,
        )
        trail = audit.trail(caller, "voucher.use_undone", now, situation.account.member_id, reference=request.reference)
        return Decision([entry], trail)

    outcome = _booked(pointed, decide, key, "", [use_key, key, used_key, *_returns(name)], now)
    found, used_by = _found(pointed, outcome.accounts[0], outcome.program, outcome.now), ledger.load_entry(use_key)
    if used_by is None:
        raise AssertionError(f"the voucher {name} was given back without a use")
    return Used(found, BookedUse(used_by, outcome.entry.recorded_at), outcome.replayed)


def require_unused(situation: Situation, voucher_id: str, captured: Entry, points_back: int) -> None:
    """Raises VoucherUsedError if a redemption's voucher was used so far that `points_back` in all cannot come back.

    Of its voucher so much has to be unused as is no longer paid for then.
    """
    issue = captured.vouchers.get(voucher_id)
    if issue is None:
        return
    used = stored.used_of(situation.items.get(stored.used_key(voucher_id)))
    if used > paid_for(issue, captured.closed[voucher_id].points, points_back):
        raise VoucherUsedError("the redemption's voucher has been used; undo its use first")


def _pointed(code: str, caller: Caller, now: datetime) -> Issued:
    """What a code leads to. A partner sees what it gives alone. Raises VoucherNotFoundError, TooManyRequestsError."""
    partner = partner_access.calling(caller)
    guess_limits.require_may_guess(caller, now)
    found = stored.load(code)
    if found is None or (partner is not None and found.issue.partner_id != partner.partner_id):
        guess_limits.count(caller, now)
        raise VoucherNotFoundError("there is no voucher with this code")
    return found


def _booked(
    pointed: Issued, decide: Decide, key: Key, fingerprint: str, reads: Sequence[Key], now: datetime
) -> operation.Outcome:
    """What is booked on the account of who has the voucher by now."""

    def attempt(member_id: str) -> operation.Outcome:
        return operation.run([member_id], decide, key=key, fingerprint=fingerprint, now=now, reads=reads)

    return _following(pointed.member_id, attempt)


def _following(member_id: str, attempt: Callable[[str], operation.Outcome]) -> operation.Outcome:
    """What `attempt` makes of who a member has become by merges."""
    for _ in range(MERGES_MAX):
        try:
            return attempt(member_id)
        except MemberMergedError as error:
            member_id = error.merged_into
    return attempt(member_id)


def _found(pointed: Issued, account: Account, program: Program, now: datetime) -> Found:
    account = up_to_date(account, program, now)
    name, issue = pointed.voucher_id, pointed.issue
    live = account.vouchers.get(name)
    used = 0 if live else stored.load_used(name)
    state = state_of(live, issue, used, local_day(account.present(now), program.time_zone))
    return Found(name, account.member_id, live or issue, live.left if live else 0, state, program)


def _returns(voucher_id: str) -> list[Key]:
    """Where it stands what has come back of a redemption."""
    names = {"redemption_id": voucher_id}
    return [keys.of("capture", **names), keys.of("reverse", **names), keys.returned_key(voucher_id)]


def _stays(situation: Situation, voucher_id: str, issue: Voucher) -> int:
    """How much of a voucher is still paid for."""
    captured_key, whole_key, _ = _returns(voucher_id)
    captured = situation.entry(captured_key)
    if captured is None:
        return issue.of
    if situation.entry(whole_key) is not None:
        return 0
    return paid_for(issue, captured.closed[voucher_id].points, situation.returned(voucher_id))


def _undo_key(voucher_id: str, reference: str) -> Key:
    return keys.of("voucher_undo", voucher_id=voucher_id, reference=reference)
