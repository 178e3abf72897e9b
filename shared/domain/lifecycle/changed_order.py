"""A change of an order with all that hangs on it: badges, tier, challenges, the referral, and points that lapsed."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.account import Account
from shared.domain.calendar import local_day
from shared.domain.earning.cashback import take_back_credit
from shared.domain.earning.challenges import badges_for, counts, order_deed
from shared.domain.earning.kept_orders import Returned, Sale, returned_of
from shared.domain.earning.referrals import friend_of, friend_reward, referral_of, rested_anew, rests_on
from shared.domain.earning.refunds import refund_order, taken_back
from shared.domain.entry import Entry
from shared.domain.facets import Badge
from shared.domain.ledger import book_all, draft
from shared.domain.lifecycle.kept_facets import Histories, change_of, sales_of
from shared.domain.lifecycle.lapsed_points import lapsed_unspent, ledgers_of_lapsed
from shared.domain.lots import Lots
from shared.domain.points.expiry import policy_of
from shared.domain.points.grants import with_tier_raised
from shared.domain.program.program import Program


class BookedOrder(NamedTuple):
    """An order in its member's ledger and, if it earned money, in their wallet's."""

    sale: Sale
    credit: Sale | None


class Background(NamedTuple):
    """What a change of an order is decided on beside the accounts.

    `credited_by` is the version of the program that the order was credited by: what the order has brought is told by
    it. By the one `in_force` points are given and taken now. `histories` are the ledgers that `ledgers_needed` has
    named, of member and wallet alike.
    """

    credited_by: Program
    in_force: Program
    histories: Histories


def refunded(
    accounts: Sequence[Account],
    order: BookedOrder,
    part: Returned,
    background: Background,
    *,
    refund_id: str,
    refunded_at: datetime,
    now: datetime,
    actor: str,
    fingerprint: str,
) -> list[Entry]:
    """Take back what the returned part of an order has brought, in points and in money.

    `accounts` are the member's and their wallet. The refund's own entry comes first.
    """
    account, wallet = accounts
    program = background.in_force
    entry = refund_order(
        account,
        program,
        order.sale,
        part,
        refund_id=refund_id,
        refunded_at=refunded_at,
        now=now,
        actor=actor,
        fingerprint=fingerprint,
        lapsed=lapsed_of(account, order.sale, background),
    )
    after = order.sale._replace(returned=returned_of(entry))
    entries = with_all_that_follows(account, entry, order.sale, after, background)
    if order.credit is not None:
        lapsed = lapsed_of(wallet, order.credit, background)
        entries.append(take_back_credit(wallet, program, order.credit, entry, lapsed=lapsed))
    return entries


def ledgers_needed(
    accounts: Sequence[Account], program: Program, credited_by: Program, order: BookedOrder, histories: Histories
) -> list[str]:
    """Whose entries a change of the order must know: the member's if more rests on it than points, or has expired.

    `accounts` are the member's, their wallet, and the others of the situation. What the order has brought is told by
    the program that it was `credited_by`, as far as that is known: see `asks_credited_by`. More may be needed once
    `histories` has what was.
    """
    account, wallet = accounts[:2]
    names = ledgers_of_lapsed(accounts, program.expiry, order.sale.entry, histories)
    if _reaches_further(account, program, credited_by, order.sale):
        names += account.ids
    if order.credit is not None:
        names += ledgers_of_lapsed([wallet], policy_of(wallet, program), order.credit.entry, histories)
    return list(dict.fromkeys(names))


def asks_credited_by(account: Account, sale: Sale) -> bool:
    """Whether it takes the program that the order was credited by to tell if more than points rest on it.

    Its own entry tells nothing of a challenge where the count begins anew at the number that it had.
    """
    return sale.counts_toward("challenges") and bool(account.progress or account.badges)


def _reaches_further(account: Account, program: Program, credited_by: Program, sale: Sale) -> bool:
    """Whether more than points can rest on an order: then the member's entries are needed to change it."""
    entry, order_id = sale.entry, sale.entry.source["order_id"]
    if rests_on(account, order_id):
        return True
    deed = order_deed(program, sale, entry.points)
    nobody = Account(member_id=account.member_id)
    is_deed = sale.counts_toward("challenges")
    challenges = [*program.challenges, *credited_by.challenges]
    if entry.progress or (is_deed and any(counts(challenge, nobody, deed) for challenge in challenges)):
        return True
    if entry.activity and account.last_order_on == deed.on:
        return True
    tier, booked_on = account.tier, local_day(entry.recorded_at, program.time_zone)
    is_raised = tier is not None and bool(program.tiers.rank(tier.tier_id)) and booked_on <= tier.since
    return is_raised and sale.counts_toward("tiers")


