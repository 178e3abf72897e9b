"""Links in messages, and forms of pages: what they say is signed under the shop's key, so that nobody can forge one."""

import hmac

from shared import settings
from shared.tables import members


def url_for(path: str, token: str) -> str:
    """The address of the page to which a link leads."""
    return settings.public_address(f"{path}{token}")


def signature(purpose: str, content: str, digits: int) -> str:
    """So many hexadecimal digits that sign a content, for one purpose alone."""
    return members.keyed_hash(f"{purpose}:{content}")[:digits]


def is_signed(purpose: str, content: str, given: str, digits: int) -> bool:
    """Whether a signature was made here."""
    return given.isascii() and hmac.compare_digest(given, signature(purpose, content, digits))
