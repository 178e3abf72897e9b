"""Where a request breaks a rule: the place, and what to send there, in the words of the contract."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import TypeAdapter

from shared.api.answers import Answer
from shared.api.problems import FAULTS_MAX
from shared.api.routes import answers_json
from shared.api.wording import Place, in_words, open_choice, unknown_name
from shared.domain.errors import Fault, InvalidRequestError

_NOTHING = object()


def require_described(
    app: APIGatewayHttpResolver, next_middleware: Callable[[APIGatewayHttpResolver], Answer]
) -> Answer:
    """Refuses what the route in hand does not describe: a body where it takes none, and unknown query parameters.

    What is ignored would seem to have been done: `{"points": 40}` to a route that gives all points back. Pages pass
    over what they do not know, since mail programs and trackers add to their addresses. Raises InvalidRequestError,
    and MalformedJsonError for a body that is not JSON.
    """
    route = app.context["_route"]
    if answers_json(route):
        taken = route.dependant
        faults = list(_unknown_parameters(app.current_event, {field.alias for field in taken.query_params}))
        if not taken.body_params and app.current_event.body and app.current_event.json_body:
            faults.append(Fault("", "this request takes no body; leave it out, or send {}"))
        if faults:
            raise InvalidRequestError(*faults[:FAULTS_MAX])
    return next_middleware(app)


def invalid_request(error: RequestValidationError, app: APIGatewayHttpResolver) -> InvalidRequestError:
    """The refusal of the request in hand, whose body, path or query breaks a rule."""
    event, route = app.current_event, app.context["_route"]
    faults = []
    for fault in error.errors()[:FAULTS_MAX]:
        place, *path = fault["loc"]
        is_missing = fault["type"] in {"missing", "union_tag_not_found"}
        if fault["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            path.append(fault["ctx"]["discriminator"].strip("'"))
        if place == "body":
            body = event.json_body if event.body else None
            steps = _steps(path, body, is_missing)
            if choice := open_choice(fault, steps, _body_of(route), body):
                faults.append(Fault(_pointer(steps[:-1]), choice))
            else:
                faults.append(Fault(_pointer(steps), in_words(fault, steps, _body_of(route), body)))
        else:
            faults.append(Fault(f"{place}:{_named(path)}", in_words(fault, path, _parameters_of(route), {})))
    return InvalidRequestError(*dict.fromkeys(faults))


def _unknown_parameters(event: APIGatewayProxyEventV2, known: set[str]) -> Iterator[Fault]:
    """A fault for each query parameter that is not among the `known`, which it names."""
    for name in sorted(event.query_string_parameters.keys() - known):
        yield Fault(f"query:{name}", unknown_name("query parameter", name, sorted(known)))


@cache
def _body_of(route: Route) -> Place:
    """What a route's body may hold. Made for the first refusal: nobody else waits for it."""
    [field] = route.dependant.body_params
    return Place.of(TypeAdapter(field.type_).json_schema())


@cache
def _parameters_of(route: Route) -> Place:
    """What a route's parameters may hold, by their names."""
    taken = route.dependant
    fields = (*taken.query_params, *taken.header_params, *taken.path_params)
    schemas = {}
    for field in fields:
        annotated: Any = Annotated[field.type_, field.field_info]
        schemas[field.alias] = TypeAdapter(annotated).json_schema()
    return Place.of({"type": "object", "properties": schemas})


def _named(path: Sequence[str | int]) -> str:
    return "/".join(map(str, path))


def _steps(path: Sequence[str | int], body: Any, is_missing: bool) -> list[str | int]:  # noqa: ANN401
    """The steps to a place of a body. A validator's path also names which of several shapes was tried; the body tells
    those apart.

    A shape may be called as one of its fields is (`action`, `points`), but there the path leads no further.
    """
    steps = []
    for step in path[:-1]:
        inner = _at(body, step)
        if isinstance(inner, dict | list):
            steps.append(step)
            body = inner
    return steps + [step for step in path[-1:] if is_missing or _at(body, step) is not _NOTHING]


def _pointer(steps: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _at(body: Any, step: str | int) -> Any:  # noqa: ANN401
    try:
        return body[step]
    except (IndexError, KeyError, TypeError):
        return _NOTHING
