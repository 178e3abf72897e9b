"""Where a request breaks a rule: what the validator says of it, in the words of the contract."""

from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from shared.api.problems import FAULTS_MAX
from shared.domain.errors import Fault, InvalidRequestError

_NOTHING = object()


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
