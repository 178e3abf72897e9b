"""What partners and operators read of a partner: its terms and funds, its entries, and what a month comes to."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain.calendar import local_day, month_of, period_frees_on
from shared.domain.entry import Entry
from shared.domain.errors import PartnerNotFoundError
from shared.domain.points.budgets import Budget
from shared.domain.points.partner_funding import Settlement, funding_name, month_name, require_partner, settle_up
from shared.domain.program.partners import Partner
from shared.domain.program.program import Program
from shared.tables import budgets, ledger, programs

SETTLEMENT_PAGES_MAX = 200
"""Megabytes of entries that one report sums up: over a hundred thousand entries."""


class MonthRoom(NamedTuple):
    """The points that a partner may give to all members together in a month, and those left until `frees_on`."""

    points_max: int
    left: int
    frees_on: date


class Terms(NamedTuple):
    """A partner's terms. `funds`: None if it is postpaid; `month`: None if it has no limit for a month."""

    partner: Partner
    program: Program
    funds: Budget | None
    month: MonthRoom | None


class PartnerEntries(NamedTuple):
    """A page of a partner's entries of a month, in the order of booking, and where the next page begins."""

    partner: Partner
    entries: Sequence[Entry]
    next_after: str | None


class MonthSettlement(NamedTuple):
    """What a partner's month (2026-11) comes to. More entries may come until `is_final`."""

    partner: Partner
    program: Program
    month: str
    settlement: Settlement
    is_final: bool


def read_terms(partner_id: str, *, caller: Caller, now: datetime) -> Terms:
    """A partner's terms, its funds, and what the month has room for. Raises PartnerNotFoundError."""
    program = programs.load_program()
    partner = _reached(partner_id, program, caller)
    funds = budgets.load(funding_name(partner.partner_id)) if partner.funding == "prepaid" else None
    return Terms(partner, program, funds, _room(partner, local_day(now, program.time_zone)))


def read_entries(
    partner_id: str, month: str | None, limit: int, after: str | None, *, caller: Caller, now: datetime
) -> PartnerEntries:
    """A page of the entries of a month (None: the current one). Raises PartnerNotFoundError."""
    program = programs.load_program()
    partner = _reached(partner_id, program, caller)
    wanted = month or _current_month(program, now)
    return PartnerEntries(partner, *ledger.load_partner_entries(partner.partner_id, wanted, limit, after))


def read_settlement(partner_id: str, month: str, *, caller: Caller, now: datetime) -> MonthSettlement:
    """What a month comes to. Raises PartnerNotFoundError, TryAgainError beyond SETTLEMENT_PAGES_MAX."""
    program = programs.load_program()
    partner = _reached(partner_id, program, caller)
    entries = ledger.all_partner_entries(partner.partner_id, month, SETTLEMENT_PAGES_MAX)
    return MonthSettlement(partner, program, month, settle_up(entries), month < _current_month(program, now))


def _reached(partner_id: str, program: Program, caller: Caller) -> Partner:
    """The partner that a path names; `me` is the token's own. Raises PartnerNotFoundError for any other's."""
    own = caller.partner_id
    meant = own if partner_id == "me" else partner_id
    if own is not None and meant != own:
        raise PartnerNotFoundError(f"the program has no partner {partner_id!r}")
    return require_partner(program, meant)


def _room(partner: Partner, today: date) -> MonthRoom | None:
    most, frees_on = partner.limits.points_per_month, period_frees_on(today, "month")
    if most is None or frees_on is None:
        return None
    spent = budgets.load(month_name(partner.partner_id, month_of(today))).spent
    return MonthRoom(most, max(0, most - spent), frees_on)


def _current_month(program: Program, now: datetime) -> str:
    return month_of(local_day(now, program.time_zone))
