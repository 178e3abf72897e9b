"""Automatic enrolment: what somebody's orders earn before they have agreed to the terms."""

from typing import Annotated, Literal

from pydantic import Field

from shared.domain.fields import Days, PositivePoints, Stored


class AutomaticEnrolment(Stored):
    """An unknown identifier opens a provisional member, whose points wait for consent and are lost after a time."""

    consent_days: Annotated[Days, Field(ge=1)] = 30
    identifiers: Annotated[
        tuple[Literal["external_id", "email", "phone", "card_number"], ...], Field(min_length=1, max_length=4)
    ] = ("external_id", "email", "phone", "card_number")
    points_max: PositivePoints | None = None
    """The most points that wait for one person; what would come on top is not earned."""
