"""Spending points: the life of a redemption.

reserved → captured → reversed, or reserved → cancelled or lapsed. Nothing else. What is captured may come back in
parts; it is reversed once all of it has.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

from shared.domain import codes, entry_types
from shared.domain.account import Account
from shared.domain.actors import is_member, is_shop
from shared.domain.calendar import local_day
from shared.domain.earning.provisional import require_consent
from shared.domain.entry import Entry, GivenBack
from shared.domain.entry_types import RedemptionState
from shared.domain.errors import Fault, InsufficientPointsError, InvalidRequestError, InvalidStateError
from shared.domain.facets import Use
from shared.domain.fields import PositiveAmount, PositivePoints, Record, Reference
from shared.domain.ledger import combined, draft, give, negative, next_entry_id, take, uses_given_back
from shared.domain.lots import NO_LOTS, Drawn, Hold, PartnerShare
from shared.domain.points.activity import active_by_capturing, without_activity
from shared.domain.points.budgets import NO_CAPS
from shared.domain.points.expiry import policy_of, returned_lots
from shared.domain.points.forgiveness import kept_back
from shared.domain.points.freezing import require_not_frozen
from shared.domain.points.limits import one_more
from shared.domain.points.partner_funding import Taking, share_of, taking
from shared.domain.program.expiry import Inactivity
from shared.domain.program.partners import Partner
from shared.domain.program.program import PartnerReward, Program, Reward
from shared.domain.spending.order_payments import NOTHING_PAID, Payments, confirmed
from shared.domain.spending.prices import PointsRequest, Price, price
from shared.domain.spending.vouchers import given_up, issued, require_room
from shared.domain.subaccounts import is_wallet

OPEN_HOLDS_MAX = 20
_VOUCHER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_VOUCHER_LENGTH = 15
"""Drawn at random from 30 letters: 73 bits."""
_DERIVED_VOUCHER_LENGTH = 12
_VOUCHER_GROUP = 5
_DERIVED_VOUCHER_GROUP = 4


class Part(Record):
    """The part of a redemption that comes back, under the caller's own id: points, or credit in minor units."""

    reversal_id: Reference
    points: PositivePoints | None = None
    credit: PositiveAmount | None = None


def reserve(
    account: Account,
    program: Program,
    request: PointsRequest,
    *,
    redemption_id: str,
    now: datetime,
    actor: str,
    fingerprint: str,
    at: Partner | None = None,
    payments: Payments = NOTHING_PAID,
    caps: Mapping[str, int] = NO_CAPS,
) -> Entry:
    """Lock the points of a redemption; `at` says which partner asks for them, if one does.

    `payments` is what is paid of the order that the request names. `caps` says what is left of budgets that are nearly
    used up, by name. Raises as `price` does; MemberFrozenError; InsufficientPointsError if the balance does not cover
    it; InvalidStateError if too many redemptions are open; PartnerLimitReachedError if the partner's limits do.
    """
    require_not_frozen(account)
    require_consent(account)
    cost = price(account, program, request, local_day(now, program.time_zone), payments)
    return lock(
        account,
        program,
        cost,
        redemption_id=redemption_id,
        order_id=request.order_id,
        now=now,
        actor=actor,
        fingerprint=fingerprint,
        at=at,
        payments=payments,
        caps=caps,
    )


