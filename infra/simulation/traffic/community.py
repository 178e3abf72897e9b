"""Between members: transfers, gifts, pools."""

from datetime import datetime

from infra.simulation.traffic.knowledge import Knowledge
from infra.simulation.traffic.requests import OLGA, TILL, Request
from shared import request_ids
from shared.domain.subaccounts import owner_of
from shared.services import gifts, pools, transfers
from shared.services.gifts import Gift, OfferedGift
from shared.services.pools import Invited
from shared.services.transfers import Transfer
from shared.tables.operation import Outcome


class Community:
    """Requests that concern several members."""

    def __init__(self, known: Knowledge) -> None:
        self._known, self._random = known, known.random

    def transfer(self) -> Request[Outcome] | None:
        """Move points to another member."""
        giver, to, name = self._known.member(), self._known.member(), self._known.new("t")
        if giver == to:
            return None
        body = Transfer(to_member_id=to, points=self._random.choice((1, 3, 10, 40)))

        def call(now: datetime) -> Outcome:
            return transfers.transfer_points(giver, body, key=name, caller=OLGA, now=now)

        return Request("transfer", call, (f"TRANSFER#{request_ids.derived_id('transfer', giver, name)}", "OUT"))

    def gift(self) -> Request[OfferedGift] | None:
        """Offer points to another member."""
        giver, to, name = self._known.member(), self._known.member(), self._known.new("g")
        if giver == to:
            return None
        body = Gift(to_member_id=to, points=self._random.choice((1, 4, 20)))
        gift_id = request_ids.derived_id("gift", giver, name)

        def call(now: datetime) -> OfferedGift:
            return gifts.offer_gift(giver, body, key=name, caller=TILL, now=now)

        def learn(_: OfferedGift) -> None:
            self._known.gifts.append((giver, to, gift_id))

        return Request("gift", call, (f"GIFT#{gift_id}", "OFFER"), learn)

    def end_gift(self) -> Request[OfferedGift] | None:
        """Accept a gift, decline it, or take it back."""
        if not self._known.gifts:
            return None
        giver, to, gift_id = self._random.choice(self._known.gifts[-6:])
        step = self._random.randrange(4)
        back = (f"GIFT#{gift_id}", "RETURN")
        if step == 0:
            return Request("withdraw", lambda now: gifts.withdraw_gift(giver, gift_id, caller=TILL, now=now), back)
        if step == 1:
            return Request("return", lambda now: gifts.return_gift(to, gift_id, caller=TILL, now=now), back)
        key = (f"GIFT#{gift_id}", "IN")
        return Request("accept", lambda now: gifts.accept_gift(to, gift_id, caller=TILL, now=now), key)

    def open_pool(self) -> Request[Outcome]:
        """Open a pool and join it."""
        member_id, name = self._known.member(), self._known.new("p")

        def call(now: datetime) -> Outcome:
            return pools.open_pool(member_id, key=name, caller=TILL, now=now)

        def learn(outcome: Outcome) -> None:
            self._known.pools.append((owner_of(outcome.accounts[1].member_id), member_id))

        return Request("open pool", call, learn=learn)

    def invite(self) -> Request[Invited] | None:
        """Invite somebody to a pool."""
        if not self._known.pools:
            return None
        pool_id, name = self._random.choice(self._known.pools)[0], self._known.new("p")

        def call(now: datetime) -> Invited:
            return pools.invite(pool_id, key=name, caller=TILL, now=now)

        def learn(invited: Invited) -> None:
            self._known.invitations.append((pool_id, invited.code))

        return Request("invite", call, learn=learn)

    def join_pool(self) -> Request[Outcome] | None:
        """Join a pool by an invitation, which may have been used up."""
        if not self._known.invitations:
            return None
        pool_id, code = self._random.choice(self._known.invitations)
        member_id, name = self._known.member(), self._known.new("p")

        def call(now: datetime) -> Outcome:
            return pools.join_pool(pool_id, member_id, code, key=name, caller=TILL, now=now)

        def learn(_: Outcome) -> None:
            self._known.pools.append((pool_id, member_id))

        return Request("join pool", call, learn=learn)

    def leave_pool(self) -> Request[Outcome] | None:
        """Leave a pool."""
        if not self._known.pools:
            return None
        (pool_id, member_id), name = self._random.choice(self._known.pools), self._known.new("p")

        def call(now: datetime) -> Outcome:
            return pools.leave_pool(pool_id, member_id, key=name, caller=TILL, now=now)

        return Request("leave pool", call)
