"""Everything held about a member: exported in one piece, and deleted with the member as far as it is personal.

A change that keeps something new about members adds its place to `SOURCES`. A test goes through both tables, and fails
for an item that names a member and is neither found by a source nor listed in `BOOKKEEPING`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from shared import settings
from shared.caller import Caller
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import ReviewNotFoundError
from shared.domain.members.members import Member
from shared.domain.points.rates import cause_of, counted
from shared.domain.points.reviews import Review
from shared.domain.program.program import Program
from shared.domain.spending.redemptions import state_left_by
from shared.domain.subaccounts import pool_account_of, wallet_of
from shared.services import histories
from shared.services.histories import Page, Place
from shared.tables import (
    accounts,
    address_changes,
    audit,
    client,
    deferred_messages,
    gift_messages,
    ledger,
    members,
    partitions,
    programs,
    reviews,
    sessions,
)
from shared.tables.client import Key

_TOGETHER = 50
ENTRIES_MAX = 500
"""Of each ledger in one export, which shows an entry twice; Lambda answers with six megabytes at most. Older ones are
read page by page, where the export's cursors begin."""


BOOKKEEPING: Mapping[str, str] = {
    "AUDIT#": "operators' traces by month; those about a member are held with them as well",
    "IDENTITY#": "the keyed hash of an identifier; the profile has the identifier itself",
    "NAME#": "the keyed hash of a word of the name; the profile has the name itself",
    "BIRTHDAY#": "the list of a birthday; the profile has the birthday itself",
    "REMEMBERED#": "what waits for whoever is erased, under keyed hashes of their addresses, for a time",
    "SOURCE#": "how many friends came from one place in a week",
    "MESSAGE#": "that a message went out, so that it goes once; how many in a week",
    "STATEMENT#": "that a month's statement is still to be sent",
    "NOTE#": "that a message about an address is to be sent, without the address",
    "SIGN_IN#": "an address that has asked for a code to sign in, for an hour",
    "RATE#": "how often something was done in an hour or a day, for a time",
    "REVIEWS": "the queue of open reviews, each of which is also kept by its own id",
    "WEBHOOK#": "deliveries of events, which say what the entries say",
}
"""Items that name a member and say nothing more about them: what they are for, by the beginning of their key."""


class Export(NamedTuple):
    """Everything held about a member. Entries are those of merged members, too; `held` has all records as kept.

    Of each ledger it has the newest `ENTRIES_MAX`, and says where the member's others and the wallet's begin, if any.
    """

    member: Member
    account: Account
    others: tuple[Account, ...]
    """The pool's account, if the member shares in one."""
    program: Program
    entries: Page[Entry, int]
    wallet: Account | None
    """None: no store credit was ever booked."""
    credit_entries: Page[Entry, int]
    gift_messages: Mapping[str, str]
    held: Mapping[str, Any]


def export_member(member_id: str, *, caller: Caller, now: datetime) -> Export:
    """Everything held about a member. Raises MemberNotFoundError."""
    member_id = caller.authorized_member_id(member_id)
    member = members.load_member(member_id).member
    audit.record(caller, "member.exported", now, member_id)
    account, *others = accounts.load_with_pool(member_id)
    wallet = accounts.load_account(wallet_of(member_id)).account
    return Export(
        member,
        account,
        tuple(others),
        programs.load_program(),
        _newest(account),
        wallet if wallet.sequence else None,
        _newest(wallet) if wallet.sequence else Page((), None),
        gift_messages.all_words(account.ids),
        held(member_id),
    )


def held(member_id: str) -> dict[str, Any]:
    """Every record about a member, as kept, by what it is."""
    account = accounts.load_account(member_id).account
    return {name: source(account) for name, source in SOURCES.items()}


def forget(member_ids: Iterable[str]) -> None:
    """Delete all personal data of members except their profiles, which are deleted with their lists and identifiers."""
    member_ids = list(member_ids)
    gift_messages.forget_words(member_ids)
    table = settings.people_table()
    found = [
        Key(item["pk"]["S"], item["sk"]["S"])
        for member_id in member_ids
        for item in partitions.items(table, members.member_key(member_id).pk)
        if item["sk"]["S"] != members.member_key(member_id).sk
    ]
    for start in range(0, len(found), _TOGETHER):
        some = found[start : start + _TOGETHER]
        client.transact([{"Delete": {"TableName": table, "Key": client.key_of(key)}} for key in some])


def _profiles(account: Account) -> list[Any]:
    return [members.load_member(member_id).member.model_dump(mode="json") for member_id in account.ids]


def _accounts(account: Account) -> list[Any]:
    return [accounts.load_account(member_id).account.model_dump(mode="json") for member_id in account.ids]


def _entries(account: Account) -> list[Any]:
    return _listed(_newest(account).items)


