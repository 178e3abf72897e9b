"""Whatever schemathesis makes of the OpenAPI document is answered as the document says, and never by a crash.

A seeded few hundred requests through the gateway, in this process. Ten thousand against a server:
`pytest -m long -s tests/system/test_ten_thousand_requests.py`.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from infra import openapi
from infra.local.docs import routes as document_routes
from infra.local.gateway import Gateway
from infra.local.invoke import Handler
from infra.local.tokens import Issuer
from tests.functions.shop import MEMBER, OPERATOR, STOREFRONT, Shop

SETTINGS = Path(__file__).with_name("schemathesis.toml")
SEED = 20261122
EXAMPLES = 2
HANDLERS: Mapping[str, Handler] = {
    name: import_module(f"functions.{name}").handler for name in openapi.http_functions()
}


def requests_answered(handlers: Mapping[str, Handler], member_id: str, path: str = "/v1/") -> int:
    """How many requests to paths that begin with `path` were answered as documented. Raises FailureGroup otherwise."""
    issuer = Issuer(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    here = {"Host": "127.0.0.1"}
    headers = {"Authorization": f"Bearer {issuer.token([STOREFRONT, OPERATOR, MEMBER], member_id)}", **here}
    gateway = Gateway(openapi.routes(), handlers, issuer).application(document_routes(openapi.document()))
    config = SchemathesisConfig.from_path(SETTINGS)
    schema = schemathesis.openapi.from_asgi(openapi.DOCUMENT_PATH, gateway, config=config, headers=here)
    answered = 0
    for found in schema.include(path_regex=f"^{path}").get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        # Without a body there is hardly anything to get wrong.
        for mode in GenerationMode if operation.body else (GenerationMode.POSITIVE,):

            @seed(SEED)
            @settings(max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(mode))
            def hold(case: Case[Any]) -> None:
                nonlocal answered
                case.call_and_validate(headers=headers)
                answered += 1

            hold()
    return answered


def test_what_the_document_allows_and_forbids_is_answered_as_it_says(shop: Shop) -> None:
    assert requests_answered(HANDLERS, shop.enroll("ada", name="Ada")) >= 190


@pytest.mark.parametrize(("status", "body"), [(500, "{}"), (418, "{}"), (200, '{"secret": 1}'), (200, "<p>")], ids=str)
def test_an_answer_that_is_not_documented_is_found(shop: Shop, status: int, body: str) -> None:
    answer = {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": body}
    broken = {**HANDLERS, "account": lambda _event, _context: answer}
    with pytest.raises(FailureGroup):
        requests_answered(broken, shop.enroll("ada"), "/v1/rewards")
