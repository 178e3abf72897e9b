"""What a newer release has stored: an older one reads it, keeps what it does not know, and asks no less of requests."""

import json
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import shared
from infra.tools.verify import check
from shared import runtime, settings
from shared.domain.entry import Entry
from shared.domain.fields import Stored
from shared.domain.telling.events import event_of
from shared.domain.telling.notifications import Note
from shared.domain.telling.webhooks import Webhook
from shared.messaging import webhook_queue
from shared.tables import (
    accounts,
    client,
    deferred_messages,
    keys,
    ledger,
    members,
    programs,
    records,
    reviews,
    webhooks,
)
from shared.tables.client import Key
from tests.functions.shop import MEMBER, OPERATOR, Reply, Shop, stored
from tests.stored import reading, tables
from tests.whole_tables import rebuild

NEW = "of_a_newer_release"
TIME = "2026-11-20T18:03:00Z"
AGREED = {"terms_version": "1", "marketing": {"email": True}}


def sown(record: BaseModel, text: dict[str, Any]) -> dict[str, Any]:
    """A record's JSON with a field that nobody knows in it, and in every record that is part of it."""
    parts = {name: _sown(getattr(record, name), part) for name, part in text.items()}
    return {**parts, NEW: {"since": 2}}


def _sown(value: Any, text: Any) -> Any:
    if isinstance(value, BaseModel):
        return sown(value, text)
    if isinstance(value, Mapping):
        return {name: _sown(value[name], part) for name, part in text.items()}
    if isinstance(value, tuple):
        return [_sown(one, part) for one, part in zip(value, text, strict=True)]
    return text


def sow(table: str, key: Key, record: Stored, name: str = "body") -> set[str]:
    """Have a newer release's record stand in an item; where the new fields are."""
    item: Any = dict(client.get(table, key) or {})
    text = sown(record, json.loads(item[name]["S"]))
    item[name] = {"S": json.dumps(text)}
    client.client().put_item(TableName=table, Item=item)
    runtime.forget()
    return set(places(text))


def found(table: str, key: Key, name: str = "body") -> set[str]:
    """Where an item's record has fields of a newer release."""
    item = client.get(table, key)
    assert item, key
    return set(places(json.loads(item[name]["S"])))


def places(text: Any, path: str = "") -> Iterator[str]:
    if isinstance(text, dict):
        if NEW in text:
            assert text[NEW] == {"since": 2}
            yield path
        for name, part in text.items():
            yield from places(part, f"{path}/{name}")
    elif isinstance(text, list):
        for number, part in enumerate(text):
            yield from places(part, f"{path}/{number}")


def sow_account(member: str) -> set[str]:
    return sow(settings.loyalty_table(), keys.account_key(member), accounts.load_account(member).account, "state")


