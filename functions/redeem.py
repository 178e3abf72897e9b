"""Reserve, capture, cancel, reverse."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, NoReturn

from aws_lambda_powertools.event_handler.openapi.params import Body

from shared import clock, request_ids
from shared.api import auth, idempotency, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas import RedemptionAnswer, account_answer, redemption_answer
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT, is_valid_id
from shared.domain.account import Account, Entry, EntryType
from shared.domain.errors import IdempotencyMismatchError, InvalidStateError, RedemptionNotFoundError
from shared.domain.ledger import book
from shared.domain.points.freezing import require_not_frozen
from shared.domain.program.partners import Partner
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import (
    STATE_AFTER,
    CreditRequest,
    Spending,
    State,
    capture,
    release,
    reserve,
    reverse,
    state_of,
)
from shared.domain.spending.store_credit import credit_program
from shared.domain.subaccounts import wallet_of
from shared.services import partner_access
from shared.tables import accounts as accounts_table
from shared.tables import audit, keys, ledger, operation, programs
from shared.tables.client import Key
from shared.tables.operation import Decision, Situation

app = resolver.resolver()

CREDIT_MARK = "-credit"
"""Ends the ids of redemptions of store credit."""

Step = Callable[[Account, Program, datetime], Entry]


@app.post(
    "/v1/members/<member_id>/redemptions",
    security=routes.open_to(STOREFRONT, MEMBER, PARTNER),
    responses=routes.json_responses({201: RedemptionAnswer, 200: RedemptionAnswer}, 400, 404, 409),
    summary="Reserve points for a reward or as money, or store credit, or capture them at once",
    tags=["Redemptions"],
)
def redeem(member_id: str, request: Annotated[Spending, Body()], key: idempotency.IdempotencyKey = None) -> Answer:
    caller, now = auth.caller(app), clock.now()
    member_id = caller.authorized_member_id(member_id)
    partner = partner_access.calling(caller)
    whose = [member_id] if partner is None else [member_id, partner.partner_id]
    redemption_id = request_ids.derived_id("redemption", *whose, idempotency.required_key(key))
    if isinstance(request, CreditRequest):
        redemption_id += CREDIT_MARK
    mark = request_ids.fingerprint(request)

    def spend(situation: Situation) -> Decision:
        account, program = situation.accounts[-1], situation.program
        if partner is not None:
            partner_access.require_may_take(partner, request, program)
        if isinstance(request, CreditRequest):
            require_not_frozen(situation.account)
            program = credit_program(program)
        reserved = reserve(
            account,
            program,
            request,
            redemption_id=redemption_id,
            now=situation.now,
            actor=caller.actor,
            fingerprint=mark,
            at=partner,
        )
        if not request.capture:
            return Decision([reserved])
        held = book(account, reserved)
        return Decision([reserved, capture(held, program, redemption_id, now=situation.now, actor=caller.actor)])

    reserve_key = keys.redemption_key(redemption_id, "reserve")
    outcome = operation.run(_accounts(member_id, redemption_id), spend, key=reserve_key, fingerprint=mark, now=now)
    status = HTTPStatus.OK if outcome.replayed else HTTPStatus.CREATED
    return _shown(outcome.entry, "captured" if request.capture else "reserved", outcome, status, now)


@app.get(
    "/v1/members/<member_id>/redemptions/<redemption_id>",
    security=routes.MEMBER_OR_SHOP,
    responses=routes.json_responses({200: RedemptionAnswer}, 404),
    summary="A redemption's state",
    tags=["Redemptions"],
)
def read_redemption(member_id: str, redemption_id: str) -> Answer:
    account = _load(auth.caller(app).authorized_member_id(member_id), redemption_id)
    steps = _steps(redemption_id, account)
    return json_answer(redemption_answer(steps["reserve"], state_of(steps, clock.now()), programs.load_program()))


@app.post(
    "/v1/members/<member_id>/redemptions/<redemption_id>/capture",
    security=routes.open_to(STOREFRONT, OPERATOR, PARTNER),
    responses=routes.json_responses({200: RedemptionAnswer}, 404, 409),
    summary="Make a reserved redemption final",
    tags=["Redemptions"],
)
def capture_redemption(member_id: str, redemption_id: str) -> Answer:
    actor = auth.caller(app).actor
    return _end_hold(
        member_id,
        redemption_id,
        "capture",
        lambda account, program, now: capture(account, program, redemption_id, now=now, actor=actor),
    )


@app.post(
    "/v1/members/<member_id>/redemptions/<redemption_id>/cancel",
    security=routes.open_to(STOREFRONT, MEMBER, OPERATOR, PARTNER),
    responses=routes.json_responses({200: RedemptionAnswer}, 404, 409),
    summary="Release the hold",
    tags=["Redemptions"],
)
def cancel_redemption(member_id: str, redemption_id: str) -> Answer:
    actor = auth.caller(app).actor
    return _end_hold(
        member_id,
        redemption_id,
        "cancel",
        lambda account, program, now: release(
            account, program, redemption_id, "cancel", occurred_at=now, now=now, actor=actor
        ),
    )


@app.post(
    "/v1/members/<member_id>/redemptions/<redemption_id>/reverse",
    security=routes.open_to(OPERATOR, STOREFRONT, PARTNER),
    responses=routes.json_responses({200: RedemptionAnswer}, 404, 409),
    summary="Give captured points back to the lots they came from",
    tags=["Redemptions"],
)
def reverse_redemption(member_id: str, redemption_id: str) -> Answer:
    caller, now = auth.caller(app), clock.now()

    captured_at = keys.redemption_key(redemption_id, "capture")

    def give_back(situation: Situation) -> Decision:
        captured = situation.entry(captured_at)
        if captured is None or not _belongs(captured, situation.accounts[-1]):
            raise InvalidStateError("only a captured redemption can be reversed")
        return Decision(
            [
                reverse(
                    situation.accounts[-1],
                    situation.program,
                    captured,
                    redemption_id,
                    now=situation.now,
                    actor=caller.actor,
                )
            ]
        )

    return _take_step(
        caller.authorized_member_id(member_id),
        redemption_id,
        "reverse",
        give_back,
        now,
        reads=[captured_at],
    )


def _end_hold(member_id: str, redemption_id: str, type_: EntryType, step: Step) -> Answer:
    now = clock.now()

    def end(situation: Situation) -> Decision:
        if redemption_id not in situation.accounts[-1].holds:
            raise InvalidStateError(f"only a reserved redemption can be {STATE_AFTER[type_]}")
        return Decision([step(situation.accounts[-1], situation.program, situation.now)])

    return _take_step(auth.caller(app).authorized_member_id(member_id), redemption_id, type_, end, now)


def _take_step(
    member_id: str,
    redemption_id: str,
    type_: EntryType,
    decide: operation.Decide,
    now: datetime,
    reads: Sequence[Key] = (),
) -> Answer:
    _require_possible(redemption_id)
    caller = auth.caller(app)
    partner = partner_access.calling(caller)

    def own(situation: Situation) -> Decision:
        decision = decide(situation)
        _require_own(partner, *decision.entries)
        return decision._replace(writes=trail)

    key = keys.redemption_key(redemption_id, type_)
    try:
        trail = audit.trail(caller, f"redemption.{STATE_AFTER[type_]}", now, member_id, redemption_id=redemption_id)
        accounts = _accounts(member_id, redemption_id)
        outcome = operation.run(accounts, own, key=key, fingerprint="", now=now, reads=reads)
    except (InvalidStateError, IdempotencyMismatchError):  # not so far, not any more, or another member's
        _explain(member_id, redemption_id, partner, now)
    _require_own(partner, outcome.entry)
    return _shown(outcome.entry, STATE_AFTER[type_], outcome, HTTPStatus.OK, now)


def _explain(member_id: str, redemption_id: str, partner: Partner | None, now: datetime) -> NoReturn:
    steps = _steps(redemption_id, _load(member_id, redemption_id))
    _require_own(partner, steps["reserve"])
    state = state_of(steps, now)
    raise InvalidStateError(f"the redemption is {state}")


def _require_own(partner: Partner | None, *entries: Entry) -> None:
    """Raises RedemptionNotFoundError if a partner is calling, and they are of another's redemption."""
    if not all(partner_access.may_see(partner, entry.partner) for entry in entries):
        raise RedemptionNotFoundError("the partner has no such redemption")


