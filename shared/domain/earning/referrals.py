"""Referral: a friend's first purchase pays off for both, and no longer if it is returned.

The friend's side is booked with what the friend does. The advocate's is a consequence on another account, booked from
the ledger's stream when an entry says that the referral has paid off, or that it has not after all.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from shared.domain.account import Account
from shared.domain.actors import STREAM
from shared.domain.calendar import local_day
from shared.domain.earning.kept_orders import Sale, returned_of
from shared.domain.earning.refunds import taken_back
from shared.domain.entry import Entry, Piece
from shared.domain.errors import InvalidStateError
from shared.domain.facets import Referred
from shared.domain.ledger import book, draft, uses_given_back
from shared.domain.lots import Lots
from shared.domain.points.eligibility import is_excluded, points_for
from shared.domain.points.grants import granted, granted_now, granted_on
from shared.domain.points.limits import allowance, one_more, reached
from shared.domain.program.program import Program
from shared.domain.program.referrals import Referrals

USE = "referral"
"""Under which name an account counts the friends that it was rewarded for."""
Role = Literal["FRIEND", "ADVOCATE"]


def side_of(role: Role, times: int) -> str:
    """One side's name in keys: whose reward it is, and the how manieth, if it is not the first."""
    return role if times == 1 else f"{role}#{times}"


def friend_of(one: Account | Entry) -> str:
    """Whose referral an account has, or an entry is about: the member's own, or that of one merged into them."""
    return one.referred.friend or one.member_id if one.referred else one.member_id


def referral_of(account: Account, friend: str) -> Referred | None:
    """The referral of a friend whom somebody has brought: the member's, or of a member who was merged into them."""
    if account.referred is not None and friend_of(account) == friend:
        return account.referred
    return account.also_referred.get(friend)


def rests_on(account: Account, order_id: str) -> bool:
    """Whether a referral rests on an order."""
    known = (*([account.referred] if account.referred else []), *account.also_referred.values())
    return any(one.order_id == order_id for one in known)


def on_joining(account: Account, program: Program, *, now: datetime, actor: str) -> list[Entry]:
    """The reward of a friend who has just joined, where it comes with joining and nobody has to look first."""
    terms, referred = program.referrals, account.referred
    if terms is None or referred is None or referred.state != "open" or terms.friend_gets_them != "on_joining":
        return []
    return _friend_reward(account, program, terms, referred, None, now, actor)


def marked(account: Account, program: Program, earn: Entry) -> Entry:
    """An order's entry, marked if it makes a referral pay off."""
    terms, referred = program.referrals, account.referred
    if terms is None or referred is None or not _pays_off(account, program, terms, referred, earn):
        return earn
    after = _resting_on(referred, earn.source["order_id"], terms.minimum_spend)
    return earn.model_copy(update={"referred": after})


def friend_reward(account: Account, program: Program, earn: Entry) -> list[Entry]:
    """What a friend gets for the order that made the referral pay off; `account` is theirs after it."""
    terms, referred = program.referrals, earn.referred
    if terms is None or referred is None or referred.state != "rewarded":
        return []
    if terms.friend_gets_them == "on_joining" and referred.times == 1:
        return []
    return _friend_reward(account, program, terms, referred, _day_of(earn, program), earn.recorded_at, earn.actor)


def rested_anew(
    account: Account, program: Program, before: Sale | None, after: Sale | None, sales: Sequence[Sale]
) -> Referred | None:
    """What a member's referral rests on now that an order was as `before` and is as `after`; None: on what it did.

    `sales` are the member's orders as they stand, in the order in which they were booked. It rests on one that is kept.
    When that comes back the next one that is kept and qualifies takes its place; without one, what both got is to be
    taken back, until another order qualifies: one that is booked, or one that qualifies by what it was changed to.
    One that a merged member had beside the member's own rests on orders of that friend alone. No order bears two.
    """
    others = account.also_referred.items()
    of_friends = ((one, [sale for sale in sales if sale.entry.member_id == friend]) for friend, one in others)
    known = [*of_friends, *([(account.referred, sales)] if account.referred else [])]
    changed = (_rested_anew(account, program, one, before, after, of_one) for one, of_one in known)
    return next((one for one in changed if one is not None), None)


