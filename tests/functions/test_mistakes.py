"""What an integrator gets wrong in the first days, and what the answer says: each in the words of the contract.

Each line of `mistakes.json` is a request and its whole answer: what is wrong, where, and what to send instead.
"""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic_core._pydantic_core import list_all_errors
from starlette.applications import Starlette

from infra import openapi
from infra.local.gateway import Gateway
from infra.local.tokens import Issuer
from shared.api.wording import PATTERNS, Place, in_words
from tests.functions.shop import MEMBER, OPERATOR, PARTNER, STOREFRONT, Shop

MISTAKES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("mistakes.json").read_text())
SCOPES = {"storefront": STOREFRONT, "member": MEMBER, "operator": OPERATOR, "partner": PARTNER}
PHRASES = re.compile(
    r"Input should|Field required|Extra inputs|Value error|discriminator|String should|valid dictionary|instance of"
    r"|Unable to|Not enough segments|has expired$|Expecting|isoformat|\[A-Z\]|\\d|\^.*\$|: :|^: "
)
"""How validators and parsers speak, and patterns."""


class Desk:
    """The gateway over the functions, and a member of the shop."""

    def __init__(self, shop: Shop, gateway: Starlette, issuer: Issuer) -> None:
        self._gateway = gateway
        self._issuer = issuer
        self.ids = {"{ada}": shop.enroll("ada", email="ada@example.com"), "{grace}": shop.enroll("grace")}
        shop.order(self.ids["{ada}"], "A-1", 10_000)
        self.ids["{spent}"] = shop.redeem(self.ids["{ada}"], key="spend-0").body["redemption_id"]

    def answer(self, mistake: dict[str, Any]) -> dict[str, Any]:
        """What is answered to a mistake, with the names of ids instead of them."""
        headers = dict(mistake.get("headers", {}))
        if scope := mistake.get("scope", "storefront"):
            member_id = self.ids["{ada}"] if scope == "member" else None
            partner_id = "cafe" if scope == "partner" else None
            token = self._issuer.token([SCOPES[scope]], member_id, "till-7", partner_id)
            headers.setdefault("Authorization", f"Bearer {token}")
        content = mistake.get("text") or (json.dumps(mistake["body"]) if "body" in mistake else "")
        content *= mistake.get("repeat", 1)
        if content:
            headers.setdefault("Content-Type", "application/json")
        sent = self._named(content, "from").encode(mistake.get("encoding", "utf-8"))
        path = self._named(mistake["path"], "from")
        response = self._call(mistake["method"], path, content=sent, headers=headers)
        body = json.loads(self._named(response.text, "to"))
        assert response.headers["Request-Id"] == body.pop("request_id")
        assert response.headers["content-type"] == "application/problem+json"
        assert body.pop("type") == f"/v1/problems/{body['code']}"
        body.pop("title")
        allow = response.headers.get("Allow")
        return {**body, **({"allow": allow} if allow else {})}

    def page(self, path: str) -> str:
        """A page that is open to everybody."""
        response = self._call("GET", path)
        assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        return response.text

    def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self._gateway)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, f"http://127.0.0.1{path}", **more)

        return anyio.run(call)

    def _named(self, text: str, way: str) -> str:
        for name, id_ in self.ids.items():
            text = text.replace(name, id_) if way == "from" else text.replace(id_, name)
        return text


@pytest.fixture
def desk(shop: Shop) -> Desk:
    issuer = Issuer(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    handlers = {name: import_module(f"functions.{name}").handler for name in openapi.http_functions()}
    gateway = Gateway(openapi.routes(), handlers, issuer, openapi.unrouted_content()).application([])
    return Desk(shop, gateway, issuer)


def test_each_mistake_is_answered_as_it_is_written_down(desk: Desk) -> None:
    assert len(MISTAKES) >= 78
    assert len({mistake["name"] for mistake in MISTAKES}) == len(MISTAKES)
    for mistake in MISTAKES:
        assert desk.answer(mistake) == mistake["answer"], mistake["name"]


def test_no_answer_speaks_as_a_validator_does_or_shows_a_pattern() -> None:
    for mistake in MISTAKES:
        said = [mistake["answer"]["detail"], *(fault["detail"] for fault in mistake["answer"].get("errors", ()))]
        assert not [one for one in said if PHRASES.search(one)], mistake["name"]


def test_every_pattern_of_the_document_has_words() -> None:
    found = set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(openapi.document())))
    assert {json.loads(one) for one in found} <= set(PATTERNS)


@pytest.mark.parametrize("kind", [one["type"] for one in list_all_errors() if one["type"] != "value_error"])
def test_no_kind_of_error_is_shown_in_the_validators_words(kind: str) -> None:
    place = Place.of({"type": "object", "properties": {"total": {"type": "integer"}}})
    error = {"type": kind, "msg": "Input should be better", "loc": ("total",), "ctx": {}}
    words = in_words(error, ["total"], place, {"total": "x"})
    assert words
    assert not PHRASES.search(words)


def test_the_type_of_every_problem_leads_to_a_page_that_explains_it(desk: Desk) -> None:
    for code in openapi.document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]:
        page = desk.page(f"/v1/problems/{code}")
        assert f"<code>{code}</code>" in page
        assert "What to do" in page
    assert desk.answer({"method": "GET", "path": "/v1/problems/nobody_knows"})["code"] == "route_not_found"
