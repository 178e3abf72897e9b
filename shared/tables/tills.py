"""Cashiers' codes and sessions, under keyed hashes: no table has what a browser shows. The database forgets them."""

from datetime import timedelta

from shared import settings
from shared.domain.tills import TillSession
from shared.tables import client, members, records
from shared.tables.client import Key, Write

KEPT = timedelta(hours=1)
"""For how long what is over is kept."""
_ID_LENGTH = 32


def put_code(code: str, shift: TillSession) -> Write:
    """The write that keeps a code to sign in with."""
    return _put(_code_key(code), shift)


def load_code(code: str) -> TillSession | None:
    """Whose a code is, unless it was used."""
    return _load(_code_key(code))


def use_code(code: str) -> Write:
    """The write that uses a code up, if nothing has yet."""
    table = settings.loyalty_table()
    key = client.key_of(_code_key(code))
    return {"Delete": {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(pk)"}}


def put_session(token: str, session: TillSession) -> Write:
    """The write that begins a session."""
    return _put(_session_key(token), session)


def load_session(token: str) -> TillSession | None:
    """The session with a token."""
    return _load(_session_key(token))


def end_session(token: str) -> None:
    """End a session, if it is there."""
    key = client.key_of(_session_key(token))
    client.transact([{"Delete": {"TableName": settings.loyalty_table(), "Key": key}}])


def _put(key: Key, session: TillSession) -> Write:
    forget_at = client.forget_at(session.ends_at + KEPT)
    return client.put_new(settings.loyalty_table(), key, **records.attributes(session), forget_at=forget_at)


def _load(key: Key) -> TillSession | None:
    item = client.get(settings.loyalty_table(), key)
    return records.read(TillSession, item) if item else None


def _code_key(code: str) -> Key:
    return Key(f"TILL_CODE#{members.keyed_hash(f'till-code:{code}')[:_ID_LENGTH]}", "CODE")


def _session_key(token: str) -> Key:
    return Key(f"TILL#{members.keyed_hash(f'till:{token}')[:_ID_LENGTH]}", "SESSION")
