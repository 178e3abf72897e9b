"""What storefronts, members and operators ask for, and how often.

A request asks a service for a use case, as the API does; what it asks for follows from chance and from what came of
earlier requests. The files beside this one make the requests, each with its key written down a second time.
"""

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from infra.simulation.traffic.community import Community
from infra.simulation.traffic.knowledge import Knowledge
from infra.simulation.traffic.members import Members
from infra.simulation.traffic.operators import Operators
from infra.simulation.traffic.orders import Orders
from infra.simulation.traffic.redemptions import Redemptions
from infra.simulation.traffic.requests import Request
from shared.domain.program.program import Program

MEMBERS_MAX = 30

_Maker = Callable[[], Request[Any] | None]


class Storefront:
    """Everybody who calls."""

    def __init__(self, random: Random, now: Callable[[], datetime], program: Callable[[], Program]) -> None:
        self._known = Knowledge(random, now, program)
        self._members, self._orders = Members(self._known), Orders(self._known)
        self._redemptions, self._community = Redemptions(self._known), Community(self._known)
        self._operators = Operators(self._known)

    def ask(self) -> Request[Any]:
        """A new request."""
        random, members = self._known.random, len(self._known.members)
        if members < 3 or (members < MEMBERS_MAX and random.randrange(40) == 0):  # noqa: PLR2004
            return self._members.enroll()
        weights, makers = zip(*self._usual(), strict=True)
        [make] = random.choices(makers, weights)
        request: Request[Any] | None = make()
        return request or self._orders.order()

    def intrude(self, request: Request[Any]) -> Request[Any] | None:
        """The same key with another payload or by somebody else; None if there is no such thing."""
        if request.kind == "order":
            return self._orders.other_order(request)
        return self._orders.other_refund(request) if request.kind == "refund" else None

    def _usual(self) -> list[tuple[int, _Maker]]:
        """What may be asked for, each with its weight."""
        orders, redemptions, operators = self._orders, self._redemptions, self._operators
        usual: list[tuple[int, _Maker]] = [
            (26, orders.order),
            (5, orders.action),
            (12, orders.refund),
            (3, orders.reverse_refund),
            (3, orders.amend),
            (2, orders.claim),
            (2, operators.undo),
            (12, redemptions.reserve),
            (8, redemptions.capture),
            (5, redemptions.cancel),
            (3, redemptions.reverse),
            (3, redemptions.reverse_part),
            (5, operators.adjust),
            (6, self._community.transfer),
            (1, operators.freeze),
            (1, operators.unfreeze),
            (4, self._members.read),
            (3, operators.decide),
        ]
        return usual + self._of_the_program()

    def _of_the_program(self) -> list[tuple[int, _Maker]]:
        """What only some programs have, and what a crowd of members makes possible."""
        program, community, members = self._known.program(), self._community, self._members
        usual: list[tuple[int, _Maker]] = []
        if program.gifts:
            usual += [(5, community.gift), (4, community.end_gift)]
        if program.pools:
            usual += [(1, community.open_pool), (2, community.invite)]
            usual += [(2, community.join_pool), (1, community.leave_pool)]
        if program.memberships:
            usual += [(2, members.pay_membership), (1, members.cancel_membership)]
        if program.cashback:
            usual += [(3, self._redemptions.spend_credit), (2, self._redemptions.pay_out)]
        if program.automatic_enrolment:
            usual += [(2, members.arrive), (2, members.agree)]
        if len(self._known.members) > 8:  # noqa: PLR2004
            usual += [(1, members.merge), (1, members.erase)]
        return usual
