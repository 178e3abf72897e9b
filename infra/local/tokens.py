"""Access tokens on one machine: who issues them, and how a gateway checks them.

The checks are those of API Gateway's JWT authorizer. Tokens live by the machine's clock, never by the one that can
be moved: a member's points may be a year older a moment later, the caller's login is not.
"""

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from infra.errors import LocalError
from infra.machine import folders
from shared.domain.errors import ForbiddenError, UnauthenticatedError

# Names without a port: a token outlives the server that was running when it was printed.
ISSUER = "https://loyalty.localhost"
AUDIENCE = "loyalty-local"
LIFETIME_SECONDS = 12 * 60 * 60

_ALGORITHM = "RS256"
_KEY_BITS = 2048
_KEY_FILE = "signing-key.pem"

_INVALID: Mapping[type[jwt.InvalidTokenError], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "its time has not come",
    jwt.InvalidSignatureError: "another key has signed it",
    jwt.MissingRequiredClaimError: "it lacks a claim",
    jwt.DecodeError: "it is not three parts of a JSON Web Token",
}
"""Why a token is refused, the particular before the general."""

Claims = Mapping[str, Any]


class Issuer:
    """Signs tokens with `key` and knows them again."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    @classmethod
    def of_this_user(cls) -> "Issuer":
        """The issuer whose key is kept in the user's state folder, made when first needed.

        Raises LocalError when what is kept there is no such key.
        """
        path = folders.state_folder() / _KEY_FILE
        try:
            key = serialization.load_pem_private_key(folders.create_once(path, _new_key), password=None)
        except ValueError as error:
            raise LocalError(f"{path} holds no signing key: remove it, and a new one is made") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise LocalError(f"{path} holds no RSA key: remove it, and a new one is made")
        return cls(key)

    def token(
        self,
        scopes: Iterable[str],
        member_id: str | None = None,
        subject: str | None = None,
        partner_id: str | None = None,
    ) -> str:
        """A token for `scopes`, good for LIFETIME_SECONDS; a member's or partner's own when its id is given.

        `subject` is who else it is: two operators are two subjects.
        """
        issued_at = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "client_id": AUDIENCE,
            "sub": member_id or subject or partner_id or "local",
            "scope": " ".join(scopes),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + LIFETIME_SECONDS,
        }
        if member_id:
            claims["member_id"] = member_id
        if partner_id:
            claims["partner_id"] = partner_id
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._key_id})

    def key_set(self) -> dict[str, Any]:
        """The public half as a JSON Web Key Set."""
        public: dict[str, Any] = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self._key_id, "alg": _ALGORITHM, "use": "sig"}]}

    def claims(self, authorization: str | None) -> Claims:
        """The claims of a valid token in an `Authorization` header. Raises UnauthenticatedError otherwise."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError("send an access token: Authorization: Bearer <token>")
        try:
            # Tokens of unknown keys fail on their signature: there is one key.
            claims: Claims = jwt.decode(
                token.strip(),
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except jwt.InvalidTokenError as error:
            why = next((why for kind, why in _INVALID.items() if isinstance(error, kind)), "nobody here has issued it")
            detail = f"the access token is not valid: {why}; `loyalty token` prints another"
            raise UnauthenticatedError(detail) from error
        _require_audience(claims)
        return claims

    @cached_property
    def _key_id(self) -> str:
        # The key's thumbprint, RFC 7638.
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        required = {name: public[name] for name in ("e", "kty", "n")}
        canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def require_scope(claims: Claims, scopes: frozenset[str]) -> None:
    """Raises ForbiddenError unless the token has any one of `scopes`."""
    granted = str(claims.get("scope", "")).split()
    if scopes.isdisjoint(granted):
        has = f"has {', '.join(granted)}" if granted else "has none"
        raise ForbiddenError(f"this needs a token with one of the scopes {', '.join(sorted(scopes))}; yours {has}")


def _require_audience(claims: Claims) -> None:
    # As API Gateway does: `client_id` counts only where there is no `aud`.
    audience = claims.get("aud", claims.get("client_id"))
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise UnauthenticatedError("the access token was issued for somebody else")


def _new_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
