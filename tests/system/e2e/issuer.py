"""An identity provider on loopback: it signs whatever tokens a test wants, good and bad."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "loyalty"
KEY_ID = "e2e"
LIFETIME_SECONDS = 3600


class Provider:
    """Signs tokens that the deployed API takes for its own."""

    def __init__(self, url: str, key: rsa.RSAPrivateKey) -> None:
        self.url = url
        self.key = key

    def token(self, *scopes: str, key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        """A token; `claims` replace what is in a good one."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "e2e", "scope": " ".join(scopes), "iat": now}
        good["partner_id"] = "cafe"
        made = {**good, "exp": now + LIFETIME_SECONDS, **claims}
        return jwt.encode(made, key or self.key, algorithm="RS256", headers={"kid": KEY_ID})


def new_key() -> rsa.RSAPrivateKey:
    """A key that nobody has."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@contextmanager
def serving() -> Iterator[Provider]:
    """The provider while its public key can be fetched."""
    key = new_key()
    public: Any = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    documents: dict[str, Any] = {"/jwks.json": {"keys": [{**public, "kid": KEY_ID, "alg": "RS256", "use": "sig"}]}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(documents.get(self.path, {})).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        documents["/.well-known/openid-configuration"] = {"issuer": url, "jwks_uri": f"{url}/jwks.json"}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Provider(url, key)
        finally:
            server.shutdown()
            thread.join()
