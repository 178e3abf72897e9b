"""Gifts without points: given because of an entry or of a long absence, and taken back with what brought them.

A voucher's id follows from the gift and its cause: whatever is told twice gives it once.
"""

from collections.abc import Sequence
from datetime import datetime

from shared import request_ids
from shared.domain.account import Account
from shared.domain.actors import CLOCK, STREAM
from shared.domain.calendar import local_day
from shared.domain.entry import Entry
from shared.domain.errors import InvalidStateError, MemberNotActiveError
from shared.domain.program.given_vouchers import GivenVoucher
from shared.domain.program.program import Program
from shared.domain.spending import given_vouchers as rules
from shared.services import own_codes
from shared.tables import accounts, keys, ledger, operation, programs, vouchers
from shared.tables.client import Key
from shared.tables.operation import Decision, Situation


class _NothingGivenError(InvalidStateError):
    """Something is in the way of a gift. Never answered."""


def follow(entry: Entry, now: datetime) -> None:
    """Give what an entry brings, and take back what goes with it."""
    program = programs.load_program()
    for gift in rules.brought_by(entry, program):
        undone = [keys.of("badge_lost", **entry.source, of=entry.member_id)] if entry.type == "badge" else []
        _give(entry.member_id, gift, entry.entry_id, now, undone, CLOCK if entry.actor == CLOCK else STREAM)
    if entry.type == "badge_lost":
        _take_back_with_badge(entry, program, now)
    if rules.may_lose_tier(entry):
        account = accounts.load_account(entry.member_id).account
        history = [one for name in account.ids for one in ledger.load_whole_history(name)]
        for given in rules.tiers_lost(entry, program, history):
            _take_back(given.source["voucher_id"], now)


def give_for_referral(member_id: str, to: str, cause: str, now: datetime) -> None:
    """Give an advocate, or a friend, what the program gives them for a first purchase."""
    for gift in rules.of_referral(programs.load_program(), to):
        _give(member_id, gift, cause, now)


def take_back_for_referral(to: str, cause: str, now: datetime) -> None:
    """Take back what was given for a purchase that came back."""
    for gift in rules.of_referral(programs.load_program(), to):
        _take_back(_id_of(gift, cause), now)


def win_back(member_id: str, now: datetime) -> None:
    """Give a member who has stayed away so long what the program gives to win them back."""
    program = programs.load_program()
    if not program.wins_back:
        return
    account = accounts.load_account(member_id).account
    found = rules.next_to_win_back(account, program)
    if found is not None and found.on <= local_day(account.present(now), program.time_zone):
        _give(member_id, found.gift, f"{member_id}-{account.last_order_on}", now, actor=CLOCK)


def _give(
    member_id: str, gift: GivenVoucher, cause: str, now: datetime, undone: Sequence[Key] = (), actor: str = STREAM
) -> None:
    """Give a voucher, unless it was given, something is in the way, or what brought it is `undone`.

    Raises RewardUnavailableError if none of the shop's own codes is left: it is given once there are some.
    """
    survivor = accounts.load_survivor(member_id)
    voucher_id, drawn = _id_of(gift, cause), own_codes.drawn()
    given_key = keys.of("voucher_given", voucher_id=voucher_id)

    def decide(situation: Situation) -> Decision:
        account, program = situation.account, situation.program
        today = local_day(situation.now, program.time_zone)
        if situation.entry(given_key) is not None:
            raise _NothingGivenError("it was given")
        is_undone = any(situation.entry(key) for key in undone) or not rules.holds(account, program, gift.on)
        reason = "what brought it has come back" if is_undone else rules.why_not(account, program, gift, today)
        if reason is not None:
            raise _NothingGivenError(reason)
        code, takes = own_codes.next_code(situation, gift.reward_id, drawn)
        named = {"voucher_id": voucher_id, "code": code, "cause": cause}
        return Decision([rules.given(account, program, gift, **named, now=situation.now, actor=actor)], takes)

    reads = [given_key, *undone]
    _book(survivor, decide, given_key, reads, now, lambda situation: own_codes.asks(situation, gift.reward_id))


def _take_back_with_badge(lost: Entry, program: Program, now: datetime) -> None:
    """Take back what was given with a badge. It was given because of the entry that brought the badge."""
    badge = ledger.load_entry(
        keys.of("badge", member_id=lost.source["of"], badge_id=lost.source["badge_id"], times=lost.source["times"])
    )
    if badge is None:
        raise AssertionError(f"the badge that {lost.entry_id} takes back was never earned")
    for gift in rules.of_badge(program, lost.source["badge_id"]):
        _take_back(_id_of(gift, badge.entry_id), now)


def _take_back(voucher_id: str, now: datetime) -> None:
    """Take a gift back, if it was given."""
    given_by = ledger.load_entry(keys.of("voucher_given", voucher_id=voucher_id))
    if given_by is None:
        return
    used_key = vouchers.used_key(voucher_id)

    def decide(situation: Situation) -> Decision:
        account, program, at = situation.account, situation.program, situation.now
        used = vouchers.used_of(situation.items.get(used_key))
        return Decision([rules.gift_taken_back(account, program, given_by, used=used, now=at, actor=STREAM)])

    key = keys.of("voucher_taken_back", voucher_id=voucher_id)
    _book(accounts.load_survivor(given_by.member_id), decide, key, [used_key], now)


def _book(
    account: Account,
    decide: operation.Decide,
    key: Key,
    reads: Sequence[Key],
    now: datetime,
    asks: operation.Asks = lambda _: operation.NOTHING_MORE,
) -> None:
    try:
        operation.run([account.member_id], decide, key=key, fingerprint="", now=now, reads=reads, asks=asks)
    except (_NothingGivenError, MemberNotActiveError):
        return


def _id_of(gift: GivenVoucher, cause: str) -> str:
    return request_ids.derived_id("given_voucher", gift.gift_id, cause)
