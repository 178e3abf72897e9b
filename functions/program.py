"""Read and replace the program."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from shared import clock
from shared.api import auth, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.caller import OPERATOR
from shared.domain.errors import Fault, InvalidRequestError, ProgramChangedError
from shared.domain.program.program import Program
from shared.domain.telling.templates import template_faults
from shared.tables import audit, programs

SHOP_ONLY = frozenset(
    {"segments", "campaigns", "messages", "standing_rules", "referrals", "partners", "operators", "privacy"}
)
"""Sections that say what the shop pays, whom it treats otherwise, and how it tells."""

app = resolver.resolver()

VERSION_DIGITS_MAX = 9


@app.get(
    "/v1/program",
    responses=routes.json_responses({200: Program}),
    summary="The program as members may see it",
    tags=["Program"],
)
def read_program() -> Answer:
    return _shown(programs.load_program(), without=SHOP_ONLY)


@app.get(
    "/v1/program/whole",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: Program}),
    summary="The program with what only the shop may see: what to change and send back",
    tags=["Program"],
)
def read_whole_program() -> Answer:
    return _shown(programs.load_program())


@app.put(
    "/v1/program",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: Program}, 412),
    summary="Replace the program; If-Match names the version that was read",
    tags=["Program"],
)
def replace_program(
    program: Annotated[Program, Body()],
    if_match: Annotated[str | None, Header(alias="If-Match", max_length=40)] = None,
) -> Answer:
    version = _version(if_match)
    if "version" in program.model_fields_set and program.version != version:
        raise ProgramChangedError(f"the program sent says version {program.version}, If-Match says {version}")
    if faults := template_faults(program.messages):
        raise InvalidRequestError(*faults)
    trail = audit.trail(auth.caller(app), "program.replaced", clock.now(), version=str(version + 1))
    return _shown(programs.replace_program(program, version, trail))


def _version(if_match: str | None) -> int:
    digits = (if_match or "").removeprefix("W/").strip('"')
    if not digits.isascii() or not digits.isdigit() or len(digits) > VERSION_DIGITS_MAX or int(digits) < 1:
        detail = 'send the version that was read, which GET /v1/program gives as its ETag, such as "3"'
        raise InvalidRequestError(Fault("header:If-Match", detail))
    return int(digits)


def _shown(program: Program, *, without: frozenset[str] = frozenset()) -> Answer:
    return json_answer(program, headers={"ETag": f'"{program.version}"'}, without=without)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
