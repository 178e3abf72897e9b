"""The same deed done by a clerk and by the shop, who must agree."""

from collections.abc import Callable
from datetime import datetime

from shared.domain.errors import LoyaltyError
from tests.model.points_one_by_one import Clerk, RefusedError
from tests.model.shop import Shop


def both(clerk_does: Callable[[], object], shop_does: Callable[[], object]) -> bool:
    """Both do it, or both refuse for the same reason. Whether they did."""
    refusals: list[str | None] = [None, None]
    try:
        clerk_does()
    except RefusedError as refusal:
        refusals[0] = str(refusal)
    try:
        shop_does()
    except LoyaltyError as refusal:
        refusals[1] = refusal.code
    assert refusals[0] == refusals[1]
    return refusals[0] is None


def both_reserve(clerk: Clerk, name: str, redemption: str, what: int | str, shop_does: Callable[[], object]) -> bool:
    """Likewise for points or a reward that a member reserves."""

    def clerk_does() -> None:
        if isinstance(what, str):
            clerk.reserve_reward(name, redemption, what)
        else:
            clerk.reserve_points(name, redemption, what)

    return both(clerk_does, shop_does)


def both_wait(clerk: Clerk, shop: Shop, instant: datetime) -> None:
    """Both let time pass until an instant; never back."""
    if instant > shop.now:
        clerk.wait_until(instant)
        shop.now = instant