def lock(
    account: Account,
    program: Program,
    cost: Price,
    *,
    redemption_id: str,
    order_id: str | None,
    now: datetime,
    actor: str,
    fingerprint: str,
    at: Partner | None = None,
    payments: Payments = NOTHING_PAID,
    caps: Mapping[str, int] = NO_CAPS,
) -> Entry:
    """Lock what a redemption takes, points or credit, those first that expire soonest.

    Raises InsufficientPointsError if the balance does not cover it, InvalidStateError if too many redemptions are open,
    PartnerLimitReachedError if there is no room for it in the limits of the partner that asks for it.
    """
    require_points(account, cost.points)
    if len(account.holds) >= OPEN_HOLDS_MAX:
        first = min(hold.expires_at for hold in account.holds.values())
        raise InvalidStateError(
            f"{OPEN_HOLDS_MAX} redemptions are open at most; capture or cancel one, or wait: the first ends at {first}"
        )
    today = local_day(now, program.time_zone)
    taken = taking(account, at, cost.points, today, caps) if at else Taking()
    lots = take(account.lots, cost.points)
    if cost.reward is not None and cost.reward.voucher is not None:
        require_room(account)
    of_reward = _use_of(account, cost.reward, today, cost.quantity)
    held = Hold(
        points=cost.points,
        lots=lots,
        expires_at=now + timedelta(minutes=program.redeeming.hold_minutes),
        reward_id=cost.reward.reward_id if cost.reward else None,
        value=cost.value,
        order_id=order_id,
        order_total=cost.order_total,
        unconfirmed=cost.order_total is not None and is_member(actor) and not payments.is_booked,
        stocked=cost.reward is not None and cost.reward.stock is not None,
        limit_period=of_reward.period if of_reward else None,
        quantity=cost.quantity,
        partner=_taken_by(program, cost.reward, at),
        uses=taken.uses,
        budgets=taken.budgets,
        opened_by=next_entry_id(account),
    )
    return draft(
        account,
        "reserve",
        occurred_at=now,
        recorded_at=now,
        points=-cost.points,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        lots=negative(lots),
        opened={redemption_id: held},
        uses={**({f"reward:{held.reward_id}": of_reward} if of_reward else {}), **taken.uses},
        budgets=taken.budgets,
        stock={held.reward_id: -cost.quantity} if held.reward_id and held.stocked else {},
        source=_source(redemption_id, held),
        partner=held.partner,
    )


def capture(
    account: Account,
    program: Program,
    redemption_id: str,
    *,
    voucher_code: str,
    now: datetime,
    actor: str,
    payments: Payments = NOTHING_PAID,
) -> Entry:
    """Make a reserved redemption final: from now on it has a code. The caller has checked that its hold is open.

    `payments` is what is paid of the order that it names, this hold included. Where inactivity ends points, this
    prolongs all of them if the shop does it, those that it takes among them. Raises InvalidRequestError if the order
    takes less by now, or if only a member says what it comes to, who cannot confirm that.
    """
    hold = account.holds[redemption_id]
    if hold.unconfirmed and is_member(actor):
        raise InvalidRequestError(Fault("/capture", "the shop captures what pays for an order that is not booked yet"))
    by_credit = is_wallet(account.member_id)
    hold = confirmed(hold, payments, _share_percent(program, by_credit=by_credit), by_credit=by_credit)
    hold, active = hold.model_copy(update={"voucher_code": voucher_code}), {"lots": NO_LOTS}
    today = local_day(now, program.time_zone)
    if is_shop(actor):
        hold, active = active_by_capturing(account, policy_of(account, program), hold, today)
    return draft(
        account,
        "capture",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        **{**active, "closed": {redemption_id: hold}},
        vouchers=issued(program, redemption_id, hold, today),
        source=_source(redemption_id, hold),
        partner=hold.partner,
    )


def release(
    account: Account,
    program: Program,
    redemption_id: str,
    type_: Literal["cancel", "lapse", "gift_return"],
    *,
    occurred_at: datetime,
    now: datetime,
    actor: str,
) -> Entry:
    """Give held points back to the lots they came from.

    Those whose date has passed get the program's grace days if the shop gives them back, and else have expired. Of
    those that were forgiven meanwhile, since their order came back, nothing comes.
    """
    hold = account.holds[redemption_id]
    return draft(
        account,
        type_,
        occurred_at=occurred_at,
        recorded_at=now,
        program_version=program.version,
        actor=actor,
        **_given_back(account, program, hold, local_day(occurred_at, program.time_zone), actor),
        closed={redemption_id: hold},
        uses=_uses_given_back(hold),
        budgets=_budgets_given_back(hold),
        stock={hold.reward_id: hold.quantity} if hold.reward_id and hold.stocked else {},
        source=_source(redemption_id, hold),
        partner=hold.partner,
    )


