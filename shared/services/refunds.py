"""Taking back what an order earned, for the part of it that was returned."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from shared import request_ids
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.earning.kept_orders import Returned, Sale, together
from shared.domain.earning.moments import moment
from shared.domain.earning.orders import LINES_MAX
from shared.domain.earning.refunds import ReturnedLine, part_by_amount, part_by_lines
from shared.domain.entry import Entry, Undone
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.fields import Flag, Instant, PositiveAmount, Record, Reference
from shared.domain.ledger import book_all
from shared.domain.lifecycle.changed_order import refunded
from shared.domain.lifecycle.closed_accounts import refunded_of_gone
from shared.domain.spending.spent_on_orders import drawn_from, given_back
from shared.domain.subaccounts import is_wallet, wallet_of
from shared.services import partner_access
from shared.services.orders import OrderReader, for_owner, former_owners, kept_as
from shared.tables import keys, operation
from shared.tables.operation import Decision, Needs, Situation


class Refund(Record):
    """Which part of an order came back: some of its lines, or `amount` minor units of what counted toward points.

    Without `refunded_at` it comes back now; one dated before its order counts as made with it. With `return_spent` the
    same share of the points and credit that were spent on the order comes back, too.
    """

    order_id: Reference
    refund_id: Reference
    amount: PositiveAmount | None = None
    lines: Annotated[tuple[ReturnedLine, ...], Field(min_length=1, max_length=LINES_MAX)] | None = None
    refunded_at: Instant | None = None
    return_spent: Flag = False


def refund(member_id: str, request: Refund, *, caller: Caller, now: datetime) -> operation.Outcome:
    """Take back points and store credit of the returned part of an order, and whatever rests on it.

    For a member who is gone it is recorded: nothing is booked to their closed accounts, and nothing given back to them.
    What they had spent of others' points goes back to the pool that they drew it from. Raises OrderNotFoundError,
    OrderBelongsToAnotherMemberError, RefundExceedsOrderError, and InvalidRequestError for lines that the order does not
    have.
    """
    _require_one_amount(request)
    partner = partner_access.calling(caller)
    order_id = partner_access.own_id(partner, request.order_id) if partner else kept_as(request.order_id)
    request = request.model_copy(update={"order_id": order_id})
    fingerprint = request_ids.fingerprint(request)
    member = caller.authorized_member_id(member_id)
    reader = OrderReader(request.order_id, partner)
    spenders = [member, *(former_owners(request.order_id, member) if request.return_spent else ())]

    def decide(situation: Situation) -> Decision:
        order = reader.find(situation)
        refunded_at = moment(request.refunded_at, "/refunded_at", situation.program, now)
        part = _part(order.sale, request)
        is_gone = not situation.account.is_open
        change = refunded_of_gone if is_gone else refunded
        gives_back = request.return_spent and not is_gone
        returns = _spent_given_back(situation, order.sale, part, request, caller) if gives_back else []
        # What comes back is there before points are taken: so a refund of all neither owes nor forgives it.
        entries = change(
            [book_all(one, _of_account(one, returns)) for one in situation.accounts[:2]],
            order,
            part,
            reader.background(situation, order),
            refund_id=request.refund_id,
            refunded_at=max(refunded_at, order.sale.entry.occurred_at),
            now=situation.now,
            actor=caller.actor,
            fingerprint=fingerprint,
        )
        to_pools = _given_to_pools(situation, entries, order.sale, part, request, caller) if is_gone else []
        undone = _undone(situation, order.credit is not None, [*returns, *to_pools], entries)
        return Decision([*returns, entries[0].model_copy(update={"undone": undone}), *entries[1:], *to_pools])

    def asks(situation: Situation) -> Needs:
        is_gone = not situation.account.is_open
        needs = reader.asks_for_all(situation) if request.return_spent or is_gone else reader.asks(situation)
        return needs if any(needs) or not request.return_spent else _pools_needed(situation, request.order_id)

    key = keys.of("refund", order_id=request.order_id, refund_id=request.refund_id)

    def run() -> operation.Outcome:
        return operation.run(
            [account for spender in spenders for account in (spender, wallet_of(spender))],
            decide,
            key=key,
            fingerprint=fingerprint,
            now=now,
            reads=reader.reads(member),
            asks=asks,
            may_be_closed=True,
        )

    return partner_access.shown(partner, for_owner(run, member, request.order_id, key, fingerprint, now))


def _of_account(account: Account, entries: Sequence[Entry]) -> list[Entry]:
    """Those of some entries that are the account's."""
    return [entry for entry in entries if entry.member_id == account.member_id]


