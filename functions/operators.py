"""What operators do by hand: adjust points, freeze and unfreeze members, decide reviews.

And what they read: the audit trail, the months' statements, insights.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from shared import clock
from shared.api import auth, ledger_answers, paging, paths, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.accounts import AccountAnswer, account_answer
from shared.api.schemas.entries import BookedAnswer, EntryAnswer, entry_answer
from shared.api.schemas.reviews import ReviewAnswer, review_answer
from shared.caller import OPERATOR, STOREFRONT, Caller
from shared.domain.errors import foreign_cursor
from shared.domain.fields import Record
from shared.domain.points.reviews import ReviewKind
from shared.domain.tills import Shift
from shared.services import adjustments, approvals, audit_trail, freezes, remembered, reports, tiers_by_hand, tills
from shared.services import program as program_service
from shared.services.adjustments import Adjustment, Undo
from shared.services.approvals import Done, Rejection
from shared.services.freezes import Cause
from shared.services.remembered import Lift, Memory
from shared.services.reports import StatementPage
from shared.services.tiers_by_hand import TierUntil
from shared.tables.audit import Trace

app = resolver.resolver()

Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="2026-11; the current one")]


class ReviewPage(Record):
    """A page of open reviews, of each kind the longest waiting first."""

    items: tuple[ReviewAnswer, ...]
    next_cursor: str | None


class CashierCodeAnswer(Record):
    """A code to sign in at a till with, until `expires_at`."""

    code: str
    expires_at: datetime


class DecisionAnswer(Record):
    """A decided review, the entry that it booked if it booked one, and the account now."""

    review: ReviewAnswer
    entry: EntryAnswer | None
    account: AccountAnswer | None


class RememberedAnswer(Record):
    """What of an earlier account is remembered: what is owed, in points and in minor units of credit, and what is used.

    `joined`: whether nothing comes with joining again, by an address of the account that has ended, or by one that the
    member has left. It waits until `forget_at`, or is booked on the account: null.
    """

    member_id: str
    joined: bool
    debt: int
    credit_debt: int
    frozen_under: str | None
    limits_used: tuple[str, ...]
    badges: tuple[str, ...]
    forget_at: datetime | None


class AuditPage(Record):
    """A page of traces, the newest first."""

    items: tuple[Trace, ...]
    next_cursor: str | None


class ClosedAnswer(Record):
    """How a month was closed: `hash` covers statement, entries and `previous_hash`, that of the month before."""

    hash: str
    previous_hash: str
    entries: int
    closed_at: datetime


class StatementLineAnswer(Record):
    """A number of a statement. `units` are points, or minor units of store credit; `amount` is in minor units.

    `query` is the question to the ledger that it answers. A line of the journal says what to `debit` and `credit`.
    """

    section: str
    subject: str
    line: str
    units: int | None
    amount: int | None
    query: str
    debit: str
    credit: str


class StatementAnswer(Record):
    """A page of a month's statement. More may come in a month that is not closed, and `provisional` says why."""

    month: str
    currency: str
    as_of: datetime
    provisional: str | None
    closed: ClosedAnswer | None
    items: tuple[StatementLineAnswer, ...]
    next_cursor: str | None


class InsightsAnswer(Record):
    """A table of texts, as of when it was made. `query` is the question to the ledger that it answers."""

    report: str
    title: str
    as_of: datetime
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    query: str


@app.post(
    "/v1/members/<member_id>/adjustments",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer, 202: ReviewAnswer}, 404, 409),
    summary="Give or take points by hand, with a reason; above the program's limit a second operator approves",
    tags=["Operators"],
)
def adjust_points(member_id: str, request: Annotated[Adjustment, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    done = adjustments.adjust_points(member_id, request, caller=caller, now=now)
    return ledger_answers.booked_or_asked(done, caller, now)


@app.post(
    "/v1/members/<member_id>/entries/<entry_id>/undo",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer, 202: ReviewAnswer}, 404, 409),
    summary="Take an adjustment back, to the very lots; what two agreed on or is of another day counts as moved again, "
    "and above the program's limit a second operator approves",
    tags=["Operators"],
)
def undo_adjustment(member_id: str, entry_id: str, request: Annotated[Undo, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    done = adjustments.undo_adjustment(member_id, entry_id, request, caller=caller, now=now)
    return ledger_answers.booked_or_asked(done, caller, now)


@app.post(
    "/v1/members/<member_id>/freeze",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Freeze a member: points still come in, but none are spent, given away or paid out, their part of a pool "
    "included",
    tags=["Operators"],
)
def freeze_member(member_id: str, cause: Annotated[Cause, Body()]) -> Answer:
    caller = auth.caller(app)
    return ledger_answers.booked(freezes.freeze_member(member_id, cause, caller=caller, now=clock.now()), caller)


@app.post(
    "/v1/members/<member_id>/unfreeze",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Let a frozen member spend again",
    tags=["Operators"],
)
def unfreeze_member(member_id: str, cause: Annotated[Cause, Body()]) -> Answer:
    caller = auth.caller(app)
    return ledger_answers.booked(freezes.unfreeze_member(member_id, cause, caller=caller, now=clock.now()), caller)


@app.post(
    "/v1/members/<member_id>/tier",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Let a member hold at least a tier through a day, with a reason: a status match, or goodwill",
    tags=["Operators"],
)
def set_tier(member_id: str, request: Annotated[TierUntil, Body()]) -> Answer:
    caller = auth.caller(app)
    return ledger_answers.booked(tiers_by_hand.set_by_hand(member_id, request, caller=caller, now=clock.now()), caller)


@app.get(
    "/v1/members/<member_id>/remembered",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: RememberedAnswer}, 404, 409),
    summary="What of an erased member's account waits for the person, or was booked on the account of who came again; "
    "of other members, what waits for whoever joins with an address that they have left",
    tags=["Operators"],
)
def read_remembered(member_id: str) -> Answer:
    return _remembered(remembered.read(member_id, caller=auth.caller(app), now=clock.now()))


