"""What no function answers, as the cloud's function of the document answers it."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra import openapi, unrouted
from infra.cloud.build.function_code import document_folder
from shared import correlation
from shared.api.problems import PAGES_PATH, problem
from shared.domain.errors import RouteNotFoundError


def asked(method: str, path: str) -> dict[str, Any]:
    return unrouted.answer(openapi.unrouted_content(), method, path, "r-1")


def test_a_path_that_is_not_there_gets_the_problem_that_functions_would_make() -> None:
    answer = asked("GET", "/v1/customers")
    with correlation.within("r-1"):
        made = problem(RouteNotFoundError(json.loads(answer["body"])["detail"]))
    assert json.loads(answer["body"]) == json.loads(str(made.body))
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (404, made.headers["Content-Type"])
    assert answer["headers"]["Request-Id"] == "r-1"
    assert (unrouted.PROBLEMS_PATH, unrouted.REQUEST_ID) == (PAGES_PATH, correlation.HEADER)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/members/m-1", "DELETE, GET, PATCH"),
        ("POST", "/v1/openapi.json", "GET"),
        ("POST", "/v1/problems/forbidden", "GET"),
        ("GET", "/v1/members/m-1/earn", "POST"),
    ],
)
def test_another_method_is_answered_with_those_that_the_path_takes(method: str, path: str, allowed: str) -> None:
    answer = asked(method, path)
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, allowed)
    assert json.loads(answer["body"])["code"] == "method_not_allowed"


def test_the_folder_that_is_uploaded_answers_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = document_folder()
    assert {"document.py", unrouted.CONTENT} <= {path.name for path in folder.iterdir()}
    assert not [line for line in (folder / "document.py").read_text().splitlines() if line.startswith("from infra")]
    monkeypatch.setattr(unrouted, "__file__", str(Path(folder) / "document.py"))
    event = {"rawPath": "/v1/openapi.json", "requestContext": {"http": {"method": "GET"}, "requestId": "r-2"}}
    answer = unrouted.handler(event, None)
    assert json.loads(answer["body"]) == openapi.document()
    assert answer["headers"] == {"Content-Type": "application/json", "Request-Id": "r-2"}