def _accounts(member_id: str, redemption_id: str) -> list[str]:
    """The member's account, and after it the one that the redemption is of: their wallet, if it is of credit."""
    return [member_id, wallet_of(member_id)] if redemption_id.endswith(CREDIT_MARK) else [member_id]


def _load(member_id: str, redemption_id: str) -> Account:
    *_, account = accounts_table.load_accounts(_accounts(member_id, redemption_id))
    return account


def _require_possible(redemption_id: str) -> None:
    if not is_valid_id(redemption_id):
        raise RedemptionNotFoundError(f"the member has no redemption {redemption_id}")


def _steps(redemption_id: str, account: Account) -> Mapping[EntryType, Entry]:
    _require_possible(redemption_id)
    steps = {entry.type: entry for entry in ledger.load_redemption(redemption_id)}
    if "reserve" not in steps or not _belongs(steps["reserve"], account):
        raise RedemptionNotFoundError(f"the member has no redemption {redemption_id}")
    return steps


def _belongs(entry: Entry, account: Account) -> bool:
    return entry.member_id in (account.member_id, *account.merged_from)


def _shown(entry: Entry, state: State, outcome: operation.Outcome, status: HTTPStatus, now: datetime) -> Answer:
    program = programs.load_program()
    account = account_answer(outcome.accounts[0], program, now, outcome.accounts[1:])
    return json_answer(redemption_answer(entry, state, program, account), status, replayed=outcome.replayed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