@app.post(
    "/v1/members/<member_id>/remembered/lift",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: RememberedAnswer}, 404, 409),
    summary="Let nothing wait for whoever was this member, or has an address that they have left, or take back what "
    "was booked on the account of who came again",
    tags=["Operators"],
)
def lift_remembered(member_id: str, request: Annotated[Lift, Body()]) -> Answer:
    return _remembered(remembered.lift(member_id, request, caller=auth.caller(app), now=clock.now()))


@app.get(
    "/v1/reviews",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: ReviewPage}),
    summary="What waits for an operator's approval",
    tags=["Operators"],
)
def read_reviews(
    kind: Annotated[ReviewKind | None, Query()] = None,
    limit: paging.PageLimit = paging.PAGE_DEFAULT,
    cursor: paging.PageCursor = None,
) -> Answer:
    after = paging.decode_cursor(cursor, str)[0] if cursor else None
    if after == "" or (after is not None and not after.startswith(f"{kind}#" if kind else "")):
        raise foreign_cursor()
    items, more = approvals.open_reviews(kind, limit, after)
    today = program_service.today(clock.now())
    following = paging.encode_cursor(more) if more else None
    return json_answer(ReviewPage(items=tuple(review_answer(review, today) for review in items), next_cursor=following))


@app.post(
    "/v1/reviews/<review_id>/approve",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: DecisionAnswer}, 404, 409, 412),
    summary="Approve what waits, and book what it brings",
    tags=["Operators"],
)
def approve(review_id: str) -> Answer:
    caller, now = auth.caller(app), clock.now()
    return _decided(approvals.approve(review_id, caller=caller, now=now), caller, now)


@app.post(
    "/v1/reviews/<review_id>/reject",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: DecisionAnswer}, 404, 409),
    summary="Reject what waits, with a reason",
    tags=["Operators"],
)
def reject(review_id: str, request: Annotated[Rejection, Body()]) -> Answer:
    caller, now = auth.caller(app), clock.now()
    return _decided(approvals.reject(review_id, request, caller=caller, now=now), caller, now)


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
    items, more = audit_trail.read_month(month, limit, before, now=clock.now())
    return json_answer(AuditPage(items=tuple(items), next_cursor=paging.encode_cursor(more) if more else None))


@app.get(
    "/v1/statements/<month>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: StatementAnswer}, 404),
    summary="What a month (such as 2026-11) came to in points and money, as a job stored it last",
    tags=["Reports"],
)
def read_statement(
    month: str, limit: paging.PageLimit = paging.PAGE_DEFAULT, cursor: paging.PageCursor = None
) -> Answer:
    first, as_of = paging.decode_cursor(cursor, int, str) if cursor else (0, None)
    if first < 0:
        raise foreign_cursor()
    return json_answer(_statement(reports.read_statement(paths.parsed_month(month), first, limit, as_of)))


@app.get(
    "/v1/insights/<report>",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({200: InsightsAnswer}, 404),
    summary="A report on the whole ledger, as a job stored it last",
    tags=["Reports"],
)
def read_insights(report: str) -> Answer:
    found = reports.read_report(report)
    return json_answer(InsightsAnswer(**{name: getattr(found, name) for name in InsightsAnswer.model_fields}))


def _statement(page: StatementPage) -> StatementAnswer:
    head, closed = page.head, page.closed
    names = StatementLineAnswer.model_fields
    as_of = head.as_of.isoformat()
    return StatementAnswer(
        month=head.month,
        currency=head.currency,
        as_of=head.as_of,
        provisional=head.provisional or None,
        closed=closed
        and ClosedAnswer(
            hash=closed.hash, previous_hash=closed.previous, entries=closed.entries, closed_at=closed.as_of
        ),
        items=tuple(StatementLineAnswer(**{name: getattr(line, name) for name in names}) for line in page.lines),
        next_cursor=paging.encode_cursor(page.next_first, as_of) if page.next_first is not None else None,
    )


def _remembered(kept: Memory) -> Answer:
    what = kept.what
    answer = RememberedAnswer(
        member_id=kept.member_id,
        joined=what.joined,
        debt=what.debt,
        credit_debt=what.credit_debt,
        frozen_under=what.frozen or None,
        limits_used=tuple(sorted(what.uses)),
        badges=tuple(sorted(what.badges)),
        forget_at=kept.forget_at,
    )
    return json_answer(answer)


def _decided(done: Done, caller: Caller, now: datetime) -> Answer:
    entry = account = None
    if done.outcome is not None:
        entry = entry_answer(done.outcome.entry, caller, ledger_answers.sale_of(done.outcome))
        account = account_answer(done.outcome.accounts[0], done.outcome.program, done.outcome.now)
    review = review_answer(done.review, program_service.today(now))
    return json_answer(DecisionAnswer(review=review, entry=entry, account=account), replayed=done.replayed)


@app.post(
    "/v1/cashiers/codes",
    security=routes.open_to(STOREFRONT, OPERATOR),
    responses=routes.json_responses({201: CashierCodeAnswer}),
    summary="A code with which a cashier signs in at the till of a store, once and within the hour",
    tags=["Operators"],
)
def issue_cashier_code(shift: Annotated[Shift, Body()]) -> Answer:
    issued = tills.issue(shift, caller=auth.caller(app), now=clock.now())
    return json_answer(CashierCodeAnswer(**issued._asdict()), HTTPStatus.CREATED)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
