"""Invitations to pools, found by the keyed hash of their code alone, and who has left a pool since they were made.

Both are forgotten once no code can mean them any more.
"""

from datetime import datetime, timedelta

from shared import settings
from shared.domain.spending.pool_invitations import VALID_FOR, Invitation, as_typed
from shared.tables import client, members
from shared.tables.client import Item, Key, Write

KEPT = timedelta(days=365)
"""How long after its end a repeated request for an invitation still finds it."""


def key_of(code: str) -> Key:
    """The key of the invitation with a code, however it was typed."""
    return Key(f"INVITATION#{members.keyed_hash(f'invitation:{as_typed(code)}')}", "INVITATION")


def left_key(pool_id: str, member_id: str) -> Key:
    """Where it stands with which of the pool's entries a member has left it."""
    return Key(f"POOL#{pool_id}", f"LEFT#{member_id}")


def invitation_of(item: Item | None) -> Invitation | None:
    """The invitation that an item holds, if there is one."""
    if item is None:
        return None
    return Invitation(
        pool_id=item["pool_id"]["S"],
        invited_by=item["invited_by"]["S"],
        pool_sequence=int(item["pool_sequence"]["N"]),
        expires_at=datetime.fromisoformat(item["expires_at"]["S"]),
        is_used="used_by" in item,
    )


def left_at(item: Item | None) -> int:
    """The number of the pool's entry with which a member left; 0 if they have not since invitations are valid for."""
    return int(item["pool_sequence"]["N"]) if item else 0


def load(code: str) -> Invitation | None:
    """The invitation with a code, if there is one."""
    return invitation_of(client.get(settings.loyalty_table(), key_of(code)))


def add(code: str, invitation: Invitation) -> bool:
    """Keep an invitation; False if there is one with the code already."""
    item = {
        **client.key_of(key_of(code)),
        "pool_id": {"S": invitation.pool_id},
        "invited_by": {"S": invitation.invited_by},
        "pool_sequence": {"N": str(invitation.pool_sequence)},
        "expires_at": {"S": invitation.expires_at.isoformat()},
        "forget_at": client.forget_at(invitation.expires_at + KEPT),
    }
    return client.put_if(settings.loyalty_table(), item, "attribute_not_exists(pk)")


def use(code: str, member_id: str) -> Write:
    """A write that uses an invitation up, unless somebody has."""
    return {
        "Update": {
            "TableName": settings.loyalty_table(),
            "Key": client.key_of(key_of(code)),
            "UpdateExpression": "SET used_by = :member",
            "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(used_by)",
            "ExpressionAttributeValues": {":member": {"S": member_id}},
        }
    }


def note_left(pool_id: str, member_id: str, pool_sequence: int, now: datetime) -> Write:
    """A write that notes that a member has left a pool with its entry of that number."""
    item = {
        **client.key_of(left_key(pool_id, member_id)),
        "pool_sequence": {"N": str(pool_sequence)},
        "forget_at": client.forget_at(now + VALID_FOR + timedelta(days=1)),  # clocks differ
    }
    return {"Put": {"TableName": settings.loyalty_table(), "Item": item}}
