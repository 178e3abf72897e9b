"""Spending points or store credit: reserve, capture, cancel, reverse."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from shared import request_ids
from shared.caller import Caller, is_valid_id
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.entry_types import RedemptionState
from shared.domain.errors import (
    CodeExpiredError,
    Fault,
    IdempotencyMismatchError,
    InsufficientPointsError,
    InvalidRequestError,
    InvalidStateError,
    LoyaltyError,
    RedemptionNotFoundError,
)
from shared.domain.ledger import book
from shared.domain.program.partners import Partner
from shared.domain.spending.prices import CreditRequest, Request, RewardRequest
from shared.domain.spending.redemptions import (
    Part,
    as_captured,
    capture,
    release,
    reserve,
    returned_by,
    reverse,
    state_after,
    state_left_by,
    state_of,
)
from shared.domain.spending.store_credit import reserve_credit
from shared.domain.subaccounts import wallet_of
from shared.services import (
    caller_keys,
    guess_limits,
    member_codes,
    order_payments,
    own_codes,
    partner_access,
    vouchers,
)
from shared.services.orders import kept_as
from shared.tables import accounts, audit, keys, ledger, operation
from shared.tables import vouchers as voucher_items
from shared.tables.client import Key, Write
from shared.tables.operation import NOTHING_MORE, Asks, Decision, Needs, Situation

CREDIT_SUFFIX = "-credit"
"""Ends the ids of redemptions of store credit."""

_WHAT_FOLLOWS = {"reserved": "it can be captured or cancelled", "captured": "it can be reversed"}

Step = Callable[[Situation, Account], Entry]
"""From a situation and the account that the redemption is of to the entry that takes it a step further."""


Also = Callable[[Situation], Sequence[Write]]
"""What is written with that entry, beside the trace of an operator."""


class Redemption(NamedTuple):
    """A redemption's step: the entry that took it, and the state it led to."""

    outcome: operation.Outcome
    state: RedemptionState


class Standing(NamedTuple):
    """A redemption as it stands: the entry that reserved it, its state, and how much of it has come back.

    The hold in the entry has the code of one that is captured.
    """

    reserved: Entry
    state: RedemptionState
    returned: int


def redeem(member_id: str, request: Request, *, key: str, caller: Caller, now: datetime) -> Redemption:
    """Reserve what a redemption costs, or capture it at once; `key` tells it from the caller's other requests.

    Raises what the rules refuse, what a partner may not take, and CodeExpiredError for a partner without the member.
    """
    member_id, partner = caller.authorized_member_id(member_id), partner_access.calling(caller)
    request, code = _without_code(request)
    _require_may_show(code, partner, caller, now)
    if partner is not None:  # whichever of its clients calls
        redemption_id = request_ids.derived_id("redemption", member_id, partner.partner_id, key)
        return _redeemed(member_id, request, redemption_id, partner, code, caller, now)
    suffix = CREDIT_SUFFIX if isinstance(request, CreditRequest) else ""

    def attempt(redemption_id: str) -> Redemption:
        return _redeemed(member_id, request, redemption_id + suffix, None, code, caller, now)

    return caller_keys.under(caller, ("redemption", member_id, key), attempt)


def _redeemed(
    member_id: str,
    request: Request,
    redemption_id: str,
    partner: Partner | None,
    code: str | None,
    caller: Caller,
    now: datetime,
) -> Redemption:
    fingerprint = request_ids.fingerprint(request)
    request = _with_own_id(partner, request)
    order_id = request.order_id if caller.is_member or not isinstance(request, RewardRequest) else None
    wallet, drawn = wallet_of(member_id), own_codes.drawn()
    reward_id = request.reward_id if request.capture and isinstance(request, RewardRequest) else None

    def decide(situation: Situation) -> Decision:
        account, program = situation.accounts[-1], situation.program
        if caller.is_member:
            order_payments.require_own(situation, order_id)
        writes = []
        if partner is not None:
            partner_access.require_may_take(partner, request, program)
            writes = [member_codes.used_up(code, situation.items, account, redemption_id, situation.now)]
        by: dict[str, Any] = {"now": situation.now, "actor": caller.actor}
        more: dict[str, Any] = {
            "redemption_id": redemption_id,
            "fingerprint": fingerprint,
            "payments": order_payments.found(situation, order_id, wallet),
        }
        try:
            reserved = (
                reserve_credit(situation.account, account, program, request, **more, **by)
                if isinstance(request, CreditRequest)
                else reserve(account, program, request, at=partner, caps=situation.caps, **more, **by)
            )
        except InsufficientPointsError as error:
            raise partner_access.told(partner, error) from error
        if not request.capture:
            return Decision([reserved], writes)
        voucher_code, takes = own_codes.next_code(situation, reward_id, drawn)
        writes += takes
        captured = capture(book(account, reserved), program, redemption_id, voucher_code=voucher_code, **by)
        return Decision([as_captured(reserved, captured), captured], writes)

    reserve_key = keys.of("reserve", redemption_id=redemption_id)
    members = _accounts(member_id, redemption_id)
    reads = [*order_payments.reads(order_id, None if wallet in members else wallet), *member_codes.reads(code)]
    try:
        outcome = operation.run(
            members,
            decide,
            key=reserve_key,
            fingerprint=fingerprint,
            now=now,
            reads=reads,
            asks=lambda situation: _first(
                own_codes.asks(situation, reward_id), order_payments.asks(situation, order_id)
            ),
            actor=None if partner else caller.actor,
        )
    except CodeExpiredError:
        guess_limits.count(caller, now)
        raise
    return Redemption(partner_access.shown(partner, outcome), "captured" if request.capture else "reserved")


