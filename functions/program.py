"""The whole program, for operators: read and replace it."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from shared import clock
from shared.api import auth, resolver, routes
from shared.api.answers import Answer
from shared.api.schemas.programs import program_answer
from shared.api.schemas.reviews import ReviewAnswer, asked
from shared.caller import OPERATOR
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.fields import Requested
from shared.domain.program.program import Program
from shared.services import program as program_service
from shared.services.asking import Asked

VERSION_DIGITS_MAX = 9

app = resolver.resolver()


@app.get(
    "/v1/program/whole",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: Program}),
    summary="The program with what only the shop may see: what to change and send back",
    tags=["Program"],
)
def read_whole_program() -> Answer:
    return program_answer(program_service.read_program())


@app.put(
    "/v1/program",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: Program, 202: ReviewAnswer}, 412),
    summary="Replace the program; If-Match names the version that you read. One that lets operators do more alone "
    "waits for another operator",
    tags=["Program"],
)
def replace_program(
    program: Annotated[Requested[Program], Body()],
    if_match: Annotated[str | None, Header(alias="If-Match", max_length=40)] = None,
) -> Answer:
    now = clock.now()
    stored = program_service.replace_program(program, _version(if_match), caller=auth.caller(app), now=now)
    return asked(stored, program_service.today(now)) if isinstance(stored, Asked) else program_answer(stored)


def _version(if_match: str | None) -> int:
    digits = (if_match or "").removeprefix("W/").strip('"')
    if not digits.isascii() or not digits.isdigit() or len(digits) > VERSION_DIGITS_MAX or int(digits) < 1:
        detail = 'send the version that you read, which is the ETag of GET /v1/program, such as "3"'
        raise InvalidRequestError(Fault("header:If-Match", detail))
    return int(digits)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
