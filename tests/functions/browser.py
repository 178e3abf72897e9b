"""Somebody with a browser: keeps cookies, follows where pages lead, and sends the forms that it was shown."""

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from functions import member_pages

_FORMS = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
_INPUTS = re.compile(r"<input\b([^>]*)>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
FORM = "application/x-www-form-urlencoded"


class Shown(NamedTuple):
    """What came back: `set_cookie` as the browser was told."""

    status: int
    headers: Mapping[str, str]
    set_cookie: tuple[str, ...]
    text: str
    path: str


class Browser:
    """One browser; `page` is what it shows. Requests are answered by the function of the pages, or by `answers`."""

    def __init__(self, language: str = "en", answers: Callable[[Any], Any] | None = None) -> None:
        self._answers = answers or (lambda event: member_pages.handler(event, None))
        self.cookies: dict[str, str] = {}
        self.language = language
        self.page: Shown | None = None

    def get(self, path: str, **headers: str) -> Shown:
        """Go to an address, and where it leads."""
        shown = self.ask("GET", path, headers=headers)
        while shown.status == 303:
            shown = self.ask("GET", shown.headers["Location"])
        self.page = shown
        return shown

    def send(self, action: str, **fields: str) -> Shown:
        """Fill in a form of the page and send it, and go where that leads."""
        shown = self.submit(action, **fields)
        return self.get(shown.headers["Location"]) if shown.status == 303 else self._shows(shown)

    def submit(self, action: str, **fields: str) -> Shown:
        """Fill in a form of the page and send it. A field that is empty is not sent."""
        hidden = self.form(action)
        sent = {name: value for name, value in {**hidden, **fields}.items() if value}
        return self.ask("POST", action, urlencode(sent))

    def form(self, action: str) -> dict[str, str]:
        """The hidden fields of a form of the page."""
        assert self.page is not None
        for about, inner in _FORMS.findall(self.page.text):
            if unescape(dict(_ATTRIBUTE.findall(about))["action"]) == action:
                fields = [dict(_ATTRIBUTE.findall(one)) for one in _INPUTS.findall(inner)]
                return {one["name"]: unescape(one["value"]) for one in fields if one.get("type") == "hidden"}
        raise AssertionError(f"no form leads to {action}: {self.page.text}")

    def ask(self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None) -> Shown:
        """One request, with the cookies that it has."""
        parts = urlsplit(path)
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "queryStringParameters": dict(parse_qsl(parts.query)) or None,
            "headers": {
                "accept-language": self.language,
                **({"content-type": FORM} if body else {}),
                **(headers or {}),
            },
            "cookies": [f"{name}={value}" for name, value in self.cookies.items()],
            "requestContext": {"http": {"method": method, "path": parts.path}, "stage": "$default"},
            "body": body,
            "isBase64Encoded": False,
        }
        answer = self._answers(event)
        told = tuple(answer.get("cookies") or ())
        for cookie in told:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        return Shown(answer["statusCode"], answer["headers"], told, answer["body"], path)

    def _shows(self, shown: Shown) -> Shown:
        self.page = shown
        return shown
