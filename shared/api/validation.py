"""Where a request breaks a rule: what the validator says of it, in the words of the contract."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from shared.api.answers import Answer
from shared.api.problems import FAULTS_MAX
from shared.api.routes import answers_json
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


def invalid_request(error: RequestValidationError, event: APIGatewayProxyEventV2) -> InvalidRequestError:
    """The refusal of a request whose body, path or query breaks a rule."""
    faults = []
    for fault in error.errors()[:FAULTS_MAX]:
        place, *path = fault["loc"]
        is_missing = fault["type"] in {"missing", "union_tag_not_found"}
        if fault["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            path.append(fault["ctx"]["discriminator"].strip("'"))
        if place == "body":
            pointer = _pointer(path, event.json_body if event.body else None, is_missing)
        else:
            pointer = f"{place}:{'/'.join(map(str, path))}"
        faults.append(Fault(pointer, fault["msg"].removeprefix("Value error, ")))
    return InvalidRequestError(*faults)


def _unknown_parameters(event: APIGatewayProxyEventV2, known: set[str]) -> Iterator[Fault]:
    """A fault for each query parameter that is not among the `known`, which it names."""
    takes = f"known are: {', '.join(sorted(known))}" if known else "this request takes none"
    for name in sorted(event.query_string_parameters.keys() - known):
        yield Fault(f"query:{name}", f"is not a known query parameter; {takes}")


def _pointer(path: Sequence[str | int], body: Any, is_missing: bool) -> str:  # noqa: ANN401
    """RFC 6901. A validator's path also names which of several shapes was tried; the body tells those apart.

    A shape may be called as one of its fields is (`action`, `points`), but there the path leads no further.
    """
    steps = []
    for step in path[:-1]:
        inner = _at(body, step)
        if isinstance(inner, dict | list):
            steps.append(step)
            body = inner
    steps += [step for step in path[-1:] if is_missing or _at(body, step) is not _NOTHING]
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _at(body: Any, step: str | int) -> Any:  # noqa: ANN401
    try:
        return body[step]
    except (IndexError, KeyError, TypeError):
        return _NOTHING
