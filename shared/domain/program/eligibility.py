"""Standing rules: who may join, who earns nothing, how much anybody earns at most, where points do not expire."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.domain.fields import PositivePoints, Reference, Stored
from shared.domain.program.common import FILTERS_MAX, Filter

EmailDomain = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=253)]


class Excluded(Stored):
    """Customers who may be members but earn nothing, such as staff and resellers."""

    tags: Filter = ()
    email_domains: Annotated[tuple[EmailDomain, ...], Field(max_length=FILTERS_MAX)] = ()
    """Compared with the address when it is given or changed; subdomains are meant too. Whoever has had such an address
    stays excluded until the shop says otherwise, with the member's tags."""


class Caps(Stored):
    """The most that orders and actions earn one member: with an order, and in a day of the program's zone."""

    points_per_order: PositivePoints | None = None
    points_per_day: PositivePoints | None = None


class StandingRules(Stored):
    """What holds whatever else the program says."""

    minimum_age: Annotated[int, Field(strict=True, ge=1, le=120)] | None = None
    excluded: Excluded = Excluded.model_construct()
    caps: Caps = Caps.model_construct()
    no_expiry_in: Annotated[tuple[Reference, ...], Field(max_length=FILTERS_MAX)] = ()
    """Places (US-CA, or US for all of it) whose members' points do not expire: those earned while they live there."""
