"""What partners and operators read of a partner's ledger, and what partners pay in."""

import re
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from shared import clock, request_ids
from shared.api import auth, paging, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.money import Money
from shared.caller import OPERATOR, PARTNER
from shared.domain.calendar import local_day, month_of, period_frees_on
from shared.domain.entry import Entry
from shared.domain.errors import Fault, InvalidRequestError, PartnerNotFoundError
from shared.domain.fields import Currency, PositiveAmount, Record, Reference
from shared.domain.points.budgets import Budget
from shared.domain.points.partner_funding import (
    MOVEMENTS,
    Settlement,
    deposit_points,
    funding_name,
    month_name,
    points_of,
    require_partner,
    settle_up,
)
from shared.domain.program.partners import Partner, PartnerLimits
from shared.domain.program.program import Program
from shared.services import partner_deposits
from shared.tables import audit, budgets, ledger, partner_funds, programs

SETTLEMENT_PAGES_MAX = 200
"""Megabytes of entries that one report sums up: over a hundred thousand."""
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)

app = resolver.resolver()

ITS_OWN = routes.open_to(OPERATOR, PARTNER)


class PointCostAnswer(Record):
    """What so many points cost the partner, or bring it."""

    points: int
    cost: Money


class FundsAnswer(Record):
    """Points that deposits have paid for, those given of them, and those left with what they cost, rounded down."""

    deposited: int
    spent: int
    left: int
    amount_left: Money
    alert_below: int
    is_low: bool


class MonthAnswer(Record):
    """What may still be given to all members together, until the first day of the next month."""

    points_max: int
    left: int
    frees_on: date


class PartnerAnswer(Record):
    """A partner: its terms, its funds where it pays in advance, and what the month has room for."""

    partner_id: str
    name: str
    may_earn: bool
    may_redeem: bool
    takes_points_as_money: bool
    funding: Literal["prepaid", "postpaid"]
    point_cost: PointCostAnswer
    limits: PartnerLimits
    funds: FundsAnswer | None
    month: MonthAnswer | None


class PartnerEntryAnswer(Record):
    """An entry as its partner sees it: whose points, how many, and why; nothing of what else the member has."""

    entry_id: str
    type: str
    member_id: str
    points: int
    order_id: str | None
    refund_id: str | None
    redemption_id: str | None
    reward_id: str | None
    occurred_at: datetime
    recorded_at: datetime
    program_version: int


class PartnerEntryPage(Record):
    """A page of a partner's entries of a month, as they were booked."""

    items: tuple[PartnerEntryAnswer, ...]
    next_cursor: str | None


class MovementAnswer(Record):
    """Points of one kind of movement, in how many entries, and what they cost the partner (negative: bring it)."""

    movement: Literal["issued", "taken_back", "redeemed", "reversed", "prepaid"]
    entries: int
    points: int
    amount: int


class SettlementAnswer(Record):
    """A partner's month. The amounts of `movements` less `prepaid` are `net`; `owed_by` says who pays it to whom.

    Until the month is over, more may come.
    """

    partner_id: str
    month: str
    currency: str
    movements: tuple[MovementAnswer, ...]
    prepaid: MovementAnswer
    net: Money
    owed_by: Literal["partner", "shop", "nobody"]
    is_final: bool


class DepositRequest(Record):
    """What a partner has paid in, under the operator's own reference."""

    amount: PositiveAmount
    currency: Currency
    reference: Reference


class DepositAnswer(Record):
    """A deposit, the points that it pays for, and all that is left now."""

    partner_id: str
    reference: str
    deposited: Money
    points: int
    deposited_at: datetime
    funds: FundsAnswer


@app.get(
    "/v1/partners/<partner_id>",
    security=ITS_OWN,
    responses=routes.json_responses({200: PartnerAnswer}, 404),
    summary="A partner's terms, funds and alert; `me` is the token's own",
    tags=["Partners"],
)
def read_partner(partner_id: str) -> Answer:
    program = programs.load_program()
    partner = _reached(partner_id, program)
    budget = budgets.load(funding_name(partner.partner_id)) if partner.funding == "prepaid" else None
    today = local_day(clock.now(), program.time_zone)
    cost = Money(amount=partner.point_cost.amount, currency=program.currency)
    return json_answer(
        PartnerAnswer(
            partner_id=partner.partner_id,
            name=partner.name,
            may_earn=partner.may_earn,
            may_redeem=partner.may_redeem,
            takes_points_as_money=partner.takes_points_as_money,
            funding=partner.funding,
            point_cost=PointCostAnswer(points=partner.point_cost.points, cost=cost),
            limits=partner.limits,
            funds=_funds(partner, budget, program) if budget else None,
            month=_month(partner, today),
        )
    )


@app.get(
    "/v1/partners/<partner_id>/entries",
    security=ITS_OWN,
    responses=routes.json_responses({200: PartnerEntryPage}, 404),
    summary="The entries of a month (such as 2026-11; this one if left out) that a partner gives or takes points by",
    tags=["Partners"],
)
def read_entries(
    partner_id: str,
    month: Annotated[str | None, Query()] = None,
    limit: paging.PageLimit = paging.PAGE_DEFAULT,
    cursor: paging.PageCursor = None,
) -> Answer:
    program = programs.load_program()
    partner = _reached(partner_id, program)
    wanted = _require_month(month, "query:month") if month else _this_month(program)
    after = paging.decode_cursor(cursor, str)[0] if cursor else None
    if after == "":
        raise paging.foreign_cursor()
    entries, more = ledger.load_partner_entries(partner.partner_id, wanted, limit, after)
    items = tuple(_entry(entry, partner) for entry in entries)
    return json_answer(PartnerEntryPage(items=items, next_cursor=paging.encode_cursor(more) if more else None))


