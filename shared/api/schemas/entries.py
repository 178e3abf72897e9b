"""The lines of the ledger as callers see them."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from shared.api.schemas.accounts import AccountAnswer, ExpiringPoints, points_by_day
from shared.api.schemas.money import Money, money_of
from shared.caller import OPERATOR, Caller
from shared.domain import order_ids
from shared.domain.actors import role_of
from shared.domain.earning.kept_orders import Sale, kept
from shared.domain.entry import Entry, Piece, Undone
from shared.domain.explanations import note_of, source_shown, source_told
from shared.domain.fields import Record
from shared.domain.program.program import Program


class Effects(Record):
    """Signed changes of the four buckets."""

    available: int
    pending: int
    held: int
    debt: int


class BreakdownLine(Record):
    """One line of how points came about."""

    rule_id: str
    points: int
    description: str


class OrderFigures(Record):
    """An order as it stands: its total, what of it was refunded, and the points that are kept of it."""

    total: int
    refunded: int
    points_kept: int


class EntryAnswer(Record):
    """One line of the ledger. `lots` says which expiry dates it touched, and `order` the order that it credits.

    `expired` are points that would have come back or arrived by it, had their last day not passed.
    Who acted is named to operators and to themselves; others see the role. Only operators see a `note`.
    """

    entry_id: str
    type: str
    points: int
    available_on: date | None
    expires_on: date | None
    occurred_at: datetime
    recorded_at: datetime
    source: dict[str, str]
    sequence: int
    balance_after: int
    effects: Effects
    lots: tuple[ExpiringPoints, ...]
    breakdown: tuple[BreakdownLine, ...]
    actor: str
    program_version: int
    order: OrderFigures | None = None
    expired: tuple[ExpiringPoints, ...] = ()
    note: Annotated[str | None, Field(exclude_if=lambda note: note is None)] = None


class BookedAnswer(Record):
    """The entry that was booked, and the account now."""

    entry: EntryAnswer
    account: AccountAnswer


class PartnerEntry(Record):
    """An entry as the partner sees that had it booked: what it moves and why, and nothing of what else the member has.

    `order` is the order that it credits, as it stands.
    """

    entry_id: str
    type: str
    member_id: str
    points: int
    available_on: date | None
    expires_on: date | None
    occurred_at: datetime
    recorded_at: datetime
    source: dict[str, str]
    program_version: int
    order: OrderFigures | None = None


class PartnerBookedAnswer(Record):
    """A partner's entry that was booked: a partner is never shown the account."""

    entry: PartnerEntry


class TierLost(Record):
    """The tier that a member has lost, and the one that they have now."""

    before: str
    after: str


class RefundAnswer(BookedAnswer):
    """A refund, the account now, and what the refund did: points and credit taken back, and what was spent returned.

    `credit` is null if the order earned none, `returned_credit` if no credit came back.
    """

    points: int
    credit: Money | None
    returned_points: int
    returned_credit: Money | None
    tier_lost: TierLost | None
    badges_lost: tuple[str, ...]


class EntryPage(Record):
    """A page of the ledger, newest first."""

    items: tuple[EntryAnswer, ...]
    next_cursor: str | None


def entry_answer(entry: Entry, caller: Caller, sale: Sale | None = None) -> EntryAnswer:
    """An entry as the caller sees it; `sale` is the order that it credits, as it stands."""
    is_operator = OPERATOR in caller.scopes
    source = source_shown(entry.source) if is_operator else source_told(entry.type, entry.source)
    return EntryAnswer(
        entry_id=entry.entry_id,
        type=entry.type,
        points=entry.points,
        available_on=entry.available_on,
        expires_on=entry.expires_on,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        source={name: order_ids.shown(text) if name == "order_id" else text for name, text in source.items()},
        sequence=entry.sequence,
        balance_after=entry.balance_after,
        effects=Effects(
            available=entry.available_effect, pending=entry.pending_effect, held=entry.held_effect, debt=entry.debt
        ),
        lots=points_by_day(entry.lots),
        breakdown=breakdown_lines(entry.breakdown),
        actor=entry.actor if is_operator or caller.actor == entry.actor else role_of(entry.actor),
        program_version=entry.program_version,
        order=_figures(sale) if sale else None,
        expired=points_by_day(entry.expired),
        note=note_of(entry.source) if is_operator else None,
    )


def partner_entry(entry: Entry, sale: Sale | None = None) -> PartnerEntry:
    """An entry as its partner sees it; `sale` is the order that it credits, as it stands."""
    shown = ("order_id", "refund_id", "partner_id")
    return PartnerEntry(
        entry_id=entry.entry_id,
        type=entry.type,
        member_id=entry.member_id,
        points=entry.points,
        available_on=entry.available_on,
        expires_on=entry.expires_on,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        source={name: entry.source[name] for name in shown if name in entry.source},
        program_version=entry.program_version,
        order=_figures(sale) if sale else None,
    )


def refund_answer(entry: Entry, account: AccountAnswer, program: Program, caller: Caller) -> RefundAnswer:
    """A refund as the caller sees it."""
    undone = entry.undone or Undone()
    tier = TierLost(before=undone.tier_before, after=entry.tier.tier_id) if undone.tier_before and entry.tier else None
    return RefundAnswer(
        entry=entry_answer(entry, caller),
        account=account,
        points=-entry.points,
        credit=money_of(undone.credit, program),
        returned_points=undone.spent_points,
        returned_credit=money_of(undone.spent_credit, program),
        tier_lost=tier,
        badges_lost=undone.badges,
    )


def _figures(sale: Sale) -> OrderFigures:
    return OrderFigures(total=sale.order.total, refunded=sale.returned.amount, points_kept=kept(sale).points)


def breakdown_lines(pieces: tuple[Piece, ...]) -> tuple[BreakdownLine, ...]:
    """How points came about, line by line."""
    return tuple(
        BreakdownLine(rule_id=piece.rule_id, points=piece.points, description=piece.description) for piece in pieces
    )
