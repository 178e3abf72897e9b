"""What operators do by hand: adjust, freeze and unfreeze, decide reviews, read who did what."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from shared import clock, request_ids
from shared.api import auth, ledger_answers, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import AccountAnswer, account_answer
from shared.api.schemas.entries import BookedAnswer, EntryAnswer, entry_answer
from shared.caller import OPERATOR, Caller, is_valid_id
from shared.domain import entry_types
from shared.domain.calendar import month_of
from shared.domain.errors import (
    Fault,
    IdempotencyMismatchError,
    InvalidRequestError,
    InvalidStateError,
    MemberNotActiveError,
    ReviewNotFoundError,
)
from shared.domain.fields import Record, Reference, SignedPoints, Text
from shared.domain.points.freezing import freeze, unfreeze
from shared.domain.points.reviews import Review, ReviewKind, Verdict
from shared.domain.program.program import Program
from shared.domain.spending.adjustments import adjust
from shared.services import approvals
from shared.tables import accounts, audit, keys, ledger, operation, programs, reviews
from shared.tables.operation import Decision, Situation

app = resolver.resolver()

Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="2026-11; the current one")]


class Adjustment(Record):
    """Points given (positive) or taken (negative) by hand."""

    points: SignedPoints
    reason: Text
    reference: Reference


class Cause(Record):
    """Why a member is frozen or no longer, and the case it belongs to."""

    reason: Text
    reference: Reference


class Rejection(Record):
    """Why not."""

    reason: Text


class ReviewAnswer(Record):
    """What waits for an operator's word, or has had it."""

    review_id: str
    kind: str
    member_id: str
    requested_by: str
    requested_at: datetime
    what: str
    details: dict[str, str]
    state: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class ReviewPage(Record):
    """A page of what waits, of each kind the longest waiting first."""

    items: tuple[ReviewAnswer, ...]
    next_cursor: str | None


class DecisionAnswer(Record):
    """A decided review, the entry that it brought if it brought one, and the account as it stands now."""

    review: ReviewAnswer
    entry: EntryAnswer | None
    account: AccountAnswer | None


class AuditPage(Record):
    """A page of traces, the newest first."""

    items: tuple[audit.Trace, ...]
    next_cursor: str | None


@app.post(
    "/v1/members/<member_id>/adjustments",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer, 202: ReviewAnswer}, 404, 409),
    summary="Give or take points by hand, with a reason; above the program's limit a second operator approves",
    tags=["Operators"],
)
def adjust_points(member_id: str, request: Annotated[Adjustment, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    member_id, mark = caller.authorized_member_id(member_id), request_ids.fingerprint(request)
    if request.points == 0:
        raise InvalidRequestError(Fault("/points", "must not be 0"))
    key = keys.of("adjust", member_id=member_id, reference=request.reference)
    if _takes_two(programs.load_program(), request.points) and ledger.load_entry(key) is None:
        return _ask(caller, member_id, request, mark, now)

    trail = audit.trail(caller, "points.adjusted", now, member_id, reference=request.reference)

    review_id = reviews.id_of("adjustment", member_id, request.reference)

    def set_right(situation: Situation) -> Decision:
        entry = adjust(
            situation.account,
            situation.program,
            request.points,
            reason=request.reason,
            reference=request.reference,
            now=situation.now,
            actor=caller.actor,
            fingerprint=mark,
        )
        word = Verdict("approved", caller.actor, now)
        asked = reviews.among(situation.items, review_id)
        return Decision([entry], [*trail, *(reviews.close(_undecided(asked, mark), word) if asked else ())])

    # Only a program that asks for two operators leaves reviews, and none pays for looking for one in vain.
    reads = [reviews.key_of(review_id)] if programs.load_program().operators else []
    outcome = operation.run([member_id], set_right, key=key, fingerprint=mark, now=now, reads=reads)
    return ledger_answers.booked(outcome)


@app.post(
    "/v1/members/<member_id>/freeze",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Freeze a member: points still come in, but none are spent, given away or paid out, their part of a pool "
    "included",
    tags=["Operators"],
)
def freeze_member(member_id: str, cause: Annotated[Cause, Body()]) -> Answer:
    return _freeze(member_id, cause, "freeze")


@app.post(
    "/v1/members/<member_id>/unfreeze",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Let a frozen member spend again",
    tags=["Operators"],
)
def unfreeze_member(member_id: str, cause: Annotated[Cause, Body()]) -> Answer:
    return _freeze(member_id, cause, "unfreeze")


@app.get(
    "/v1/reviews",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: ReviewPage}),
    summary="What waits for an operator's word",
    tags=["Operators"],
)
def read_reviews(
    kind: Annotated[ReviewKind | None, Query()] = None,
    limit: paging.PageLimit = paging.PAGE_DEFAULT,
    cursor: paging.PageCursor = None,
) -> Answer:
    after = paging.decode_cursor(cursor, str)[0] if cursor else None
    if after == "" or (after is not None and not after.startswith(f"{kind}#" if kind else "")):
        raise paging.foreign_cursor()
    items, more = reviews.listing(kind, limit, after)
    following = paging.encode_cursor(more) if more else None
    return json_answer(ReviewPage(items=tuple(_shown(review) for review in items), next_cursor=following))


