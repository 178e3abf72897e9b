"""The pages' cookies: kept from scripts and from other sites' forms, and bound to this very host.

The prefix `__Host-` has a browser refuse a cookie that another host, or an unencrypted page, tries to set. It needs
HTTPS: a developer's machine, whose address begins with `http://`, goes without.
"""

import re
from collections.abc import Iterable
from typing import Literal

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from shared import settings

Name = Literal["visit", "member", "till", "language"]
"""`visit`: a browser before it has signed in; `member`: a session of a member; `till`: one of a cashier."""

_VALUE = re.compile(r"[\w.-]{1,200}", re.ASCII)


def read(sent: Iterable[str], name: Name) -> str | None:
    """A cookie's value among those that a browser has sent, as `name=value`."""
    for cookie in sent:
        key, _, value = cookie.strip().partition("=")
        if key == _full(name) and _VALUE.fullmatch(value):
            return value
    return None


def made(name: Name, value: str, seconds: int | None = None) -> Cookie:
    """A cookie for so many seconds; None: until the browser is closed."""
    return Cookie(
        name=_full(name),
        value=value,
        path="/",
        secure=settings.is_encrypted(),
        http_only=True,
        max_age=seconds,
        same_site=SameSite.LAX_MODE,
    )


def ended(name: Name) -> Cookie:
    """What has a browser forget a cookie."""
    return made(name, "", 0)


def _full(name: Name) -> str:
    return f"__Host-{name}" if settings.is_encrypted() else name
