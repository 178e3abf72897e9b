"""A shop's own calls, made to the functions in this process: what a replay and the seeding are made of."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from functions import earn, enroll, redeem
from shared.caller import STOREFRONT
from shared.domain.errors import TryAgainError

TRIES_MAX = 5
_PAUSE_SECONDS = 0.1

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class RefusedError(Exception):
    """The service refused a call; the message is the refusal's own detail."""


@dataclass(frozen=True)
class Answer:
    """What a call came back with; `is_replay` if it had been made before."""

    body: dict[str, Any]
    is_replay: bool


class Storefront:
    """Calls as `client_id`, with a storefront's scope."""

    def __init__(self, client_id: str) -> None:
        self._claims = {"client_id": client_id, "scope": STOREFRONT}

    def enroll(self, key: str, **details: object) -> Answer:
        """Enroll a member under an idempotency key. Raises RefusedError."""
        return self._post(enroll.handler, "/v1/members", details, key)

    def earn(self, member_id: str, order: dict[str, Any]) -> Answer:
        """Credit an order. Raises RefusedError."""
        return self._post(earn.handler, f"/v1/members/{member_id}/earn", {"type": "order", **order})

    def redeem(self, member_id: str, key: str, **request: object) -> Answer:
        """Spend points under an idempotency key. Raises RefusedError."""
        return self._post(redeem.handler, f"/v1/members/{member_id}/redemptions", request, key)

    def _post(self, handler: Handler, path: str, body: dict[str, Any], key: str = "") -> Answer:
        headers = {"content-type": "application/json", **({"idempotency-key": key} if key else {})}
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "http": {"method": "POST", "path": path},
                "stage": "$default",
                "authorizer": {"jwt": {"claims": self._claims}},
            },
            "body": json.dumps(body),
            "isBase64Encoded": False,
        }
        for _ in range(TRIES_MAX):
            answer = handler(event, None)
            content = json.loads(answer["body"])
            if content.get("code") != TryAgainError.code:
                break
            time.sleep(_PAUSE_SECONDS)
        if "code" in content:
            raise RefusedError(content["detail"])
        return Answer(content, answer["headers"].get("Idempotency-Replayed") == "true")
