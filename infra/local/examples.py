"""What `loyalty dev` prints once it serves: where, the tokens to use, and calls that work unchanged."""

import json
import secrets
from datetime import datetime
from typing import Any

from infra.local import docs
from infra.local.tokens import Issuer
from shared.caller import MEMBER, OPERATOR, STOREFRONT


def greeting(url: str, issuer: Issuer, member_id: str | None, address: str | None, now: datetime) -> str:
    """The text to print. Without a member to show, as on tables that came with others, one is enrolled by the calls.

    `address` is the member's, by which they sign in.
    """
    storefront = issuer.token([STOREFRONT])
    tokens = {"storefront": storefront, "operator": issuer.token([OPERATOR])}
    if member_id:
        tokens["member"] = issuer.token([MEMBER], member_id)
    calls = _calls_for(member_id, now) if member_id else _calls_for_nobody(now)
    lines = [
        f"Loyalty Functions at {url}",
        f"  browse     {url}{docs.PATH}",
        f"  controls   {url}/_local",
        f"  join       {url}/join, and for a wall {url}/join/poster",
        f"  sign in    {url}/me{_as_whom(url, address)}",
        "",
        *(f"{name} token\n  {token}" for name, token in tokens.items()),
        "",
        "Try",
        *(f"  {_curl(url, storefront, *call)}" for call in calls),
        "",
        "Ctrl-C stops it.",
    ]
    return "\n".join(lines)


def _as_whom(url: str, address: str | None) -> str:
    return f" as {address}; the code comes to {url}/_local/mailbox" if address else ""


_Call = tuple[str, dict[str, Any] | None]


def _calls_for(member_id: str, now: datetime) -> list[_Call]:
    order = _order(now)
    return [
        (f"/v1/members/{member_id}/account", None),
        ("/v1/earn/quote", order),
        (f"/v1/members/{member_id}/earn", order),
    ]


def _calls_for_nobody(now: datetime) -> list[_Call]:
    consent = {"terms_version": "2026-01", "marketing": {"email": True, "sms": False}}
    newcomer = {"external_id": f"shop-{secrets.token_hex(4)}", "name": "Ada", "consent": consent}
    return [("/v1/program", None), ("/v1/members", newcomer), ("/v1/earn/quote", _order(now))]


def _order(now: datetime) -> dict[str, Any]:
    return {
        "type": "order",
        "order_id": f"A-{secrets.token_hex(4)}",
        "placed_at": now.isoformat(timespec="seconds"),
        "currency": "USD",
        "total": 4250,
        "lines": [{"sku": "TEA-1", "category": "tea", "quantity": 2, "amount": 4250}],
        "channel": "web",
    }


def _curl(url: str, token: str, path: str, body: dict[str, Any] | None) -> str:
    call = f"curl -s {url}{path} -H 'Authorization: Bearer {token}'"
    if body is None:
        return call
    key = secrets.token_hex(8)
    return f"{call} -H 'Content-Type: application/json' -H 'Idempotency-Key: {key}' -d '{json.dumps(body)}'"
