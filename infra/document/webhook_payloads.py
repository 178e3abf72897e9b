"""What webhooks send, for the document: one payload, whose `type` says what happened."""

from typing import Any

from shared.domain.telling.events import ALL_TYPES, Event

_HEADERS = {
    "webhook-id": "The event's id: of two deliveries with the same one, the second is a repetition.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "One or two signatures as Standard Webhooks says: v1, a comma, and an HMAC-SHA256 in base64.",
}


def schemas() -> dict[str, Any]:
    """The schemas of the payloads, by name."""
    schema = Event.model_json_schema()
    schema["properties"]["type"]["enum"] = list(ALL_TYPES)
    schema["examples"] = [
        {
            "event_id": "lcmpkthvzd3qdlnlawgu-7",
            "type": "points.earned",
            "member_id": "lcmpkthvzd3qdlnlawgu",
            "sequence": 7,
            "occurred_at": "2026-11-20T17:03:00Z",
            "recorded_at": "2026-11-20T17:03:00Z",
            "points": 42,
            "balance_after": 312,
            "program_version": 1,
            "tier_id": None,
            "source": {"order_id": "A-1001"},
        }
    ]
    return {"Event": schema}


def webhooks() -> dict[str, Any]:
    """The document's `webhooks`."""
    parameters = [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in _HEADERS.items()
    ]
    operation = {
        "operationId": "receiveEvent",
        "summary": "Something has happened to a member",
        "description": "Posted to every endpoint that asks for the event's type, in the order of each member's "
        "`sequence`, which has no gaps. Any 2xx within 15 seconds takes it; else it is sent again, for two and a half "
        "days. "
        "Types that a receiver does not know are to be passed over.",
        "tags": ["Webhooks"],
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}},
        },
        "responses": {
            "204": {"description": "It was taken."},
            "4XX": {"description": "It was not taken, and comes again; 410 disables the endpoint."},
        },
        "security": [],
    }
    return {"event": {"post": operation}}