def reverse(
    account: Account,
    program: Program,
    captured: Entry,
    redemption_id: str,
    *,
    now: datetime,
    actor: str,
    fingerprint: str = "",
    part: Part | None = None,
    returned_before: int = 0,
) -> Entry:
    """Give points back to the lots they came from, which the entry that captured them, `captured`, knows.

    Without a `part` it is all that is left after `returned_before`, points or minor units of credit. Raises
    InvalidStateError if less is left, InvalidRequestError for a part in points of what was paid by credit, or the like.
    """
    hold = captured.closed[redemption_id]
    points = _points_of(part, account) if part else hold.points - returned_before
    back = returned_before + points
    if points <= 0 or back > hold.points:
        left = hold.points - returned_before
        raise InvalidStateError(f"of {hold.points} that were taken {left} can come back, not {part and points}")
    gone = _part_of(hold, returned_before, back)
    in_parts = part is not None or returned_before > 0
    entry = draft(
        account,
        "reverse",
        occurred_at=now,
        recorded_at=now,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **_given_back(account, program, gone, local_day(now, program.time_zone), actor),
        uses=_uses_given_back(gone),
        budgets=_budgets_given_back(gone),
        stock={gone.reward_id: gone.quantity} if gone.reward_id and gone.stocked else {},
        reversed={redemption_id: gone},
        vouchers=given_up(account, captured, redemption_id, returned_before, back),
        returned=GivenBack(points=back, of_points=hold.points, of_value=hold.value) if in_parts else None,
        source=_source(redemption_id, hold) | ({"reversal_id": part.reversal_id} if part else {}),
        partner=hold.partner,
    )
    is_over = back == hold.points
    return without_activity(account, program, entry, captured, has_grace=is_shop(actor)) if is_over else entry


def require_points(account: Account, points: int) -> None:
    """Raises InsufficientPointsError if the balance does not cover them."""
    if points > account.balance:
        unit = "minor units of credit" if is_wallet(account.member_id) else "points"
        missing = points - account.balance
        raise InsufficientPointsError(f"{points} {unit} are needed, {account.balance} are there: {missing} short")


def state_after(type_: str) -> RedemptionState:
    """The state that a redemption is in after its entry of a type."""
    state = entry_types.of(type_).redemption_state
    if state is None:
        raise AssertionError(f"no redemption has an entry of type {type_}")
    return state


def state_left_by(entry: Entry) -> RedemptionState:
    """The state that a redemption is in after an entry of its life: one of which a part is left is still captured."""
    is_part = entry.returned is not None and entry.returned.points < entry.returned.of_points
    return state_after("capture" if is_part else entry.type)


def returned_by(entry: Entry) -> int:
    """How much of a redemption has come back by an entry of its life: points, or minor units of credit."""
    if entry.returned is not None:
        return entry.returned.points
    return sum(hold.points for hold in entry.reversed.values())


def state_of(entries: Mapping[str, Entry], now: datetime) -> RedemptionState:
    """A redemption's state from its entries, by type; of several reversals the last counts.

    A hold that has timed out has lapsed, booked or not.
    """
    for type_ in ("reverse", "capture", "cancel", "lapse"):
        if type_ in entries:
            return state_left_by(entries[type_])
    [hold] = entries["reserve"].opened.values()
    return "lapsed" if hold.expires_at <= now else "reserved"


def as_captured(reserved: Entry, captured: Entry | None) -> Entry:
    """The entry that reserved a redemption, with the code in its hold that the one that captured it, if any, gave."""
    if captured is None:
        return reserved
    given = {name: hold.voucher_code for name, hold in captured.closed.items()}
    opened = {
        name: hold.model_copy(update={"voucher_code": given[name]}) if name in given else hold
        for name, hold in reserved.opened.items()
    }
    return reserved.model_copy(update={"opened": opened})


def new_voucher_code(choice: Callable[[str], str]) -> str:
    """A code that nobody can work out: letters none of which is mistaken for another, picked by `choice`."""
    return codes.grouped(codes.drawn(choice, _VOUCHER_LENGTH, _VOUCHER_ALPHABET), _VOUCHER_GROUP)


def voucher_code_of(redemption_id: str, hold: Hold) -> str:
    """What the member shows at the till for a captured redemption, by the hold of the entry that captured it.

    What was captured before codes were stored shows the one that it was given then, which followed from its id.
    """
    return hold.voucher_code or _derived_voucher_code(redemption_id)


def _derived_voucher_code(redemption_id: str) -> str:
    digest = hashlib.sha256(f"voucher:{redemption_id}".encode()).hexdigest()
    letters = codes.of_digest(digest, _DERIVED_VOUCHER_LENGTH, _VOUCHER_ALPHABET)
    return codes.grouped(letters, _DERIVED_VOUCHER_GROUP)