def _without_code(request: Request) -> tuple[Request, str | None]:
    """The request as it is booked, and the code that came with it: a replay is one without it, too."""
    code = None if isinstance(request, CreditRequest) else request.code
    return (request if code is None else request.model_copy(update={"code": None})), code


def _require_may_show(code: str | None, partner: Partner | None, caller: Caller, now: datetime) -> None:
    """Raises InvalidRequestError if anybody but a partner sends a code, TooManyRequestsError after too many guesses."""
    if code is None:
        return
    if partner is None:
        raise InvalidRequestError(Fault("/code", "only a partner's redemption takes a code; leave it out"))
    guess_limits.require_may_guess(caller, now)


def _with_own_id(partner: Partner | None, request: Request) -> Request:
    """The request with the id that its order is kept under, whoever names it."""
    order_id = request.order_id
    if order_id is None:
        return request
    kept = partner_access.own_id(partner, order_id) if partner else kept_as(order_id)
    return request.model_copy(update={"order_id": kept})


def read(member_id: str, redemption_id: str, *, caller: Caller, now: datetime) -> Standing:
    """A redemption as it stands, shown as whose it is now. Raises RedemptionNotFoundError, MemberMergedError."""
    account = _load(caller.authorized_member_id(member_id), redemption_id)
    steps = _steps(redemption_id, account)
    returned = returned_by(steps["reverse"]) if "reverse" in steps else 0
    reserved = as_captured(steps["reserve"], steps.get("capture"))
    reserved = reserved.model_copy(update={"member_id": account.member_id})
    return Standing(reserved, state_of(steps, now), returned)


def capture_redemption(member_id: str, redemption_id: str, *, caller: Caller, now: datetime) -> Redemption:
    """Make a reserved redemption final.

    Raises RedemptionNotFoundError, InvalidStateError, InvalidRequestError if its order takes less by now.
    """
    drawn = own_codes.drawn()

    def next_code(situation: Situation) -> tuple[str, list[Write]]:
        return own_codes.next_code(situation, _reward_of(situation, redemption_id), drawn)

    def step(situation: Situation, account: Account) -> Entry:
        order_id = _order_paid_by(situation, redemption_id)
        return capture(
            account,
            situation.program,
            redemption_id,
            voucher_code=next_code(situation)[0],
            now=situation.now,
            actor=caller.actor,
            payments=order_payments.found(situation, order_id, wallet_of(situation.account.member_id)),
        )

    def asks(situation: Situation) -> Needs:
        wallet = None if redemption_id.endswith(CREDIT_SUFFIX) else wallet_of(situation.account.member_id)
        return _first(
            own_codes.asks(situation, _reward_of(situation, redemption_id)),
            order_payments.asks_all(situation, _order_paid_by(situation, redemption_id), wallet),
        )

    return _end_hold(member_id, redemption_id, "capture", step, caller, now, asks, lambda one: next_code(one)[1])


def _reward_of(situation: Situation, redemption_id: str) -> str | None:
    """The reward that an open redemption is for, if it is for one."""
    holds = (one.holds[redemption_id] for one in situation.accounts if redemption_id in one.holds)
    return next((hold.reward_id for hold in holds), None)


def _order_paid_by(situation: Situation, redemption_id: str) -> str | None:
    """The order that an open redemption pays for, if it does."""
    holds = (one.holds[redemption_id] for one in situation.accounts if redemption_id in one.holds)
    return next((hold.order_id for hold in holds if hold.order_total is not None), None)


def cancel_redemption(member_id: str, redemption_id: str, *, caller: Caller, now: datetime) -> Redemption:
    """Release what is held. Raises RedemptionNotFoundError, InvalidStateError."""

    def step(situation: Situation, account: Account) -> Entry:
        at = situation.now
        return release(account, situation.program, redemption_id, "cancel", occurred_at=at, now=at, actor=caller.actor)

    return _end_hold(member_id, redemption_id, "cancel", step, caller, now)


