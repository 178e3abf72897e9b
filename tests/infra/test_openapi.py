"""The document is valid, complete, and the only list of routes."""

import re
from collections import Counter
from collections.abc import Iterator

from openapi_spec_validator import validate

from infra import openapi
from shared.api.problems import problem
from shared.domain.errors import Fault, InvalidRequestError, LoyaltyError, MemberMergedError
from shared.domain.points.operator_limits import TooMuchForOneError

SCOPES = {"loyalty/storefront", "loyalty/member", "loyalty/operator", "loyalty/partner"}


def test_the_document_is_valid_openapi_3_1() -> None:
    document = openapi.document()
    assert document["openapi"].startswith("3.1")
    assert document["info"] == {"title": "Loyalty Functions", "version": "2.0.0"}
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
    assert openapi.document()["components"]["securitySchemes"]["oauth2"]["scheme"] == "bearer"


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
                [content] = answer["content"].items()
                assert content == ("application/problem+json", {"schema": {"$ref": "#/components/schemas/Problem"}})


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
