"""How refusals are shown: RFC 9457 problem details, and the status of each code."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field

from shared import correlation
from shared.api.answers import Answer
from shared.domain.errors import InvalidRequestError, LoyaltyError, MemberMergedError, UnknownMemberError
from shared.domain.fields import Record

FAULTS_MAX = 100
PROBLEM_TYPE = "application/problem+json"
PAGES_PATH = "/v1/problems/"
"""Where a page explains each code: a problem's `type` leads there."""

_IF_THERE = Field(exclude_if=lambda value: value is None)
_LOOK_UP = ": POST /v1/members/lookup finds one by external_id, email, phone or card_number"

STATUS: Mapping[str, HTTPStatus] = {
    "idempotency_key_required": HTTPStatus.BAD_REQUEST,
    "malformed_json": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "member_not_found": HTTPStatus.NOT_FOUND,
    "remembered_not_found": HTTPStatus.NOT_FOUND,
    "reward_not_found": HTTPStatus.NOT_FOUND,
    "campaign_not_found": HTTPStatus.NOT_FOUND,
    "report_not_found": HTTPStatus.NOT_FOUND,
    "redemption_not_found": HTTPStatus.NOT_FOUND,
    "voucher_not_found": HTTPStatus.NOT_FOUND,
    "order_not_found": HTTPStatus.NOT_FOUND,
    "refund_not_found": HTTPStatus.NOT_FOUND,
    "entry_not_found": HTTPStatus.NOT_FOUND,
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
    "not_offered": HTTPStatus.CONFLICT,
    "reward_unavailable": HTTPStatus.CONFLICT,
    "refund_exceeds_order": HTTPStatus.CONFLICT,
    "order_paid": HTTPStatus.CONFLICT,
    "code_expired": HTTPStatus.CONFLICT,
    "voucher_used": HTTPStatus.CONFLICT,
    "voucher_expired": HTTPStatus.CONFLICT,
    "member_not_active": HTTPStatus.CONFLICT,
    "member_merged": HTTPStatus.CONFLICT,
    "member_frozen": HTTPStatus.CONFLICT,
    "order_belongs_to_another_member": HTTPStatus.CONFLICT,
    "partner_funding_exhausted": HTTPStatus.CONFLICT,
    "partner_limit_reached": HTTPStatus.CONFLICT,
    "consent_required": HTTPStatus.CONFLICT,
    "not_eligible": HTTPStatus.CONFLICT,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "program_changed": HTTPStatus.PRECONDITION_FAILED,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid_request": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "in_the_future": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_late": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "try_again": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""With which status each code is answered."""


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
    request_id: Annotated[str | None, _IF_THERE] = None
    errors: Annotated[Annotated[tuple[ProblemFault, ...], Field(max_length=FAULTS_MAX)] | None, _IF_THERE] = None
    merged_into: Annotated[str | None, _IF_THERE] = None


def problem(error: LoyaltyError) -> Answer:
    """The answer of a refusal: its problem details."""
    status = STATUS[error.code]
    headers = {"Cache-Control": "no-store", "Content-Type": PROBLEM_TYPE}
    if error.retryable:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = json.dumps(details_of(error))
    return Answer(status_code=int(status), content_type=PROBLEM_TYPE, headers=headers, body=body)


def details_of(error: LoyaltyError) -> dict[str, Any]:
    """The problem details of a refusal, as `Problem` describes them."""
    status = STATUS[error.code]
    details: dict[str, Any] = {
        "type": f"{PAGES_PATH}{error.code}",
        "title": status.phrase,
        "status": int(status),
        "detail": f"{error.detail}{_LOOK_UP if isinstance(error, UnknownMemberError) else ''}",
        "code": error.code,
    }
    if request_id := correlation.request_id():
        details["request_id"] = request_id
    if isinstance(error, InvalidRequestError):
        details["errors"] = [fault.__dict__ for fault in error.faults[:FAULTS_MAX]]
    if isinstance(error, MemberMergedError):
        details["merged_into"] = error.merged_into
    return details
