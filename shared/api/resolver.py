"""How HTTP requests are read and answered: one resolver for all functions, problem details, keys, who is calling.

Authentication is the gateway's; it hands on the token's claims. What a caller may do with whose data is decided here.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import BaseModel, Field

from shared.domain.errors import (
    BodyTooLargeError,
    Fault,
    ForbiddenError,
    IdempotencyKeyRequiredError,
    InvalidRequestError,
    LoyaltyError,
    MalformedJsonError,
    MemberNotFoundError,
    RouteNotFoundError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
)
from shared.domain.fields import Record

STOREFRONT, MEMBER, OPERATOR = "loyalty/storefront", "loyalty/member", "loyalty/operator"
PARTNER = "loyalty/partner"
SECURITY_SCHEME = "oauth2"
BODY_BYTES_MAX = 256 * 1024
KEY_LENGTH_MAX = 255
PAGE_DEFAULT, PAGE_MAX = 25, 100
CURSOR_LENGTH_MAX = 256
FAULTS_MAX = 100
ANY_ROUTE_REFUSES = (400, 413, 415, 422, 429, 503)
"""Statuses of a body that cannot be read, of what breaks a rule, of haste and of trouble."""
PROBLEM_TYPE = "application/problem+json"
JSON_TYPE = "application/json"

STATUS: Mapping[str, HTTPStatus] = {
    "idempotency_key_required": HTTPStatus.BAD_REQUEST,
    "malformed_json": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "member_not_found": HTTPStatus.NOT_FOUND,
    "reward_not_found": HTTPStatus.NOT_FOUND,
    "campaign_not_found": HTTPStatus.NOT_FOUND,
    "redemption_not_found": HTTPStatus.NOT_FOUND,
    "order_not_found": HTTPStatus.NOT_FOUND,
    "route_not_found": HTTPStatus.NOT_FOUND,
    "webhook_not_found": HTTPStatus.NOT_FOUND,
    "link_not_found": HTTPStatus.NOT_FOUND,
    "review_not_found": HTTPStatus.NOT_FOUND,
    "pool_not_found": HTTPStatus.NOT_FOUND,
    "gift_not_found": HTTPStatus.NOT_FOUND,
    "partner_not_found": HTTPStatus.NOT_FOUND,
    "identifier_taken": HTTPStatus.CONFLICT,
    "insufficient_points": HTTPStatus.CONFLICT,
    "invalid_state": HTTPStatus.CONFLICT,
    "reward_unavailable": HTTPStatus.CONFLICT,
    "refund_exceeds_order": HTTPStatus.CONFLICT,
    "member_not_active": HTTPStatus.CONFLICT,
    "member_frozen": HTTPStatus.CONFLICT,
    "order_belongs_to_another_member": HTTPStatus.CONFLICT,
    "partner_funding_exhausted": HTTPStatus.CONFLICT,
    "partner_limit_reached": HTTPStatus.CONFLICT,
    "consent_required": HTTPStatus.CONFLICT,
    "not_eligible": HTTPStatus.CONFLICT,
    "program_changed": HTTPStatus.PRECONDITION_FAILED,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid_request": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "try_again": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""With which status each code is answered."""

_ISSUED_ID = re.compile(r"[\w-]{1,128}", re.ASCII)
_NOTHING = object()
_Listed = TypeVar("_Listed")
Answer = Response[Any]

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=KEY_LENGTH_MAX, description="names this request for ever")
]
PageLimit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
PageCursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)]


class ProblemFault(Record):
    """One thing wrong with a request."""

    pointer: str
    detail: str


