"""Links to unsubscribe with one click. A token names member and category, and is signed so that nobody can forge it."""

import base64
import hmac
from typing import NamedTuple

from shared import settings
from shared.domain.errors import LinkNotFoundError
from shared.domain.message_types import CATEGORIES, Category
from shared.tables import members

PATH = "/v1/unsubscribe/"
_SIGNATURE_LENGTH = 32


class Link(NamedTuple):
    """The member whose link it is, and the category of e-mail that it ends."""

    member_id: str
    category: Category


def headers(url: str) -> dict[str, str]:
    """The headers by which mail programs offer a button to unsubscribe (RFC 2369, RFC 8058)."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def url_for(link: Link) -> str:
    """The page's address."""
    return f"{settings.public_url().rstrip('/')}{PATH}{token_for(link)}"


def token_for(link: Link) -> str:
    """The link as it appears in an address: neither secret nor personal."""
    content = f"{link.category}:{link.member_id}"
    return base64.urlsafe_b64encode(f"{content}:{_signature(content)}".encode()).decode().rstrip("=")


def link_of(token: str) -> Link:
    """The link that a token encodes. Raises LinkNotFoundError for any that was not made here."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except ValueError:
        text = ""
    content, _, signature = text.rpartition(":")
    category, _, member_id = content.partition(":")
    known = next((one for one in CATEGORIES if one == category), None)
    if known is None or not hmac.compare_digest(signature, _signature(content)):
        raise LinkNotFoundError("there is no such link; use the one in a message")
    return Link(member_id, known)


def _signature(content: str) -> str:
    return members.keyed_hash(f"unsubscribe:{content}")[:_SIGNATURE_LENGTH]