def _rested_anew(
    account: Account,
    program: Program,
    referred: Referred,
    before: Sale | None,
    after: Sale | None,
    sales: Sequence[Sale],
) -> Referred | None:
    """What one referral rests on after a change of an order; it may rest on others of `sales`."""
    terms = program.referrals
    if terms is None or referred.state == "refused":
        return None
    least = referred.minimum_spend if referred.order_id else terms.minimum_spend
    if referred.state == "reversed" or referred.order_id is None:
        did, does = (one is not None and _qualifies(account, program, referred, one, least) for one in (before, after))
        is_new = does and not did and any(one is after for one in sales)
        return _resting_on(referred, after.entry.source["order_id"], least) if after and is_new else None
    if before is None or before.entry.source["order_id"] != referred.order_id or (after and _is_enough(after, least)):
        return None
    fitting = [sale.entry.source["order_id"] for sale in sales if _qualifies(account, program, referred, sale, least)]
    free = [order_id for order_id in fitting if not rests_on(account, order_id)]
    if free:
        return referred.model_copy(update={"order_id": free[0]})
    if referred.state == "in_review":  # nothing was paid: another order may still count
        return referred.model_copy(update={"order_id": None, "minimum_spend": 0})
    return referred.model_copy(update={"state": "reversed"})


def reviewed(
    account: Account, program: Program, *, is_approved: bool, now: datetime, actor: str, fingerprint: str = ""
) -> list[Entry]:
    """What an operator's verdict does with a referral: an approved one pays what it would have paid by now.

    Raises InvalidStateError if nothing is to be decided.
    """
    referred = account.referred
    if referred is None or referred.state != "in_review":
        raise InvalidStateError("the member's referral does not wait for a review")
    state = ("rewarded" if referred.order_id else "open") if is_approved else "refused"
    after = referred.model_copy(update={"state": state})
    entry = draft(
        account,
        "referral_review",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        referred=after,
        source={"friend": friend_of(account), "state": state},
    )
    terms = program.referrals
    if not is_approved or terms is None or (terms.friend_gets_them == "on_first_purchase" and not after.order_id):
        return [entry]
    return [entry, *_friend_reward(book(account, entry), program, terms, after, None, now, actor)]


def advocate_reward(
    account: Account, program: Program, terms: Referrals, friend: str, order: Entry, now: datetime, times: int = 1
) -> Entry:
    """What an advocate gets for a friend's order, for the how manieth of `times`: pending until it cannot be returned.

    Past the limit, or for somebody excluded, it is booked with no points, and the entry says why.
    """
    today = local_day(now, program.time_zone)
    cap = allowance(account, USE, terms.limit, today)
    points = terms.advocate_points if cap is None else min(cap, terms.advocate_points)
    text = "A friend's first purchase"
    if terms.limit and points < terms.advocate_points:
        text = f"{text} ({reached(terms.limit, today)})"
    if is_excluded(account, program):
        points, text = 0, f"{text} (this customer is excluded from earning)"
    effects = granted_on(account, program, points, _day_of(order, program) + timedelta(days=terms.return_days), today)
    uses = {USE: one_more(account, USE, terms.limit, today, points)} if terms.limit and points else {}
    return draft(
        account,
        "referral",
        occurred_at=now,
        recorded_at=now,
        points=points,
        program_version=program.version,
        actor=STREAM,
        **effects,
        earned=points,
        uses=uses,
        source={"friend": friend, "role": side_of("ADVOCATE", times)},
        breakdown=(Piece(rule_id="referral", points=points, description=text),),
    )


def reversal(account: Account, program: Program, paid: Entry, now: datetime, lapsed: Lots) -> Entry:
    """Take a reward back: pending points first, then its own lot and the next to expire, then debt if allowed.

    What of it has expired unspent, `lapsed`, counts as taken back.
    """
    taken = taken_back(account, program, paid, paid.points, lapsed)
    return draft(
        account,
        "referral_reversal",
        occurred_at=now,
        recorded_at=now,
        program_version=program.version,
        actor=STREAM,
        **taken.fields,
        earned=-taken.points,
        uses=uses_given_back(paid.uses),
        source={"friend": paid.source["friend"], "role": paid.source["role"]},
    )


