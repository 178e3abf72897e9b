"""How long members who no longer come are kept, and when they are to be warned."""

from datetime import date, timedelta

from shared.domain.account import Account
from shared.domain.calendar import add_months, local_day
from shared.domain.points.paid_plans import current
from shared.domain.program.program import Program
from shared.domain.subaccounts import member_of


def erased_on(account: Account, program: Program) -> date | None:
    """The day on which a member is erased if nothing happens; None: they are not, whatever happens.

    Members who are frozen, owe points, share a pool or have paid for a membership are kept, and so are pools and
    wallets.
    """
    terms, last = program.privacy, account.idle_since or account.booked_at
    if terms is None or last is None or account.status != "active" or current(account):
        return None
    if account.frozen or account.debt or account.pool_id or member_of(account.member_id) != account.member_id:
        return None
    idle_until = add_months(local_day(last, program.time_zone), terms.inactive_months)
    return max(idle_until, terms.starts_on + timedelta(days=terms.warning_days))


def warned_on(account: Account, program: Program) -> date | None:
    """The day on which a member is warned that they will be erased; None: they will not."""
    day = erased_on(account, program)
    return None if day is None or program.privacy is None else day - timedelta(days=program.privacy.warning_days)
