"""The table of personal data: profiles, and the identifiers that make each member one person.

Identifiers stand under a keyed hash, never a plain one: all phone numbers can be tried in minutes.
"""

import base64
import hashlib
import hmac
from typing import NamedTuple

from shared import dynamo, settings
from shared.domain.errors import IdentifierTakenError, MemberNotFoundError, TryAgainError
from shared.domain.members import Identity, Member
from shared.dynamo import CancelledError, Key, Write

_ID_LENGTH = 20


class StoredMember(NamedTuple):
    """A member as read, with the number of writes so far."""

    member: Member
    revision: int


def member_key(member_id: str) -> Key:
    """Where a member's profile stands."""
    return Key(f"MEMBER#{member_id}", "PROFILE")


def keyed_hash(text: str) -> str:
    """A digest that nobody without the key can tell from another or find by trying: 64 hexadecimal digits."""
    return hmac.new(settings.identity_key(), text.encode(), hashlib.sha256).hexdigest()


def new_member_id(cause: str) -> str:
    """An id that cannot be guessed, and is the same for the same cause: 100 bits of a keyed hash in base 32."""
    digest = bytes.fromhex(keyed_hash(f"member:{cause}"))
    return base64.b32encode(digest).decode().lower()[:_ID_LENGTH]


def load_member(member_id: str) -> StoredMember:
    """A member's profile. Raises MemberNotFoundError."""
    item = dynamo.get(settings.people_table(), member_key(member_id))
    if item is None:
        raise MemberNotFoundError(f"there is no member {member_id}")
    return StoredMember(Member.model_validate_json(item["body"]["S"]), int(item["revision"]["N"]))


def find(identity: Identity) -> str | None:
    """The id of the member found by an identifier, if there is one."""
    item = dynamo.get(settings.people_table(), _identity_key(identity))
    return item["member_id"]["S"] if item else None


def writes(before: StoredMember | None, after: Member) -> list[Write]:
    """What turns one profile and its identifiers into another, to be written in one transaction.

    The first is the profile itself; `identity_taken` understands the rest.
    """
    revision = before.revision if before else 0
    body = {"S": after.model_dump_json(exclude_defaults=True)}
    old = before.member.identities() if before else set()
    new = after.identities()
    return [
        dynamo.put_over(settings.people_table(), member_key(after.member_id), revision, body=body),
        *(_take(identity, after.member_id) for identity in _sorted(new - old)),
        *(_free(identity, after.member_id) for identity in _sorted(old - new)),
    ]


def moves(gone: StoredMember, into: StoredMember, gone_after: Member, into_after: Member) -> list[Write]:
    """What hands one member's identifiers to another, and writes both profiles."""
    table = settings.people_table()
    profiles = [(gone.revision, gone_after), (into.revision, into_after)]
    return [
        *(
            dynamo.put_over(
                table, member_key(one.member_id), revision, body={"S": one.model_dump_json(exclude_defaults=True)}
            )
            for revision, one in profiles
        ),
        *(
            _hand_over(identity, gone_after.member_id, into_after.member_id)
            for identity in _sorted(gone.member.identities())
        ),
    ]


def save(before: StoredMember, after: Member) -> None:
    """Write a changed profile. Raises IdentifierTakenError, or TryAgainError if it was changed meanwhile."""
    changes = writes(before, after)
    try:
        dynamo.transact(changes)
    except CancelledError as cancelled:
        raise identity_taken(cancelled, changes) from cancelled


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


def _identity_key(identity: Identity) -> Key:
    return Key(f"IDENTITY#{identity.kind}#{keyed_hash(f'{identity.kind}:{identity.value}')}", "IDENTITY")


def _take(identity: Identity, member_id: str) -> Write:
    return dynamo.put_new(
        settings.people_table(), _identity_key(identity), member_id={"S": member_id}, kind={"S": identity.kind}
    )


def _free(identity: Identity, member_id: str) -> Write:
    return {
        "Delete": {
            "TableName": settings.people_table(),
            "Key": dynamo.key_of(_identity_key(identity)),
            "ConditionExpression": "member_id = :member",
            "ExpressionAttributeValues": {":member": {"S": member_id}},
        }
    }


def _hand_over(identity: Identity, from_member_id: str, to_member_id: str) -> Write:
    return {
        "Update": {
            "TableName": settings.people_table(),
            "Key": dynamo.key_of(_identity_key(identity)),
            "UpdateExpression": "SET member_id = :to",
            "ConditionExpression": "member_id = :from",
            "ExpressionAttributeValues": {":to": {"S": to_member_id}, ":from": {"S": from_member_id}},
        }
    }


def _sorted(identities: set[Identity]) -> list[Identity]:
    return sorted(identities, key=lambda identity: (identity.kind, identity.value))
