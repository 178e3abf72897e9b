"""Points that members share: pools of a household, gifts and transfers."""

from typing import Annotated, Literal

from pydantic import Field

from shared.domain.fields import Days, PositivePoints, Stored
from shared.domain.program.common import Limit


class Pools(Stored):
    """How many members may share a pool, and who may open one: a member, or the storefront for them."""

    members_max: Annotated[int, Field(strict=True, ge=2, le=20)] = 6
    created_by: Literal["member", "storefront"] = "member"


class Gifts(Stored):
    """For how long a gift waits to be accepted, how large it may be, and how much a member may give in a period."""

    accept_days: Annotated[int, Field(strict=True, ge=1, le=90)] = 14
    points_max: PositivePoints | None = None
    limit: Limit | None = None


class Transfers(Stored):
    """How large a transfer may be, how much a member may transfer in a period, and from which day of membership on.

    A program without this section has no transfers.
    """

    points_max: PositivePoints | None = None
    limit: Limit | None = None
    membership_days_min: Days = 0
    """Whole days since the member joined, before their first transfer."""