@app.get(
    "/v1/partners/<partner_id>/settlements/<month>",
    security=ITS_OWN,
    responses=routes.json_responses({200: SettlementAnswer}, 404),
    summary="What a month (such as 2026-11) comes to, and who owes it to whom",
    tags=["Partners"],
)
def read_settlement(partner_id: str, month: str) -> Answer:
    program = programs.load_program()
    partner = _reached(partner_id, program)
    wanted = _require_month(month, "")
    entries = ledger.all_partner_entries(partner.partner_id, wanted, SETTLEMENT_PAGES_MAX)
    return json_answer(_settlement(partner, wanted, settle_up(entries), program))


@app.post(
    "/v1/partners/<partner_id>/deposits",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: DepositAnswer, 200: DepositAnswer}, 404, 409),
    summary="Book what a prepaid partner has paid in",
    tags=["Partners"],
)
def deposit(partner_id: str, request: Annotated[DepositRequest, Body()]) -> Answer:
    caller, now, program = auth.caller(app), clock.now(), programs.load_program()
    partner = require_partner(program, partner_id)
    if request.currency != program.currency:
        raise InvalidRequestError(Fault("/currency", f"must be {program.currency}, the program's currency"))
    wanted = partner_funds.Deposit(
        partner_id=partner_id,
        reference=request.reference,
        amount=request.amount,
        points=deposit_points(partner, request.amount),
        actor=caller.actor,
        deposited_at=now,
        fingerprint=request_ids.fingerprint(request),
    )
    trail = audit.trail(caller, "partner.deposited", now, partner_id=partner_id, reference=request.reference)
    made, was_before = partner_deposits.deposit(wanted, trail)
    answer = DepositAnswer(
        partner_id=partner_id,
        reference=made.reference,
        deposited=Money(amount=made.amount, currency=program.currency),
        points=made.points,
        deposited_at=made.deposited_at,
        funds=_funds(partner, partner_deposits.look(partner, now, tells=False), program),
    )
    return json_answer(answer, HTTPStatus.OK if was_before else HTTPStatus.CREATED, replayed=was_before)


def _reached(partner_id: str, program: Program) -> Partner:
    """The partner that a path means; `me` is the token's own. Raises PartnerNotFoundError for anybody else's."""
    own = auth.caller(app).partner_id
    meant = own if partner_id == "me" else partner_id
    if own is not None and meant != own:
        raise PartnerNotFoundError(f"the program has no partner {partner_id!r}")
    return require_partner(program, meant)


def _funds(partner: Partner, budget: Budget, program: Program) -> FundsAnswer:
    cost = partner.point_cost
    return FundsAnswer(
        deposited=budget.total,
        spent=budget.spent,
        left=budget.left,
        amount_left=Money(amount=budget.left * cost.amount // cost.points, currency=program.currency),
        alert_below=partner.alert_below,
        is_low=budget.left < partner.alert_below,
    )


def _month(partner: Partner, today: date) -> MonthAnswer | None:
    most, frees_on = partner.limits.points_per_month, period_frees_on(today, "month")
    if most is None or frees_on is None:
        return None
    spent = budgets.load(month_name(partner.partner_id, month_of(today))).spent
    return MonthAnswer(points_max=most, left=max(0, most - spent), frees_on=frees_on)


def _entry(entry: Entry, partner: Partner) -> PartnerEntryAnswer:
    moved = points_of(entry) if entry.type in {"capture", "reverse"} else entry.points
    order_id = entry.source.get("order_id")
    return PartnerEntryAnswer(
        entry_id=entry.entry_id,
        type=entry.type,
        member_id=entry.member_id,
        points=-moved if entry.type == "capture" else moved,
        order_id=order_id.removeprefix(f"{partner.partner_id}/") if order_id else None,
        refund_id=entry.source.get("refund_id"),
        redemption_id=entry.source.get("redemption_id"),
        reward_id=entry.source.get("reward_id"),
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        program_version=entry.program_version,
    )


def _settlement(partner: Partner, month: str, settled: Settlement, program: Program) -> SettlementAnswer:
    owed_by: Literal["partner", "shop", "nobody"] = "nobody"
    if settled.net:
        owed_by = "partner" if settled.net > 0 else "shop"
    return SettlementAnswer(
        partner_id=partner.partner_id,
        month=month,
        currency=program.currency,
        movements=tuple(MovementAnswer(movement=one, **settled.movements[one]._asdict()) for one in MOVEMENTS),
        prepaid=MovementAnswer(movement="prepaid", **settled.prepaid._asdict()),
        net=Money(amount=settled.net, currency=program.currency),
        owed_by=owed_by,
        is_final=month < _this_month(program),
    )


def _require_month(month: str, pointer: str) -> str:
    if not _MONTH.fullmatch(month):
        raise InvalidRequestError(Fault(pointer, "the month must be one, such as 2026-11"))
    return month


def _this_month(program: Program) -> str:
    return month_of(local_day(clock.now(), program.time_zone))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
