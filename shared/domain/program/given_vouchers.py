"""Vouchers that members get without points: on a birthday, with a tier or a badge, for a friend, to win them back."""

from typing import Annotated, Literal

from pydantic import Field

from shared.domain.fields import Days, Slug, Stored
from shared.domain.program.common import Times

GIFTS_MAX = 30


class OnBirthday(Stored):
    """Each birthday that the program celebrates."""

    kind: Literal["birthday"]


class OnTier(Stored):
    """The tier is reached: once in a life, unless the gift has a limit of its own."""

    kind: Literal["tier"]
    tier_id: Slug


class OnBadge(Stored):
    """The badge of a challenge is earned."""

    kind: Literal["badge"]
    challenge_id: Slug


class OnReferral(Stored):
    """A friend's first purchase pays off: for the advocate, or for the friend."""

    kind: Literal["referral"]
    to: Literal["advocate", "friend"]


class OnAbsence(Stored):
    """So many days have passed since the member's last order: once until they order again."""

    kind: Literal["absence"]
    days: Annotated[Days, Field(ge=7)]


Occasion = Annotated[OnBirthday | OnTier | OnBadge | OnReferral | OnAbsence, Field(discriminator="kind")]


class GivenVoucher(Stored):
    """A voucher for a reward, given when something happens, to each member so often as `limit` says."""

    gift_id: Slug
    reward_id: Slug
    on: Occasion
    limit: Times | None = None


GivenVouchers = Annotated[tuple[GivenVoucher, ...], Field(max_length=GIFTS_MAX)]
