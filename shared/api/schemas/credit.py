"""Store credit as callers see it: money, never points."""

from datetime import date, datetime

from shared.api.schemas.accounts import points_by_day
from shared.api.schemas.money import Money
from shared.domain.account import Account
from shared.domain.fields import Record
from shared.domain.lifecycle.passing_of_time import up_to_date
from shared.domain.program.program import Program
from shared.domain.subaccounts import member_of


class ExpiringCredit(Record):
    """Credit that can be spent until the end of a day; null: without end."""

    on: date | None
    amount: int


class CreditAnswer(Record):
    """Store credit to the second of `as_of`. `expiring` adds up to `balance`."""

    member_id: str
    balance: Money
    pending: Money
    held: Money
    debt: Money
    lifetime_earned: Money
    expiring: tuple[ExpiringCredit, ...]
    as_of: datetime


def credit_answer(wallet: Account, program: Program, now: datetime) -> CreditAnswer:
    """A wallet as callers see it; a wallet that was never opened is empty."""
    wallet = up_to_date(wallet, program, now)

    def money(amount: int) -> Money:
        return Money(amount=amount, currency=program.currency)

    return CreditAnswer(
        member_id=member_of(wallet.member_id) or "",
        balance=money(wallet.balance),
        pending=money(wallet.pending_points),
        held=money(wallet.held_points),
        debt=money(wallet.debt),
        lifetime_earned=money(wallet.earned),
        expiring=tuple(ExpiringCredit(on=lot.on, amount=lot.points) for lot in points_by_day(wallet.lots)),
        as_of=now,
    )