def _wallets(account: Account) -> list[Any]:
    return [
        {"account": wallet.model_dump(mode="json"), "entries": _listed(ledger.load_history(name, ENTRIES_MAX))}
        for name in map(wallet_of, account.ids)
        if (wallet := accounts.load_account(name).account).sequence
    ]


def _pool(account: Account) -> list[Any]:
    """What the member put into their pool, and took out."""
    if not account.pool_id:
        return []
    theirs = ledger.load_whole_history(pool_account_of(account.pool_id))
    own = [entry for entry in theirs if set(entry.source.values()) & set(account.ids)]
    return _listed(own[:ENTRIES_MAX])


def _friends(account: Account) -> list[Any]:
    """Who came by the member's code, and when."""
    return [
        {"member_id": item["friend"]["S"], "joined_at": item["sk"]["S"].split("#")[1]}
        for member_id in account.ids
        for item in partitions.items(settings.loyalty_table(), f"REFERRALS#{member_id}")
    ]


def _reviews(account: Account) -> list[Any]:
    """Open reviews, and the decided reviews of what the member's entries and traces name."""
    ids = [reviews.id_of("referral", member_id) for member_id in account.ids]
    for entry in _newest(account).items:
        names = entry.source
        if entry.type in {"earn", "approve", "reject"} and "action" in names:
            ids += [reviews.id_of("action", names["action"], names["reference"])]
        watched = counted(entry, programs.load_program(), None)
        ids += [reviews.id_of("rate", *cause_of(one)) for one in watched if one.by == "member"]
    for member_id in account.ids:
        request = members.load_member(member_id).member.erasure
        ids += [request.review_id] if request else []
        ids += [trace.details["review_id"] for trace in audit.of_member(member_id) if "review_id" in trace.details]
        traces = (trace for trace in audit.of_member(member_id) if "reference" in trace.details)
        ids += [reviews.id_of("adjustment", member_id, trace.details["reference"]) for trace in traces]
    return [one.model_dump(mode="json") for one in map(_review, dict.fromkeys(ids)) if one is not None]


def _review(review_id: str) -> Review | None:
    try:
        return reviews.load(review_id)
    except ReviewNotFoundError:
        return None


def _waiting(account: Account) -> list[Any]:
    """Messages that wait until quiet hours end."""
    notes = (one.note for one in deferred_messages.everything())
    return [note.model_dump(mode="json") for note in notes if note.member_id in account.ids]


def _address_changes(account: Account) -> list[Any]:
    """Addresses that wait to be confirmed, and those before them that a link puts back."""
    changes = (change for member_id in account.ids for change in address_changes.of_member(member_id))
    return [change.model_dump(mode="json") for change in changes]


def _sessions(account: Account) -> list[Any]:
    """When the member has signed in to their pages, as far as that still lasts."""
    found = (one for member_id in account.ids for one in sessions.of_member(member_id))
    return [session.model_dump(mode="json") for session in found]


def _words(account: Account) -> dict[str, str]:
    return gift_messages.all_words(account.ids)


def _accesses(account: Account) -> list[Any]:
    """What operators did to the member, or looked at."""
    traces = (trace for member_id in account.ids for trace in audit.of_member(member_id))
    return [trace.model_dump(mode="json") for trace in traces]


SOURCES: Mapping[str, Callable[[Account], Any]] = {
    "profiles": _profiles,
    "accounts": _accounts,
    "entries": _entries,
    "wallets": _wallets,
    "pool": _pool,
    "friends": _friends,
    "reviews": _reviews,
    "messages_waiting": _waiting,
    "gift_messages": _words,
    "address_changes": _address_changes,
    "sessions": _sessions,
    "accesses": _accesses,
}
"""What is held, and where it is found. A profile has preferences and the history of consent; an account has tags,
badges, progress, limits used, membership, and who brought the member."""


def _newest(account: Account) -> Page[Entry, int]:
    """The newest entries of an account, and then of those merged into it."""
    found: list[Entry] = []
    place: Place[int] | None = None
    while True:
        page = histories.read_entries(account, ENTRIES_MAX - len(found), place)
        found += page.items
        place = page.next_place
        if place is None or len(found) >= ENTRIES_MAX:
            return Page(found, place)


def _listed(entries: Sequence[Entry]) -> list[Any]:
    """Entries as they are kept, without the codes of redemptions all of which has come back."""
    over = {
        redemption_id
        for entry in entries
        if entry.type == "reverse" and state_left_by(entry) == "reversed"
        for redemption_id in entry.reversed
    }
    listed = [json.loads(entry.model_dump_json(exclude_defaults=True)) for entry in entries]
    for holds in (body.get(name, {}) for body in listed for name in ("opened", "closed", "reversed")):
        for redemption_id in holds.keys() & over:
            holds[redemption_id].pop("voucher_code", None)
    for vouchers in (body.get("vouchers", {}) for body in listed):
        for voucher_id in vouchers.keys() & over:
            del vouchers[voucher_id]["code"]
    return listed
