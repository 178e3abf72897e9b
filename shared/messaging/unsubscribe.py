"""Links to unsubscribe with one click. A token names member and category, and is signed so that nobody can forge it."""

import base64
from typing import NamedTuple

from shared.domain.errors import LinkNotFoundError
from shared.domain.message_types import CATEGORIES, Category
from shared.messaging import signed_links

PATH = "/v1/unsubscribe/"
_PURPOSE, _DIGITS = "unsubscribe", 32


class Link(NamedTuple):
    """The member whose link it is, and the category of e-mail that it ends."""

    member_id: str
    category: Category


def headers(url: str) -> dict[str, str]:
    """The headers by which mail programs offer a button to unsubscribe (RFC 2369, RFC 8058)."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def url_for(link: Link) -> str:
    """The page's address."""
    return signed_links.url_for(PATH, token_for(link))


def token_for(link: Link) -> str:
    """The link as it appears in an address: neither secret nor personal."""
    content = f"{link.category}:{link.member_id}"
    signature = signed_links.signature(_PURPOSE, content, _DIGITS)
    return base64.urlsafe_b64encode(f"{content}:{signature}".encode()).decode().rstrip("=")


def link_of(token: str) -> Link:
    """The link that a token encodes. Raises LinkNotFoundError for any that was not made here."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except ValueError:
        text = ""
    content, _, signature = text.rpartition(":")
    category, _, member_id = content.partition(":")
    known = next((one for one in CATEGORIES if one == category), None)
    if known is None or not signed_links.is_signed(_PURPOSE, content, signature, _DIGITS):
        raise LinkNotFoundError("there is no such link; use the one in a message")
    return Link(member_id, known)
