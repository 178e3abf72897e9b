"""The message that comes with a gift. It is personal data of giver and receiver, and is erased with either of them."""

from collections.abc import Iterable, Iterator

from shared import settings
from shared.tables import client
from shared.tables.client import Item, Key, Write

_PAGES_MAX = 100
_TOGETHER = 50


def words_writes(gift_id: str, from_id: str, to_id: str, words: str) -> list[Write]:
    """What keeps a gift's words with both people."""
    pairs = ((from_id, to_id), (to_id, from_id))
    return [
        client.put_new(settings.people_table(), _key(one, gift_id), words={"S": words}, other={"S": other})
        for one, other in pairs
    ]


def load_words(gift_id: str, member_id: str) -> str | None:
    """The words that came with a member's gift; None if there were none, or either person was erased."""
    item = client.get(settings.people_table(), _key(member_id, gift_id))
    return item["words"]["S"] if item else None


def all_words(members: Iterable[str]) -> dict[str, str]:
    """By gift, the words that the members gave or were given."""
    return {_gift_of(item): item["words"]["S"] for member_id in members for item in _held(member_id)}


def forget_words(members: Iterable[str]) -> None:
    """Delete all words that the members gave or were given, with both people."""
    table = settings.people_table()
    keys = [
        _key(one, _gift_of(item))
        for member_id in members
        for item in _held(member_id)
        for one in (member_id, item["other"]["S"])
    ]
    keys = list(dict.fromkeys(keys))
    for start in range(0, len(keys), _TOGETHER):
        some = keys[start : start + _TOGETHER]
        client.transact([{"Delete": {"TableName": table, "Key": client.key_of(key)}} for key in some])


def _held(member_id: str) -> Iterator[Item]:
    values = {":pk": {"S": _key(member_id, "").pk}, ":gift": {"S": _key(member_id, "").sk}}
    return client.query(
        settings.people_table(),
        pages_max=_PAGES_MAX,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :gift)",
        ExpressionAttributeValues=values,
        ConsistentRead=True,
    )


def _gift_of(item: Item) -> str:
    return str(item["sk"]["S"]).removeprefix("GIFT#")


def _key(member_id: str, gift_id: str) -> Key:
    return Key(f"MEMBER#{member_id}", f"GIFT#{gift_id}")