class Problem(Record):
    """RFC 9457 problem details, and this contract's stable `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: Annotated[tuple[ProblemFault, ...], Field(max_length=FAULTS_MAX)] | None = None


class Caller(NamedTuple):
    """Whose token came with the request. `scopes` are those of it that open the route: no other counts there."""

    subject: str
    scopes: frozenset[str]
    member_id: str | None
    claimed_partner_id: str | None = None

    @property
    def partner_id(self) -> str | None:
        """The partner whose token it is; None: nobody's, and the caller is not bound by a partner's limits.

        Raises ForbiddenError for a partner's token that does not say whose.
        """
        if PARTNER not in self.scopes:
            return None
        if not self.claimed_partner_id:
            raise ForbiddenError(f"a token with the scope {PARTNER} must carry the claim partner_id")
        return self.claimed_partner_id

    @property
    def actor(self) -> str:
        """How entries name who acted: the role, and who the token says it is."""
        role = next((scope for scope in (OPERATOR, STOREFRONT, PARTNER, MEMBER) if scope in self.scopes), "")
        return f"{role.removeprefix('loyalty/')}:{self.subject}"

    def reach(self, member_id: str) -> str:
        """The member that a path or body means. `me` is the token's own.

        Raises MemberNotFoundError if that is nobody, or a member's token names somebody else.
        """
        meant = self.member_id if member_id == "me" else member_id
        is_own_only = not self.scopes & {STOREFRONT, OPERATOR, PARTNER}
        if meant is None or not may_be_issued(meant) or (is_own_only and meant != self.member_id):
            raise MemberNotFoundError(f"there is no member {member_id}")
        return meant


class Resolver(APIGatewayHttpResolver):
    """Powertools' resolver, with what a request brings kept apart for each thread.

    In the cloud an execution environment has one request at a time; a local server runs them side by side.
    """

    def __init__(self, forms: str | None = None) -> None:
        self._here = threading.local()
        self._forms = forms
        super().__init__(enable_validation=True, json_body_deserializer=_json_object)

    @property
    def context(self) -> dict[str, Any]:
        """What belongs to the request in hand."""
        if not hasattr(self._here, "context"):
            self._here.context = {}
        context: dict[str, Any] = self._here.context
        return context

    @context.setter
    def context(self, value: dict[str, Any]) -> None:
        self._here.context = value

    @property
    def current_event(self) -> Any:  # noqa: ANN401 - Powertools has a class for each kind of event
        """The request in hand."""
        return self._here.event

    @current_event.setter
    def current_event(self, value: Any) -> None:  # noqa: ANN401
        self._here.event = value

    def _to_proxy_event(self, event: dict[str, Any]) -> Any:  # noqa: ANN401
        self.current_event = super()._to_proxy_event(event)
        return self.current_event

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
        """The answer to an event, refusals included."""
        try:
            event = _with_readable_body(_without_form(event) if self._takes_form(event) else event)
        except LoyaltyError as error:
            answer = problem(error)
            return {"statusCode": answer.status_code, "headers": answer.headers, "body": answer.body}
        return super().resolve(event, context)

    def _takes_form(self, event: Mapping[str, Any]) -> bool:
        return self._forms is not None and str(event.get("rawPath", "")).startswith(self._forms)


def resolver(forms: str | None = None) -> Resolver:
    """A function's resolver: routes are added to it, refusals become problem details.

    Paths that begin with `forms` also take HTML forms, whose fields stand for those of a JSON object.
    """
    app = Resolver(forms)
    app.use([_authorize])
    app.exception_handler(LoyaltyError)(problem)
    app.exception_handler(RequestValidationError)(lambda error: problem(_invalid(app, error)))
    app.not_found(lambda _: problem(RouteNotFoundError("there is no such path, or not with this method")))
    return app


def allow(*scopes: str) -> list[dict[str, list[str]]]:
    """A route's `security`: a token with any of the scopes may call it."""
    return [{SECURITY_SCHEME: [scope]} for scope in scopes]


def answers(statuses: Mapping[int, Any], *refusals: int) -> dict[int, Any]:
    """A route's `responses`: for each status the shape of its body, and which refusals to expect."""
    shapes = {
        status: {"description": HTTPStatus(status).phrase, "content": {JSON_TYPE: {"model": model}}}
        for status, model in statuses.items()
    }
    problems = {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM_TYPE: {"model": Problem}}}
        for status in sorted({*refusals, 401, 403, *ANY_ROUTE_REFUSES})
    }
    return {**shapes, **problems}


def page(*refusals: int) -> dict[int, Any]:
    """A route's `responses` where it answers with a page for people."""
    ok = {"description": HTTPStatus.OK.phrase, "content": {"text/html": {"schema": {"type": "string"}}}}
    problems = {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM_TYPE: {"model": Problem}}}
        for status in sorted({*refusals, *ANY_ROUTE_REFUSES})
    }
    return {200: ok, **problems}


