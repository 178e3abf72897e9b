"""The key by which a caller names a request, so that it is carried out once however often it is sent."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from shared.domain.errors import IdempotencyKeyRequiredError

KEY_LENGTH_MAX = 255

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=KEY_LENGTH_MAX, description="names this request for ever")
]


def required_key(key: str | None) -> str:
    """The request's `Idempotency-Key`. Raises IdempotencyKeyRequiredError."""
    if not key or not key.strip() or not key.isprintable():
        raise IdempotencyKeyRequiredError("send an Idempotency-Key header: any printable text that names this request")
    return key