def carried(gone: Account, into: Account) -> Referred | None:
    """What a merge makes of a referral: the first one stays, and nobody is their own advocate. None: no change."""
    ours = {*into.ids, *gone.ids}
    if into.referred is not None or gone.referred is None or gone.referred.advocate in ours:
        return None
    return _of_merged(gone, gone.referred)


def carried_beside(gone: Account, into: Account) -> dict[str, Referred]:
    """The referrals that a merge leaves to rest on their orders beside the one that stays.

    What they have paid is taken back when these come back, though the friend is the advocate by now, or somebody whom
    an advocate has brought. One that has not paid off is none any more.
    """
    kept = dict(gone.also_referred)
    if gone.referred is not None and carried(gone, into) is None and _has_paid(gone.referred):
        kept[friend_of(gone)] = _of_merged(gone, gone.referred)
    return kept


def may_pay_off(account: Account, program: Program, today: date) -> bool:
    """Whether a purchase made today comes soon enough after joining."""
    if program.referrals is None or account.enrolled_at is None:
        return False
    return today <= local_day(account.enrolled_at, program.time_zone) + timedelta(days=program.referrals.purchase_days)


def _of_merged(gone: Account, referred: Referred) -> Referred:
    """A merged member's referral, as the account that they have become has it."""
    joined_at = (referred.joined_at or gone.enrolled_at) if _has_paid(referred) else None
    return referred.model_copy(update={"friend": friend_of(gone), "joined_at": joined_at})


def _has_paid(referred: Referred) -> bool:
    return referred.order_id is not None and referred.state in {"rewarded", "reversed"}


def _pays_off(account: Account, program: Program, terms: Referrals, referred: Referred, earn: Entry) -> bool:
    is_waiting = referred.state in {"open", "in_review"} and referred.order_id is None
    if not is_waiting and referred.state != "reversed":
        return False
    return _qualifies(account, program, referred, Sale(earn, returned_of(earn)), terms.minimum_spend)


def _qualifies(account: Account, program: Program, referred: Referred, sale: Sale, minimum_spend: int) -> bool:
    """Whether what is kept of an order is enough, and came soon enough, for a referral to rest on it."""
    terms, joined_at = program.referrals, referred.joined_at or account.enrolled_at
    if terms is None or joined_at is None:
        return False
    if referred.advocate in account.ids or not sale.counts_toward("referrals"):
        return False
    joined_on, day = local_day(joined_at, program.time_zone), _day_of(sale.entry, program)
    is_in_time = joined_on <= day <= joined_on + timedelta(days=terms.purchase_days)
    return is_in_time and _is_enough(sale, minimum_spend)


def _is_enough(sale: Sale, minimum_spend: int) -> bool:
    return 0 < sale.amount_kept >= minimum_spend


def _resting_on(referred: Referred, order_id: str, minimum_spend: int) -> Referred:
    """The referral once an order makes it pay off, again if it had to be taken back."""
    again = referred.state == "reversed"
    update = {
        "state": "rewarded" if again or referred.state == "open" else referred.state,
        "order_id": order_id,
        "minimum_spend": minimum_spend,
        "times": referred.times + again,
    }
    return referred.model_copy(update=update)


def _friend_reward(
    account: Account,
    program: Program,
    terms: Referrals,
    referred: Referred,
    began_on: date | None,
    now: datetime,
    actor: str,
) -> list[Entry]:
    points = points_for(account, program, terms.friend_points)
    if not points:
        return []
    today = local_day(now, program.time_zone)
    effects = (
        granted_now(account, program, points, today)
        if began_on is None
        else granted(account, program, points, began_on, today)
    )
    entry = draft(
        account,
        "referral",
        occurred_at=now,
        recorded_at=now,
        points=points,
        program_version=program.version,
        actor=actor,
        **effects,
        earned=points,
        source={"friend": referred.friend or account.member_id, "role": side_of("FRIEND", referred.times)},
        breakdown=(Piece(rule_id="referral", points=points, description="Brought by a friend"),),
    )
    return [entry]


def _day_of(earn: Entry, program: Program) -> date:
    return local_day(min(earn.occurred_at, earn.recorded_at), program.time_zone)
