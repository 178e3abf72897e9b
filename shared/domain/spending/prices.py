"""What can be asked for points or credit, what it costs a member, and what it is worth."""

from collections.abc import Mapping
from datetime import date, timedelta
from math import gcd
from typing import Annotated, Any, NamedTuple

from pydantic import Discriminator, Field, Tag

from shared.domain.account import Account
from shared.domain.calendar import period_frees_on
from shared.domain.errors import Fault, InvalidRequestError, RewardNotFoundError, RewardUnavailableError
from shared.domain.fields import Amount, Currency, Flag, PositiveAmount, PositivePoints, Record, Reference, Slug
from shared.domain.points.limits import used
from shared.domain.points.segments import in_any
from shared.domain.points.tiers import held_tier
from shared.domain.program.program import MoneyReward, PartnerReward, Program, Reward
from shared.domain.spending.order_payments import NOTHING_PAID, Payments, require_room, require_total

QUANTITY_MAX = 20
Quantity = Annotated[int, Field(strict=True, ge=1, le=QUANTITY_MAX)]


class RewardRequest(Record):
    """Spend points on so many of a reward of the catalogue; a partner with a `code` that the member shows."""

    reward_id: Slug
    quantity: Quantity = 1
    capture: Flag = False
    order_id: Reference | None = None
    code: Reference | None = None


class MoneyRequest(Record):
    """Spend points as money on an order, amounts in minor units; a partner with a `code` that the member shows."""

    points: PositivePoints
    order_total: Amount
    currency: Currency
    capture: Flag = False
    order_id: Reference | None = None
    code: Reference | None = None


class CreditRequest(Record):
    """Spend store credit on an order; amounts in minor units."""

    credit: PositiveAmount
    order_total: Amount
    currency: Currency
    capture: Flag = False
    order_id: Reference | None = None


def _shape(request: Any) -> str:  # noqa: ANN401
    if isinstance(request, CreditRequest) or (isinstance(request, Mapping) and "credit" in request):
        return "credit"
    names_reward = isinstance(request, Mapping) and "reward_id" in request
    return "reward" if names_reward or isinstance(request, RewardRequest) else "points"


Spending = Annotated[
    Annotated[RewardRequest, Tag("reward")]
    | Annotated[MoneyRequest, Tag("points")]
    | Annotated[CreditRequest, Tag("credit")],
    Discriminator(_shape),
]
"""A request to spend points or credit; it is for a reward if it names one."""


PointsRequest = RewardRequest | MoneyRequest
Request = PointsRequest | CreditRequest


class Price(NamedTuple):
    """What a redemption takes and gives; `order_total` is what the order comes to that it pays for, if it names one.

    `quantity` is how many of the reward.
    """

    points: int
    value: int | None
    reward: Reward | None
    order_total: int | None = None
    quantity: int = 1


def price(
    account: Account, program: Program, request: PointsRequest, today: date, payments: Payments = NOTHING_PAID
) -> Price:
    """What the request costs this member today; `payments` is what is paid of the order that it names.

    Raises RewardNotFoundError, RewardUnavailableError (not now, not in this tier, the limit is reached) or, for points
    as money, InvalidRequestError, and OrderPaidError if the order takes no more of it.
    """
    if isinstance(request, MoneyRequest):
        return Price(request.points, _value_of(program, request, payments), None, named_total(request))
    reward = program.reward(request.reward_id)
    if reward is None:
        raise RewardNotFoundError(f"the program has no reward {request.reward_id!r}")
    reason = why_unavailable(account, program, reward, today, request.quantity)
    if reason is not None:
        raise RewardUnavailableError(reason)
    quantity, value = request.quantity, reward_value(reward)
    return Price(reward.points * quantity, None if value is None else value * quantity, reward, None, quantity)


def named_total(request: MoneyRequest | CreditRequest) -> int | None:
    """What the order comes to that the request pays for, in minor units; None: it says of no order that it does."""
    return None if request.order_id is None else request.order_total


def reward_value(reward: Reward) -> int | None:
    """Its worth in minor units, where it has one that does not depend on the order."""
    return reward.value if isinstance(reward, MoneyReward | PartnerReward) else None


def why_unavailable(account: Account, program: Program, reward: Reward, today: date, quantity: int = 1) -> str | None:
    """Why the member cannot have so many of the reward today, points and stock aside; None: nothing is in the way."""
    if not reward.offered:
        return f"{reward.name} is given, and cannot be had for points"
    if not reward.covers(today) and not _is_early_for(account, program, reward, today):
        return f"{reward.name} is offered from {reward.starts_on or 'the start'} to {reward.ends_on or 'any day'}"
    if reward.minimum_tier is not None and not _holds(account, program, reward.minimum_tier, today):
        return f"{reward.name} is for members from the tier {reward.minimum_tier!r} up"
    if not in_any(account, program, reward.segments, today):
        return f"{reward.name} is for members of {' or '.join(repr(name) for name in reward.segments)}"
    limit = reward.limit
    if limit is not None and used(account, f"reward:{reward.reward_id}", limit, today).times + quantity > limit.times:
        frees_on = period_frees_on(today, limit.per)
        until = f"; it frees on {frees_on}" if frees_on else "; it never frees"
        return f"{reward.name} can be had {limit.times} times per {limit.per}{until}"
    return None


def _is_early_for(account: Account, program: Program, reward: Reward, today: date) -> bool:
    """Whether the member may have a reward before it starts for all."""
    early, starts_on = reward.early_access, reward.starts_on
    if early is None or starts_on is None or not starts_on - timedelta(days=early.days) <= today < starts_on:
        return False
    return _holds(account, program, early.tier_id, today)


def _holds(account: Account, program: Program, tier_id: str, today: date) -> bool:
    """Whether the member holds a tier of the program, or one above it."""
    needed = program.tiers.rank(tier_id)
    return needed is not None and program.tiers.levels.index(held_tier(account, program.tiers, today)) >= needed


def nearest_reward(account: Account, program: Program, today: date) -> Reward | None:
    """The cheapest reward that the balance does not cover and the member could have today; stock is not looked at."""
    above = [reward for reward in program.redeeming.rewards if reward.points > account.balance]
    open_to_member = (one for one in above if why_unavailable(account, program, one, today) is None)
    return min(open_to_member, key=lambda reward: reward.points, default=None)


def _value_of(program: Program, request: MoneyRequest, payments: Payments) -> int:
    rate = program.redeeming.points_as_money
    if rate is None:
        raise RewardUnavailableError("the program does not take points as money")
    if request.currency != program.currency:
        raise InvalidRequestError(Fault("/currency", f"must be {program.currency}, the program's currency"))
    require_total(payments, request.order_total)
    if request.points < rate.minimum_points:
        raise InvalidRequestError(Fault("/points", f"at least {rate.minimum_points} points are spent as money"))
    step = rate.points // gcd(rate.points, rate.amount)
    if request.points % step:
        usable = max(step, request.points // step * step)
        detail = f"must be a multiple of {step}, or part of a point would be lost: {usable}, say"
        raise InvalidRequestError(Fault("/points", detail))
    value = request.points * rate.amount // rate.points
    payable = request.order_total * rate.order_share_percent // 100
    if value > payable:
        detail = f"{request.points} points are worth {value} minor units, of which this order takes {payable}"
        raise InvalidRequestError(Fault("/points", detail))
    require_room(payments, request.order_total, rate.order_share_percent, value=value, by_credit=False)
    return value
