"""What members are sent: their preferences, unsubscribing with one click, and a look at a message beforehand."""

from datetime import date
from html import escape
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock
from shared.api import auth, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.caller import OPERATOR
from shared.domain.calendar import local_day
from shared.domain.errors import InvalidRequestError, TryAgainError
from shared.domain.fields import Locale, Record, Reference
from shared.domain.members import contact_preferences
from shared.domain.members.contact_preferences import PreferencesChange
from shared.domain.members.members import Member, require_active
from shared.domain.message_types import Channel, Kind, examples_of, variables_of
from shared.domain.program.messages import Template
from shared.domain.program.program import Program
from shared.domain.telling.notifications import Note, values_for
from shared.domain.telling.templates import faults_of, rendered, sms_parts, template_for
from shared.messaging import sender
from shared.messaging import unsubscribe as unsubscribing
from shared.services import profiles
from shared.tables import accounts, audit, members, programs

SAVE_ATTEMPTS_MAX = 3
HTML_TYPE = "text/html"
BY_LINK = "member:unsubscribe-link"

app = resolver.resolver(forms=unsubscribing.PATH)


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


class OneClick(Record):
    """What RFC 8058 has a mail program post."""

    list_unsubscribe: Annotated[Literal["One-Click"], Field(alias="List-Unsubscribe")]


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


class VariableAnswer(Record):
    """A variable that templates of the kind may use."""

    name: str
    meaning: str


class PreviewAnswer(Record):
    """The message as it would go out. `template` says whose words they are."""

    kind: Kind
    channel: Channel
    locale: str
    template: Literal["request", "program", "built_in"]
    subject: str | None
    text: str
    html: str | None
    sms_parts: int | None
    variables: tuple[VariableAnswer, ...]


@app.get(
    "/v1/members/<member_id>/preferences",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PreferencesAnswer}, 404),
    summary="What a member is sent, by category and channel",
    tags=["Messages"],
)
def read_preferences(member_id: str) -> Answer:
    caller = auth.caller(app)
    member = members.load_member(caller.authorized_member_id(member_id)).member
    audit.record(caller, "preferences.read", clock.now(), member.member_id)
    return json_answer(_shown(member, programs.load_program()))


@app.patch(
    "/v1/members/<member_id>/preferences",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PreferencesAnswer}, 404, 409),
    summary="Change what a member is sent; what is left out stays",
    tags=["Messages"],
)
def change_preferences(member_id: str, change: Annotated[PreferencesChange, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    before = members.load_member(caller.authorized_member_id(member_id))
    require_active(before.member)
    after = contact_preferences.preferring(before.member, change, now=now)
    if after != before.member:
        trail = audit.trail(caller, "preferences.changed", now, after.member_id)
        profiles.save(before, after, actor=caller.actor, now=now, also=trail)
    return json_answer(_shown(after, programs.load_program()))


@app.get(
    "/v1/unsubscribe/<token>",
    responses=routes.html_responses(404),
    summary="A page that asks whether to unsubscribe; looking at it changes nothing",
    tags=["Messages"],
)
def ask_to_unsubscribe(token: str) -> Answer:
    link = unsubscribing.link_of(token)
    program = programs.load_program()
    what = "statements" if link.category == "digest" else "offers"
    form = (
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        "<button>Unsubscribe</button></form>"
    )
    return _page(program.name, f"<p>No more e-mail with {what} from {escape(program.name)}?</p>{form}")


@app.post(
    "/v1/unsubscribe/<token>",
    responses=routes.html_responses(404),
    summary="Unsubscribe with one click (RFC 8058): no more e-mail of the link's category, at once",
    tags=["Messages"],
)
def unsubscribe(token: str, form: Annotated[OneClick, Body()]) -> Answer:  # noqa: ARG001 - to have it checked
    link, now = unsubscribing.link_of(token), clock.now()
    for attempt in range(SAVE_ATTEMPTS_MAX):
        before = members.load_member(link.member_id)
        if before.member.merged_into:
            before = members.load_member(accounts.load_survivor(before.member.merged_into).member_id)
        if before.member.status != "active":
            break
        try:
            after = contact_preferences.unsubscribed(before.member, link.category, now)
            if after != before.member:
                profiles.save(before, after, actor=BY_LINK, now=now)
            break
        except TryAgainError:
            if attempt + 1 == SAVE_ATTEMPTS_MAX:
                raise
    return _page(programs.load_program().name, "<p>You are unsubscribed.</p>")


@app.post(
    "/v1/messages/preview",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: PreviewAnswer}, 404),
    summary="A message as it would go out, for an example or for a member; nothing is sent",
    tags=["Messages"],
)
def preview(request: Annotated[PreviewRequest, Body()]) -> Answer:
    program, now = programs.load_program(), clock.now()
    today = local_day(now, program.time_zone)
    values = examples_of(request.kind) | {"program_name": program.name, "currency": program.currency}
    locale = request.locale
    if request.member_id is not None:
        member_id = auth.caller(app).authorized_member_id(request.member_id)
        audit.record(auth.caller(app), "message.previewed", now, member_id, kind=request.kind)
        member = members.load_member(member_id).member
        account = sender.settled(member_id, program, now)
        locale = locale or member.locale
        note = Note(message_id="", member_id=member_id, kind=request.kind)
        values |= values_for(note, member, account, program, locale or "", today) or {}
        values["unsubscribe_url"] = ""
    template, whose = _template(request, program, locale)
    words = rendered(template, values | {"locale": template.locale})
    return json_answer(
        PreviewAnswer(
            kind=request.kind,
            channel=request.channel,
            locale=template.locale,
            template=whose,
            subject=words.subject or None,
            text=words.text,
            html=words.html,
            sms_parts=sms_parts(words.text) if request.channel == "sms" else None,
            variables=tuple(VariableAnswer(name=one.name, meaning=one.meaning) for one in variables_of(request.kind)),
        )
    )


def _template(
    request: PreviewRequest, program: Program, locale: str | None
) -> tuple[Template, Literal["request", "program", "built_in"]]:
    if request.template is None:
        found, is_own = template_for(program.messages, request.kind, request.channel, locale)
        return found, "program" if is_own else "built_in"
    template = Template.model_construct(
        kind=request.kind,
        channel=request.channel,
        locale=locale or program.messages.locale,
        **request.template.model_dump(),
    )
    faults = faults_of(template, "/template", program.messages.sms_parts_max)
    if faults:
        raise InvalidRequestError(*faults)
    return template, "request"


def _shown(member: Member, program: Program) -> PreferencesAnswer:
    allowed = contact_preferences.allowed(member)
    return PreferencesAnswer(
        member_id=member.member_id,
        channel=member.message_preferences.channel,
        locale=member.locale,
        time_zone=member.time_zone or program.time_zone,
        categories=CategoriesAnswer.model_validate(allowed),
        suppressed=tuple(
            SuppressionAnswer(channel=channel, reason=why.reason, on=why.on)
            for channel, why in sorted(member.suppressed_channels.items())
        ),
    )


def _page(title: str, content: str) -> Answer:
    """A page that loads nothing and leads nowhere: its address is a secret between a mail and us."""
    body = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="robots" content="noindex"></head>\n<body><h1>{escape(title)}</h1>\n{content}</body></html>\n'
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(
        status_code=int(HTTPStatus.OK), content_type=f"{HTML_TYPE}; charset=utf-8", headers=headers, body=body
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
