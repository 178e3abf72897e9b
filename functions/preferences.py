"""What members are sent: their preferences, and previews of messages."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock
from shared.api import auth, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.preferences import PreferencesAnswer, preferences_answer
from shared.api.schemas.previews import PreviewAnswer, preview_answer
from shared.caller import OPERATOR
from shared.domain.members.contact_preferences import PreferencesChange
from shared.services import contact_preferences, message_previews
from shared.services.message_previews import PreviewRequest

app = resolver.resolver()


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


@app.post(
    "/v1/messages/preview",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: PreviewAnswer}, 404),
    summary="A message as it would go out, for an example or for a member; nothing is sent",
    tags=["Messages"],
)
def preview(request: Annotated[PreviewRequest, Body()]) -> Answer:
    return json_answer(preview_answer(message_previews.preview(request, caller=auth.caller(app), now=clock.now())))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
