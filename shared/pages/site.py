"""How pages are asked for and answered: a resolver for functions whose callers are people with a browser.

A page is never kept by a browser or a proxy, never shown in a frame, loads nothing from elsewhere, and runs no script
but, where it names one, a file of ours.
A form is taken only from a page of ours in the same browser: it brings a token that is bound to the browser's cookie.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from aws_lambda_powertools.shared.cookies import Cookie
from pydantic import ValidationError

from shared import runtime, settings
from shared.api.answers import Answer
from shared.api.bodies import FORM_TYPES, media_type, with_form_as_json
from shared.api.problems import STATUS
from shared.api.resolver import ForEachThread
from shared.api.routes import HTML_TYPE
from shared.domain.errors import Fault, ForbiddenError, InvalidRequestError, LoyaltyError, RouteNotFoundError
from shared.domain.members.sign_ins import new_token
from shared.messaging import signed_links
from shared.pages import cookies, languages
from shared.pages.languages import Language
from shared.services import program as program_service

if TYPE_CHECKING:
    from jinja2 import Environment

_Made = TypeVar("_Made")

FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field
REST = "/{rest+}"
"""What API Gateway calls whatever follows."""
ASSETS = "/assets"
_HERE = Path(__file__).parent
TEMPLATES = _HERE / "templates"
_FILES = _HERE / "assets"
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_LANGUAGE_SECONDS = 365 * 24 * 3600
_ASSET_SECONDS = 365 * 24 * 3600
_FORM, _TOKEN_LENGTH = "form", 32
"""What the token of a form is signed for, bound to the browser's cookie; and its digits."""
_DIGEST_LENGTH = 12
_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def _told(policy: Mapping[str, str]) -> str:
    """A policy as a browser reads it."""
    return "; ".join(f"{name} {value}" for name, value in policy.items())


_WITH_SCRIPT = {**_POLICY, "script-src": "'self'", "connect-src": "'self'"}
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _told(_POLICY),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # A browser that is told to say nothing says "null" where a form comes from.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every page; one with a script has a policy that lets our own files run."""


class StaleFormError(ForbiddenError):
    """A form comes from no page of ours in this browser, or from one that was open for too long."""


class Visit(NamedTuple):
    """A browser that asks for a page: in which language, and the cookie that its forms are bound to."""

    language: Language
    bound_to: str
    session: str | None
    """The token of the session that it says it has."""
    asked: str
    """The token with which it has asked for a code, if it has."""
    cookies: tuple[Cookie, ...]
    """What it is to keep from now on."""


class Site(ForEachThread):
    """A function's pages, which begin at `home`; `entrances` are the paths to it, in API Gateway's notation."""

    def __init__(self, session_cookie: cookies.Name, *entrances: str, home: str) -> None:
        super().__init__()
        self.entrances = entrances
        self._home = home
        self._session_cookie = session_cookie
        self.use([_require_own_form])
        self.exception_handler(LoyaltyError)(self._refused)
        self.not_found(lambda _: self._refused(RouteNotFoundError("there is no such page")))
        self.get(f"{ASSETS}/<name>")(asset)

    def visit(self, *, of: str | None = None) -> Visit:
        """The browser in hand; `of` is the language of whoever is signed in."""
        if "visit" not in self.context:
            self.context["visit"] = self._visit()
        visit: Visit = self.context["visit"]
        return visit if of is None else visit._replace(language=languages.nearest([of, visit.language.tag]))

    def form(self) -> Mapping[str, str]:
        """The fields of the form in hand that are not empty.

        Raises BodyTooLargeError, and StaleFormError for what is no form.
        """
        event = self.current_event.raw_event
        if not event.get("body") or media_type(event) not in FORM_TYPES:
            raise StaleFormError("this is no form of ours")
        fields: dict[str, str] = json.loads(with_form_as_json(event).get("body") or "{}")
        return {name: value.strip() for name, value in fields.items() if value.strip()}

    def query(self, name: str) -> str | None:
        """A parameter of the address."""
        value: str | None = (self.current_event.query_string_parameters or {}).get(name)
        return value

    def _visit(self) -> Visit:
        event = self.current_event
        sent: Sequence[str] = event.get("cookies") or ()
        session, visit = cookies.read(sent, self._session_cookie), cookies.read(sent, "visit")
        chosen = self.query("lang")
        accepted = languages.accepted((event.get("headers") or {}).get("accept-language", ""))
        wishes = [chosen, cookies.read(sent, "language"), *accepted, program_service.read_program().messages.locale]
        language = languages.nearest(wishes)
        kept = [cookies.made("language", language.tag, _LANGUAGE_SECONDS)] if chosen == language.tag else []
        bound_to = session or visit
        if bound_to is None:
            bound_to = new_token(runtime.random().choice)
            kept.append(cookies.made("visit", bound_to))
        return Visit(language, bound_to, session, visit or "", tuple(kept))

    def _refused(self, error: LoyaltyError) -> Answer:
        visit = self.visit()
        text = refusal(visit.language, error)
        return page("refused.html", visit, status=STATUS[error.code], text=text, home=self._home)


