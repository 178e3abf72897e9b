"""What was spent on an order comes back with the order: the same share of what paid for it as of its goods.

A reward does not: no order's total says what it is worth there, and whoever has its code has had it. The shop reverses
it if it takes the code back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction
from math import floor

from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError
from shared.domain.ledger import book
from shared.domain.lots import Hold
from shared.domain.program.program import Program
from shared.domain.spending.pools import drawn_for, missing_of_others
from shared.domain.spending.redemptions import Part, returned_by, reverse
from shared.domain.subaccounts import is_wallet, pool_account_of

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
    pools: Mapping[str, Account] | None = None,
) -> list[Entry]:
    """The reversals that give back `share` of what the account has spent on an order, less what was given back before.

    `entries` are all of the account's, and of those merged into it. What was only reserved is left alone, and so are
    rewards. Of a member who is gone only that comes back which others in a pool are missing: `pools` has the accounts
    of those, by their ids. Raises InvalidStateError if too many redemptions name the order.
    """
    captured: list[Entry] = []
    given: Counter[str] = Counter()
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
        if pools is not None:
            part = min(part, _missing(account, hold, before, pools, given))
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
        if hold.drawn is not None:
            given[hold.drawn.pool_id] += part
    if len(reversals) > REDEMPTIONS_MAX:
        raise InvalidStateError(
            f"{len(reversals)} redemptions pay for the order, a refund gives {REDEMPTIONS_MAX} back at most; "
            "reverse some of them first"
        )
    return reversals


def drawn_from(entries: Iterable[Entry], order_id: str) -> list[str]:
    """The accounts of the pools whose points have paid for an order, by the entries of who spent them."""
    paid = (one for one in entries if one.type == "capture" and one.source.get("order_id") == order_id)
    return drawn_for(hold for one in paid for hold in one.closed.values())


def _missing(account: Account, hold: Hold, before: int, pools: Mapping[str, Account], given: Mapping[str, int]) -> int:
    """How much of what a hold has drawn, and has not given back, is missing in its pool beside what is `given` now."""
    pool = pools.get(pool_account_of(hold.drawn.pool_id)) if hold.drawn else None
    if hold.drawn is None or pool is None:
        return 0
    left = max(0, hold.drawn.points - before)
    return min(left, missing_of_others(pool, account.member_id, hold.drawn) - given.get(hold.drawn.pool_id, 0))
