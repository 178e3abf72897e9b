"""The document is valid, complete, and the only list of routes."""

import json
import re
from collections import Counter
from collections.abc import Iterator

from openapi_spec_validator import validate

from infra import openapi
from infra.document.dress import operations
from shared.api.problems import problem
from shared.domain.errors import Fault, InvalidRequestError, LoyaltyError, MemberMergedError
from shared.domain.points.operator_limits import TooMuchForOneError
from shared.domain.telling.events import ALL_TYPES, Event

SCOPES = {"loyalty/storefront", "loyalty/member", "loyalty/operator", "loyalty/partner"}


def test_the_document_is_valid_openapi_3_1() -> None:
    document = openapi.document()
    assert document["openapi"].startswith("3.1")
    assert (document["info"]["title"], document["info"]["version"]) == ("Loyalty Functions", "2.0.0")
    validate(document)


def test_every_operation_is_one_route_of_one_function() -> None:
    operations = {(method.upper(), path) for path, item in openapi.document()["paths"].items() for method in item}
    routes = Counter((route.method, route.path) for route in openapi.routes())
    assert set(routes) == operations
    assert set(routes.values()) == {1}
    assert {route.function for route in openapi.routes()} == set(openapi.http_functions())


def test_only_the_program_and_links_in_messages_are_open_to_everybody() -> None:
    public = {(route.method, route.path) for route in openapi.routes() if not route.scopes}
    links = ("/v1/unsubscribe/{token}", "/v1/changes/undo/{token}")
    of_links = {(method, link) for method in ("GET", "POST") for link in links}
    assert public == {("GET", "/v1/program"), ("POST", "/v1/changes/undo"), *of_links}


def test_pages_for_people_have_paths_of_their_own_and_stand_in_no_document() -> None:
    """They are HTML, and no client is written for them."""
    pages = openapi.page_routes()
    assert {route.path for route in pages} >= {"/join", "/me", "/me/{rest+}", "/assets/{rest+}"}
    assert {route.function for route in pages} == set(openapi.page_functions())
    assert not set(openapi.page_functions()) & set(openapi.http_functions())
    assert not [path for path in openapi.document()["paths"] if not path.startswith("/v1/")]
    assert not [route for route in pages if route.path.startswith("/v1") or route.scopes]


def test_routes_ask_for_the_contracts_scopes() -> None:
    scopes = {(route.method, route.path): route.scopes for route in openapi.routes()}
    assert set().union(*scopes.values()) == SCOPES
    assert scopes["POST", "/v1/members/{member_id}/earn"] == {"loyalty/storefront", "loyalty/partner"}
    assert scopes["POST", "/v1/members/{member_id}/transfers"] == {"loyalty/member", "loyalty/operator"}
    scheme = openapi.document()["components"]["securitySchemes"]["oauth2"]
    assert scheme["type"] == "oauth2"
    assert all(set(flow["scopes"]) == SCOPES for flow in scheme["flows"].values())


def test_the_document_lists_every_code_with_its_status_and_meaning_and_no_other() -> None:
    code = openapi.document()["components"]["schemas"]["Problem"]["properties"]["code"]
    rows = dict(re.findall(r"^\| \d+ \| `(\w+)` \| (.+) \|$", code["description"], re.MULTILINE))
    answered = {refusal.code: problem(refusal).status_code for refusal in map(_refused, _kinds(LoyaltyError))}
    statuses = {row[1]: int(row[0]) for row in re.findall(r"^\| (\d+) \| `(\w+)` ", code["description"], re.MULTILINE)}
    assert statuses == answered
    assert list(rows) == list(statuses) == code["enum"]
    assert len(set(rows.values())) == len(rows)


def test_every_refusal_of_every_route_is_the_documented_problem() -> None:
    for item in openapi.document()["paths"].values():
        for operation in item.values():
            refusals = [answer for status, answer in operation["responses"].items() if int(status) >= 400]
            assert refusals
            for answer in refusals:
                [(kind, content)] = answer["content"].items()
                assert kind == "application/problem+json"
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert "Request-Id" in answer["headers"]


