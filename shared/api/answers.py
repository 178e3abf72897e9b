"""What functions answer with."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

JSON_TYPE = "application/json"
Answer = Response[Any]


def json_answer(
    body: BaseModel,
    status: int = HTTPStatus.OK,
    *,
    replayed: bool = False,
    headers: Mapping[str, str] | None = None,
    without: frozenset[str] = frozenset(),
) -> Answer:
    """A JSON answer, marked if it repeats an earlier one, and without the fields that the caller may not see."""
    marks = {"Idempotency-Replayed": "true"} if replayed else {}
    return Answer(
        status_code=int(status),
        content_type=JSON_TYPE,
        headers={"Cache-Control": "no-store", **marks, **(headers or {})},
        body=body.model_dump_json(exclude=set(without)),
    )
