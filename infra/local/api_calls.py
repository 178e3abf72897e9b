"""Calls to the local server, as commands make them: with a token of their own, and a key where one may be needed."""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from infra.errors import LocalError
from infra.local.tokens import Issuer

_SECONDS_MAX = 30


class Answer(NamedTuple):
    """What came back: its status, its headers, and its JSON (None for none, text for anything else)."""

    status: int
    headers: Mapping[str, str]
    body: Any


class LocalApi:
    """The local server at `url`, called by this user's own tokens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._issuer = Issuer.of_this_user()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - whatever JSON holds
        *,
        scopes: Sequence[str] = (),
        member_id: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; a refusal is an answer, too. Raises LocalError if nobody answers."""
        sent = {"Idempotency-Key": key or secrets.token_hex(8), **(headers or {})}
        if scopes:
            sent["Authorization"] = f"Bearer {self._issuer.token(scopes, member_id)}"
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, sent, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS_MAX) as answer:  # noqa: S310 - a local server's own
                return Answer(answer.status, dict(answer.headers), _read(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), _read(error.read()))
        except OSError as error:
            raise LocalError(f"{self.url} does not answer: {error}") from error


def _read(content: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(content) if content.strip() else None
    except ValueError:
        return content.decode(errors="replace")
