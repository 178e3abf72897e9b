"""A program for one story: what the default one says, and what the story needs of it."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tests.system.conftest import Server

SECONDS_MAX = 30


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether something comes about that the stream brings, a moment later."""
    deadline = time.monotonic() + SECONDS_MAX
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def use_program(server: Server, **changes: Any) -> None:
    """Replace the server's program by a plain one with `changes`; each names a section, which it merges into."""
    body = dict(BASE)
    for name, change in changes.items():
        merges = isinstance(change, dict) and isinstance(body.get(name), dict) and name != "expiry"
        body[name] = {**body[name], **change} if merges else change
    answer = _put(server, body)
    if answer.status_code == 412:  # another function has just replaced it
        answer = _put(server, body)
    if answer.status_code == 202:  # it lets operators do more alone: another agrees
        token = server.command("token", "--scope", "loyalty/operator", "--as", "otto").stdout.strip()
        path = f"/v1/reviews/{answer.json()['review_id']}/approve"
        answer = server.http.post(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text


def _put(server: Server, body: Mapping[str, Any]) -> httpx.Response:
    """Replace the program that the server says is the current one."""
    current = server.http.get("/v1/program")
    return server.call("PUT", "/v1/program", body, scope="operator", headers={"If-Match": current.headers["etag"]})


BASE: dict[str, Any] = {
    "name": "Story Club",
    "currency": "USD",
    "country": "US",
    "time_zone": "America/New_York",
    "earning": {"points": 1, "per_amount": 100, "description": "1 point per dollar"},
    "expiry": {"kind": "term", "months": 12, "ends": "month"},
    "tiers": {
        "levels": [
            {"tier_id": "bronze", "name": "Bronze", "threshold": 0},
            {"tier_id": "silver", "name": "Silver", "threshold": 500, "percent": 120},
            {"tier_id": "gold", "name": "Gold", "threshold": 1000, "percent": 150},
        ]
    },
    "redeeming": {
        "points_as_money": {"points": 100, "amount": 100},
        "rewards": [{"reward_id": "coffee", "name": "Coffee", "kind": "product", "sku": "COFFEE", "points": 100}],
    },
}
