"""The table of personal data: profiles, and the identifiers that make each member one person.

Identifiers are kept under a keyed hash, never a plain one: all phone numbers can be tried in minutes.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shared import settings
from shared.domain.errors import IdentifierTakenError, TryAgainError, UnknownMemberError
from shared.domain.members.members import Identity, Member
from shared.tables import client, member_search, records
from shared.tables.client import CancelledError, Item, Key, Write

_ID_LENGTH = 20
_LOCKED = "locked"
_FINGERPRINT_LENGTH = 32
"""128 bits, as hexadecimal digits."""


class StoredMember(NamedTuple):
    """A member as read, with the number of writes so far."""

    member: Member
    revision: int


def member_key(member_id: str) -> Key:
    """The key of a member's profile."""
    return Key(f"MEMBER#{member_id}", "PROFILE")


def keyed_hash(text: str) -> str:
    """A digest that nobody without the key can tell from another or find by trying: 64 hexadecimal digits."""
    return hmac.new(settings.identity_key(), text.encode(), hashlib.sha256).hexdigest()


def private_fingerprint(text: str) -> str:
    """A fingerprint of personal data: nobody without the key can compute it to confirm a guess."""
    return keyed_hash(text)[:_FINGERPRINT_LENGTH]


def new_member_id(cause: str) -> str:
    """An id that cannot be guessed, and is the same for the same cause: 100 bits of a keyed hash in base 32."""
    digest = bytes.fromhex(keyed_hash(f"member:{cause}"))
    return base64.b32encode(digest).decode().lower()[:_ID_LENGTH]


def load_member(member_id: str) -> StoredMember:
    """A member's profile. Raises MemberNotFoundError."""
    return member_of(client.get(settings.people_table(), member_key(member_id)), member_id)


def member_of(item: Item | None, member_id: str) -> StoredMember:
    """The profile that an item holds. Raises MemberNotFoundError if there is none."""
    if item is None:
        raise UnknownMemberError(member_id)
    return StoredMember(records.read(Member, item), int(item["revision"]["N"]))


def load_members(member_ids: Sequence[str]) -> list[Member]:
    """Those of the members who have a profile."""
    found: list[Member] = []
    for start in range(0, len(member_ids), client.READS_TOGETHER_MAX):
        keys = [member_key(member_id) for member_id in member_ids[start : start + client.READS_TOGETHER_MAX]]
        items = client.get_together(settings.people_table(), keys)
        found += [records.read(Member, item) for item in items if item]
    return found


def search(words: Sequence[str], limit: int, after: str | None) -> tuple[list[Member], str | None]:
    """At most `limit` members whose names have all of the words, and where the next page begins.

    One call looks through a bounded number of candidates: it may find fewer, even none, while there are more.
    """
    found: list[Member] = []
    for _ in range(member_search.SEARCH_PAGES_MAX):
        candidates, more = member_search.named(words, keyed_hash, after)
        for member in load_members(candidates):
            if member.name and set(words) <= set(member_search.words_of(member.name)):
                found.append(member)
                if len(found) == limit and (more or member.member_id != candidates[-1]):
                    return found, member_search.place_of(member.member_id)
        if more is None:
            return found, None
        after = more
    return found, after


def find(identity: Identity) -> str | None:
    """The id of the member found by an identifier, if there is one who is not about to be erased."""
    item = client.get(settings.people_table(), _identity_key(identity))
    return item["member_id"]["S"] if item and _LOCKED not in item else None


def is_locked(identity: Identity) -> bool:
    """Whether an identifier is that of a member who is about to be erased: nobody is found by it, nor may have it."""
    item = client.get(settings.people_table(), _identity_key(identity))
    return item is not None and _LOCKED in item


def find_all(identities: Sequence[Identity]) -> list[str | None]:
    """For each identifier the id of the member found by it, if there is one; in as few requests as there can be."""
    different = list(dict.fromkeys(identities))
    items = client.get_many(settings.people_table(), [_identity_key(identity) for identity in different])
    owners = (item["member_id"]["S"] if item else None for item in items)
    found = dict(zip(different, owners, strict=True))
    return [found[identity] for identity in identities]


def writes(before: StoredMember | None, after: Member) -> list[Write]:
    """What turns one profile and its identifiers into another, to be written in one transaction.

    The first is the profile itself; `identity_taken` understands the rest.
    """
    revision = before.revision if before else 0
    old = before.member.identities() if before else set()
    new = after.identities()
    return [
        client.put_over(settings.people_table(), member_key(after.member_id), revision, **records.attributes(after)),
        *(_take(identity, after.member_id) for identity in _sorted(new - old)),
        *(_free(identity, after.member_id) for identity in _sorted(old - new)),
        *_locks(before.member if before else after, after, old & new),
        *member_search.changes(before.member if before else None, after, keyed_hash),
        *(_forget(mark) for mark in (before.member.fingerprints if before else ()) if mark not in after.fingerprints),
    ]


