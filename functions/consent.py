"""Those known by an identifier alone: what they earn before they have agreed to the terms, and their consent."""

from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock, request_ids, runtime
from shared.api import auth, ledger_answers, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.entries import BookedAnswer
from shared.api.schemas.members import MemberAnswer, OneIdentifier, member_answer
from shared.api.schemas.orders import OrderEarn
from shared.caller import MEMBER, STOREFRONT
from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.cashback import gives_credit
from shared.domain.earning.orders import Order
from shared.domain.earning.provisional import open_provisional
from shared.domain.errors import (
    LoyaltyError,
    MemberNotActiveError,
    MemberNotFoundError,
    OrderBelongsToAnotherMemberError,
    TryAgainError,
)
from shared.domain.fields import Day, Flag, Record, Reference
from shared.domain.ledger import book
from shared.domain.lifecycle.whole_order import credited
from shared.domain.members import members
from shared.domain.members.members import Consent, Identity, Marketing
from shared.domain.points.eligibility import require_age
from shared.domain.points.segments import first_traits
from shared.domain.program.program import Program
from shared.domain.subaccounts import wallet_of
from shared.services import enrolment, profiles
from shared.tables import accounts as accounts_table
from shared.tables import keys, ledger, operation, programs, upkeep
from shared.tables import members as people
from shared.tables.client import CancelledError
from shared.tables.operation import Decision, Situation

OPENING_ATTEMPTS_MAX = 3

app = resolver.resolver()


class Arrival(OrderEarn):
    """An order of somebody known by an identifier."""

    identifier: OneIdentifier


class Agreement(Record):
    """The terms that a member agrees to, and by which means they want to hear offers."""

    terms_version: Reference
    marketing: Marketing = Marketing()
    channel: Annotated[Reference | None, Field(description="where that was said, such as web or till")] = None
    age_confirmed: Flag = False
    birth_date: Day | None = None


@app.post(
    "/v1/earn",
    security=routes.open_to(STOREFRONT),
    responses=routes.json_responses({201: BookedAnswer, 200: BookedAnswer}, 404, 409),
    summary="Credit an order to whoever has an identifier; somebody unknown becomes a provisional member",
    tags=["Earning"],
)
def earn_by_identifier(request: Annotated[Arrival, Body()]) -> Answer:
    caller, now, program = auth.caller(app), clock.now(), programs.load_program()
    [identity] = members.identities(request.identifier, program.country)
    order = OrderEarn.model_validate(request.model_dump(exclude={"identifier"}))
    # As under the member's own path: a till that has learned who it was may send the order there again.
    mark = request_ids.fingerprint(order)
    for _ in range(OPENING_ATTEMPTS_MAX):
        member_id = people.find(identity)
        try:
            if member_id is not None:
                return ledger_answers.booked(_earned(member_id, order, caller.actor, mark, now))
            return ledger_answers.booked(_opened(identity, order, program, caller.actor, mark, now))
        except MemberNotActiveError:
            # Their time to consent is over, and nothing has been done about it yet.
            _let_lapse(str(member_id), now)
        except CancelledError:
            continue  # somebody else has just opened the same one
        except OrderBelongsToAnotherMemberError:
            if people.find(identity) == member_id:
                raise
            continue  # the same request has just been answered for whom the identifier is now
    raise TryAgainError("the member is being opened by others; the same request may be sent again")


@app.post(
    "/v1/members/<member_id>/consent",
    security=routes.open_to(STOREFRONT, MEMBER),
    responses=routes.json_responses({200: MemberAnswer}, 404, 409),
    summary="Agree to the terms: points that waited become available",
    tags=["Members"],
)
def agree(member_id: str, request: Annotated[Agreement, Body()]) -> Answer:
    caller, now, program = auth.caller(app), clock.now(), programs.load_program()
    before = people.load_member(caller.authorized_member_id(member_id))
    given = Consent(terms_version=request.terms_version, marketing=request.marketing)
    after = members.consenting(before.member, given, now=now, channel=request.channel)
    if before.member.status != "provisional":
        members.require_active(before.member)
        if after != before.member:
            profiles.save(before, after, actor=caller.actor, now=now)
        return json_answer(member_answer(after))
    today = local_day(now, program.time_zone)
    require_age(program, today, is_confirmed=request.age_confirmed, born_on=request.birth_date)
    code = members.new_referral_code(None, runtime.random().choice)
    after = enrolment.newcomer(after.model_copy(update={"status": "active", "referral_code": code}), program, ())
    enrolment.confirmed(before, after, actor=caller.actor, fingerprint=request_ids.fingerprint(request), now=now)
    return json_answer(member_answer(after))


def _earned(member_id: str, order: Order, actor: str, mark: str, now: datetime) -> operation.Outcome:

    def credit(situation: Situation) -> Decision:
        return Decision(
            credited(
                situation.account,
                situation.program,
                order,
                now=situation.now,
                actor=actor,
                fingerprint=mark,
                caps=situation.caps,
                wallets=situation.accounts[1:],
            )
        )

    key = keys.of("earn", order_id=order.order_id)
    accounts = [member_id, *([wallet_of(member_id)] if gives_credit(programs.load_program(), order) else [])]
    return operation.run(accounts, credit, key=key, fingerprint=mark, now=now)


def _opened(
    identity: Identity, order: Order, program: Program, actor: str, mark: str, now: datetime, gone: int = 0
) -> operation.Outcome:
    """A new provisional member with the order's points, or the entry that stands if this was done before.

    So many members opened for this very order are `gone`, lapsed or erased before it was credited. Raises
    MemberNotFoundError if the program opens none by this, CancelledError if others opened the same one.
    """
    terms = program.automatic_enrolment
    if terms is None or identity.kind not in terms.identifiers:
        raise MemberNotFoundError(f"no member has this {identity.kind}, and nobody is enrolled automatically by it")
    # The order is part of it: who comes again after having lapsed is somebody new.
    cause = f"provisional:{identity.kind}:{identity.value}|{order.order_id}"
    member_id = people.new_member_id(f"{cause}|{gone}" if gone else cause)
    email = identity.value if identity.kind == "email" else None
    first = open_provisional(
        member_id, program, now=now, actor=actor, fingerprint=mark, traits=first_traits(program, None, (), email)
    )
    profile = members.provisional(identity, member_id=member_id, channel=order.channel, now=now)
    try:
        account = book(Account(member_id=member_id), first)
        entries = credited(account, program, order, now=now, actor=actor, fingerprint=mark)
        draws = any(entry.budgets for entry in entries)
        outcome = operation.enroll([first, *(() if draws else entries)], people.writes(None, profile), program, now)
    except (CancelledError, LoyaltyError):
        existing = ledger.load_entry(keys.of("earn", order_id=order.order_id))
        if existing is None:
            if _is_gone(member_id):
                return _opened(identity, order, program, actor, mark, now, gone + 1)
            raise
        if existing.member_id != member_id:
            raise OrderBelongsToAnotherMemberError("the order's points were credited to another member") from None
        return _earned(member_id, order, actor, mark, now)
    return _earned(member_id, order, actor, mark, now) if draws else outcome._replace(entry=entries[0])


def _is_gone(member_id: str) -> bool:
    try:
        return accounts_table.load_account(member_id).account.status in {"lapsed", "erased"}
    except MemberNotFoundError:
        return False


def _let_lapse(member_id: str, now: datetime) -> None:
    """Book that a provisional member's time is over, and free what they were found by."""
    upkeep.catch_up(member_id, now)
    if accounts_table.load_account(member_id).account.status == "lapsed":
        people.forget(member_id, members.lapsed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