def _spent_given_back(situation: Situation, sale: Sale, part: Returned, request: Refund, caller: Caller) -> list[Entry]:
    """What gives back the share of what was spent on the order that has come back of it, to whoever spent it.

    Of what somebody has spent who is gone, that is what others are missing in a pool.
    """
    share = Fraction(together(sale.returned, part).amount, sale.order.total or 1)
    gone = _gone(situation)
    return [
        reversal
        for account in situation.accounts
        for reversal in given_back(
            account,
            situation.program,
            [entry for name in account.ids for entry in situation.histories.get(name, ())],
            request.order_id,
            share,
            refund_id=request.refund_id,
            now=situation.now,
            actor=caller.actor,
            pools=_pools(situation, account, request.order_id) if account in gone else None,
        )
    ]


def _given_to_pools(
    situation: Situation, refund: Sequence[Entry], sale: Sale, part: Returned, request: Refund, caller: Caller
) -> list[Entry]:
    """What gives back to pools what a member who is gone has spent of them, after what the refund itself books."""
    if not request.return_spent:
        return []
    accounts = [book_all(one, _of_account(one, refund)) for one in situation.accounts]
    return _spent_given_back(situation._replace(accounts=accounts), sale, part, request, caller)


def _gone(situation: Situation) -> list[Account]:
    """The accounts to which nothing is given back: all closed ones, and if the order's member is gone all others."""
    return [one for one in situation.accounts if not (one.is_open and situation.account.is_open)]


def _pools_needed(situation: Situation, order_id: str) -> Needs:
    """The pools that those who are gone have paid for the order from, as far as they are not known yet."""
    names = [name for account in _gone(situation) for name in _drawn_from(situation, account, order_id)]
    wanted = [keys.account_key(name) for name in dict.fromkeys(names)]
    return Needs(items=[key for key in wanted if key not in situation.items])


def _pools(situation: Situation, account: Account, order_id: str) -> Mapping[str, Account]:
    """The pools that were asked for of which an account has paid for the order, by their ids."""
    found = ((name, situation.other_account(name)) for name in _drawn_from(situation, account, order_id))
    return {name: pool for name, pool in found if pool is not None}


def _drawn_from(situation: Situation, account: Account, order_id: str) -> list[str]:
    return drawn_from((one for name in account.ids for one in situation.histories.get(name, ())), order_id)


def _undone(
    situation: Situation, earned_credit: bool, returns: Sequence[Entry], entries: Sequence[Entry]
) -> Undone | None:
    """What the refund's own entry, the first of `entries`, notes of all that is booked with it, if there is any."""
    account, wallet = situation.accounts[:2]
    of_points, of_credit = ([one for one in returns if is_wallet(one.member_id) is here] for here in (False, True))
    taken = -sum(entry.points for entry in _of_account(wallet, entries))
    tiers, after = situation.program.tiers, entries[0].tier
    before = account.tier.tier_id if account.tier else None
    is_lost = after is not None and before is not None and (tiers.rank(after.tier_id) or 0) < (tiers.rank(before) or 0)
    undone = Undone(
        credit=taken if earned_credit else None,
        spent_points=sum(one.points for one in of_points),
        spent_credit=sum(one.points for one in of_credit) if of_credit else None,
        tier_before=before if is_lost else None,
        badges=tuple(entry.source["badge_id"] for entry in entries if entry.type == "badge_lost"),
    )
    return undone if undone != Undone() else None


def _require_one_amount(request: Refund) -> None:
    """Raises InvalidRequestError unless lines or an amount say what came back, or both say the same."""
    if request.lines is None:
        if request.amount is None:
            raise InvalidRequestError(Fault("/amount", "say what came back: an amount, or lines of the order"))
        return
    of_lines = sum(line.amount for line in request.lines)
    if request.amount not in {None, of_lines}:
        raise InvalidRequestError(Fault("/amount", f"must be {of_lines}, the sum of the lines, or left out"))


def _part(sale: Sale, request: Refund) -> Returned:
    if request.lines is not None:
        return part_by_lines(sale, request.lines)
    return part_by_amount(sale, request.amount or 0)
