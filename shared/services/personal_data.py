"""Everything held about a member, in one list, and all of it that goes with them.

Whatever keeps something new about a member adds where that is found to `SOURCES`; a test goes through both tables and
fails for an item that names a member and is neither found by a source nor one of the `MARKS`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from shared import settings
from shared.domain.account import Account
from shared.domain.entry import Entry
from shared.domain.errors import ReviewNotFoundError
from shared.domain.points.reviews import Review
from shared.domain.subaccounts import pool_account_of, wallet_of
from shared.tables import (
    accounts,
    audit,
    client,
    deferred_messages,
    gift_messages,
    ledger,
    members,
    partitions,
    reviews,
)
from shared.tables.client import Key

_TOGETHER = 50


class Subject(NamedTuple):
    """A member and those who were merged into them: all one person."""

    account: Account

    @property
    def member_ids(self) -> tuple[str, ...]:
        """All ids that the person has had."""
        return (self.account.member_id, *self.account.merged_from)


MARKS: Mapping[str, str] = {
    "AUDIT#": "operators' traces by month; those about a member are held with them as well",
    "IDENTITY#": "by which keyed hash a member is found; the profile says what it is of",
    "NAME#": "likewise, by a word of the name",
    "BIRTHDAY#": "likewise, by the birthday",
    "SOURCE#": "how many friends came from one place in a week",
    "MESSAGE#": "that a message went out, so that it goes once; how many in a week",
    "STATEMENT#": "that a month's statement is still to be sent",
    "REVIEWS": "the queue of open reviews, each of which is also kept by its own id",
    "WEBHOOK#": "deliveries of events, which say what the entries say",
}
"""Items that name a member and say nothing more about them: by the beginning of their key, what they are for."""


def held(member_id: str) -> dict[str, Any]:
    """Every record about a member, as kept, by what it is."""
    subject = Subject(accounts.load_account(member_id).account)
    return {name: source(subject) for name, source in SOURCES.items()}


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


def _profiles(subject: Subject) -> list[Any]:
    return [members.load_member(member_id).member.model_dump(mode="json") for member_id in subject.member_ids]


def _accounts(subject: Subject) -> list[Any]:
    return [accounts.load_account(member_id).account.model_dump(mode="json") for member_id in subject.member_ids]


def _entries(subject: Subject) -> list[Any]:
    return [_json(entry) for member_id in subject.member_ids for entry in ledger.load_whole_history(member_id)]


def _wallets(subject: Subject) -> list[Any]:
    return [
        {"account": wallet.model_dump(mode="json"), "entries": list(map(_json, ledger.load_whole_history(name)))}
        for name in map(wallet_of, subject.member_ids)
        if (wallet := accounts.load_account(name).account).sequence
    ]


def _pool(subject: Subject) -> list[Any]:
    """What the member put into their pool, and took out."""
    if not subject.account.pool_id:
        return []
    theirs = ledger.load_whole_history(pool_account_of(subject.account.pool_id))
    return [_json(entry) for entry in theirs if set(entry.source.values()) & set(subject.member_ids)]


def _friends(subject: Subject) -> list[Any]:
    """Who came by the member's code, and when."""
    return [
        {"member_id": item["friend"]["S"], "joined_at": item["sk"]["S"].split("#")[1]}
        for member_id in subject.member_ids
        for item in partitions.items(settings.loyalty_table(), f"REFERRALS#{member_id}")
    ]


def _reviews(subject: Subject) -> list[Any]:
    """Reviews that wait, and decided ones by what caused them."""
    ids = [reviews.id_of("referral", member_id) for member_id in subject.member_ids]
    for entry in (entry for member_id in subject.member_ids for entry in ledger.load_whole_history(member_id)):
        names = entry.source
        if entry.type in {"earn", "approve", "reject"} and "action" in names:
            ids += [reviews.id_of("action", names["action"], names["reference"])]
    for member_id in subject.member_ids:
        traces = (trace for trace in audit.of_member(member_id) if "reference" in trace.details)
        ids += [reviews.id_of("adjustment", member_id, trace.details["reference"]) for trace in traces]
    return [one.model_dump(mode="json") for one in map(_review, dict.fromkeys(ids)) if one is not None]


def _review(review_id: str) -> Review | None:
    try:
        return reviews.load(review_id)
    except ReviewNotFoundError:
        return None


def _waiting(subject: Subject) -> list[Any]:
    """Messages that wait for the end of quiet hours."""
    notes = (one.note for one in deferred_messages.everything())
    return [note.model_dump(mode="json") for note in notes if note.member_id in subject.member_ids]


def _words(subject: Subject) -> dict[str, str]:
    return gift_messages.all_words(subject.member_ids)


def _accesses(subject: Subject) -> list[Any]:
    """What operators did to the member, or looked at."""
    traces = (trace for member_id in subject.member_ids for trace in audit.of_member(member_id))
    return [trace.model_dump(mode="json") for trace in traces]


SOURCES: Mapping[str, Callable[[Subject], Any]] = {
    "profiles": _profiles,
    "accounts": _accounts,
    "entries": _entries,
    "wallets": _wallets,
    "pool": _pool,
    "friends": _friends,
    "reviews": _reviews,
    "messages_waiting": _waiting,
    "gift_messages": _words,
    "accesses": _accesses,
}
"""What is held, and where it is found. A profile has preferences and the history of consent; an account has tags,
badges, progress, limits used, membership, and who brought the member."""


def _json(entry: Entry) -> Any:  # noqa: ANN401
    return json.loads(entry.model_dump_json(exclude_defaults=True))