def caller(app: Resolver) -> Caller:
    """Who is calling. Raises UnauthenticatedError if the gateway handed on no claims."""
    claims = app.current_event.request_context.get("authorizer", {}).get("jwt", {}).get("claims")
    if not claims:
        raise UnauthenticatedError("a bearer token is needed")
    subject = claims.get("sub") or claims.get("client_id") or "unknown"
    scopes = frozenset(claims.get("scope", "").split()) & _wanted(app)
    return Caller(subject, scopes, claims.get("member_id"), claims.get("partner_id"))


def answer(
    body: BaseModel,
    status: int = HTTPStatus.OK,
    *,
    replayed: bool = False,
    headers: Mapping[str, str] | None = None,
    without: frozenset[str] = frozenset(),
) -> Answer:
    """A JSON answer, marked if it repeats an earlier one, and without the fields that the caller may not see."""
    marks = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(
        status_code=int(status),
        content_type=JSON_TYPE,
        headers={"Cache-Control": "no-store", **marks, **(headers or {})},
        body=body.model_dump_json(exclude=set(without)),
    )


def problem(error: LoyaltyError) -> Answer:
    """The problem details of a refusal."""
    status = STATUS[error.code]
    headers = {"Cache-Control": "no-store"}
    if error.retryable:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    details: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": error.detail,
        "code": error.code,
    }
    if isinstance(error, InvalidRequestError):
        details["errors"] = [fault.__dict__ for fault in error.faults[:FAULTS_MAX]]
    body = json.dumps(details)
    return Response(
        status_code=int(status), content_type=PROBLEM_TYPE, headers={**headers, "Content-Type": PROBLEM_TYPE}, body=body
    )


def required_key(key: str | None) -> str:
    """The request's `Idempotency-Key`. Raises IdempotencyKeyRequiredError."""
    if not key or not key.strip() or not key.isprintable():
        raise IdempotencyKeyRequiredError("send an Idempotency-Key header: any printable text that names this request")
    return key


