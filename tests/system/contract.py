"""Holds every answer of a running server against the OpenAPI document: status, media type, and a refusal's code."""

from collections.abc import Callable
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from starlette.routing import compile_path

from infra import openapi
from shared.api.problems import PROBLEM_TYPE

API = "/v1/"


def assert_documented(answer: httpx.Response) -> None:
    """Whether the document says that this request may be answered so; a refusal must match its schema."""
    answer.read()
    path = answer.request.url.path
    if not path.startswith(API) or path == openapi.DOCUMENT_PATH:
        return
    if answer.is_error:
        assert answer.headers["Content-Type"] == PROBLEM_TYPE, answer.text
        problem = answer.json()
        _problem_validator().validate(problem)
        assert problem["status"] == answer.status_code
    operation = _operation(answer.request.method, path)
    if operation is None:
        assert answer.status_code in {404, 405}, answer.text
    else:
        assert str(answer.status_code) in operation["responses"], f"{path}: {answer.status_code} {answer.text}"


def _operation(method: str, path: str) -> dict[str, Any] | None:
    found = (operations for matches, operations in _paths() if method in operations and matches(path))
    return next((operations[method] for operations in found), None)


@cache
def _paths() -> list[tuple[Callable[[str], object], dict[str, Any]]]:
    """How each path of the document is recognised, literal ones first, and its operations by method."""
    paths = sorted(openapi.document()["paths"].items(), key=lambda item: "{" in item[0])
    return [
        (compile_path(path)[0].match, {method.upper(): operation for method, operation in operations.items()})
        for path, operations in paths
    ]


@cache
def _problem_validator() -> Any:
    components = openapi.document()["components"]
    return Draft202012Validator({"$ref": "#/components/schemas/Problem", "components": components})
