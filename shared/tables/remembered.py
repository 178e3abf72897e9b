"""What waits for persons whose accounts have ended: in the table of personal data, under keyed hashes, for a time.

A case holds what waits, under a keyed hash of the member's id. Each confirmed address leads to its cases, and so do
variants of one from which the member has answered. An address that a member has changed for another leads to a case of
its own, which is no item: it waits with the address. None of them says whose it is: nobody without the key comes from a
ledger to a person, or from a case to an address.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from shared import settings
from shared.domain.earning.referral_fraud import alike
from shared.domain.lifecycle.remembered import Remembered
from shared.domain.members.members import Identity
from shared.tables import client, members, records
from shared.tables.client import Item, Key, Write

ADDRESSES_MAX = 20
"""By how many addresses one person is remembered: the transaction that erases them has bounds."""
CASES_MAX = 20
"""How many cases of one address are looked at."""
_LEFT = "LEFT"


class Case(NamedTuple):
    """What waits under a case, how often it was written, until when, and which member has met it.

    `is_left`: no account has ended, but a member has put another address in the place of this one.
    """

    name: str
    what: Remembered
    revision: int
    forget_at: datetime
    met_by: str | None
    is_left: bool = False

    @property
    def waits(self) -> bool:
        """Whether what has ended with an account is still to be met."""
        return self.met_by is None and not self.is_left


def case_of(member_id: str) -> str:
    """The name of a member's case."""
    return members.private_fingerprint(f"remembered:{member_id}")


def opened(
    member_id: str,
    addresses: Sequence[Identity],
    proven: Collection[Identity],
    what: Remembered,
    now: datetime,
    days: int,
) -> list[Write]:
    """The writes that remember what ends with a member's account, by their addresses; none without days.

    All variants of an address lead there if it is among those `proven`, otherwise that spelling alone.
    """
    if not days or not addresses or what.is_nothing:
        return []
    table, case = settings.people_table(), case_of(member_id)
    forget_at = now + timedelta(days=days)
    led = {"forget_at": client.forget_at(forget_at), "case": {"S": case}}
    names = ((one.kind, _person_at(one) if one in proven else one.value) for one in addresses)
    pks = list(dict.fromkeys(_address_pk(kind, name) for kind, name in names))
    places = [client.key_of(Key(pk, f"{forget_at.isoformat()}#{case}")) for pk in pks]
    pointers: list[Write] = [
        {"Put": {"TableName": table, "Item": {**place, **led}}} for place in places[:ADDRESSES_MAX]
    ]
    return [_put(Case(case, what, 0, forget_at, None)), *pointers]


def left(addresses: Iterable[Identity], now: datetime, days: int) -> list[Write]:
    """The writes that remember that addresses were a member's who has others now; none without days."""
    if not days:
        return []
    table, forget_at = settings.people_table(), client.forget_at(now + timedelta(days=days))
    keys = dict.fromkeys(map(_left_key, addresses))
    # An older release finds no item under the name of the case, and so nothing that waits.
    return [
        {"Put": {"TableName": table, "Item": {**client.key_of(key), "case": _left_case(key), "forget_at": forget_at}}}
        for key in keys
    ]


def load_left(addresses: Iterable[Identity], now: datetime) -> list[Case]:
    """What waits for whoever has addresses that members have left."""
    keys = list(dict.fromkeys(map(_left_key, addresses)))
    items = client.get_together(settings.people_table(), keys) if keys else []
    return [case for case in (_left_of(item) for item in items if item) if case.forget_at > now]


def not_left(addresses: Iterable[Identity]) -> list[Write]:
    """The writes by which addresses are no more such as members have left."""
    keys = dict.fromkeys(map(_left_key, addresses))
    return [{"Delete": {"TableName": settings.people_table(), "Key": client.key_of(key)}} for key in keys]


def load(member_id: str, now: datetime) -> Case | None:
    """What waits for a member whose account has ended; None if nothing does any more."""
    return next(iter(_cases([case_of(member_id)], now)), None)


def waiting(addresses: Iterable[Identity], now: datetime) -> list[Case]:
    """What waits for whoever has some confirmed addresses; of what somebody has met, that they had joined before."""
    led_to = [item for address in addresses for item in _led_to(address)]
    gone = [_left_of(item) for item in led_to if item["sk"]["S"] == _LEFT]
    names = sorted({item["case"]["S"] for item in led_to if item["sk"]["S"] != _LEFT})
    cases = [case for case in _cases(names, now) if case.met_by is None or not case.what.is_nothing]
    return [*cases, *(case for case in gone if case.forget_at > now)]


def met(case: Case, member_id: str) -> Write:
    """The write that notes who has met a case: a debt that still comes up leads to them.

    Nobody else meets it, but whoever joins with another address of the person is not new either.
    """
    what = Remembered(joined=case.what.joined, counted=case.what.counted)
    return _put(case._replace(what=what, met_by=member_id))


def changed(case: Case, what: Remembered) -> Write:
    """The write that makes something else wait under a case."""
    return _put(case._replace(what=what))


def _led_to(address: Identity) -> list[Item]:
    """What leads to the newest cases of whoever an address reaches: and what is kept under it as it is."""
    pks = dict.fromkeys(_address_pk(address.kind, value) for value in (_person_at(address), address.value))
    return [item for pk in pks for item in _under(pk)]


def _under(pk: str) -> list[Item]:
    """The newest of what stands under an address, first that a member has left it."""
    answer = client.ask(
        lambda: client.client().query(
            TableName=settings.people_table(),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=CASES_MAX,
        )
    )
    found: list[Item] = answer["Items"]
    return found


def _left_key(address: Identity) -> Key:
    return Key(_address_pk(address.kind, _person_at(address)), _LEFT)


def _left_case(key: Key) -> dict[str, str]:
    return {"S": members.private_fingerprint(f"left:{key.pk}")}


def _left_of(item: Item) -> Case:
    return Case(item["case"]["S"], Remembered(joined=True), 0, _moment(item), None, is_left=True)


def _put(case: Case) -> Write:
    more = {"met_by": {"S": case.met_by}} if case.met_by else {}
    return client.put_over(
        settings.people_table(),
        _case_key(case.name),
        case.revision,
        **records.attributes(case.what),
        forget_at=client.forget_at(case.forget_at),
        **more,
    )


def _cases(names: Sequence[str], now: datetime) -> list[Case]:
    """The cases of these names whose time is not over: DynamoDB removes them some time after it."""
    if not names:
        return []
    items = client.get_together(settings.people_table(), [_case_key(name) for name in names])
    found = [_case(name, item) for name, item in zip(names, items, strict=True) if item]
    return [case for case in found if case.forget_at > now]


def _case(name: str, item: Item) -> Case:
    met_by = item["met_by"]["S"] if "met_by" in item else None
    return Case(name, records.read(Remembered, item), int(item["revision"]["N"]), _moment(item), met_by)


def _moment(item: Item) -> datetime:
    return datetime.fromtimestamp(int(item["forget_at"]["N"]), UTC)


def _case_key(name: str) -> Key:
    return Key(f"REMEMBERED#{name}", "CASE")


def _person_at(address: Identity) -> str:
    """What all addresses have in common that reach whoever has this one."""
    return alike(address.value) if address.kind == "email" else address.value


def _address_pk(kind: str, value: str) -> str:
    return f"REMEMBERED#{kind}#{members.keyed_hash(f'remembered:{kind}:{value}')}"
