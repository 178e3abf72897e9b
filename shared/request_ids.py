"""What tells requests apart, and the ids that follow from them: the same request always gives the same."""

import base64
import hashlib
import json

from pydantic import BaseModel


def fingerprint(*parts: BaseModel | str) -> str:
    """What tells a request from another under the same key: 128 bits of SHA-256 over its meaning, not its spelling."""
    texts = [part if isinstance(part, str) else part.model_dump_json(exclude_defaults=True) for part in parts]
    digest = hashlib.sha256("\n".join(texts).encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def part(text: str, mark: str) -> str:
    """A text as a part of one whose parts `mark` parts: without the mark in it, and different texts stay different.

    A text without the mark and without `%` stays as it is.
    """
    return text.replace("%", "%25").replace(mark, f"%{ord(mark):02X}")


def derived_id(*parts: str) -> str:
    """An id that the same parts always give: 130 bits of SHA-256 in base 32."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:26]
