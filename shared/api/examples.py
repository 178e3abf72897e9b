"""An example of each value that a caller sends, by the name of its field: for refusals, and for the document."""

from collections.abc import Mapping
from typing import Any

BY_NAME: Mapping[str, Any] = {
    "action": "review",
    "amended_at": "2026-11-21T10:00:00+01:00",
    "amendment_id": "A-1001-2",
    "amount": 4250,
    "birth_date": "1990-12-10",
    "birthday": "12-10",
    "card_number": "C-1",
    "category": "tea",
    "channel": "web",
    "claim_id": "C-1001",
    "code": "7Q2K9XW3",
    "credit": 500,
    "currency": "USD",
    "email": "ada@example.com",
    "external_id": "shop-42",
    "from_member_id": "qhwkzdmnvtrpxsbgfyjc",
    "invitation": "7Q2K-9XW3-4HJM",
    "locale": "en-GB",
    "member_id": "lcmpkthvzd3qdlnlawgu",
    "month": "2026-11",
    "name": "Ada",
    "note": "Call of 20 November",
    "occurred_at": "2026-11-20T18:03:00+01:00",
    "order_id": "A-1001",
    "order_total": 4200,
    "paid_at": "2026-11-20T18:03:00+01:00",
    "phone": "+44 20 7946 0958",
    "place": "US-CA",
    "placed_at": "2026-11-20T18:03:00+01:00",
    "plan_id": "tea-plus",
    "points": 300,
    "quantity": 2,
    "reason": "goodwill",
    "reference": "case-1",
    "referral_code": "GRACE-7Q2K",
    "refund_id": "R-1",
    "refunded_at": "2026-11-25T09:30:00+01:00",
    "reversal_id": "V-1",
    "reward_id": "free-coffee",
    "sku": "TEA-1",
    "store_id": "berlin-1",
    "terms_version": "2026-01",
    "time_zone": "Europe/Berlin",
    "to_member_id": "qhwkzdmnvtrpxsbgfyjc",
    "token": "the token at the end of the link",
    "total": 4250,
    "touchpoint": "newsletter",
    "url": "https://shop.example/loyalty",
}


def example_of(name: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """The example of a field, if it is of the kind that the field's schema asks for; else None."""
    example = BY_NAME.get(name)
    kinds = {str: "string", int: "integer"}
    shapes = schema.get("anyOf") or schema.get("oneOf") or [schema]
    fits = any(
        one.get("type") == kinds.get(type(example)) and example in one.get("enum", [example]) and "const" not in one
        for one in shapes
    )
    return example if fits else None