def _share_percent(program: Program, *, by_credit: bool) -> int:
    """How much of an order points may pay, or credit; all of it where the program takes no more of them."""
    terms = program.cashback if by_credit else program.redeeming.points_as_money
    return terms.order_share_percent if terms else 100


def _points_of(part: Part, account: Account) -> int:
    """How many points a part is, or minor units of credit. Raises InvalidRequestError if it says the other."""
    asked, other = ("credit", "points") if is_wallet(account.member_id) else ("points", "credit")
    amount: int | None = getattr(part, asked)
    if amount is None:
        raise InvalidRequestError(Fault(f"/{other}", f"this redemption took {asked}; say how much {asked} comes back"))
    return amount


def _part_of(hold: Hold, before: int, back: int) -> Hold:
    """What of a hold comes back between `before` and `back` points: what expires last comes first.

    What stays of its value is computed once on all that has come back. A reward goes back on its shelf, and does not
    count to its limit any more, with the last part; its code is gone with that, too.
    """
    stays_before, stays = hold.points - before, hold.points - back
    lots = combined(take(hold.lots, stays_before), negative(take(hold.lots, stays)))
    value = hold.value
    if value is not None:
        value = value * stays_before // hold.points - value * stays // hold.points
    points = back - before
    uses = {
        name: use.model_copy(update={"times": int(stays == 0), "points": points}) for name, use in hold.uses.items()
    }
    budgets = dict.fromkeys(hold.budgets, points)
    drawn = _part_drawn(hold.drawn, before, back)
    rest = {"voucher_code": None} if stays == 0 else {"stocked": False, "limit_period": None}
    part = {"points": points, "lots": lots, "value": value, "uses": uses, "budgets": budgets, "drawn": drawn}
    return hold.model_copy(update={**part, **rest})


def _part_drawn(drawn: Drawn | None, before: int, back: int) -> Drawn | None:
    """What of a part was drawn from a pool: that comes back first."""
    points = min(drawn.points, back) - min(drawn.points, before) if drawn else 0
    return drawn.model_copy(update={"points": points}) if drawn and points else None


def _given_back(account: Account, program: Program, hold: Hold, today: date, actor: str) -> dict[str, Any]:
    """A hold's lots that come back, with the grace that those past their date may get, and the debt that they settle.

    What of them was forgiven when the order that had brought it was returned is not given back.
    """
    is_prolonged = isinstance(policy_of(account, program), Inactivity)
    gone = kept_back(account, hold, any_lot=is_prolonged)
    back = combined(hold.lots, negative(gone.lots))
    living, expired = returned_lots(account, program, back, today, has_grace=is_shop(actor))
    effects = {"points": sum(living.values()), **give(account, living), "expired": expired}
    return {**effects, "forgiven_lots": gone.change}


def _use_of(account: Account, reward: Reward | None, today: date, quantity: int) -> Use | None:
    """What so many more of a reward count toward its limit for a member; None: it has none."""
    if reward is None or reward.limit is None:
        return None
    return one_more(account, f"reward:{reward.reward_id}", reward.limit, today, times=quantity)


def _uses_given_back(hold: Hold) -> dict[str, Use]:
    """What was not had in the end does not count against the period it was taken in: a limited reward, a partner's."""
    uses = uses_given_back(hold.uses)
    if hold.limit_period is not None:
        uses[f"reward:{hold.reward_id}"] = Use(period=hold.limit_period, times=-hold.quantity)
    return uses


def _budgets_given_back(hold: Hold) -> dict[str, int]:
    return {name: -points for name, points in hold.budgets.items()}


def _taken_by(program: Program, reward: Reward | None, at: Partner | None) -> PartnerShare | None:
    partner = at or (program.partner(reward.partner_id) if isinstance(reward, PartnerReward) else None)
    return share_of(partner) if partner is not None else None


def _source(redemption_id: str, hold: Hold) -> dict[str, str]:
    source = {"redemption_id": redemption_id, "reward_id": hold.reward_id, "order_id": hold.order_id}
    source["partner_id"] = hold.partner.partner_id if hold.partner else None
    return {name: value for name, value in source.items() if value is not None}
