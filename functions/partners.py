"""What partners and operators read of a partner's ledger, and what partners pay in."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from shared import clock
from shared.api import auth, paging, paths, resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.schemas.money import Money
from shared.caller import OPERATOR, PARTNER
from shared.domain import order_ids
from shared.domain.entry import Entry
from shared.domain.errors import foreign_cursor
from shared.domain.fields import Record
from shared.domain.points.budgets import Budget
from shared.domain.points.partner_funding import MOVEMENTS, points_for_partner
from shared.domain.program.partners import Counted, Partner, PartnerLimits
from shared.domain.program.program import Program
from shared.services import partner_deposits, partner_statements
from shared.services.partner_deposits import DepositRequest
from shared.services.partner_statements import MonthSettlement, Terms

app = resolver.resolver()

ITS_OWN = routes.open_to(OPERATOR, PARTNER)


class PointCostAnswer(Record):
    """What so many points cost a partner that gives them, or bring one that takes them."""

    points: int
    cost: Money


class FundsAnswer(Record):
    """Points that deposits have paid for, how many are spent and left, and what those left cost, rounded down."""

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
    """A partner: its terms, its funds if it is prepaid, and how many points it may still give this month."""

    partner_id: str
    name: str
    may_earn: bool
    may_redeem: bool
    takes_points_as_money: bool
    counts_toward: tuple[Counted, ...]
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
    """A page of a partner's entries of a month, in the order of booking."""

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

    More entries may come until `is_final`.
    """

    partner_id: str
    month: str
    currency: str
    movements: tuple[MovementAnswer, ...]
    prepaid: MovementAnswer
    net: Money
    owed_by: Literal["partner", "shop", "nobody"]
    is_final: bool


class DepositAnswer(Record):
    """A deposit, the points that it pays for, and the partner's funds now."""

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
    summary="A partner's terms, funds and alert; `me` is the token's own partner",
    tags=["Partners"],
)
def read_partner(partner_id: str) -> Answer:
    return json_answer(_terms(partner_statements.read_terms(partner_id, caller=auth.caller(app), now=clock.now())))


@app.get(
    "/v1/partners/<partner_id>/entries",
    security=ITS_OWN,
    responses=routes.json_responses({200: PartnerEntryPage}, 404),
    summary="The entries by which a partner gave or took points in a month (such as 2026-11; if left out, this one)",
    tags=["Partners"],
)
def read_entries(
    partner_id: str,
    month: Annotated[str | None, Query()] = None,
    limit: paging.PageLimit = paging.PAGE_DEFAULT,
    cursor: paging.PageCursor = None,
) -> Answer:
    wanted = paths.parsed_month(month, "query:month") if month else None
    after = paging.decode_cursor(cursor, str)[0] if cursor else None
    if after == "":
        raise foreign_cursor()
    page = partner_statements.read_entries(partner_id, wanted, limit, after, caller=auth.caller(app), now=clock.now())
    items = tuple(_entry(entry, page.partner) for entry in page.entries)
    following = paging.encode_cursor(page.next_after) if page.next_after else None
    return json_answer(PartnerEntryPage(items=items, next_cursor=following))


@app.get(
    "/v1/partners/<partner_id>/settlements/<month>",
    security=ITS_OWN,
    responses=routes.json_responses({200: SettlementAnswer}, 404),
    summary="What a month (such as 2026-11) comes to, and who owes it to whom",
    tags=["Partners"],
)
def read_settlement(partner_id: str, month: str) -> Answer:
    caller, now, wanted = auth.caller(app), clock.now(), paths.parsed_month(month)
    return json_answer(_settlement(partner_statements.read_settlement(partner_id, wanted, caller=caller, now=now)))


@app.post(
    "/v1/partners/<partner_id>/deposits",
    security=routes.open_to(OPERATOR),
    responses=routes.json_responses({201: DepositAnswer, 200: DepositAnswer}, 404, 409),
    summary="Book what a prepaid partner has paid in",
    tags=["Partners"],
)
def deposit(partner_id: str, request: Annotated[DepositRequest, Body()]) -> Answer:
    booked = partner_deposits.deposit(partner_id, request, caller=auth.caller(app), now=clock.now())
    answer = DepositAnswer(
        partner_id=partner_id,
        reference=booked.deposit.reference,
        deposited=Money(amount=booked.deposit.amount, currency=booked.program.currency),
        points=booked.deposit.points,
        deposited_at=booked.deposit.deposited_at,
        funds=_funds(booked.partner, booked.funds, booked.program),
    )
    return json_answer(answer, HTTPStatus.OK if booked.replayed else HTTPStatus.CREATED, replayed=booked.replayed)


def _terms(terms: Terms) -> PartnerAnswer:
    partner, program = terms.partner, terms.program
    cost = Money(amount=partner.point_cost.amount, currency=program.currency)
    return PartnerAnswer(
        partner_id=partner.partner_id,
        name=partner.name,
        may_earn=partner.may_earn,
        may_redeem=partner.may_redeem,
        takes_points_as_money=partner.takes_points_as_money,
        counts_toward=partner.counts_toward,
        funding=partner.funding,
        point_cost=PointCostAnswer(points=partner.point_cost.points, cost=cost),
        limits=partner.limits,
        funds=_funds(partner, terms.funds, program) if terms.funds else None,
        month=MonthAnswer(**terms.month._asdict()) if terms.month else None,
    )


def _funds(partner: Partner, budget: Budget, program: Program) -> FundsAnswer:
    return FundsAnswer(
        deposited=budget.total,
        spent=budget.spent,
        left=budget.left,
        amount_left=Money(amount=partner.point_cost.rounded_down(budget.left), currency=program.currency),
        alert_below=partner.alert_below,
        is_low=budget.left < partner.alert_below,
    )


def _entry(entry: Entry, partner: Partner) -> PartnerEntryAnswer:
    order_id = entry.source.get("order_id")
    return PartnerEntryAnswer(
        entry_id=entry.entry_id,
        type=entry.type,
        member_id=entry.member_id,
        points=points_for_partner(entry),
        order_id=order_ids.as_its_partner_knows_it(order_id, partner.partner_id) if order_id else None,
        refund_id=entry.source.get("refund_id"),
        redemption_id=entry.source.get("redemption_id"),
        reward_id=entry.source.get("reward_id"),
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        program_version=entry.program_version,
    )


def _settlement(month: MonthSettlement) -> SettlementAnswer:
    settlement, currency = month.settlement, month.program.currency
    return SettlementAnswer(
        partner_id=month.partner.partner_id,
        month=month.month,
        currency=currency,
        movements=tuple(MovementAnswer(movement=one, **settlement.movements[one]._asdict()) for one in MOVEMENTS),
        prepaid=MovementAnswer(movement="prepaid", **settlement.prepaid._asdict()),
        net=Money(amount=settlement.net, currency=currency),
        owed_by=settlement.owed_by,
        is_final=month.is_final,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