def reverse_redemption(
    member_id: str, redemption_id: str, part: Part | None = None, *, caller: Caller, now: datetime
) -> Redemption:
    """Give captured points back to the lots that they came from: a part of them, or all that is left.

    Raises RedemptionNotFoundError, InvalidStateError if less is left, VoucherUsedError if its voucher was used,
    IdempotencyMismatchError.
    """
    captured_key = keys.of("capture", redemption_id=redemption_id)
    whole_key = keys.of("reverse", redemption_id=redemption_id)
    fingerprint = request_ids.fingerprint(part) if part else ""

    def step(situation: Situation, account: Account) -> Entry:
        captured = situation.entry(captured_key)
        is_over = part is not None and situation.entry(whole_key) is not None
        if captured is None or is_over or not _belongs(captured, account):
            raise InvalidStateError("only a captured redemption can be reversed")
        _require_own(partner_access.calling(caller), captured)
        entry = reverse(
            account,
            situation.program,
            captured,
            redemption_id,
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
            part=part,
            returned_before=situation.returned(redemption_id),
        )
        vouchers.require_unused(situation, redemption_id, captured, returned_by(entry))
        return entry

    reads = [captured_key, whole_key, keys.returned_key(redemption_id), voucher_items.used_key(redemption_id)]
    return _take(member_id, redemption_id, "reverse", step, caller, now, reads=reads, part=part)


def _end_hold(
    member_id: str,
    redemption_id: str,
    type_: str,
    step: Step,
    caller: Caller,
    now: datetime,
    asks: Asks = lambda _: NOTHING_MORE,
    also: Also = lambda _: (),
) -> Redemption:
    def end(situation: Situation, account: Account) -> Entry:
        if redemption_id not in account.holds:
            raise InvalidStateError(f"only a reserved redemption can be {state_after(type_)}")
        return step(situation, account)

    return _take(member_id, redemption_id, type_, end, caller, now, asks=asks, also=also)


def _take(
    member_id: str,
    redemption_id: str,
    type_: str,
    step: Step,
    caller: Caller,
    now: datetime,
    reads: Sequence[Key] = (),
    part: Part | None = None,
    asks: Asks = lambda _: NOTHING_MORE,
    also: Also = lambda _: (),
) -> Redemption:
    member_id, partner = caller.authorized_member_id(member_id), partner_access.calling(caller)
    _require_valid(redemption_id)
    of_part = {"reversal_id": part.reversal_id} if part else {}

    def decide(situation: Situation) -> Decision:
        entry = step(situation, situation.accounts[-1])
        _require_own(partner, entry)
        what = f"redemption.{state_after(type_)}"
        trail = audit.trail(caller, what, now, member_id, redemption_id=redemption_id, **of_part)
        return Decision([entry], [*also(situation), *trail])

    key, members = keys.of(type_, redemption_id=redemption_id, **of_part), _accounts(member_id, redemption_id)
    fingerprint = request_ids.fingerprint(part) if part else ""
    try:
        outcome = operation.run(members, decide, key=key, fingerprint=fingerprint, now=now, reads=reads, asks=asks)
    except (InvalidStateError, IdempotencyMismatchError) as error:  # not so far, not any more, or another member's
        _explain(member_id, redemption_id, partner, now, error, is_part=part is not None)
    _require_own(partner, outcome.entry)
    return Redemption(partner_access.shown(partner, outcome), state_left_by(outcome.entry))


def _explain(
    member_id: str, redemption_id: str, partner: Partner | None, now: datetime, error: LoyaltyError, *, is_part: bool
) -> NoReturn:
    """Raises InvalidStateError naming the redemption's state, or RedemptionNotFoundError.

    What is wrong with a part of one, the error says itself.
    """
    steps = _steps(redemption_id, _load(member_id, redemption_id))
    _require_own(partner, steps["reserve"])
    state = state_of(steps, now)
    if is_part and (state == "captured" or isinstance(error, IdempotencyMismatchError)):
        raise error
    raise InvalidStateError(f"the redemption is {state}: {_WHAT_FOLLOWS.get(state, 'nothing follows')}")


def _require_own(partner: Partner | None, entry: Entry) -> None:
    """Raises RedemptionNotFoundError if a partner is calling, and the redemption is another's."""
    if not partner_access.may_see(partner, entry.partner):
        raise RedemptionNotFoundError("the partner has no such redemption")


def _first(*needs: Needs) -> Needs:
    """The first of what is needed that is not nothing."""
    return next((one for one in needs if any(one)), NOTHING_MORE)


def _accounts(member_id: str, redemption_id: str) -> list[str]:
    """The member's account, and after it the one that the redemption is of: their wallet, if it is of credit."""
    return [member_id, wallet_of(member_id)] if redemption_id.endswith(CREDIT_SUFFIX) else [member_id]


def _load(member_id: str, redemption_id: str) -> Account:
    found = accounts.load_accounts(_accounts(member_id, redemption_id))
    accounts.require_not_merged(found[0])
    return found[-1]


def _require_valid(redemption_id: str) -> None:
    if not is_valid_id(redemption_id):
        raise RedemptionNotFoundError(f"the member has no redemption {redemption_id}")


def _steps(redemption_id: str, account: Account) -> Mapping[str, Entry]:
    _require_valid(redemption_id)
    # Of several reversals the one by which most has come back is the last.
    steps = {entry.type: entry for entry in sorted(ledger.load_redemption(redemption_id), key=returned_by)}
    if "reserve" not in steps or not _belongs(steps["reserve"], account):
        raise RedemptionNotFoundError(f"the member has no redemption {redemption_id}")
    return steps


def _belongs(entry: Entry, account: Account) -> bool:
    return entry.member_id in account.ids
