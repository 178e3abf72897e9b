"""What an account costs that has a lot for every day, as points do that expire by the day."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.invariants import standing_breaches
from shared.domain.lifecycle.passing_of_time import due_on, reminded_through, settle
from shared.domain.program.defaults import default_program

LOTS = (12, 361)
MORE_MS_MAX = 0.5
"""A tenth of what is billed for an account of an expiry run."""
_TIMES, _ROUNDS = 50, 5
_FIRST = date(2027, 1, 1)
_NOW = datetime(2027, 1, 2, 12, tzinfo=UTC)
"""The first lot has ended: it is booked."""


class Taken(NamedTuple):
    """Milliseconds of a processor: for the rules, and for reading and writing the account's bytes."""

    rules_ms: float
    bytes_ms: float


def measure() -> Mapping[int, Taken]:
    """What each number of lots takes."""
    return {number: _taken(_account(number)) for number in LOTS}


def _account(number: int) -> Account:
    lots = {(_FIRST + timedelta(days=day)).isoformat(): 10 for day in range(number)}
    return Account(member_id="m", lots=lots, booked_at=_NOW - timedelta(days=30))


def _taken(account: Account) -> Taken:
    program, today = default_program(), _NOW.date()
    yesterday = today - timedelta(days=1)
    text = account.model_dump_json()

    def rules() -> None:
        standing_breaches(account)
        settled = settle(account, program, _NOW).account
        due_on(settled, program, reminded_through(account, program, yesterday, today))

    def as_bytes() -> None:
        Account.model_validate_json(text).model_dump_json()

    return Taken(_least_ms(rules), _least_ms(as_bytes))


def _least_ms(work: Callable[[], None]) -> float:
    """The best of some rounds: whatever else the machine does can only add to it."""
    rounds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_TIMES):
            work()
        rounds.append((time.process_time() - began) * 1000 / _TIMES)
    return min(rounds)
