"""What members are told, and when: the program's words, its quiet hours, its limits."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.domain.fields import Days, Locale, Points, PositivePoints, Slug, Stored
from shared.domain.message_types import KINDS, Channel, Kind
from shared.domain.program.common import TimeOfDay

TEMPLATES_MAX = 300
SUBJECT_LENGTH_MAX = 500
TEXT_LENGTH_MAX = 10_000
HTML_LENGTH_MAX = 50_000
SEGMENTS_MAX = 20


class Template(Stored):
    """The program's own words for one kind, channel and language, in Jinja's notation.

    An e-mail has a subject and a text, and may have HTML; a text message has a text alone.
    """

    kind: Kind
    channel: Channel
    locale: Locale
    subject: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=SUBJECT_LENGTH_MAX)] | None = None
    text: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=TEXT_LENGTH_MAX)]
    html: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=HTML_LENGTH_MAX)] | None = None

    @model_validator(mode="after")
    def _fits_channel(self) -> Self:
        if self.channel == "email" and self.subject is None:
            raise ValueError("an e-mail needs a subject")
        if self.channel == "sms" and (self.subject is not None or self.html is not None):
            raise ValueError("a text message has neither subject nor html")
        return self


class QuietHours(Stored):
    """From when to when, in the member's time zone, nothing is sent that can wait; over midnight if it ends earlier."""

    starts_at: TimeOfDay = "21:00"
    ends_at: TimeOfDay = "08:00"

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        if self.starts_at == self.ends_at:
            raise ValueError("quiet hours that start when they end would last for ever")
        return self


class Audience(Stored):
    """Messages of one kind go to members of one of these segments alone."""

    kind: Kind
    segments: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=SEGMENTS_MAX)]


class Messages(Stored):
    """What members are told. Marketing always needs their consent; `service` says when service messages go out.

    `also_send` asks for kinds that are silent unless asked for, `never_send` silences others.
    """

    service: Literal["always", "with_consent", "never"] = "always"
    reminder_days: Annotated[tuple[Annotated[Days, Field(ge=1, le=90)], ...], Field(max_length=5)] = (30, 7, 1)
    tier_warning_days: Annotated[tuple[Annotated[Days, Field(ge=1, le=90)], ...], Field(max_length=5)] = ()
    nudge_within_points: Points = 50
    locale: Locale = "en"
    templates: Annotated[tuple[Template, ...], Field(max_length=TEMPLATES_MAX)] = ()
    also_send: Annotated[tuple[Kind, ...], Field(max_length=len(KINDS))] = ()
    never_send: Annotated[tuple[Kind, ...], Field(max_length=len(KINDS))] = ()
    quiet_hours: QuietHours | None = None
    marketing_per_week: Annotated[PositivePoints, Field(le=100)] | None = None
    sms_parts_max: Annotated[int, Field(strict=True, ge=1, le=10)] = 3
    audiences: Annotated[tuple[Audience, ...], Field(max_length=len(KINDS))] = ()

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        _require_once("a template", (f"{one.kind}, {one.channel}, {one.locale}" for one in self.templates))
        _require_once("an audience", (one.kind for one in self.audiences))
        if both := set(self.also_send) & set(self.never_send):
            raise ValueError(f"{', '.join(sorted(both))}: either also_send or never_send, not both")
        return self

    def sends(self, kind: Kind) -> bool:
        """Whether members get messages of a kind at all."""
        return kind not in self.never_send and (not KINDS[kind].is_optional or kind in self.also_send)


def _require_once(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} for {name} is listed twice")
        seen.add(name)
