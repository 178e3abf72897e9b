"""Consequences: what one member's entry means for others, and for what is kept about a person.

A referral that pays off rewards the advocate, one that is returned costs both; who never agreed to the terms is
forgotten. Each consequence is an entry under its own key, so a record that is delivered again finds it.
"""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.account import Account
from shared.domain.earning.referrals import Role, advocate_reward, friend_of, referral_of, reversal, side_of
from shared.domain.entry import Entry
from shared.domain.facets import Referred
from shared.domain.lifecycle.closed_accounts import reward_of_gone_taken_back
from shared.domain.lifecycle.lapsed_points import lapsed_unspent, ledgers_of_lapsed
from shared.domain.members import members
from shared.domain.members.members import Member
from shared.domain.subaccounts import member_of, wallet_of
from shared.services import given_vouchers, personal_data, remembered
from shared.tables import accounts, keys, ledger, operation, programs
from shared.tables import members as people
from shared.tables.client import Key, Write
from shared.tables.operation import Decision, Needs, Situation

ROLES: tuple[Role, ...] = ("FRIEND", "ADVOCATE")


def draw(entry: Entry, now: datetime) -> None:
    """Do what an entry asks for beyond its own account."""
    if entry.type == "unclaimed":
        people.forget(entry.member_id, members.lapsed)
    if entry.type == "erase" and member_of(entry.member_id) == entry.member_id:
        people.forget(entry.member_id, members.erased, lambda member: _remembering(member, now))
        personal_data.forget((entry.member_id, *accounts.load_account(entry.member_id).account.merged_from))
    if entry.owed:
        remembered.owe(entry, now)
    given_vouchers.follow(entry, now)
    if entry.referred is None:
        return
    if entry.referred.state == "rewarded":
        _reward_advocate(entry, now)
    elif entry.referred.state == "reversed":
        _take_back(entry, now)


def _remembering(member: Member, now: datetime) -> Sequence[Write]:
    """What remembers a member whose accounts were closed because they stayed away."""
    closed, wallet = accounts.load_accounts([member.member_id, wallet_of(member.member_id)])
    return remembered.writes(member, closed, wallet, programs.load_program(), now)


def _reward_advocate(entry: Entry, now: datetime) -> None:
    """Book the advocate's reward, unless the referral has been reversed meanwhile, or there is nobody to pay."""
    terms, friend, name = programs.load_program().referrals, _open_survivor(entry.member_id), friend_of(entry)
    referred = referral_of(friend, name) if friend else None
    if terms is None or friend is None or referred is None or not _still_pays(referred, entry):
        return
    cause = _cause(name, referred.times)
    given_vouchers.give_for_referral(friend.member_id, "friend", cause, now)
    advocate = _open_survivor(referred.advocate)
    order = ledger.load_entry(keys.of("earn", order_id=referred.order_id or ""))
    if advocate is None or advocate.member_id == friend.member_id or order is None:
        return
    earned = order
    given_vouchers.give_for_referral(advocate.member_id, "advocate", cause, now)

    def reward(situation: Situation) -> Decision:
        account, program = situation.account, situation.program
        return Decision([advocate_reward(account, program, terms, name, earned, situation.now, referred.times)])

    key = keys.of("referral", friend=name, role=side_of("ADVOCATE", referred.times))
    operation.run([advocate.member_id], reward, key=key, fingerprint="", now=now)


def _take_back(entry: Entry, now: datetime) -> None:
    """Take back what both got for an order that was returned, as far as they have got anything.

    Whoever the friend has been merged into since may have been brought by somebody too: that is another referral. Of
    an advocate who is gone it is recorded, as of a friend who is gone it is with the refund itself.
    """
    name = friend_of(entry)
    times = entry.referred.times if entry.referred else 1
    for to in ("friend", "advocate"):
        given_vouchers.take_back_for_referral(to, _cause(name, times), now)
    for role in (side_of(one, times) for one in ROLES):
        paid = ledger.load_entry(keys.of("referral", friend=name, role=role))
        owner = accounts.load_survivor(paid.member_id) if paid and paid.points else None
        if paid and owner and (owner.is_open or role.startswith("ADVOCATE")):
            _book_reversal(owner.member_id, paid, keys.of("referral_reversal", friend=name, role=role), now)


def _book_reversal(member_id: str, paid: Entry, key: Key, now: datetime) -> None:
    def asks(situation: Situation) -> Needs:
        known = situation.histories
        needed = ledgers_of_lapsed(situation.accounts, situation.program.expiry, paid, known)
        needed += [] if situation.account.is_open else situation.account.ids
        return Needs(histories=[name for name in dict.fromkeys(needed) if name not in known])

    def take(situation: Situation) -> Decision:
        account, program = situation.account, situation.program
        if not account.is_open:
            return Decision([reward_of_gone_taken_back(account, program, paid, situation.histories, situation.now)])
        lapsed = lapsed_unspent(account, program.expiry, paid, situation.histories)
        return Decision([reversal(account, program, paid, situation.now, lapsed)])

    operation.run([member_id], take, key=key, fingerprint="", now=now, asks=asks, may_be_closed=True)


def _cause(friend: str, times: int) -> str:
    """What gifts for a referral follow from: a friend's purchase that made it pay off, for the how manieth time."""
    return f"referral-{friend}-{times}"


def _still_pays(referred: Referred, entry: Entry) -> bool:
    return referred.state == "rewarded" and referred.order_id == (entry.referred and entry.referred.order_id)


def _open_survivor(member_id: str) -> Account | None:
    """The account that a member has by now: their own, or one that they were merged into; None if it is closed."""
    account = accounts.load_survivor(member_id)
    return account if account.is_open else None