@app.post(
    "/v1/reviews/<review_id>/approve",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: DecisionAnswer}, 404, 409),
    summary="Approve what waits, and book what it brings",
    tags=["Operators"],
)
def approve(review_id: str) -> Answer:
    caller, now = auth.caller(app), clock.now()
    return _decide(review_id, Verdict("approved", caller.actor, now), caller)


@app.post(
    "/v1/reviews/<review_id>/reject",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: DecisionAnswer}, 404, 409),
    summary="Reject what waits, with a reason",
    tags=["Operators"],
)
def reject(review_id: str, request: Annotated[Rejection, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    verdict = Verdict("rejected", caller.actor, now, request.reason, request_ids.fingerprint(request))
    return _decide(review_id, verdict, caller)


@app.get(
    "/v1/audit",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: AuditPage}),
    summary="What operators did in a month, and whose personal data they looked at, the newest first",
    tags=["Operators"],
)
def read_audit(
    month: Month = None, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    before = paging.decode_cursor(cursor, str)[0] if cursor else None
    items, more = audit.listing(month or month_of(clock.now().date()), limit, before)
    return json_answer(AuditPage(items=tuple(items), next_cursor=paging.encode_cursor(more) if more else None))


def _takes_two(program: Program, points: int) -> bool:
    limit = program.operators.adjustment_limit_points if program.operators else None
    return limit is not None and abs(points) > limit


def _undecided(review: Review, mark: str) -> Review:
    """The review that an adjustment waited for when the program still asked for a second operator."""
    if review.fingerprint != mark:
        raise IdempotencyMismatchError("the reference was used before with another payload")
    if review.state != "open":
        raise InvalidStateError(f"the adjustment was {review.state} by {review.decided_by} at {review.decided_at}")
    return review


def _ask(caller: Caller, member_id: str, request: Adjustment, mark: str, now: datetime) -> Answer:
    """The review that a large adjustment waits for; nothing is booked yet."""
    account = accounts.load_account(member_id).account
    if not account.is_open:
        raise MemberNotActiveError(f"the member {member_id} was {account.status}")
    details = {"points": str(request.points), "reason": request.reason, "reference": request.reference}
    review = Review(
        review_id=reviews.id_of("adjustment", member_id, request.reference),
        kind="adjustment",
        member_id=member_id,
        requested_by=caller.actor,
        requested_at=now,
        what=f"Adjust by {request.points} points: {request.reason}",
        details=details,
        fingerprint=mark,
    )
    trail = audit.trail(caller, "adjustment.requested", now, member_id, reference=request.reference)
    existing, replayed = approvals.ask(review, trail)
    status = HTTPStatus.ACCEPTED if existing.state == "open" else HTTPStatus.OK
    return json_answer(_shown(existing), status, replayed=replayed)


def _freeze(member_id: str, cause: Cause, type_: Literal["freeze", "unfreeze"]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    member_id, mark = caller.authorized_member_id(member_id), request_ids.fingerprint(cause)
    step = freeze if type_ == "freeze" else unfreeze

    def turn(situation: Situation) -> Decision:
        entry = step(
            situation.account,
            situation.program,
            reason=cause.reason,
            reference=cause.reference,
            now=situation.now,
            actor=caller.actor,
            fingerprint=mark,
        )
        return Decision([entry], trail)

    trail = audit.trail(caller, entry_types.of(type_).audited_as, now, member_id, reference=cause.reference)
    key = keys.of(type_, member_id=member_id, reference=cause.reference)
    return ledger_answers.booked(operation.run([member_id], turn, key=key, fingerprint=mark, now=now))


def _decide(review_id: str, verdict: Verdict, caller: Caller) -> Answer:
    if not is_valid_id(review_id):
        raise ReviewNotFoundError(f"there is no review {review_id}")
    done = approvals.decide(review_id, verdict, caller)
    entry = account = None
    if done.outcome is not None:
        entry = entry_answer(done.outcome.entry)
        account = account_answer(done.outcome.accounts[0], programs.load_program(), verdict.at)
    body = DecisionAnswer(review=_shown(done.review), entry=entry, account=account)
    return json_answer(body, replayed=done.replayed)


def _shown(review: Review) -> ReviewAnswer:
    return ReviewAnswer.model_validate({name: getattr(review, name) for name in ReviewAnswer.model_fields})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
