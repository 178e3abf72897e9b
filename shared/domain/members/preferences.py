"""How a member wants to be written to, and by which channels they can be: part of the profile."""

from datetime import date
from typing import Literal

from shared.domain.fields import Flag, Stored


class ByChannel(Stored):
    """Yes or no for each channel; null where nothing was said."""

    email: Flag | None = None
    sms: Flag | None = None


class Topics(Stored):
    """What a member chose for messages other than marketing; marketing is a matter of consent."""

    service: ByChannel = ByChannel.model_construct()
    digest: ByChannel = ByChannel.model_construct()


class Suppression(Stored):
    """Why and since when nothing is sent by a channel: the address does not exist, or its owner complained."""

    reason: Literal["bounce", "complaint"]
    on: date