def account_of(member: str) -> set[str]:
    return found(settings.loyalty_table(), keys.account_key(member), "state")


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with whatever an account has parts for."""
    challenges = [
        {"challenge_id": f"n{target}", "name": "Orders", "goal": {"kind": "count", "of": "orders", "target": target}}
        for target in (1, 9)
    ]
    shop.change_program(challenges=challenges, segments={"scoring": {}})
    member = shop.enroll("ada", email="ada@example.org", consent=AGREED)
    shop.post(f"/v1/members/{member}/tags", {"add": ["vip"]}, scope=OPERATOR)
    shop.order(member, total=60_000)
    shop.action(member)
    shop.redeem(member)
    return member


def test_every_part_of_what_is_stored_keeps_what_it_does_not_know() -> None:
    for module in walk_packages(shared.__path__, "shared."):
        if module.name != "shared.start":
            import_module(module.name)
    kinds = list(_below(Stored))
    assert len(kinds) > 50
    for kind in kinds:
        assert kind.model_config["extra"] == "allow", kind
        for name, field in kind.model_fields.items():
            for part in _records(field.annotation):
                assert issubclass(part, Stored), f"{kind.__name__}.{name}"


def _below(kind: type[Stored]) -> Iterator[type[Stored]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _records(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _records(argument)


def test_an_account_keeps_what_it_does_not_know_through_an_order(shop: Shop, ada: str) -> None:
    before = sow_account(ada)
    parts = {path.split("/")[1] for path in before if path}
    assert parts == {"activity", "badges", "holds", "progress", "tier", "totals", "traits", "uses"}
    assert shop.order(ada, "A-2", 1000).status == 201
    assert account_of(ada) == before
    assert shop.account(ada)["balance"] > 0


def test_an_account_that_this_release_cannot_replay_as_a_whole_is_no_breach_and_is_not_repaired(
    shop: Shop, ada: str, tmp_path: Path
) -> None:
    before = sow_account(ada)
    shop.order(ada, "A-2", 1000)
    assert check(client.client(), settings.loyalty_table()).violations == []
    report = rebuild(shop.now, withdrawn_to=tmp_path / "gone")
    assert report.put_right == ()
    assert account_of(ada) == before


def test_what_is_known_is_compared_and_repaired_as_ever_and_the_rest_of_the_account_stays(
    shop: Shop, ada: str, tmp_path: Path
) -> None:
    sow_account(ada)
    key = keys.account_key(ada)
    item: Any = dict(client.get(settings.loyalty_table(), key) or {})
    item["state"]["S"] = item["state"]["S"].replace('"earned": ', '"earned": 1')
    client.client().put_item(TableName=settings.loyalty_table(), Item=item)
    assert [one.invariant for one in check(client.client(), settings.loyalty_table()).violations] == [4]
    rebuild(shop.now, withdrawn_to=tmp_path / "gone")
    assert check(client.client(), settings.loyalty_table()).violations == []
    assert "" in account_of(ada)


def test_an_entry_that_has_more_to_it_is_shown_and_can_be_undone(shop: Shop, ada: str) -> None:
    for item in stored(settings.loyalty_table()):
        if "body" in item and "sequence" in item:
            sow(settings.loyalty_table(), Key(item["pk"]["S"], item["sk"]["S"]), ledger.entry_of(item))
    assert [entry["type"] for entry in shop.entries(ada)][-1] == "enroll"
    assert shop.refund(ada, 100).status == 201
    assert shop.order(ada, "A-2").status == 201


def test_a_program_that_has_more_to_it_is_in_force(shop: Shop, ada: str) -> None:
    sow(settings.loyalty_table(), Key("PROGRAM", "CURRENT"), programs.load_program())
    assert shop.order(ada, "A-2").status == 201
    assert shop.get("/v1/program").status == 200


def test_a_profile_keeps_what_it_does_not_know(shop: Shop, ada: str) -> None:
    key = members.member_key(ada)
    before = sow(settings.people_table(), key, members.load_member(ada).member)
    assert {"", "/consent", "/consent/marketing"} <= before
    assert shop.merge(ada, shop.enroll("gone", card_number="1")).status == 200
    assert shop.patch(ada, {"name": "Ada", "consent": {"terms_version": "2"}}).status == 200
    wants = {"channel": "email", "categories": {"digest": {"email": False}}}
    assert shop.call("PATCH", f"/v1/members/{ada}/preferences", wants).status == 200
    assert found(settings.people_table(), key) >= before
    assert shop.get(f"/v1/members/{ada}").status == 200
    assert shop.get(f"/v1/members/{ada}/export", scope=OPERATOR).status == 200


def test_an_endpoint_keeps_what_it_does_not_know(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messaging.webhook_targets.require_public", lambda _: None)
    url = {"url": "https://shop.example/hook"}
    webhook_id = shop.post("/v1/webhooks", url, key="hook", scope=OPERATOR).body["webhook_id"]
    key = Key("WEBHOOKS", f"WEBHOOK#{webhook_id}")
    before = sow(settings.loyalty_table(), key, webhooks.load(webhook_id)[0])
    reply = shop.call("PATCH", f"/v1/webhooks/{webhook_id}", {"status": "disabled"}, scope=OPERATOR)
    assert reply.status == 200
    assert found(settings.loyalty_table(), key) == before


def test_a_review_keeps_what_it_does_not_know(shop: Shop, ada: str) -> None:
    shop.change_program(operators={"adjustment_limit_points": 10})
    review_id = shop.adjust(ada, 50).body["review_id"]
    key = reviews.key_of(review_id)
    before = sow(settings.loyalty_table(), key, reviews.load(review_id))
    done = shop.post(f"/v1/reviews/{review_id}/approve", scope=OPERATOR, caller="otto")
    assert done.status == 200, done.body
    assert found(settings.loyalty_table(), key) == before


def test_a_message_that_waits_keeps_what_it_does_not_know(shop: Shop, ada: str) -> None:
    note = Note(message_id="m", member_id=ada, kind="welcome", values={"points": 5})
    deferred_messages.put(note, shop.now)
    [waiting] = deferred_messages.everything()
    before = sow(settings.loyalty_table(), waiting.key, note)
    [read] = deferred_messages.over(shop.now)
    assert read.note.message_id == "m"
    deferred_messages.put(read.note, shop.now)
    assert found(settings.loyalty_table(), waiting.key) == before


def test_a_webhook_of_a_newer_release_is_delivered_with_all_that_it_says(shop: Shop, ada: str) -> None:
    event = event_of(ledger.load_history(ada, 1)[0])
    assert event
    text = sown(event, json.loads(event.model_dump_json()))
    message = {"webhook_id": "w", "event": text, NEW: {"since": 2}}
    task = webhook_queue.task_of({"body": json.dumps(message)})
    assert set(places(task.event.model_dump(mode="json"))) == set(places(text)) >= {""}
    sent: list[str] = []
    hook = Webhook(webhook_id="w", url="https://shop.example/hook", created_at=shop.now, event_types=())
    with runtime.use(webhook_queue=Queue(sent)):
        webhook_queue.enqueue([(hook, task.event)])
    assert json.loads(sent[0])["event"] == json.loads(task.event.model_dump_json())


class Queue:
    """Keeps what is queued for webhooks."""

    def __init__(self, sent: list[str]) -> None:
        self._sent = sent

    def send(self, bodies: list[str], groups: list[str]) -> None:
        assert len(groups) == len(bodies)
        self._sent += bodies

    def postpone(self, record: Mapping[str, Any], seconds: int) -> None: ...


def test_the_release_before_finds_in_what_this_one_writes_all_that_it_reads(shop: Shop, ada: str) -> None:
    """The release before is known by what it left: fields that each of its records has, and the kinds of their values.

    Its own code would need an installation of its own. It tolerates further fields, as the tests above show of this
    release; so what could stop it is a field that is gone, or holds something of another kind.
    """
    shop.refund(ada, 100)
    shop.adjust(ada, 5)
    shop.transfer(ada, shop.enroll("bob"), 5)
    kept = [item for table in (settings.loyalty_table(), settings.people_table()) for item in stored(table)]
    known = _shapes([item for name in tables.NAMES for item in tables.items_of(tables.FOLDERS[-1], name)])
    compared = 0
    for kind, texts in _texts(kept).items():
        always, types = known.get(kind, (frozenset[str](), {}))
        for text in texts:
            assert always <= set(text), (kind, always - set(text))
            wrong = [name for name in text.keys() & types.keys() if _type(text[name]) not in types[name]]
            assert not wrong, (kind, wrong)
            compared += kind in known
    assert compared > 10


def _shapes(items: list[Any]) -> dict[str, tuple[frozenset[str], dict[str, set[str]]]]:
    """By kind of record: the fields that every one has, and of what kinds the values of each field are."""
    found = {}
    for kind, texts in _texts(items).items():
        types: dict[str, set[str]] = {}
        for name, value in ((name, value) for text in texts for name, value in text.items()):
            types.setdefault(name, set()).add(_type(value))
        found[kind] = (frozenset.intersection(*(frozenset(text) for text in texts)), types)
    return found


def _texts(items: list[Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        if text := item.get("body") or item.get("state"):
            # A field that has its default is not written: what all types of entries have is what each must have.
            kind = "entry" if "type" in item else reading.kind_of(item)
            found.setdefault(kind, []).append(json.loads(text["S"]))
    return found


def _type(value: Any) -> str:
    return "null" if value is None else type(value).__name__


@pytest.mark.parametrize("number", [None, "1", "2"])
def test_what_only_a_newer_release_can_read_is_left_alone_until_one_is_there(
    shop: Shop, ada: str, number: str | None
) -> None:
    item: Any = dict(client.get(settings.loyalty_table(), keys.account_key(ada)) or {})
    assert item["schema"] == {"N": str(records.SCHEMA)}
    numbered = {**item, "schema": {"N": number}} if number else {name: item[name] for name in item if name != "schema"}
    client.client().put_item(TableName=settings.loyalty_table(), Item=numbered)
    reply = shop.order(ada, "A-2")
    if number == "2":
        assert (reply.status, reply.code) == (503, "try_again")
        assert client.get(settings.loyalty_table(), keys.account_key(ada)) == numbered
        client.client().put_item(TableName=settings.loyalty_table(), Item=item)
    else:
        assert reply.status == 201


@pytest.mark.usefixtures("ada")
def test_every_record_says_its_schema() -> None:
    items = [*stored(settings.loyalty_table()), *stored(settings.people_table())]
    holding = [item for item in items if "body" in item or "state" in item]
    assert len(holding) > 5
    assert {item["schema"]["N"] for item in holding} == {"1"}


Ask = Callable[[Shop, str, dict[str, Any]], Reply]


def _put_program(shop: Shop, _: str, text: dict[str, Any]) -> Reply:
    return shop.replace_program(text, programs.load_program().version)


def _consents(shop: Shop, ada: str, body: dict[str, Any]) -> Reply:
    return shop.post(f"/v1/members/{ada}/consent", body, scope=MEMBER, member_id=ada)


REQUESTS: Mapping[str, tuple[Ask, dict[str, Any]]] = {
    "joining": (
        lambda shop, _, body: shop.post("/v1/members", body, key="new"),
        {"external_id": "new", "consent": AGREED, "message_preferences": {"channel": "email"}},
    ),
    "changing": (
        lambda shop, ada, body: shop.patch(ada, body),
        {"consent": AGREED, "message_preferences": {"channel": "email"}},
    ),
    "preferring": (
        lambda shop, ada, body: shop.call("PATCH", f"/v1/members/{ada}/preferences", body),
        {"categories": {"service": {"email": True}, "marketing": {"email": True}, "digest": {"email": True}}},
    ),
    "agreeing": (_consents, AGREED),
    "the program": (
        _put_program,
        {
            "earning": {
                "actions": [{"action_id": "a", "description": "A", "points": 5, "limit": {"times": 1, "per": "day"}}]
            },
            "redeeming": {"rewards": [{"kind": "product", "reward_id": "tea", "name": "Tea", "points": 5, "sku": "t"}]},
            "expiry": {"kind": "term", "months": 12},
        },
    ),
}


@pytest.mark.parametrize(("ask", "body"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_held_to_what_is_known_in_each_of_its_parts(
    shop: Shop, ada: str, ask: Ask, body: dict[str, Any]
) -> None:
    if ask is _put_program:
        whole = shop.get("/v1/program/whole", scope=OPERATOR).body
        body = {**whole, "redeeming": {**whole["redeeming"], **body["redeeming"]}, "expiry": body["expiry"]}
        body["earning"] = {**whole["earning"], **REQUESTS["the program"][1]["earning"]}
    spots = list(_objects(body))
    assert len(spots) > 1
    for spot in spots:
        asked = json.loads(json.dumps(body))
        at: Any = asked
        for step in spot:
            at = at[step]
        at[NEW] = True
        with shop.writing_nothing():
            reply = ask(shop, ada, asked)
        assert (reply.status, reply.code) == (422, "invalid_request"), (spot, reply)
        assert reply.pointers == ["".join(f"/{step}" for step in (*spot, NEW))]
    assert ask(shop, ada, body).status in {200, 201}


def _objects(text: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of the objects in a body that are not maps from names of somebody's own."""
    if isinstance(text, dict):
        if path[-1:] != ("templates",):
            yield path
        for name, part in text.items():
            yield from _objects(part, (*path, name))
    elif isinstance(text, list):
        for number, part in enumerate(text):
            yield from _objects(part, (*path, number))


def test_an_entry_of_a_newer_release_is_read_and_written_whole(ada: str) -> None:
    entry = ledger.load_history(ada, 1)[0]
    text = json.loads(entry.model_dump_json(exclude_defaults=True))
    again = Entry.model_validate_json(json.dumps(sown(entry, text)))
    [hold] = again.opened.values()
    assert hold.model_extra == {NEW: {"since": 2}}
    assert json.loads(again.model_dump_json(exclude_defaults=True)) == sown(entry, text)
