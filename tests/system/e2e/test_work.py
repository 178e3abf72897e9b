"""What happens without anybody asking: the stream, the schedules, the queues, and what is given up."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from infra.emulator.deploy import ACCOUNT
from infra.machine.environment import REGION
from infra.tools.redrive import GivenUp
from tests.infra.cloud.stories import OPERATOR, brought, enrolled, ok, ordered
from tests.system.e2e.world import Deployed, eventually

SENDER = "loyalty@shop.example"


def test_a_member_who_joins_is_written_to_and_the_bus_hears_of_it(world: Deployed) -> None:
    heard = _listening_on_the_bus(world)
    address = f"{uuid4().hex}@example.com"
    member_id = enrolled(world, email=address)
    eventually(lambda: world.mails_to(address) == 1)
    event = eventually(lambda: next((one for one in heard() if one["detail"]["member_id"] == member_id), None))
    assert (event["source"], event["detail-type"], event["detail"]["sequence"]) == ("loyalty", "member.enrolled", 1)


def test_who_brought_a_friend_is_rewarded_once_the_friend_has_bought_something(world: Deployed) -> None:
    friend_id = brought(world)
    first = json.loads(world.item(f"MEMBER#{friend_id}", "ENROLL")["body"]["S"])
    ordered(world, friend_id)
    eventually(lambda: "referral" in _entry_types(world, first["referred"]["advocate"]))


def test_an_address_that_bounces_is_not_written_to_again(world: Deployed) -> None:
    address = f"{uuid4().hex}@example.com"
    member_id = enrolled(world, email=address)
    bounce = _bounce(world, member_id, address)
    [target] = _targets_on_the_account_s_bus(world, bounce)
    assert target.endswith(f":{world.name_of('mail_feedback')}")
    assert world.invoke("mail_feedback", bounce) == {"suppressed": 1}
    [told] = ok(world, "GET", f"/v1/members/{member_id}/preferences", scope=OPERATOR)["suppressed"]
    assert (told["channel"], told["reason"]) == ("email", "bounce")


def test_mail_that_is_refused_for_good_costs_no_event_and_is_not_sent_later(world: Deployed) -> None:
    heard = _listening_on_the_bus(world)
    addresses = [f"{uuid4().hex}@example.com" for _ in range(2)]
    with _unknown_sender(world):
        member_id = enrolled(world, email=addresses[0])
        entry = json.loads(world.item(f"MEMBER#{member_id}", "ENROLL")["body"]["S"])
        marker = eventually(lambda: _marker(world, f"welcome:{member_id}-{entry['sequence']}", "refused_with"))
        assert marker == "MessageRejected"
    enrolled(world, email=addresses[1])
    eventually(lambda: world.mails_to(addresses[1]) == 1)
    assert world.mails_to(addresses[0]) == 0
    assert [one["detail"]["member_id"] for one in heard()].count(member_id) == 1


def test_a_record_that_kept_failing_is_sent_again_whole(world: Deployed) -> None:
    heard = _listening_on_the_bus(world)
    with world.without("notify", "events:PutEvents"):
        member_id = enrolled(world)
        eventually(lambda: any(one["body"]["S"].count(member_id) for one in _records_set_aside(world) if "body" in one))
    given_up = GivenUp(world.deployment.client, "loyalty-dev")
    assert given_up.send_again("stream").number > 0
    event = eventually(lambda: next((one for one in heard() if one["detail"]["member_id"] == member_id), None))
    assert event["detail-type"] == "member.enrolled"
    assert not any(one["body"]["S"].count(member_id) for one in _records_set_aside(world) if "body" in one)


def test_a_ledger_entry_that_cannot_be_read_ends_alone_with_what_failed_while_the_others_pass(
    world: Deployed,
) -> None:
    addresses = [f"{uuid4().hex}@example.com" for _ in range(2)]
    poison = {"pk": {"S": f"POISON#{uuid4().hex}"}, "sk": {"S": "X"}, "type": {"S": "earn"}, "body": {"S": "{"}}
    enrolled(world, email=addresses[0])
    world.put_item(poison)
    enrolled(world, email=addresses[1])
    eventually(lambda: [world.mails_to(address) for address in addresses] == [1, 1])
    batches = eventually(lambda: [one for one in _set_aside(world) if poison in one])
    assert batches == [[poison]]


def test_the_schedule_books_what_has_expired(world: Deployed) -> None:
    member_id = _member_with_expired_points(world)
    assert "expiry" not in _entry_types(world, member_id)
    _run_schedule_now(world, "expire")
    eventually(lambda: "expiry" in _entry_types(world, member_id))


def test_a_message_that_cannot_be_worked_ends_in_the_dead_letters_while_the_others_pass(world: Deployed) -> None:
    member_id = _member_with_expired_points(world)
    due = world.item(f"MEMBER#{member_id}", "ACCOUNT")["due_pk"]["S"].split("#")
    good = {"on": due[1], "shard": int(due[2]), "now": world.now().isoformat()}
    queues = world.deployment.client("sqs")
    queue = world.resource("ExpiryQueue")
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    poison = {"on": "never", "mark": uuid4().hex}
    bodies = [json.dumps(poison), json.dumps(good)]
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    queues.send_message_batch(QueueUrl=queue, Entries=entries)
    eventually(lambda: "expiry" in _entry_types(world, member_id))
    letters = _reading(world, world.resource("ExpiryDeadLetters"))
    eventually(lambda: poison in letters())
    assert good not in letters()


@contextmanager
def _unknown_sender(world: Deployed) -> Iterator[None]:
    """While it lasts, SES does not know the stack's sender, whom the emulator keeps once for each of its interfaces."""
    old, new = world.deployment.client("ses"), world.deployment.client("sesv2")
    old.delete_identity(Identity=SENDER)
    new.delete_email_identity(EmailIdentity=SENDER)
    try:
        yield
    finally:
        new.create_email_identity(EmailIdentity=SENDER)


