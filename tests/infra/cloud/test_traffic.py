"""What runs, streams, tables and routes may take at once: as the options say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.cloud import options
from infra.cloud.costs import WEBHOOK_DELIVERY
from infra.cloud.functions import STREAM_READERS, TILL
from infra.cloud.options import Options
from infra.cloud.permissions import NEEDS, RUN_QUEUES
from tests.infra.cloud.conftest import Template

pytestmark = pytest.mark.stack

README = Path(options.__file__).with_name("README.md")

EARN = "POST /v1/members/{member_id}/earn"


def workers(template: Template) -> dict[str, tuple[str, int, int]]:
    """By the beginning of a queue's name: its function, the messages of a call, and the calls at once."""
    found = {}
    for one in template.properties("AWS::Lambda::EventSourceMapping"):
        queue = one["EventSourceArn"].get("Fn::GetAtt", [""])[0]
        if "Queue" in queue:
            function = template.resources[one["FunctionName"]["Ref"]]["Properties"]["FunctionName"].rsplit("-", 1)[1]
            name = queue[: queue.index("Queue")].lower()
            found[name] = (function, one["BatchSize"], one["ScalingConfig"]["MaximumConcurrency"])
    return found


def functions(template: Template) -> dict[str, Mapping[str, Any]]:
    return {one["FunctionName"].rsplit("-", 1)[1]: one for one in template.properties("AWS::Lambda::Function")}


def test_each_run_has_a_queue_and_as_many_workers_as_the_options_say(prod: Template, dev: Template) -> None:
    usual, busy = workers(prod), workers(dev)
    assert set(usual) == {*RUN_QUEUES, "message", "webhook"}
    assert {run: usual[run] for run in RUN_QUEUES} == {
        "expiry": ("expire", 1, 20),
        "birthdays": ("birthdays", 1, 5),
        "reminders": ("notify", 1, 10),
        "statements": ("notify", 1, 5),
    }
    assert {run: busy[run][2] for run in RUN_QUEUES} == {
        "expiry": 200,
        "birthdays": 6,
        "reminders": 40,
        "statements": 7,
    }
    assert (usual["webhook"], busy["webhook"][2]) == (("webhook_deliveries", 1, 25), 300)


def test_webhooks_keep_up_with_the_orders_that_the_readmes_table_is_for() -> None:
    """Each order is told to one webhook that hears of everything."""
    [row] = [line for line in README.read_text().splitlines() if line.startswith("| `webhook_workers`")]
    sizes = dict(zip((50, 500, 2_000), map(int, row.split("|")[3:6]), strict=True))
    assert sizes[50] == Options().webhook_workers
    assert all(workers / WEBHOOK_DELIVERY.seconds > orders for orders, workers in sizes.items())


def test_what_a_queue_keeps_failing_at_is_set_aside_by_itself(prod: Template) -> None:
    letters = {}
    for name, queue in prod.resources.items():
        if queue["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" in queue["Properties"]:
            [target, _] = queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
            letters[name[: name.index("Queue")]] = target[: target.index("DeadLetters")]
    assert {run.capitalize() for run in RUN_QUEUES} < set(letters)
    assert all(queue == target for queue, target in letters.items())


def test_each_schedule_has_a_work_of_its_own_so_none_waits_for_another(prod: Template) -> None:
    asked = []
    for one in prod.properties("AWS::Scheduler::Schedule"):
        if "Ref" in one["Target"]["Arn"]:  # what looks at the whole ledger is no function
            assert prod.resources[one["Target"]["Arn"]["Ref"]]["Type"] == "AWS::StepFunctions::StateMachine"
            continue
        [called, _] = one["Target"]["Arn"]["Fn::GetAtt"]
        function = prod.resources[called]["Properties"]["FunctionName"].rsplit("-", 1)[1]
        asked.append((function, json.loads(one["Target"]["Input"]).get("work"), one["ScheduleExpression"]))
    assert sorted(asked, key=str) == [
        ("birthdays", None, "cron(30 * * * ? *)"),
        ("expire", None, "cron(0 * * * ? *)"),
        ("notify", "partners", "cron(45 9-20 * * ? *)"),
        ("notify", "reminders", "cron(0 9-20 * * ? *)"),
        ("notify", "resumed", "cron(30 * * * ? *)"),
        ("notify", "statements", "cron(15 9-20 * * ? *)"),
        ("notify", "waiting", "cron(0 * * * ? *)"),
    ]


def test_the_functions_spread_what_is_due_over_as_many_shards_as_the_options_say(prod: Template, dev: Template) -> None:
    for template, setting in ((prod, "8"), (dev, "32")):
        given = {
            one["Environment"]["Variables"]["DUE_SHARDS"]
            for one in functions(template).values()
            if "DUE_SHARDS" in one.get("Environment", {}).get("Variables", {})
        }
        assert given == {setting}


def test_who_reads_the_stream_is_as_large_as_the_options_say_and_others_as_they_need(
    prod: Template, dev: Template
) -> None:
    for template, size, at_once in ((prod, 256, 4), (dev, 1769, 10)):
        sizes = {name: one["MemorySize"] for name, one in functions(template).items() if name in NEEDS}
        for name, needs in NEEDS.items():
            assert sizes[name] == (size if name in STREAM_READERS else needs.memory_mb)
        readers = [
            one["ParallelizationFactor"]
            for one in template.properties("AWS::Lambda::EventSourceMapping")
            if "ParallelizationFactor" in one
        ]
        assert readers == [at_once, at_once]


def test_a_till_has_calls_of_its_own_where_the_options_say_so(prod: Template, dev: Template) -> None:
    for template, reserved in ((prod, None), (dev, 300)):
        found = {name: one.get("ReservedConcurrentExecutions") for name, one in functions(template).items()}
        assert {found[name] for name in TILL} == {reserved}
        own = {*TILL, "anybody", "document", "member_pages", "till_pages"}
        assert not any(found[name] for name in found if name not in own)


def test_routes_take_as_much_as_the_options_say_and_anybodys_no_more(prod: Template, dev: Template) -> None:
    for template, rate in ((prod, 200), (dev, 2500)):
        [stage] = template.properties("AWS::ApiGatewayV2::Stage")
        limits = stage["RouteSettings"]
        assert limits[EARN] == {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": 2 * rate}
        assert limits["GET /v1/program"] == {"ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100}
        assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 50


def test_the_ledgers_table_is_ready_for_as_much_as_the_options_say(prod: Template, dev: Template) -> None:
    def warm(template: Template) -> dict[str, Any]:
        [table] = [one for one in template.properties("AWS::DynamoDB::Table") if "GlobalSecondaryIndexes" in one]
        parts = {"table": table, **{one["IndexName"]: one for one in table["GlobalSecondaryIndexes"]}}
        return {name: part.get("WarmThroughput") for name, part in parts.items()}

    assert set(warm(prod).values()) == {None}
    ready = {"WriteUnitsPerSecond": 4000}
    assert warm(dev) == {
        "table": {"WriteUnitsPerSecond": 16_000},
        "history": ready,
        "due": ready,
        "partner": None,
    }
