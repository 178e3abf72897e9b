"""Addresses that have asked for a code to sign in, in the table of personal data. The database forgets them."""

from datetime import timedelta

from shared import settings
from shared.domain.members.sign_ins import SignIn
from shared.tables import client, members, records
from shared.tables.client import Key, Write

KEPT = timedelta(hours=1)
"""For how long one that is over is kept, to say so to whoever is late."""
_ID_LENGTH = 32


def id_of(token: str) -> str:
    """The id of the sign-in whose token a browser has: a keyed hash, so that no table has the token."""
    return members.keyed_hash(f"sign-in:{token}")[:_ID_LENGTH]


def load(sign_in_id: str) -> SignIn | None:
    """One that was asked for and is kept."""
    item = client.get(settings.people_table(), _key(sign_in_id))
    return records.read(SignIn, item) if item else None


def put(sign_in: SignIn) -> Write:
    """The write that keeps one."""
    forget_at = client.forget_at(sign_in.ends_at + KEPT)
    return client.put_new(
        settings.people_table(), _key(sign_in.sign_in_id), **records.attributes(sign_in), forget_at=forget_at
    )


def use(sign_in_id: str) -> Write:
    """The write that uses one up, if nothing has yet."""
    return {
        "Delete": {
            "TableName": settings.people_table(),
            "Key": client.key_of(_key(sign_in_id)),
            "ConditionExpression": "attribute_exists(pk)",
        }
    }


def _key(sign_in_id: str) -> Key:
    return Key(f"SIGN_IN#{sign_in_id}", "SIGN_IN")
