"""What `loyalty dev` prints once it serves: where, and what to type next. It fits on a small screen."""

import json

from infra.local import docs

LINES_MAX = 15
_ORDER = {"type": "order", "order_id": "A-1", "currency": "USD", "total": 4250}


def greeting(url: str, member_id: str | None, address: str | None, cashier_code: str) -> str:
    """The text to print. `member_id` is somebody to look at, and `address` by which they sign in.

    There is nobody on tables that came with others.
    """
    reads = 'curl $api/v1/members/$me/account -H "$shop"'
    earns = f'curl $api/v1/members/$me/earn -H "$shop" -H "$json" -d \'{json.dumps(_ORDER)}\''
    joins = 'loyalty api POST /v1/members -d \'{"external_id": "shop-1", "name": "Ada"}\''
    tries = [reads, earns, f"loyalty member {member_id}"] if member_id else [joins, "loyalty member shop-1"]
    lines = [
        f"Loyalty Functions at {url}",
        f"  browse     {url}{docs.PATH}",
        f"  controls   {url}/_local",
        f"  join       {url}/join, and for a wall {url}/join/poster",
        f"  sign in    {url}/me{_as_whom(url, address)}",
        f"  till       {url}/till with the code {cashier_code}",
        "",
        "In another terminal",
        "  alias loyalty=.venv/bin/loyalty",
        f'  eval "$(loyalty env --url {url})"',
        *(f"  {one}" for one in tries),
        "",
        "Ctrl-C stops it.",
    ]
    return "\n".join(lines)


def _as_whom(url: str, address: str | None) -> str:
    return f" as {address}; the code comes to {url}/_local/mailbox" if address else ""