def fingerprint(*parts: BaseModel | str) -> str:
    """What tells a request from another under the same key: 128 bits of SHA-256 over its meaning, not its spelling."""
    texts = [part if isinstance(part, str) else part.model_dump_json(exclude_defaults=True) for part in parts]
    digest = hashlib.sha256("\n".join(texts).encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def derived_id(*parts: str) -> str:
    """An id that the same parts always give: 130 bits of SHA-256 in base 32."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:26]


def may_be_issued(id_: str) -> bool:
    """Whether an id looks like those that are issued; the database refuses to look for some that do not."""
    return _ISSUED_ID.fullmatch(id_) is not None


def encode_cursor(*parts: str | int) -> str:
    """Where the next page begins, as callers see it."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *shape: type) -> list[Any]:
    """What `encode_cursor` was given. Raises InvalidRequestError for anything else."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        json.dumps(parts, ensure_ascii=False).encode()  # half a character is no text that the database takes
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(shape):
        raise foreign_cursor()
    return parts


def foreign_cursor() -> InvalidRequestError:
    """The refusal of a cursor that no page of the list has given."""
    return InvalidRequestError(Fault("query:cursor", "is not a cursor of this list; leave it out for the first page"))


def page_of(items: Sequence[_Listed], limit: int, cursor: str | None) -> tuple[Sequence[_Listed], str | None]:
    """One page of a list that is at hand whole, and the next page's cursor."""
    start = decode_cursor(cursor, int)[0] if cursor else 0
    if start < 0:
        raise foreign_cursor()
    more = start + limit < len(items)
    return items[start : start + limit], encode_cursor(start + limit) if more else None


def _authorize(app: Resolver, next_middleware: Callable[[Resolver], Answer]) -> Answer:
    """The gateway checks scopes too; a route that it was not told about is refused here."""
    wanted = _wanted(app)
    if wanted and not caller(app).scopes:
        raise ForbiddenError(f"the token needs one of the scopes {', '.join(sorted(wanted))}")
    return next_middleware(app)


def _wanted(app: Resolver) -> frozenset[str]:
    """The scopes that open the route in hand; none: it is open to everybody."""
    security: list[dict[str, list[str]]] = getattr(app.context["_route"], "security", None) or []
    return frozenset(scope for scheme in security for scope in scheme[SECURITY_SCHEME])


def _with_readable_body(event: Mapping[str, Any]) -> Mapping[str, Any]:
    headers = event.get("headers") or {}
    as_json = {**event, "headers": {**headers, "content-type": JSON_TYPE}, "isBase64Encoded": False}
    body = event.get("body")
    if not body:
        return as_json
    try:
        data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        text = data.decode()
    except ValueError as error:
        raise MalformedJsonError("the body is not UTF-8") from error
    if len(data) > BODY_BYTES_MAX:
        raise BodyTooLargeError(f"a body has at most {BODY_BYTES_MAX} bytes")
    content_type = str(headers.get("content-type", "")).split(";")[0].strip().lower()
    if content_type != JSON_TYPE:
        raise UnsupportedMediaTypeError(f"send the body as Content-Type: {JSON_TYPE}")
    return {**as_json, "body": text}


def _without_form(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event whose form, if it brings one, is JSON. Mail programs may send either kind (RFC 8058)."""
    headers = event.get("headers") or {}
    content_type = str(headers.get("content-type", ""))
    media_type = content_type.partition(";")[0].strip().lower()
    body = str(event.get("body") or "")
    if not body or media_type not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return event
    try:
        data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        text = data.decode()
    except ValueError as error:
        raise MalformedJsonError("the body is not UTF-8") from error
    if len(data) > BODY_BYTES_MAX:
        raise BodyTooLargeError(f"a body has at most {BODY_BYTES_MAX} bytes")
    fields = _parts(content_type, text) if media_type.startswith("multipart") else dict(parse_qsl(text))
    return {
        **event,
        "body": json.dumps(fields),
        "headers": {**headers, "content-type": JSON_TYPE},
        "isBase64Encoded": False,
    }


def _parts(content_type: str, text: str) -> dict[str, str]:
    from email import message_from_string, policy  # noqa: PLC0415 - few callers send this kind of form

    form = message_from_string(f"Content-Type: {content_type}\r\n\r\n{text}", policy=policy.HTTP)
    parts = form.iter_parts() if form.is_multipart() else ()
    return {
        str(part.get_param("name", header="content-disposition")): str(part.get_payload()).strip() for part in parts
    }


def _json_object(text: str) -> Any:  # noqa: ANN401
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise MalformedJsonError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRequestError(Fault("", "the body must be a JSON object"))
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields. Of two of a name nobody can tell which was meant."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return fields


def _invalid(app: Resolver, error: RequestValidationError) -> InvalidRequestError:
    faults = []
    for fault in error.errors()[:FAULTS_MAX]:
        place, *path = fault["loc"]
        is_missing = fault["type"] in {"missing", "union_tag_not_found"}
        if fault["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            path.append(fault["ctx"]["discriminator"].strip("'"))
        if place == "body":
            pointer = _pointer(path, app.current_event.json_body if app.current_event.body else None, is_missing)
        else:
            pointer = f"{place}:{'/'.join(map(str, path))}"
        faults.append(Fault(pointer, fault["msg"].removeprefix("Value error, ")))
    return InvalidRequestError(*faults)


def _pointer(path: Sequence[str | int], body: Any, is_missing: bool) -> str:  # noqa: ANN401
    """RFC 6901. A validator's path also names which of several shapes was tried; the body tells those apart.

    A shape may be called as one of its fields is (`action`, `points`), but there the path leads no further.
    """
    steps = []
    for step in path[:-1]:
        inner = _at(body, step)
        if isinstance(inner, dict | list):
            steps.append(step)
            body = inner
    steps += [step for step in path[-1:] if is_missing or _at(body, step) is not _NOTHING]
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _at(body: Any, step: str | int) -> Any:  # noqa: ANN401
    try:
        return body[step]
    except (IndexError, KeyError, TypeError):
        return _NOTHING