def with_all_that_follows(
    account: Account, changed: Entry, before: Sale | None, after: Sale | None, background: Background
) -> list[Entry]:
    """The entry of an order's change with what becomes of the member by it; after it badges lost or gained.

    `account` is the one that the entry follows.
    """
    program, in_force, histories = background.credited_by, background.in_force, _of(account, background)
    if not histories:
        return [changed]
    histories[account.member_id] = [*histories[account.member_id], changed]
    others = {name: sale for name, sale in sales_of(histories).items() if name != changed.source["order_id"]}
    was, will_be = ({**others, **_named(sale)} for sale in (before, after))
    change = change_of(account, program, in_force, histories, was, will_be)
    referred = rested_anew(account, program, before, after, sorted(will_be.values(), key=_when_booked))
    update = {
        "progress": {**changed.progress, **change.progress},
        "tier": change.tier,
        "last_order_on": change.last_order_on,
        "referred": referred or changed.referred,
    }
    changed = changed.model_copy(update=update)
    if change.tier is None:
        changed = with_tier_raised(account, program, changed, local_day(changed.recorded_at, program.time_zone))
    entries = [changed]
    for name, times in change.badges.items():
        for badge in _newest_held(histories, name)[: max(0, -times)]:
            known = {**background.histories, account.member_id: [*histories[account.member_id], *entries[1:]]}
            entries.append(_badge_lost(book_all(account, entries), in_force, badge, changed, known))
        challenge = [one for one in program.challenges if one.challenge_id == name] * max(0, times)
        entries += badges_for(book_all(account, entries), in_force, challenge, changed)
    referral = referral_of(account, friend_of(entries[0])) if entries[0].referred else None
    if referral is not None and referral.state != "rewarded":
        entries += friend_reward(book_all(account, entries), in_force, entries[0])
    return entries


def _of(account: Account, background: Background) -> dict[str, Sequence[Entry]]:
    """The ledgers of an account and of those that were merged into it; none if they were not needed."""
    names = account.ids
    return {name: background.histories[name] for name in names if name in background.histories}


def lapsed_of(account: Account, sale: Sale, background: Background) -> Lots:
    """Points of the order, or credit, that have expired unspent and were not counted as taken back yet."""
    return lapsed_unspent(account, policy_of(account, background.in_force), sale.entry, background.histories)


def _named(sale: Sale | None) -> dict[str, Sale]:
    return {sale.entry.source["order_id"]: sale} if sale else {}


def _when_booked(sale: Sale) -> tuple[datetime, int]:
    return sale.entry.recorded_at, sale.entry.sequence


def _badge_lost(account: Account, program: Program, badge: Entry, cause: Entry, histories: Histories) -> Entry:
    """Take back a badge that rests on nothing any more, and its points."""
    name = badge.source["badge_id"]
    held = account.badges[name]
    lapsed = lapsed_unspent(account, program.expiry, badge, histories)
    taken = taken_back(account, program, badge, badge.points, lapsed)
    return draft(
        account,
        "badge_lost",
        occurred_at=cause.occurred_at,
        recorded_at=cause.recorded_at,
        program_version=cause.program_version,
        actor=cause.actor,
        **taken.fields,
        earned=-taken.points,
        badges={name: Badge(on=held.on, times=max(0, held.times - 1), lost=held.lost + 1)},
        source={
            "badge_id": name,
            "times": badge.source["times"],
            "of": badge.member_id,
            "order_id": cause.source["order_id"],
        },
    )


def _newest_held(histories: Histories, badge_id: str) -> list[Entry]:
    """The entries of a badge that have not been lost, the newest first."""
    entries = [one for each in histories.values() for one in each if one.source.get("badge_id") == badge_id]
    lost = {(one.source["of"], one.source["times"]) for one in entries if one.type == "badge_lost"}
    held = [one for one in entries if one.type == "badge" and (one.member_id, one.source["times"]) not in lost]
    return sorted(held, key=lambda one: (one.recorded_at, one.sequence), reverse=True)