def moves(gone: StoredMember, into: StoredMember, gone_after: Member, into_after: Member) -> list[Write]:
    """What hands one member's identifiers to another, and writes both profiles."""
    table = settings.people_table()
    profiles = [(gone.revision, gone_after), (into.revision, into_after)]
    return [
        *(
            client.put_over(table, member_key(one.member_id), revision, **records.attributes(one))
            for revision, one in profiles
        ),
        *(
            _hand_over(identity, gone_after.member_id, into_after.member_id)
            for identity in _sorted(gone.member.identities())
        ),
        *member_search.changes(gone.member, gone_after, keyed_hash),
        *member_search.changes(into.member, into_after, keyed_hash),
    ]


def forget(
    member_id: str, after: Callable[[Member], Member], also: Callable[[Member], Sequence[Write]] = lambda _: ()
) -> None:
    """Leave of a profile what `after` makes of it, and free what the member was found by; once is enough.

    `also` says what else is written with it, from the profile as it was.
    """
    before = load_member(member_id)
    rest = after(before.member)
    if before.member.status != rest.status:
        save(before, rest, also(before.member))


def save(before: StoredMember, after: Member, also: Sequence[Write] = ()) -> None:
    """Write a changed profile, and `also`.

    Raises IdentifierTakenError, or TryAgainError if the profile was changed meanwhile.
    """
    changes = writes(before, after)
    try:
        client.transact([*changes, *also])
    except CancelledError as cancelled:
        raise identity_taken(cancelled, changes) from cancelled


def refusal_of(writes: list[Write]) -> Callable[[CancelledError], None]:
    """What an operation raises whose further writes begin with a profile's, if it is those that were refused."""

    def refuse(cancelled: CancelledError) -> None:
        if any(index < len(writes) for index in cancelled.failed):
            raise identity_taken(cancelled, writes) from cancelled

    return refuse


def identity_taken(cancelled: CancelledError, changes: list[Write]) -> IdentifierTakenError | TryAgainError:
    """What it means that `changes`, the first writes of a transaction, were refused."""
    kinds = [
        changes[index]["Put"]["Item"]["kind"]["S"]
        for index in cancelled.failed
        if index < len(changes) and "kind" in changes[index].get("Put", {}).get("Item", {})
    ]
    if kinds and kinds != ["referral_code"]:
        taken = ", ".join(kind for kind in kinds if kind != "referral_code")
        return IdentifierTakenError(f"another member has this {taken}")
    return TryAgainError("the member was changed meanwhile; the same request may be sent again")


def source_key(source: str) -> Key:
    """The key of the count of friends from a source: an advocate's id, or the keyed hash of a fingerprint."""
    return Key(f"SOURCE#{keyed_hash(f'source:{source}')}", "SOURCE")


def _forget(fingerprint: str) -> Write:
    return {"Delete": {"TableName": settings.people_table(), "Key": client.key_of(source_key(fingerprint))}}


def _identity_key(identity: Identity) -> Key:
    return Key(f"IDENTITY#{identity.kind}#{keyed_hash(f'{identity.kind}:{identity.value}')}", "IDENTITY")


def _take(identity: Identity, member_id: str) -> Write:
    return client.put_new(
        settings.people_table(), _identity_key(identity), member_id={"S": member_id}, kind={"S": identity.kind}
    )


def _locks(before: Member, after: Member, identities: set[Identity]) -> list[Write]:
    """What makes that nobody is found by some identifiers while an erasure waits, and found again after it."""
    if (before.erasure is None) == (after.erasure is None):
        return []
    change = f"REMOVE {_LOCKED}" if after.erasure is None else f"SET {_LOCKED} = :member"
    return [
        {
            "Update": {
                "TableName": settings.people_table(),
                "Key": client.key_of(_identity_key(identity)),
                "UpdateExpression": change,
                "ConditionExpression": "member_id = :member",
                "ExpressionAttributeValues": {":member": {"S": after.member_id}},
            }
        }
        for identity in _sorted(identities)
        if identity.kind != "referral_code"
    ]


def _free(identity: Identity, member_id: str) -> Write:
    return {
        "Delete": {
            "TableName": settings.people_table(),
            "Key": client.key_of(_identity_key(identity)),
            "ConditionExpression": "member_id = :member",
            "ExpressionAttributeValues": {":member": {"S": member_id}},
        }
    }


def _hand_over(identity: Identity, from_member_id: str, to_member_id: str) -> Write:
    return {
        "Update": {
            "TableName": settings.people_table(),
            "Key": client.key_of(_identity_key(identity)),
            "UpdateExpression": "SET member_id = :to",
            "ConditionExpression": "member_id = :from",
            "ExpressionAttributeValues": {":to": {"S": to_member_id}, ":from": {"S": from_member_id}},
        }
    }


def _sorted(identities: set[Identity]) -> list[Identity]:
    return sorted(identities, key=lambda identity: (identity.kind, identity.value))
