"""What prepaid partners have paid in: deposits, what is left of them, and word when that runs out.

What is left stands in slices, so to know it takes a read of them all. Entries are told of one after another, so one
look serves many: as long as they have not drawn what was to spare then.
"""

from datetime import datetime

from shared import runtime, telemetry
from shared.domain.entry import Entry
from shared.domain.errors import IdempotencyMismatchError, TryAgainError
from shared.domain.points.budgets import Budget
from shared.domain.points.partner_funding import funding_name
from shared.domain.program.partners import Partner
from shared.domain.program.program import Program
from shared.domain.telling.events import PartnerEvent
from shared.messaging import channels
from shared.tables import budgets, client, partner_funds
from shared.tables.client import CancelledError, Write
from shared.tables.partner_funds import Deposit, LowNote

ATTEMPTS_MAX = 12
LOOK_SECONDS = 10
"""So long others may draw unseen before it is looked again."""

_spare: dict[str, tuple[float, int]] = {}
"""When each partner was looked at, and how many points above its level it had, less what has been drawn here since."""
runtime.on_forget(_spare.clear)


def deposit(one: Deposit, also: list[Write]) -> tuple[Deposit, bool]:
    """Book a deposit with `also`; the one that stands under its reference, and whether it stood before.

    Raises IdempotencyMismatchError if that was another.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            partner_funds.put_deposit(one, also)
        except CancelledError as cancelled:
            before = partner_funds.existing_deposit(cancelled)
            if before is None:
                client.back_off(attempt)
                continue
            if before.fingerprint != one.fingerprint:
                raise IdempotencyMismatchError("the reference was used before with another deposit") from None
            return before, True
        else:
            _spare.pop(one.partner_id, None)
            return one, False
    raise TryAgainError("the partner's budget is being drawn on by others; the same request may be sent again")


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
    """Look at the funds of every partner that has a level; how many those are. Nothing draws unseen for long so."""
    watched = [partner for partner in program.partners if partner.alert_below and partner.funding == "prepaid"]
    for partner in watched:
        look(partner, now)
    return len(watched)


def look(partner: Partner, now: datetime, *, tells: bool = True) -> Budget:
    """What is left of a partner's deposits. If it `tells`, others hear, once, that this is below the level."""
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
    """Before it is noted: who dies in between tells again, under the same id."""
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
