"""What was spent on an order comes back with the order: the same share of what paid for it as of its goods.

A reward does not: no order's total says what it is worth there, and whoever has its code has had it. The shop reverses
it if it takes the code back.
"""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from math import floor

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.ledger import book
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import Part, returned_by, reverse
from shared.domain.subaccounts import is_wallet

REVERSAL_OF_REFUND = "refund:"
"""Begins the ids of reversals that a refund makes; the refund's own id follows."""
REDEMPTIONS_MAX = 20
"""Of so many redemptions a refund gives something back at most: it is one transaction."""


def given_back(
    account: Account,
    program: Program,
    entries: Iterable[Entry],
    order_id: str,
    share: Fraction,
    *,
    refund_id: str,
    now: datetime,
    actor: str,
) -> list[Entry]:
    """The reversals that give back `share` of what the account has spent on an order, less what was given back before.

    `entries` are all of the account's, and of those merged into it. What was only reserved is left alone, and so are
    rewards. Raises InvalidStateError if too many redemptions name the order.
    """
    captured: list[Entry] = []
    returned: dict[str, int] = {}
    for entry in entries:
        if entry.type == "capture" and entry.source.get("order_id") == order_id and "reward_id" not in entry.source:
            captured.append(entry)
        elif entry.type == "reverse":
            name = entry.source["redemption_id"]
            returned[name] = max(returned.get(name, 0), returned_by(entry))
    reversals: list[Entry] = []
    for entry in sorted(captured, key=lambda one: (one.recorded_at, one.sequence)):
        [(redemption_id, hold)] = entry.closed.items()
        before = returned.get(redemption_id, 0)
        part = floor(hold.points * share) - before
        if part <= 0:
            continue
        of_credit = is_wallet(account.member_id)
        reversal = reverse(
            account,
            program,
            entry,
            redemption_id,
            now=now,
            actor=actor,
            part=Part.model_construct(
                reversal_id=REVERSAL_OF_REFUND + refund_id,
                points=None if of_credit else part,
                credit=part if of_credit else None,
            ),
            returned_before=before,
        )
        account = book(account, reversal)
        reversals.append(reversal)
    if len(reversals) > REDEMPTIONS_MAX:
        raise InvalidStateError(
            f"{len(reversals)} redemptions pay for the order, a refund gives {REDEMPTIONS_MAX} back at most; "
            "reverse some of them first"
        )
    return reversals
