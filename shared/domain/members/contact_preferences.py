"""Which categories of messages a member takes by which channel, and how that changes."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from shared.domain.fields import Record, Requested, TimeZone
from shared.domain.members.members import Consent, Marketing, Member, consenting
from shared.domain.members.preferences import ByChannel, Suppression, Topics
from shared.domain.message_types import CATEGORIES, CHANNELS, Category, Channel

SUPPRESSIONS: Mapping[str, Literal["bounce", "complaint"]] = {"Bounce": "bounce", "Complaint": "complaint"}


class Categories(Record):
    """Yes or no by category and channel; what is left out stays."""

    service: Requested[ByChannel] = ByChannel.model_construct()
    marketing: Requested[ByChannel] = ByChannel.model_construct()
    digest: Requested[ByChannel] = ByChannel.model_construct()


class PreferencesChange(Record):
    """What to change of a member's preferences. What is left out stays; null removes a choice."""

    channel: Literal["email", "sms", "none"] | None = None
    time_zone: TimeZone | None = None
    categories: Categories = Categories.model_construct()


def allows(member: Member, category: Category, channel: Channel) -> bool:
    """Whether a member takes messages of a category by a channel.

    Marketing needs a yes. Service messages are sent unless the member said no. A statement needs a yes, or a yes to
    marketing and no choice about statements.
    """
    agreed: bool = getattr(member.consent.marketing, channel)
    if category == "marketing":
        return agreed
    said: bool | None = getattr(getattr(member.topics, category), channel)
    if said is not None:
        return said
    return category == "service" or agreed


def preferring(member: Member, change: PreferencesChange, *, now: datetime, channel: str | None = None) -> Member:
    """The member after a change of preferences; `channel` says where consent was given or withdrawn."""
    marketing = member.consent.marketing.model_dump() | _said(change.categories.marketing)
    changes: dict[str, object] = {
        "topics": Topics.model_validate(
            {
                "service": _patched(member.topics.service, change.categories.service),
                "digest": _patched(member.topics.digest, change.categories.digest),
            }
        ),
    }
    if "channel" in change.model_fields_set:
        changes["message_preferences"] = member.message_preferences.model_copy(update={"channel": change.channel})
    if "time_zone" in change.model_fields_set:
        changes["time_zone"] = change.time_zone
    after = member.model_copy(update=changes)
    return consenting(after, _with_marketing(member.consent, marketing), now=now, channel=channel)


def unsubscribed(member: Member, category: Category, now: datetime) -> Member:
    """The member without e-mail of a category; the rest stays as it is."""
    no = ByChannel(email=False)
    change = PreferencesChange(categories=Categories.model_validate({category: no}))
    return preferring(member, change, now=now, channel="unsubscribe-link")


def suppressed(member: Member, channel: Channel, reason: Literal["bounce", "complaint"], on: date) -> Member:
    """The member with a channel switched off until its address changes. A complaint outlasts a bounce."""
    known = member.suppressed_channels.get(channel)
    if known and (known.reason == "complaint" or reason == "bounce"):
        return member
    changed = {**member.suppressed_channels, channel: Suppression(reason=reason, on=on)}
    return member.model_copy(update={"suppressed_channels": changed})


def allowed(member: Member) -> Mapping[Category, Mapping[Channel, bool]]:
    """What a member takes, by category and channel."""
    return {category: {channel: allows(member, category, channel) for channel in CHANNELS} for category in CATEGORIES}


def _with_marketing(consent: Consent, marketing: Mapping[str, bool]) -> Consent:
    return consent.model_copy(update={"marketing": Marketing.model_validate(marketing)})


def _said(change: ByChannel) -> dict[str, bool]:
    """What a change says about consent to marketing, where null withdraws it."""
    return {name: bool(getattr(change, name)) for name in change.model_fields_set}


def _patched(before: ByChannel, change: ByChannel) -> ByChannel:
    return before.model_copy(update={name: getattr(change, name) for name in change.model_fields_set})
