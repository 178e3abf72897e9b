"""A message as it would go out, for an example or for a member; nothing is sent."""

from datetime import datetime
from typing import Literal, NamedTuple

from shared.caller import Caller
from shared.domain.calendar import local_day
from shared.domain.errors import InvalidRequestError
from shared.domain.fields import Locale, Record, Reference
from shared.domain.message_types import Channel, Kind, Value, examples_of
from shared.domain.program.messages import Template
from shared.domain.program.program import Program
from shared.domain.telling import templates
from shared.domain.telling.notifications import Note, values_for
from shared.messaging import sender
from shared.tables import audit, members, programs

Origin = Literal["request", "program", "built_in"]
"""Where a template comes from."""


class Words(Record):
    """A template to try, before it is stored."""

    subject: str | None = None
    text: str
    html: str | None = None


class PreviewRequest(Record):
    """Which message to look at: the program's words or others, for an example or for a member."""

    kind: Kind
    channel: Channel = "email"
    locale: Locale | None = None
    template: Words | None = None
    member_id: Reference | None = None


class Preview(NamedTuple):
    """The template of a message, where it comes from, and the words that it gives."""

    template: Template
    origin: Origin
    words: templates.Words


def preview(request: PreviewRequest, *, caller: Caller, now: datetime) -> Preview:
    """A message in the locale that is asked for, or in the member's.

    Raises MemberNotFoundError, and InvalidRequestError naming each fault of a template.
    """
    program = programs.load_program()
    values: dict[str, Value] = {
        **examples_of(request.kind),
        "program_name": program.name,
        "currency": program.currency,
    }
    locale = request.locale
    if request.member_id is not None:
        member_id = caller.authorized_member_id(request.member_id)
        audit.record(caller, "message.previewed", now, member_id, kind=request.kind)
        member = members.load_member(member_id).member
        locale = locale or member.locale
        note = Note(message_id="", member_id=member_id, kind=request.kind)
        account, today = sender.settled(member_id, program, now), local_day(now, program.time_zone)
        values |= values_for(note, member, account, program, locale or "", today) or {}
        values["unsubscribe_url"] = ""
    template, origin = _template(request, program, locale)
    return Preview(template, origin, templates.rendered(template, values | {"locale": template.locale}))


def _template(request: PreviewRequest, program: Program, locale: str | None) -> tuple[Template, Origin]:
    if request.template is None:
        found, is_own = templates.template_for(program.messages, request.kind, request.channel, locale)
        return found, "program" if is_own else "built_in"
    template = Template.model_construct(
        kind=request.kind,
        channel=request.channel,
        locale=locale or program.messages.locale,
        **request.template.model_dump(),
    )
    faults = templates.faults_of(template, "/template", program.messages.sms_parts_max)
    if faults:
        raise InvalidRequestError(*faults)
    return template, "request"