def _set_aside(world: Deployed) -> list[list[Any]]:
    """The items of the stream that were set aside, by batch."""
    storage, bucket = world.deployment.client("s3"), world.resource("FailedRecords")
    keys = [one["Key"] for one in storage.list_objects_v2(Bucket=bucket).get("Contents", [])]
    letters = [json.load(storage.get_object(Bucket=bucket, Key=key)["Body"]) for key in keys]
    batches = [json.loads(letter["payload"])["Records"] for letter in letters]
    return [[record["dynamodb"]["NewImage"] for record in batch] for batch in batches]


def _records_set_aside(world: Deployed) -> list[Any]:
    return [item for batch in _set_aside(world) for item in batch]


def _marker(world: Deployed, message_id: str, name: str) -> str | None:
    """What a message's marker says, if there is one that says it."""
    key = {"pk": {"S": f"MESSAGE#{message_id}"}, "sk": {"S": "SENT"}}
    found = world.deployment.client("dynamodb").get_item(TableName=world.resource("Loyalty"), Key=key)
    value: str | None = found.get("Item", {}).get(name, {}).get("S")
    return value


def _member_with_expired_points(world: Deployed) -> str:
    """A member whose welcome points ended two days ago, long since reminded of them."""
    member_id = enrolled(world)
    state = json.loads(world.item(f"MEMBER#{member_id}", "ACCOUNT")["state"]["S"])
    [ends_on] = state["lots"]
    world.pass_days_for(member_id, (date.fromisoformat(ends_on) - world.now().date()).days + 2)
    account = world.item(f"MEMBER#{member_id}", "ACCOUNT")
    shard = account["due_pk"]["S"].rsplit("#", 1)[1]
    yesterday = (world.now() - timedelta(days=1)).date().isoformat()
    world.put_item({**account, "due_pk": {"S": f"DUE#{yesterday}#{shard}"}})
    return member_id


def _entry_types(world: Deployed, member_id: str) -> set[str]:
    return {entry["type"] for entry in ok(world, "GET", f"/v1/members/{member_id}/entries")["items"]}


def _bounce(world: Deployed, member_id: str, address: str) -> dict[str, Any]:
    """As SES tells of one."""
    tags = {"ses:configuration-set": ["loyalty-dev"], "member_id": [member_id]}
    bounce = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": address}]}
    envelope = {"id": uuid4().hex, "account": ACCOUNT, "region": REGION, "time": world.now().isoformat()}
    told = {"source": "aws.ses", "detail-type": "Email Bounced", "resources": []}
    return {**envelope, **told, "detail": {"eventType": "Bounce", "mail": {"tags": tags}, "bounce": bounce}}


def _targets_on_the_account_s_bus(world: Deployed, event: dict[str, Any]) -> list[str]:
    """Where its rules lead an event to. Nobody but AWS itself may put one of its services' there."""
    events, told = world.deployment.client("events"), json.dumps(event)
    rules = events.list_rules()["Rules"]
    fitting = [
        one for one in rules if events.test_event_pattern(EventPattern=one["EventPattern"], Event=told)["Result"]
    ]
    return [target["Arn"] for one in fitting for target in events.list_targets_by_rule(Rule=one["Name"])["Targets"]]


def _run_schedule_now(world: Deployed, function: str) -> None:
    """Another schedule with the very same target, due at once."""
    scheduler = world.deployment.client("scheduler")
    schedules = [scheduler.get_schedule(Name=one["Name"]) for one in scheduler.list_schedules()["Schedules"]]
    [target] = [one["Target"] for one in schedules if one["Target"]["Arn"].endswith(f"-{function}")]
    scheduler.create_schedule(
        Name=f"now-{uuid4().hex}",
        ScheduleExpression=f"at({(world.now() - timedelta(seconds=1)):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )


def _listening_on_the_bus(world: Deployed) -> Callable[[], list[Any]]:
    events, name = world.deployment.client("events"), f"e2e-{uuid4().hex}"
    bus = world.resource("EventBus")
    created = world.deployment.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    attributes = world.deployment.client("sqs").get_queue_attributes(QueueUrl=created, AttributeNames=["QueueArn"])
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["loyalty"]}))
    target = {"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    return _reading(world, created)


def _reading(world: Deployed, queue: str) -> Callable[[], list[Any]]:
    """All that has come to a queue so far."""
    client, found = world.deployment.client("sqs"), list[Any]()

    def read() -> list[Any]:
        messages = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        found.extend(json.loads(message["Body"]) for message in messages)
        return found

    return read
