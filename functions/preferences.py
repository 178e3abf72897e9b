"""What members are sent: their preferences, unsubscribing with one click, and previews of messages."""

from html import escape
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock
from shared.api import auth, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.preferences import PreferencesAnswer, preferences_answer
from shared.api.schemas.previews import PreviewAnswer, preview_answer
from shared.caller import OPERATOR
from shared.domain.fields import Record
from shared.domain.members.contact_preferences import PreferencesChange
from shared.messaging.unsubscribe import PATH
from shared.services import contact_preferences, message_previews, subscriptions
from shared.services.message_previews import PreviewRequest

app = resolver.resolver(forms=PATH)


class OneClick(Record, extra="ignore"):
    """What RFC 8058 has a mail program post; fields that one adds are passed over."""

    list_unsubscribe: Annotated[Literal["One-Click"], Field(alias="List-Unsubscribe")]


@app.get(
    "/v1/members/<member_id>/preferences",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PreferencesAnswer}, 404),
    summary="What a member is sent, by category and channel",
    tags=["Messages"],
)
def read_preferences(member_id: str) -> Answer:
    preferences = contact_preferences.read_preferences(member_id, caller=auth.caller(app), now=clock.now())
    return json_answer(preferences_answer(preferences))


@app.patch(
    "/v1/members/<member_id>/preferences",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: PreferencesAnswer}, 404, 409),
    summary="Change what a member is sent; what is left out stays",
    tags=["Messages"],
)
def change_preferences(member_id: str, change: Annotated[PreferencesChange, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    preferences = contact_preferences.change_preferences(member_id, change, caller=caller, now=now)
    return json_answer(preferences_answer(preferences))


@app.get(
    "/v1/unsubscribe/<token>",
    responses=routes.html_responses(404),
    summary="A page that asks whether to unsubscribe; looking at it changes nothing",
    tags=["Messages"],
)
def ask_to_unsubscribe(token: str) -> Answer:
    category, program_name = subscriptions.read_subscription(token)
    what = "statements" if category == "digest" else "offers"
    form = (
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        "<button>Unsubscribe</button></form>"
    )
    return _page(program_name, f"<p>No more e-mail with {what} from {escape(program_name)}?</p>{form}")


@app.post(
    "/v1/unsubscribe/<token>",
    responses=routes.html_responses(404),
    summary="Unsubscribe with one click (RFC 8058): no more e-mail of the link's category, at once",
    tags=["Messages"],
)
def unsubscribe(token: str, form: Annotated[OneClick, Body()]) -> Answer:  # noqa: ARG001 - the resolver checks it
    subscription = subscriptions.end_subscription(token, now=clock.now())
    return _page(subscription.program_name, "<p>You are unsubscribed.</p>")


@app.post(
    "/v1/messages/preview",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: PreviewAnswer}, 404),
    summary="A message as it would go out, for an example or for a member; nothing is sent",
    tags=["Messages"],
)
def preview(request: Annotated[PreviewRequest, Body()]) -> Answer:
    return json_answer(preview_answer(message_previews.preview(request, caller=auth.caller(app), now=clock.now())))


def _page(title: str, content: str) -> Answer:
    """A page that loads nothing and links nowhere, so that no other site learns its address from a browser."""
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
    return Answer(
        status_code=int(HTTPStatus.OK), content_type=f"{routes.HTML_TYPE}; charset=utf-8", headers=headers, body=body
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