def test_each_operation_has_a_name_words_and_the_codes_that_it_may_answer() -> None:
    document = openapi.document()
    listed = [one for item in document["paths"].values() for one in item.values()]
    ids = [one["operationId"] for one in listed]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", one) for one in ids)
    assert {"enrollMember", "earnPoints", "captureRedemption"} <= set(ids)
    assert all(one["summary"] and one["description"].endswith(".") and "security" in one for one in listed)
    assert {tag for one in listed for tag in one["tags"]} == {tag["name"] for tag in document["tags"]}
    every = document["components"]["examples"]
    for operation in listed:
        for status, answer in operation["responses"].items():
            if int(status) < 400:
                continue
            [content] = answer["content"].values()
            codes = [one["$ref"].rpartition("/")[2] for one in content["examples"].values()]
            assert codes
            assert {every[code]["value"]["status"] for code in codes} == {int(status)}
            assert all(f"`{code}`" in answer["description"] for code in codes)


def test_every_operation_is_described_and_nothing_else_is() -> None:
    described = {name for name in operations() if name not in {"tags", "parameters"}}
    assert described == {f"{route.method} {route.path}" for route in openapi.routes()}


def test_words_with_a_few_values_name_them() -> None:
    schemas = openapi.document()["components"]["schemas"]
    assert {name for name in schemas if name.endswith("ValidationError")} == set()
    for name, schema in schemas.items():
        for field, of in schema.get("properties", {}).items():
            if field in {"status", "state", "kind", "type", "per"} and of.get("type") == "string" and name != "Problem":
                assert "enum" in of or "const" in of, (name, field)


def test_answers_are_open_to_fields_that_come_later_and_requests_are_not() -> None:
    schemas = openapi.document()["components"]["schemas"]
    for name in ("AccountAnswer", "MemberAnswer", "BookedAnswer", "RedemptionAnswer", "Problem"):
        assert "additionalProperties" not in schemas[name], name
    for name in ("OrderEarn", "Enrollment", "Line", "RewardRequest"):
        assert schemas[name]["additionalProperties"] is False, name


def test_the_payload_of_webhooks_is_described() -> None:
    document = openapi.document()
    receive = document["webhooks"]["event"]["post"]
    assert {one["name"] for one in receive["parameters"]} == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    event = document["components"]["schemas"]["Event"]
    assert event["properties"]["type"]["enum"] == list(ALL_TYPES)
    assert [Event.model_validate_json(json.dumps(one)) for one in event["examples"]]


def test_no_count_is_said_to_be_money() -> None:
    schemas = openapi.document()["components"]["schemas"]
    for schema, field in (("Line", "quantity"), ("CountGoal", "target"), ("Tier", "threshold")):
        if schema in schemas:
            assert "minor units" not in json.dumps(schemas[schema]["properties"][field])
    assert "minor units" in schemas["Line"]["properties"]["amount"]["description"]


def test_routes_that_need_a_key_say_so() -> None:
    operations = [one for item in openapi.document()["paths"].values() for one in item.values()]
    keys = [each for one in operations for each in one.get("parameters", ()) if each["name"] == "idempotency-key"]
    assert len(keys) >= 8
    assert all(each["required"] and each["schema"]["minLength"] == 1 for each in keys)


def _kinds(kind: type[LoyaltyError]) -> Iterator[type[LoyaltyError]]:
    for extended in kind.__subclasses__():
        yield extended
        yield from _kinds(extended)


def _refused(kind: type[LoyaltyError]) -> LoyaltyError:
    if issubclass(kind, MemberMergedError):
        return kind("x", "y")
    if issubclass(kind, TooMuchForOneError):
        return kind("x", 1)
    return kind(Fault("", "x")) if issubclass(kind, InvalidRequestError) else kind("x")
