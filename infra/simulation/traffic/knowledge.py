"""What everybody who calls knows: the time, the program, and what came of earlier requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from shared.domain.program.program import Program


@dataclass
class Knowledge:
    """Grows with each result that a request learns from."""

    random: Random
    now: Callable[[], datetime]
    program: Callable[[], Program]
    members: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    orders: list[tuple[str, str, int]] = field(default_factory=list)
    paid: list[tuple[str, str, int]] = field(default_factory=list)
    """Those orders that their members have redeemed something on."""
    refunds: list[tuple[str, str, str]] = field(default_factory=list)
    adjustments: list[tuple[str, str, str]] = field(default_factory=list)
    redemptions: list[tuple[str, str]] = field(default_factory=list)
    gifts: list[tuple[str, str, str]] = field(default_factory=list)
    pools: list[tuple[str, str]] = field(default_factory=list)
    invitations: list[tuple[str, str]] = field(default_factory=list)
    """To which pool, and the code."""
    reviews: list[str] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)
    count: int = 0

    def new(self, what: str) -> str:
        """A name that nothing had before."""
        self.count += 1
        return f"{what}-{self.count}"

    def member(self) -> str:
        """Somebody. A few members meet most requests, so that they get in one another's way."""
        return self.random.choice(self.members[-4:] if self.random.randrange(3) else self.members)

    def lately(self) -> datetime:
        """When what a request tells of happened: now, or a little before."""
        return self.now() - timedelta(minutes=self.random.choice((0, 0, 1, 60, 60 * 24 * 3)))

    def may_be_asked_for(self) -> bool:
        """Whether what an operator does by hand may wait for another one: it may be more than is left of the day."""
        terms = self.program().operators
        return terms is not None and terms.adjustment_limit_points is not None

    def forget(self, member_id: str) -> None:
        """Some go on asking for who is gone."""
        if member_id in self.members and self.random.randrange(3):
            self.members.remove(member_id)
