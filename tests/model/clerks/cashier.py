"""Store credit, cent by cent: the clerk of points again, with other terms and none of the bonuses."""

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction

from tests.model.points_one_by_one import Clerk, Line, RefusedError, Sale


class Cashier(Clerk):
    """Members are those who have a wallet."""

    minimum_payout: int = 1
    for_ever: bool = False
    """Whether who is served now lives where nothing may end."""

    def buy(self, name: str, order: str, total: int, placed_at: datetime, lines: Sequence[Line] = ()) -> int:
        """Cashback; nothing is written down, and no wallet opened, where that is nothing."""
        known, points, sales, merits = name in self.members, len(self.points), dict(self.sales), len(self.merits)
        if not known:
            self.enroll(name)
        last_days = [(point.last_day, point.graced) for point in self.points]
        earned = super().buy(name, order, total, placed_at, lines)
        if not earned:
            self.sales, self.points, self.merits = sales, self.points[:points], self.merits[:merits]
            self.members[name].diary.pop()
            for point, (last_day, graced) in zip(self.points, last_days, strict=True):
                point.last_day, point.graced = last_day, graced
            if not known:
                del self.members[name]
        return earned

    def pay_out(self, name: str, amount: int) -> None:
        if amount < self.minimum_payout:
            raise RefusedError("invalid_request")
        self._require(name, amount)
        self._stay_active(name, self.today, keeps_holds=True)
        for cent in self._soonest(name, amount):
            cent.state = "captured"

    def spend(self, name: str, redemption: str, amount: int) -> None:
        self._require(name, amount)
        self.reserve_points(name, redemption, amount)
        self.capture(redemption)

    def take_over(self, gone: str, into: str) -> None:
        """Put a wallet into another, if there is one."""
        if gone in self.members:
            if into not in self.members:
                self.enroll(into)
            self.merge(gone, into)

    def close(self, name: str) -> None:
        if name in self.members:
            self.erase(name)

    def _require(self, name: str, amount: int) -> None:
        if amount > (len(self._available(name)) if name in self.members else 0):
            raise RefusedError("insufficient_points")

    def _hand_out(self, name: str, points: int, began: date, pending_days: int = 0) -> date | None:
        if not self.for_ever:
            return super()._hand_out(name, points, began, pending_days)
        self._hand_out_for_ever(name, points, began, pending_days)
        return None

    def _exact_pieces(self, sale: Sale) -> list[tuple[str, Fraction]]:
        return super()._exact_pieces(sale)[:1]
