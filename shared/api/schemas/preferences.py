"""What a member is sent, as callers see it."""

from datetime import date
from typing import Literal

from shared.domain.fields import Record
from shared.domain.members.contact_preferences import allowed
from shared.domain.message_types import Channel
from shared.services.contact_preferences import ContactPreferences


class ByChannelAnswer(Record):
    """Whether messages go out by each channel."""

    email: bool
    sms: bool


class CategoriesAnswer(Record):
    """What a member takes, by category and channel."""

    service: ByChannelAnswer
    marketing: ByChannelAnswer
    digest: ByChannelAnswer


class SuppressionAnswer(Record):
    """A channel that is switched off until its address changes, and why."""

    channel: Channel
    reason: Literal["bounce", "complaint"]
    on: date


class PreferencesAnswer(Record):
    """How a member wants to be written to. `channel`: null is e-mail if there is an address, else SMS."""

    member_id: str
    channel: Literal["email", "sms", "none"] | None
    locale: str | None
    time_zone: str
    categories: CategoriesAnswer
    suppressed: tuple[SuppressionAnswer, ...]


def preferences_answer(preferences: ContactPreferences) -> PreferencesAnswer:
    """A member's preferences as callers see them."""
    member = preferences.member
    return PreferencesAnswer(
        member_id=member.member_id,
        channel=member.message_preferences.channel,
        locale=member.locale,
        time_zone=preferences.time_zone,
        categories=CategoriesAnswer.model_validate(allowed(member)),
        suppressed=tuple(
            SuppressionAnswer(channel=channel, reason=why.reason, on=why.on)
            for channel, why in sorted(member.suppressed_channels.items())
        ),
    )