def refusal(language: Language, error: LoyaltyError, told: str = "") -> str:
    """Why something was refused, in the words of a language; `told` begins names of texts that members do not read."""
    name = "stale_form" if isinstance(error, StaleFormError) else error.code
    return language.any_text(f"refused.{told}{name}", f"refused.{told}other")


def faults(language: Language, error: InvalidRequestError, *fields: str) -> dict[str, str]:
    """What is wrong with a form, by the field of it; `""`: with none of its `fields`."""
    found = {}
    for fault in error.faults:
        name = fault.pointer.strip("/").split("/")[0]
        field = name if name in fields else ""
        found[field] = language.any_text(f"wrong.{name}", "wrong.other")
    return found


def of_form(type_: Callable[..., _Made], given: Mapping[str, Any]) -> _Made:
    """A request of what a form gave. Raises InvalidRequestError."""
    try:
        return type_(**given)
    except ValidationError as error:
        raise InvalidRequestError(*(Fault(f"/{one['loc'][0]}", one["msg"]) for one in error.errors())) from error


def page(
    template: str,
    visit: Visit,
    *,
    status: int = HTTPStatus.OK,
    also: Sequence[Cookie] = (),
    script: str | None = None,
    **values: Any,  # noqa: ANN401 - whatever a template shows
) -> Answer:
    """A page from a template, with a `script` of ours if it names one."""
    language = visit.language
    text = _environment().get_template(template)
    body = text.render(
        t=language.text,
        language=language,
        languages=languages.languages().values(),
        program=program_service.read_program(),
        stylesheet=asset_path("pages.css"),
        script=asset_path(script) if script else None,
        form_token=signed_links.signature(_FORM, visit.bound_to, _TOKEN_LENGTH),
        **values,
    )
    policy = {"Content-Security-Policy": _told(_WITH_SCRIPT)} if script else {}
    return Answer(
        status_code=int(status),
        content_type=f"{HTML_TYPE}; charset=utf-8",
        headers={**HEADERS, **policy, "Content-Language": language.tag, **_transport()},
        cookies=[*visit.cookies, *also],
        body=body,
    )


def redirect(path: str, also: Sequence[Cookie] = (), **query: str) -> Answer:
    """Leads a browser on after a form, so that it is not sent again when the page is loaded anew."""
    location = f"{path}?{urlencode(query)}" if query else path
    headers = {"Cache-Control": "no-store", "Location": location, **_transport()}
    return Answer(status_code=int(HTTPStatus.SEE_OTHER), headers=headers, cookies=list(also), body="")


def asset_path(name: str) -> str:
    """Where a file is: another one has another name, so that a browser may keep it."""
    stem, _, ending = name.rpartition(".")
    return f"{ASSETS}/{stem}-{_digest(name)}.{ending}"


def asset(name: str) -> Answer:
    """A file that pages load. Raises RouteNotFoundError for any other name."""
    for path in _files():
        if asset_path(path.name) == f"{ASSETS}/{name}":
            kept = {
                "Cache-Control": f"public, max-age={_ASSET_SECONDS}, immutable",
                "X-Content-Type-Options": "nosniff",
            }
            text = path.read_text(encoding="utf-8")
            type_ = f"{_TYPES[path.suffix]}; charset=utf-8"
            return Answer(status_code=int(HTTPStatus.OK), content_type=type_, headers=kept, body=text)
    raise RouteNotFoundError("there is no such file")


def _require_own_form(
    app: "Site",
    next_middleware: Callable[["Site"], Answer],
) -> Answer:
    """Raises StaleFormError for a form that comes from elsewhere."""
    if app.current_event.request_context.http.method != "GET":
        sent_from = (app.current_event.get("headers") or {}).get("sec-fetch-site")
        given = app.form().get(FORM_TOKEN, "")
        is_ours = signed_links.is_signed(_FORM, app.visit().bound_to, given, _TOKEN_LENGTH)
        if sent_from in {"cross-site", "same-site"} or not is_ours:
            raise StaleFormError("the form comes from another site, or was open for too long")
    return next_middleware(app)


def _transport() -> dict[str, str]:
    """Has browsers ask by HTTPS alone, where it is there."""
    return {"Strict-Transport-Security": "max-age=31536000"} if settings.is_encrypted() else {}


@cache
def _files() -> Sequence[Path]:
    return [path for path in sorted(_FILES.iterdir()) if path.suffix in _TYPES]


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((_FILES / name).read_bytes()).hexdigest()[:_DIGEST_LENGTH]


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - a cold start does without

    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
