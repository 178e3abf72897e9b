"""What the OpenAPI document says beyond what the routes declare: names, words, codes, examples, headers.

`operations.toml` has a row for each operation, `examples.json` its requests and what they were answered with.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from infra.document.enums import ENUMS
from infra.document.webhook_payloads import schemas as webhook_schemas
from infra.document.webhook_payloads import webhooks
from infra.refusals import Refusal, refusals
from shared.api.examples import example_of
from shared.api.problems import PAGES_PATH
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT

_FOLDER = Path(__file__).parent
_PROGRAM = _FOLDER.parent / "tools" / "example_program.json"
_SCHEMAS = "#/components/schemas/"
_HEADERS_AT = "#/components/headers/"
_EXAMPLES_AT = "#/components/examples/"
_SCOPES = {
    STOREFRONT: "A shop's own systems: its web shop, its tills.",
    MEMBER: "A member, for themselves: the token's claim `member_id` says who.",
    OPERATOR: "Somebody who works for the shop, with a second factor.",
    PARTNER: "A partner's system: the token's claim `partner_id` says whose.",
}
_INFO = {
    "summary": "A loyalty program: members, points, tiers, rewards.",
    "description": "Money is in integer minor units beside an ISO 4217 `currency`, points are integers, moments are "
    "RFC 3339 with their offset. Unknown fields and query parameters are refused, and answers may have more fields "
    "than are described here. A write may be sent again as often as it takes: it is carried out once, by its "
    "natural key or its `Idempotency-Key`. Refusals are RFC 9457 problems with a stable `code`.",
    "license": {"name": "MIT", "identifier": "MIT"},
    "contact": {"name": "Whoever runs this service"},
}
_HEADERS: Mapping[str, tuple[str, Any]] = {
    "Request-Id": ("The request's id, as the log has it.", "Qk1xAjVpIAMEJgw="),
    "Idempotency-Replayed": ("Whether this repeats the answer to an earlier request.", "true"),
    "ETag": ("The program's version, for If-Match.", '"3"'),
    "Retry-After": ("After how many seconds to send the same request again.", 1),
    "WWW-Authenticate": ("How to say who is calling.", "Bearer"),
}
_ANYWHERE = {
    *("malformed_json", "body_too_large", "unsupported_media_type", "invalid_request"),
    *("too_many_requests", "try_again"),
}
"""Codes that any route may answer."""
_WITH_TOKEN = {"unauthenticated", "forbidden"}


@cache
def operations() -> dict[str, dict[str, Any]]:
    """What is said of each operation, by its method and path."""
    return tomllib.loads((_FOLDER / "operations.toml").read_text())


@cache
def examples() -> list[dict[str, Any]]:
    """Requests that work when they are sent, in the world of their test, and what they were answered with."""
    found: list[dict[str, Any]] = json.loads((_FOLDER / "examples.json").read_text())
    for one in found:
        if one.get("body") == "the example program":
            one["body"] = json.loads(_PROGRAM.read_text())
    return found


def codes_of(operation: str, *, asks_token: bool) -> set[str]:
    """The codes that an operation, named by method and path, may answer."""
    return {*operations()[operation]["codes"], *_ANYWHERE, *(_WITH_TOKEN if asks_token else ())}


def dress(document: dict[str, Any]) -> None:
    """Say it of a document that was made from the routes."""
    document["info"] |= _INFO
    document["tags"] = [{"name": name, "description": text} for name, text in operations()["tags"].items()]
    components = document["components"]
    components["schemas"] |= webhook_schemas()
    components["headers"] = {
        name: {"description": text, "schema": {"type": _type_of(example)}, "example": example}
        for name, (text, example) in _HEADERS.items()
    }
    components["examples"] = {one.code: {"summary": one.meaning, "value": _problem(one)} for one in refusals()}
    components["securitySchemes"]["oauth2"] = _security_scheme()
    document["webhooks"] = webhooks()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _dress_operation(f"{method.upper()} {path}", operation)
    _dress_schemas(document)


def _type_of(example: Any) -> str:  # noqa: ANN401
    return "integer" if isinstance(example, int) else "string"


def _security_scheme() -> dict[str, Any]:
    flow = {"tokenUrl": "/oauth2/token", "scopes": _SCOPES}
    return {
        "type": "oauth2",
        "description": "An access token (JWT) as `Authorization: Bearer`. In the cloud the user pool's domain, or an "
        "issuer of your own, gives them out; on one machine `loyalty token` prints them.",
        "flows": {
            "clientCredentials": flow,
            "authorizationCode": {"authorizationUrl": "/oauth2/authorize", **flow},
        },
    }


def _dress_operation(name: str, operation: dict[str, Any]) -> None:
    row = operations()[name]
    scopes = [scope for one in operation.get("security", ()) for scope in one["oauth2"]]
    operation["operationId"] = row["id"]
    said = operation["summary"].rstrip(".")
    needs = f"Needs a token with {' or '.join(f'`{scope}`' for scope in scopes)}." if scopes else "Needs no token."
    operation["summary"] = row["summary"]
    operation["description"] = " ".join([f"{said}.", *([row["more"]] if "more" in row else []), needs])
    operation.setdefault("security", [])
    by_code = {one.code: one for one in refusals()}
    codes = sorted(codes_of(name, asks_token=bool(scopes)))
    mine = [one for one in examples() if one["operation"] == name]
    responses = operation["responses"] = {
        status: answer
        for status, answer in operation["responses"].items()
        if int(status) < HTTPStatus.BAD_REQUEST or any(by_code[code].status == int(status) for code in codes)
    }
    for status, answer in responses.items():
        of_status = [by_code[code] for code in codes if by_code[code].status == int(status)]
        answer["headers"] = {header: {"$ref": _HEADERS_AT + header} for header in _headers(name, row, int(status))}
        if of_status:
            _list_codes(answer, of_status)
        else:
            shown = {one["name"]: one for one in mine if one["status"] == int(status) and "answer" in one}
            _show(answer, {label: {"value": one["answer"]} for label, one in shown.items()})
    if "requestBody" in operation:
        sent = {one["name"]: {"summary": one["summary"], "value": one["body"]} for one in mine if "body" in one}
        _show(operation["requestBody"], sent)
    for parameter in operation.get("parameters", ()):
        example = example_of(parameter["name"], parameter["schema"])
        parameter.update(
            operations()["parameters"].get(parameter["name"], {}), **({"example": example} if example else {})
        )


def _headers(name: str, row: Mapping[str, Any], status: int) -> Iterator[str]:
    yield "Request-Id"
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        yield "Retry-After"
    if status == HTTPStatus.UNAUTHORIZED:
        yield "WWW-Authenticate"
    if status < HTTPStatus.BAD_REQUEST and row.get("replays"):
        yield "Idempotency-Replayed"
    if status == HTTPStatus.OK and name.endswith((" /v1/program", " /v1/program/whole")):
        yield "ETag"


def _list_codes(answer: dict[str, Any], of_status: list[Refusal]) -> None:
    listed = "\n".join(f"- `{one.code}`: {one.meaning}" for one in of_status)
    answer["description"] = f"{answer['description']}.\n\n{listed}"
    _show(answer, {one.code: {"$ref": f"{_EXAMPLES_AT}{one.code}"} for one in of_status})


def _problem(refusal: Refusal) -> dict[str, Any]:
    """An example of a refusal, as RFC 9457 has it."""
    body: dict[str, Any] = {
        "type": f"{PAGES_PATH}{refusal.code}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": refusal.meaning,
        "code": refusal.code,
        "request_id": _HEADERS["Request-Id"][1],
    }
    if refusal.status == HTTPStatus.UNPROCESSABLE_ENTITY and refusal.code != "idempotency_mismatch":
        body["errors"] = [{"pointer": "/currency", "detail": "must be three capital letters, such as USD"}]
    return body


def _show(holder: dict[str, Any], named: Mapping[str, Any]) -> None:
    """Put named examples to the one content of a request or an answer."""
    for content in holder.get("content", {}).values():
        if named:
            content["examples"] = dict(named)


def _dress_schemas(document: dict[str, Any]) -> None:
    """Name the values of words, give examples, open answers to fields that come later, leave out what nobody uses."""
    schemas = document["components"]["schemas"]
    for (schema, field), values in ENUMS.items():
        schemas[schema]["properties"][field]["enum"] = list(values)
    asked = _reached(schemas, [one.get("requestBody") for item in document["paths"].values() for one in item.values()])
    used = _reached(schemas, [document["paths"], document["webhooks"]])
    for name in list(schemas):
        if name not in used:
            del schemas[name]
        elif name not in asked and schemas[name].get("additionalProperties") is False:
            del schemas[name]["additionalProperties"]
    for schema in (schemas[name] for name in asked):
        for name, field in schema.get("properties", {}).items():
            if (example := example_of(name, field)) is not None and "examples" not in field:
                field["examples"] = [example]


def _reached(schemas: Mapping[str, Any], roots: Any) -> set[str]:  # noqa: ANN401
    """The names of all schemas that something refers to, by whatever way."""
    found: set[str] = set()
    waiting = _referred(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= _referred(schemas[name])
    return found


def _referred(part: Any) -> set[str]:  # noqa: ANN401
    return set(re.findall(rf'"{_SCHEMAS}(\w+)"', json.dumps(part)))
