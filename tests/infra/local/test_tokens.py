"""A token is accepted or refused as API Gateway's JWT authorizer would."""

import base64
import hmac
import json
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.errors import LocalError
from infra.local.tokens import AUDIENCE, ISSUER, LIFETIME_SECONDS, Issuer, require_scope
from shared import runtime
from shared.domain.errors import ForbiddenError, UnauthenticatedError

SCOPES = ["loyalty/storefront"]

Forge = Callable[..., str]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def keyed(key: rsa.RSAPrivateKey) -> Issuer:
    return Issuer(key)


@pytest.fixture
def forge(key: rsa.RSAPrivateKey) -> Forge:
    """Signs claims that differ from good ones as told; None leaves one out."""

    def forged(signer: Any = key, algorithm: str = "RS256", **changes: Any) -> str:
        now = int(time.time())
        good = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "local",
            "scope": "loyalty/storefront",
            "iat": now,
            "exp": now + 60,
        }
        claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
        return jwt.encode(claims, signer, algorithm=algorithm)

    return forged


def test_a_token_of_the_issuer_is_accepted_with_its_claims(keyed: Issuer) -> None:
    claims = keyed.claims(f"Bearer {keyed.token(['loyalty/storefront', 'loyalty/member'], 'm-1')}")
    assert claims["scope"] == "loyalty/storefront loyalty/member"
    assert claims["member_id"] == claims["sub"] == "m-1"
    assert claims["exp"] - claims["iat"] == LIFETIME_SECONDS


def test_the_scheme_is_written_in_any_case(keyed: Issuer) -> None:
    assert keyed.claims(f"bearer {keyed.token(SCOPES)}")["iss"] == ISSUER


def test_the_client_counts_where_no_audience_is_named(keyed: Issuer, forge: Forge) -> None:
    assert keyed.claims(f"Bearer {forge(aud=None, client_id=AUDIENCE)}")["client_id"] == AUDIENCE


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", "Bearer \xff"])
def test_what_is_no_token_is_refused(keyed: Issuer, header: str | None) -> None:
    with pytest.raises(UnauthenticatedError):
        keyed.claims(header)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_700_000_000},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": ["somebody-else"]},
        {"aud": None},
        {"aud": "somebody-else", "client_id": AUDIENCE},
        {"aud": None, "client_id": "somebody-else"},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(keyed: Issuer, forge: Forge, changes: dict[str, Any]) -> None:
    with pytest.raises(UnauthenticatedError):
        keyed.claims(f"Bearer {forge(**changes)}")


def test_a_token_signed_by_another_key_is_refused(keyed: Issuer, forge: Forge, issuer: Issuer) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(UnauthenticatedError):
        keyed.claims(f"Bearer {forge(signer=other)}")
    with pytest.raises(UnauthenticatedError):
        keyed.claims(f"Bearer {issuer.token(SCOPES)}")


def test_a_token_without_a_signature_is_refused(keyed: Issuer, forge: Forge) -> None:
    with pytest.raises(UnauthenticatedError):
        keyed.claims(f"Bearer {forge(signer=None, algorithm='none')}")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    keyed: Issuer, forge: Forge, key: rsa.RSAPrivateKey
) -> None:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _, claims, _ = forge().split(".")
    signed = f"{_base64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{claims}"
    signature = hmac.digest(public, signed.encode(), "sha256")
    with pytest.raises(UnauthenticatedError):
        keyed.claims(f"Bearer {signed}.{_base64(signature)}")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_any_one_of_a_routes_scopes_suffices() -> None:
    route = frozenset({"loyalty/storefront", "loyalty/operator"})
    require_scope({"scope": "loyalty/member loyalty/operator"}, route)
    for claims in ({"scope": "loyalty/member"}, {"scope": ""}, {}):
        with pytest.raises(ForbiddenError):
            require_scope(claims, route)


def test_the_published_key_checks_the_tokens(keyed: Issuer) -> None:
    token = keyed.token(SCOPES)
    [key] = jwt.PyJWKSet.from_dict(keyed.key_set()).keys
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    assert jwt.decode(token, key, audience=AUDIENCE)["iss"] == ISSUER


def test_the_users_key_is_made_once_and_for_their_eyes_only(home: Path) -> None:
    with ThreadPoolExecutor(4) as starters:
        issuers = list(starters.map(lambda _: Issuer.of_this_user(), range(4)))
    assert len({issuer.key_set()["keys"][0]["kid"] for issuer in issuers}) == 1
    [kept] = (home / "loyalty-functions").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_key_file_that_holds_no_key_is_named(home: Path) -> None:
    folder = home / "loyalty-functions"
    folder.mkdir(parents=True)
    (folder / "signing-key.pem").write_text("no key")
    with pytest.raises(LocalError, match=r"signing-key\.pem holds no signing key: remove it"):
        Issuer.of_this_user()


def test_tokens_live_by_the_machines_clock(keyed: Issuer) -> None:
    token = keyed.token(SCOPES)
    with runtime.use(clock=lambda: datetime(2040, 1, 1, tzinfo=UTC)):
        assert keyed.claims(f"Bearer {token}")
