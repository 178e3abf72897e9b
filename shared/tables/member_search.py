"""What members are listed under in the table of personal data: the words of their name, and their birthday.

Lists are written with the profile, so they only name members who exist. Words are kept
under a keyed hash: the table's keys reveal no names.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from shared import settings
from shared.domain.members.members import Member
from shared.tables import client
from shared.tables.client import Item, Key, Write

NAME_WORDS_MAX = 6
"""Words of a name that somebody is found by: a transaction that frees them has bounds."""
CANDIDATES_TOGETHER = 100
SEARCH_PAGES_MAX = 4
"""Pages of candidates that one search looks through; the next page of results goes on from there."""
_WORD = re.compile(r"[^\W_]+")

Hash = Callable[[str], str]


def words_of(name: str) -> tuple[str, ...]:
    """The different words of a name, without case and accents."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return tuple(dict.fromkeys(_WORD.findall(plain.casefold())))


def changes(before: Member | None, after: Member, keyed_hash: Hash) -> list[Write]:
    """What takes a member off the lists and puts them on others, to be written with the profile."""
    old = _listed(before, keyed_hash) if before else {}
    new = _listed(after, keyed_hash)
    table = settings.people_table()
    gone = [{"Delete": {"TableName": table, "Key": client.key_of(key)}} for key in old if key not in new]
    put = [
        {"Put": {"TableName": table, "Item": {**client.key_of(key), **attributes}}}
        for key, attributes in new.items()
        if old.get(key) != attributes
    ]
    return [*gone, *put]


def born_after(birthday: str, after: str, members_max: int) -> list[str]:
    """The next members with a birthday (12-10), in order, after one of them."""
    start = place_of(after) if after else ""
    found = client.following(settings.people_table(), _birthday_pk(birthday), start, members_max)
    return [_member_of(item) for item in found]


def known_since(birthday: str, member_id: str) -> datetime | None:
    """Since when it has been known that a member has a birthday; None if it is theirs no more."""
    item = client.get(settings.people_table(), Key(_birthday_pk(birthday), place_of(member_id)))
    return datetime.fromisoformat(item["since"]["S"]) if item else None


def named(words: Sequence[str], keyed_hash: Hash, after: str | None) -> tuple[list[str], str | None]:
    """Members listed under the longest of the words, by id, and where the next ones begin."""
    values: dict[str, Any] = {":pk": {"S": _word_pk(max(words, key=len), keyed_hash)}, ":after": {"S": after or " "}}
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.people_table(),
            KeyConditionExpression="pk = :pk AND sk > :after",
            ExpressionAttributeValues=values,
            Limit=CANDIDATES_TOGETHER,
        )
    )
    found: list[Item] = answer["Items"]
    more = found[-1]["sk"]["S"] if "LastEvaluatedKey" in answer else None
    return [_member_of(item) for item in found], more


def place_of(member_id: str) -> str:
    """The sort key of a member on any list."""
    return f"MEMBER#{member_id}"


def _listed(member: Member, keyed_hash: Hash) -> dict[Key, dict[str, Any]]:
    if member.erasure is not None:
        return {}
    place = place_of(member.member_id)
    words = words_of(member.name)[:NAME_WORDS_MAX] if member.name else ()
    lists: dict[Key, dict[str, Any]] = {Key(_word_pk(word, keyed_hash), place): {} for word in words}
    if member.birthday:
        since = member.birthday_since or member.enrolled_at
        lists[Key(_birthday_pk(member.birthday), place)] = {"since": {"S": since.isoformat()}}
    return lists


def _word_pk(word: str, keyed_hash: Hash) -> str:
    return f"NAME#{keyed_hash(f'name:{word}')}"


def _birthday_pk(birthday: str) -> str:
    return f"BIRTHDAY#{birthday}"


def _member_of(item: Item) -> str:
    return str(item["sk"]["S"]).removeprefix("MEMBER#")
