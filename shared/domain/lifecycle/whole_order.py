"""All that comes of an order: its points, what they complete, and what a friend gets for having been brought."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.domain.account import Account
from shared.domain.earning.cashback import earn_credit
from shared.domain.earning.challenges import order_deed, with_challenges
from shared.domain.earning.kept_orders import Sale
from shared.domain.earning.order_points import earn_order
from shared.domain.earning.orders import Order
from shared.domain.earning.referrals import friend_reward, marked
from shared.domain.entry import Entry
from shared.domain.ledger import book_all
from shared.domain.points.budgets import NO_CAPS
from shared.domain.program.program import Program


def credited(
    account: Account,
    program: Program,
    order: Order,
    *,
    now: datetime,
    actor: str,
    fingerprint: str,
    caps: Mapping[str, int] = NO_CAPS,
    wallets: Sequence[Account] = (),
) -> list[Entry]:
    """The entries of an order, its own first; last what it earns in money, in the member's wallet, if that is given.

    No money comes before the member has agreed to the terms: it could be spent at once. Raises as `earn_order` does.
    """
    earn = earn_order(account, program, order, now=now, actor=actor, fingerprint=fingerprint, caps=caps)
    earn = marked(account, program, earn)
    sale = Sale(earn)
    deed = order_deed(program, sale, earn.points) if program.challenges and sale.counts_toward("challenges") else None
    entries = list(with_challenges(account, program, earn, deed))
    if earn.referred is not None:
        entries += friend_reward(book_all(account, entries), program, earn)
    for wallet in wallets if account.status == "active" else ():
        entries += earn_credit(account, wallet, program, order, now=now, actor=actor)
    return entries
