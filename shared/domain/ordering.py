"""All that comes of an order: its points, what they complete, and what a friend gets for having been brought."""

from collections.abc import Mapping
from datetime import datetime

from shared.domain.account import Account, Entry
from shared.domain.challenges import order_deed, with_challenges
from shared.domain.earning import NO_CAPS, Order, earn_order
from shared.domain.ledger import book_all
from shared.domain.program import Program
from shared.domain.referring import friend_reward, marked


def credited(
    account: Account,
    program: Program,
    order: Order,
    *,
    now: datetime,
    actor: str,
    fingerprint: str,
    caps: Mapping[str, int] = NO_CAPS,
) -> list[Entry]:
    """The entries of an order, its own first. Raises as `earn_order` does."""
    earn = earn_order(account, program, order, now=now, actor=actor, fingerprint=fingerprint, caps=caps)
    earn = marked(account, program, earn)
    entries = list(with_challenges(account, program, earn, order_deed(program, order, earn)))
    return [*entries, *friend_reward(book_all(account, entries), program, earn)]
