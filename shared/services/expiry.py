"""The expiry run: finds the accounts that are due, and books what time has done to them.

Work follows what is due. A run that dies halfway is run again: who was settled has left the index.
"""

from datetime import datetime, timedelta

from shared import telemetry
from shared.domain.calendar import local_day
from shared.domain.invariants import standing_breaches
from shared.services import erasure, given_vouchers, runs
from shared.services.runs import Listing, Page
from shared.tables import accounts, due_index, programs, upkeep
from shared.tables.accounts import StoredAccount

FIRST_RUN_DAYS = 400
"""How far back the first run ever looks."""
OVERLAP_DAYS = 31
"""A run begins before the last one ended. An account stands under the day of its next reminder until that is sent,
which may be late; one that was written around midnight may stand under the day before."""


def begin(now: datetime) -> int:
    """Queue the accounts that are due since the last run, page by page; how many pages."""
    today = local_day(now, programs.load_program().time_zone)
    last = due_index.load_day(due_index.EXPIRY_RUN)
    first = last - timedelta(days=OVERLAP_DAYS) if last else today - timedelta(days=FIRST_RUN_DAYS)
    return runs.begin(RUN, Listing(now, first, today))


def _settle(member_id: str, page: Page) -> int:
    """Check and settle an account; how many entries were booked."""
    stored = accounts.load_account(member_id)
    _check(stored, is_audited=member_id == page.members[0])
    booked = upkeep.catch_up(member_id, page.now, stored)
    given_vouchers.win_back(member_id, page.now)
    erasure.close_if_idle(member_id, page.now)
    return booked


def _check(stored: StoredAccount, *, is_audited: bool) -> None:
    """Report invariants that an account breaks, by itself or, if it is audited, against its whole ledger.

    One account of each page is; `loyalty verify` looks at all.
    """
    member_id = stored.account.member_id
    broken = upkeep.audit(member_id, stored) if is_audited else standing_breaches(stored.account)
    telemetry.report(member_id, broken)


def _count(booked: int, failed: int) -> None:
    if booked or failed:
        telemetry.count(EntriesOfTime=booked, AccountsNotSettled=failed)


RUN = runs.run_over_due_accounts("expiry", due_index.EXPIRY_RUN, _settle, _count)
