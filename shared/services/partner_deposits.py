"""What prepaid partners pay in: their deposits, what is left of them, and the event when that runs low.

What is left is kept in slices, so a look reads them all. Many entries draw on it, one after another, so one look serves
until they have drawn what was to spare then.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared import request_ids, runtime, telemetry
from shared.caller import Caller
from shared.domain.entry import Entry
from shared.domain.errors import Fault, IdempotencyMismatchError, InvalidRequestError, TryAgainError
from shared.domain.fields import Currency, PositiveAmount, Record, Reference
from shared.domain.points.budgets import Budget
from shared.domain.points.partner_funding import deposit_points, funding_name, require_partner
from shared.domain.program.partners import Partner
from shared.domain.program.program import Program
from shared.domain.telling.events import PartnerEvent
from shared.messaging import channels
from shared.tables import audit, budgets, client, partner_funds, programs
from shared.tables.client import CancelledError, Write
from shared.tables.partner_funds import Deposit, LowNote

ATTEMPTS_MAX = 12
LOOK_SECONDS = 10
"""For so long other processes may draw unseen; then the next entry looks again."""

_spare: dict[str, tuple[float, int]] = {}
"""When each partner was looked at, and how many points above its level it had, less what has been drawn here since."""
runtime.on_forget(_spare.clear)


class DepositRequest(Record):
    """What a partner has paid in, under the operator's own reference."""

    amount: PositiveAmount
    currency: Currency
    reference: Reference


class BookedDeposit(NamedTuple):
    """A deposit, and the partner's funds after it; `replayed` if it had been booked before."""

    deposit: Deposit
    partner: Partner
    program: Program
    funds: Budget
    replayed: bool


def deposit(partner_id: str, request: DepositRequest, *, caller: Caller, now: datetime) -> BookedDeposit:
    """Book what a prepaid partner has paid in.

    Raises PartnerNotFoundError, InvalidRequestError for another currency or part of a point, InvalidStateError for a
    postpaid partner, IdempotencyMismatchError, TryAgainError.
    """
    program = programs.load_program()
    partner = require_partner(program, partner_id)
    if request.currency != program.currency:
        raise InvalidRequestError(Fault("/currency", f"must be {program.currency}, the program's currency"))
    wanted = Deposit(
        partner_id=partner_id,
        reference=request.reference,
        amount=request.amount,
        points=deposit_points(partner, request.amount),
        actor=caller.actor,
        deposited_at=now,
        fingerprint=request_ids.fingerprint(request),
    )
    trail = audit.trail(caller, "partner.deposited", now, partner_id=partner_id, reference=request.reference)
    booked, replayed = _book(wanted, trail)
    return BookedDeposit(booked, partner, program, look(partner, now, tells=False), replayed)


def _book(wanted: Deposit, also: Sequence[Write]) -> tuple[Deposit, bool]:
    """Book a deposit with `also`; the one that exists under its reference, and whether it existed before."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            partner_funds.put_deposit(wanted, also)
        except CancelledError as cancelled:
            existing = partner_funds.existing_deposit(cancelled)
            if existing is None:
                client.back_off(attempt)
                continue
            if existing.fingerprint != wanted.fingerprint:
                raise IdempotencyMismatchError("the reference was used before with another deposit") from None
            return existing, True
        else:
            _spare.pop(wanted.partner_id, None)
            return wanted, False
    raise TryAgainError("others are drawing on the partner's budget; the same request may be sent again")


def watch(entry: Entry, program: Program, now: datetime) -> None:
    """Look at a prepaid partner's funds if an entry may have brought them below its level, or above it again."""
    partner = program.partner(entry.partner.partner_id) if entry.partner else None
    if partner is None or not partner.alert_below:
        return
    drawn = entry.budgets.get(funding_name(partner.partner_id), 0)
    if not drawn:
        return
    looked_at, spare = _spare.get(partner.partner_id, (0.0, 0))
    is_recent = looked_at > runtime.monotonic() - LOOK_SECONDS
    if is_recent and drawn <= spare:
        _spare[partner.partner_id] = (looked_at, spare - drawn)
    elif not (is_recent and spare < 0 < drawn):
        look(partner, now)


def look_at_all(program: Program, now: datetime) -> int:
    """Look at the funds of every partner that has a level, and count those partners. Finds what `watch` overlooked."""
    watched = [partner for partner in program.partners if partner.alert_below and partner.funding == "prepaid"]
    for partner in watched:
        look(partner, now)
    return len(watched)


def look(partner: Partner, now: datetime, *, tells: bool = True) -> Budget:
    """What is left of a partner's deposits. If it `tells`, it publishes one event when that falls below the level."""
    name = partner.partner_id
    budget = budgets.load(funding_name(name))
    _spare[name] = (runtime.monotonic(), budget.left - partner.alert_below)
    if not partner.alert_below:
        return budget
    noted = partner_funds.load_low_note(name)
    is_low = budget.left < partner.alert_below
    if is_low and not noted.is_low:
        if not tells:
            return budget
        _tell(partner, budget.left, noted.times + 1, now)
    if is_low != noted.is_low:
        partner_funds.replace_low_note(name, noted, LowNote(is_low, noted.times + is_low))
    return budget


def _tell(partner: Partner, left: int, times: int, now: datetime) -> None:
    """Publish before the note is written: after a crash in between, the event goes out again under the same id."""
    event_id = f"partner-{partner.partner_id}-low-{times}"
    event = PartnerEvent(
        event_id=event_id,
        partner_id=partner.partner_id,
        points_left=left,
        alert_below=partner.alert_below,
        recorded_at=now,
    )
    channels.current().publish([event])
    telemetry.count(PartnersLowOnFunds=1)
