"""Members' sessions, beside their profiles in the table of personal data. The database forgets them.

A session stands under a keyed hash of its token: no table has what a browser shows.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared import settings
from shared.domain.account import Account
from shared.domain.members.members import Member
from shared.domain.members.sign_ins import Session
from shared.tables import accounts, client, keys, members, partitions, records
from shared.tables.client import Item, Key, Write

_PLACE = "SESSION#"
_ID_LENGTH = 32
_TOGETHER = 50


class Found(NamedTuple):
    """A session, and whose it is."""

    session: Session
    member: Member
    account: Account


def put(member_id: str, token: str, session: Session) -> Write:
    """The write that begins a session."""
    forget_at = client.forget_at(session.ends_at)
    return client.put_new(
        settings.people_table(), _key(member_id, token), **records.attributes(session), forget_at=forget_at
    )


def load(member_id: str, token: str) -> Found | None:
    """A session with its member's profile and account, all in one request; None without one of them."""
    people, loyalty = settings.people_table(), settings.loyalty_table()
    session, profile, account = client.get_across(
        [
            (people, _key(member_id, token)),
            (people, members.member_key(member_id)),
            (loyalty, keys.account_key(member_id)),
        ]
    )
    if session is None or profile is None or account is None:
        return None
    return Found(
        records.read(Session, session), members.member_of(profile, member_id).member, accounts.account_of(account)
    )


def of_member(member_id: str) -> Sequence[Session]:
    """All sessions that are kept of a member."""
    return [records.read(Session, item) for item in _items(member_id)]


def end(member_id: str, token: str) -> None:
    """End one session, if it is there."""
    client.transact([_delete(_key(member_id, token))])


def end_all(member_id: str) -> None:
    """End all sessions of a member."""
    found = [Key(item["pk"]["S"], item["sk"]["S"]) for item in _items(member_id)]
    for start in range(0, len(found), _TOGETHER):
        client.transact([_delete(key) for key in found[start : start + _TOGETHER]])


def _items(member_id: str) -> list[Item]:
    items = partitions.items(settings.people_table(), members.member_key(member_id).pk)
    return [item for item in items if item["sk"]["S"].startswith(_PLACE)]


def _delete(key: Key) -> Write:
    return {"Delete": {"TableName": settings.people_table(), "Key": client.key_of(key)}}


def _key(member_id: str, token: str) -> Key:
    digest = members.keyed_hash(f"session:{member_id}.{token}")[:_ID_LENGTH]
    return Key(members.member_key(member_id).pk, f"{_PLACE}{digest}")
