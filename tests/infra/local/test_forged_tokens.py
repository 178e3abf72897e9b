"""No forged token gets through the gateway, on any route: the function behind it is never called."""

import base64
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from infra import openapi
from infra.local.gateway import Gateway
from infra.local.tokens import AUDIENCE, ISSUER, Issuer
from infra.openapi import Route
from shared.domain.errors import UnauthenticatedError
from tests.infra.local.conftest import Serve

KEY, STRANGERS = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
SECRETS = {
    "the public key": KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "the published key set": json.dumps(Issuer(KEY).key_set()).encode(),
    "nothing": b"",
}
HOUR_SECONDS = 3600
ALL_SCOPES = "loyalty/storefront loyalty/member loyalty/operator loyalty/partner"
PROTECTED = [route for route in openapi.routes() if route.scopes]


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signable(header: Mapping[str, Any], payload: Any) -> str:
    return ".".join(text_of(json.dumps(part).encode()) for part in (header, payload))


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "scope": ALL_SCOPES, "member_id": "m", "partner_id": "p"}
    return {**good, "iat": now, "exp": now + HOUR_SECONDS, **changes}


def signed(header: Mapping[str, Any], payload: Any, key: rsa.RSAPrivateKey = KEY) -> str:
    text = signable(header, payload)
    return f"{text}.{text_of(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def on_a_curve(header: Mapping[str, Any]) -> str:
    text = signable(header, claims())
    signature = ec.generate_private_key(ec.SECP256R1()).sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    return f"{text}.{text_of(b''.join(number.to_bytes(32, 'big') for number in decode_dss_signature(signature)))}"


TIMES: tuple[Any, ...] = (0, int(time.time()) - HOUR_SECONDS, None, "soon", [], -1)
ISSUERS: tuple[Any, ...] = (None, "", f"{ISSUER}/", ISSUER.upper(), [ISSUER], "https://elsewhere.example")
AUDIENCES: tuple[Any, ...] = ("somebody-else", ["somebody-else"], f"{AUDIENCE}x", "", [], {}, [[AUDIENCE]])
WRONG_CLAIMS: tuple[tuple[str, Any], ...] = (
    *(("exp", value) for value in TIMES),
    ("nbf", int(time.time()) + HOUR_SECONDS),
    *(("iss", value) for value in ISSUERS),
    *(("aud", value) for value in AUDIENCES),
)


def forged() -> Iterator[tuple[str, str]]:
    """Tokens of another issuer, not valid yet, or for another service, each with what is wrong with it."""
    own = {"alg": "RS256", "typ": "JWT", "kid": Issuer(KEY).key_set()["keys"][0]["kid"]}
    for name in ("none", "None", "NONE", "nOnE", "", "RS257"):
        yield f"algorithm {name!r}, unsigned", f"{signable({**own, 'alg': name}, claims())}."
        yield f"algorithm {name!r}, signed", signed({**own, "alg": name}, claims())
    yield "no algorithm", signed({"typ": "JWT"}, claims())
    for what, secret in SECRETS.items():
        for digest in ("256", "384", "512"):
            text = signable({**own, "alg": f"HS{digest}"}, claims())
            yield f"HS{digest} with {what}", f"{text}.{text_of(hmac.digest(secret, text.encode(), f'sha{digest}'))}"
    yield "an elliptic curve", on_a_curve({**own, "alg": "ES256"})
    yield "another padding", f"{signable({**own, 'alg': 'PS256'}, claims())}.{signed(own, claims()).rpartition('.')[2]}"
    yield "a stranger's signature", signed(own, claims(), STRANGERS)
    public = RSAAlgorithm.to_jwk(STRANGERS.public_key(), as_dict=True)
    for name, value in {
        "jwk": public,
        "jku": "https://shop.example/jwks.json",
        "x5u": "https://shop.example/x5u.pem",
        "x5c": [text_of(b"x")],
    }.items():
        yield f"a stranger's key by {name}", signed({**own, name: value}, claims(), STRANGERS)
    for number, kid in enumerate(
        ("", "../../dev/null", "/dev/null", "' OR '1'='1", "x" * 5000, None, 5, ["x"], own["kid"])
    ):
        yield f"a stranger's signature under kid {number}", signed({**own, "kid": kid}, claims(), STRANGERS)
    good = signed(own, claims())
    head, payload, signature = good.split(".")
    yield "no signature", f"{head}.{payload}."
    yield "two parts", f"{head}.{payload}"
    yield "four parts", f"{good}.{signature}"
    yield "half a signature", good[: -len(signature) // 2]
    yield "another's claims", f"{head}.{signed(own, claims(scope='x')).split('.')[1]}.{signature}"
    yield "no JSON", f"{head}.{text_of(b'{')}.{signature}"
    yield "not an object", signed(own, ["scope", ALL_SCOPES])
    for number, (name, value) in enumerate(WRONG_CLAIMS):
        yield (
            f"wrong {name}, {number}",
            signed(own, {k: v for k, v in claims(**{name: value}).items() if v is not None}),
        )


FORGED = dict(forged())


@pytest.fixture
def called() -> list[str]:
    """The functions that were called, in order."""
    return []


@pytest.fixture
def gateway(called: list[str], serve: Serve) -> Iterator[httpx.Client]:
    def answer(_event: Any, context: Any) -> Mapping[str, Any]:
        called.append(context.function_name)
        return {"statusCode": 200, "body": "{}"}

    handlers = dict.fromkeys(openapi.http_functions(), answer)
    url = serve(Gateway(openapi.routes(), handlers, Issuer(KEY)).application([]))
    with httpx.Client(base_url=url) as client:
        yield client


def status(gateway: httpx.Client, route: Route, token: str | None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return gateway.request(route.method, route.path, headers=headers).status_code


def test_a_token_made_in_the_same_way_with_nothing_wrong_opens_every_route(
    gateway: httpx.Client, called: list[str]
) -> None:
    good = signed({"alg": "RS256", "typ": "JWT"}, claims())
    assert {status(gateway, route, good) for route in PROTECTED} == {200}
    assert len(called) == len(PROTECTED)


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_token_is_refused(gateway: httpx.Client, called: list[str], what: str) -> None:
    assert status(gateway, PROTECTED[0], FORGED[what]) == 401
    assert called == []


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: f"{route.method} {route.path}")
def test_no_route_takes_a_forged_token_or_one_for_something_else(
    gateway: httpx.Client, called: list[str], route: Route
) -> None:
    for what in ("algorithm 'none', unsigned", "HS256 with the public key", "a stranger's signature", "wrong exp, 0"):
        assert status(gateway, route, FORGED[what]) == 401, what
    assert status(gateway, route, None) == 401
    own = {"alg": "RS256", "typ": "JWT"}
    others = sorted(set(ALL_SCOPES.split()) - route.scopes)
    for scope in (*others, "", "openid", [*route.scopes], {"x": 1}, None, min(route.scopes) + "x"):
        assert status(gateway, route, signed(own, claims(scope=scope))) == 403, scope
    assert called == []


@given(st.data())
def test_whatever_else_a_good_token_is_made_into_is_refused(data: st.DataObject) -> None:
    parts = signed({"alg": "RS256", "typ": "JWT"}, claims()).split(".")
    place = data.draw(st.integers(0, 2))
    content = bytearray(base64.urlsafe_b64decode(parts[place] + "=="))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    parts[place] = text_of(bytes(content))
    with pytest.raises(UnauthenticatedError):
        Issuer(KEY).claims(f"Bearer {'.'.join(parts)}")
