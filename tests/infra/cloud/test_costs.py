"""The bill is made from what operations really use."""

import ast
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import botocore.client
import pytest
from moto import mock_aws

from functions import notify
from infra.cloud import costs
from infra.cloud.api import TOO_MANY_REQUESTS
from infra.cloud.build.function_code import FUNCTIONS, SHARED
from infra.tools.publish_totals import (
    LEDGER_CHECKS,
    LEDGER_VIOLATIONS,
    OUTSTANDING_CREDIT,
    OUTSTANDING_LIABILITY,
    OUTSTANDING_POINTS,
)
from shared import runtime, telemetry
from shared.domain.entry_types import ENTRY_TYPES
from tests.infra.cloud.conftest import Template, metrics_of
from tests.infra.cloud.in_process import REGION, InProcess, database, make_everything
from tests.infra.cloud.stories import OPERATOR, PARTNER, enrolled, keyed, ok, ordered

BILLED = {
    "ApiGatewayV2::Api",
    "CloudWatch::Alarm",
    "CloudWatch::Dashboard",
    "Cognito::UserPool",
    "DynamoDB::Table",
    "Events::Archive",
    "Events::EventBus",
    "Events::Rule",
    "KMS::Key",
    "Lambda::Function",
    "Lambda::Version",
    "Logs::LogGroup",
    "SES::EmailIdentity",
    "SQS::Queue",
    "Scheduler::Schedule",
    "SecretsManager::Secret",
}
"""What each month's bill has a part for."""
FREE = {
    "ApiGatewayV2::Authorizer",
    "ApiGatewayV2::Integration",
    "ApiGatewayV2::Route",
    "ApiGatewayV2::Stage",
    "CDK::Metadata",
    "CodeDeploy::Application",
    "CodeDeploy::DeploymentGroup",
    "Cognito::UserPoolClient",
    "Cognito::UserPoolDomain",
    "Cognito::UserPoolGroup",
    "Cognito::UserPoolResourceServer",
    "EventSchemas::Registry",
    "EventSchemas::Schema",
    "IAM::Policy",
    "IAM::Role",
    "StepFunctions::StateMachine",
    "Lambda::Alias",
    "Lambda::EventInvokeConfig",
    "Lambda::EventSourceMapping",
    "Lambda::LayerVersion",
    "Lambda::Permission",
    "Logs::MetricFilter",
    "S3::Bucket",  # as long as nothing keeps failing
    "S3::BucketPolicy",
    "SES::ConfigurationSet",
    "SES::ConfigurationSetEventDestination",
    "SNS::Subscription",
    "SNS::Topic",
    "SNS::TopicPolicy",
    "SQS::QueuePolicy",
}
PAID_IN = {"amount": 1_000_000, "currency": "USD", "reference": "a"}
READ_UNIT_BYTES, WRITE_UNIT_BYTES = 4096, 1024


class Meter:
    """Counts units as DynamoDB does: by whole steps of size, double in transactions, and once more for each index."""

    def __init__(self) -> None:
        self.reads, self.writes = 0, 0

    def note(self, operation: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """One request and its answer."""
        if operation == "GetItem":
            self.reads += _steps(answer.get("Item", {}), READ_UNIT_BYTES)
        elif operation == "TransactWriteItems":
            for [request] in (item.values() for item in params["TransactItems"]):
                item = request.get("Item", {})
                steps = _steps(item, WRITE_UNIT_BYTES)
                is_entry, is_account = "type" in item and "sequence" in item, "due_pk" in item
                self.writes += 2 * steps + is_entry * steps + is_account + ("partner_pk" in item) * steps


@pytest.fixture
def world() -> Iterator[InProcess]:
    with pytest.MonkeyPatch.context() as environment, mock_aws(), database():
        names = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        for name, value in names.items():
            environment.setenv(name, value)
        for name, value in make_everything().items():
            environment.setenv(name, value)
        yield InProcess()
    runtime.reset()


def test_operations_use_the_units_that_the_bill_says(world: InProcess) -> None:
    member_id = enrolled(world, email="ada@example.com")
    path = f"/v1/members/{member_id}"
    ordered(world, member_id)
    done: dict[str, Callable[[], Any]] = {
        "join": lambda: enrolled(world, email="grace@example.com"),
        "order": lambda: ordered(world, member_id),
        "account": lambda: ok(world, "GET", f"{path}/account"),
        "redemption": lambda: _redeemed(world, path),
    }
    for name, operation in done.items():
        meter = _measured(operation)
        stated = costs.OPERATIONS[name]
        # The program is read once in a while, and an index entry moves when its day does.
        assert abs(meter.reads - stated.read_units) <= 1, name
        assert abs(meter.writes - stated.write_units) <= 2, name


def test_an_order_with_a_partner_uses_what_the_bill_says_beside(world: InProcess) -> None:
    program = world.call("GET", "/v1/program/whole", scope=OPERATOR).body
    headers = {"If-Match": f'"{program["version"]}"'}
    ok(world, "PUT", "/v1/program", {**program, "partners": [PARTNER]}, scope=OPERATOR, headers=headers)
    ok(world, "POST", "/v1/partners/cafe/deposits", PAID_IN, scope=OPERATOR)
    member_id = enrolled(world, email="ada@example.com")
    ordered(world, member_id, partner_id="cafe")
    meter = _measured(lambda: ordered(world, member_id, partner_id="cafe"))
    stated = costs.OPERATIONS["partner order"]
    assert abs(meter.reads - stated.read_units) <= 1
    assert abs(meter.writes - stated.write_units) <= 2, meter.writes


@pytest.mark.stack
def test_the_bill_counts_what_stands_in_the_stack_and_nothing_in_it_is_unknown(prod: Template) -> None:
    resources = prod.resources.values()
    deployed = Counter(resource["Type"].removeprefix("AWS::") for resource in resources)
    alarms = [one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert sum(len(metrics_of(one)) for one in alarms) == costs.ALARMS
    polled = [one for one in resources if "MaximumConcurrency" in one["Properties"].get("ScalingConfig", {})]
    assert len(polled) == costs.POLLED_QUEUES
    assert all(deployed[one] == 1 for one in ("CloudWatch::Dashboard", "KMS::Key", "SecretsManager::Secret"))
    assert not any(
        stage["Properties"]["DefaultRouteSettings"].get("DetailedMetricsEnabled")
        for stage in resources
        if stage["Type"] == "AWS::ApiGatewayV2::Stage"
    )
    assert set(deployed) <= BILLED | FREE


def test_the_bill_counts_every_metric_that_functions_publish() -> None:
    names = {name for folder in (FUNCTIONS, SHARED) for path in folder.rglob("*.py") for name in _counted_in(path)}
    names |= {row.metric for row in ENTRY_TYPES.values()}
    names |= {TOO_MANY_REQUESTS, OUTSTANDING_POINTS, OUTSTANDING_LIABILITY, OUTSTANDING_CREDIT}
    names |= {telemetry.run_metric(work) for work in notify.WORK}
    assert len(names | {LEDGER_CHECKS, LEDGER_VIOLATIONS}) == costs.METRICS


def test_queues_cost_what_waiting_at_them_costs_even_when_nobody_comes() -> None:
    # Five requests of twenty seconds at each of six queues.
    assert costs.monthly(0, 0)["queues"] == pytest.approx(6 * 5 * 730 * 180 * 0.40e-6, rel=0.01)


def test_a_price_says_where_and_when_it_was_looked_up() -> None:
    for price in costs.PRICES.values():
        assert price.region == "us-east-1"
        assert price.published <= date.fromisoformat(price.looked_up_on).strftime("%Y-%m")


def test_whoever_signs_in_is_on_the_bill() -> None:
    assert costs.monthly(9, 9, 1000)["Cognito"] - costs.monthly(9, 9)["Cognito"] == pytest.approx(15)


def test_the_bill_says_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    costs.run_cost(1000, 2000, 0)
    printed = capsys.readouterr().out
    assert all(part in printed for part in ("taxes", "free tiers", "data to the internet", "us-east-1"))


@pytest.mark.parametrize(
    ("members", "orders", "months"), [(1_000, 2_000, 12), (100_000, 300_000, 24), (10_000_000, 37_000_000, 36)]
)
def test_a_bill_is_what_an_addition_by_hand_comes_to(members: int, orders: int, months: int) -> None:
    """Each number below is a price, a count or a size as a person would write it down; none is taken from the code."""
    gigabyte = 1024**3
    redeemed, joined, buyers = 0.1 * orders, 0.02 * members, min(members, orders)
    of_time, reminded = 0.1 * members, 0.05 * members
    entries = orders + 2 * redeemed + joined + of_time
    messages = entries + reminded + buyers
    reads = orders + 2 * orders + 2 * redeemed + (2 + 1) * entries + 2 * messages + of_time + reminded + 2 * buyers
    writes = 7 * orders + 14 * redeemed + 15 * joined + (1 + 1) * entries + 2 * messages + 7 * of_time
    writes += 4 * reminded + buyers
    requests = orders + 2 * orders + 2 * redeemed + joined
    kept = (2_500 * members + entries * months * 2 * 1_500) / gigabyte
    # A quarter of a gigabyte has 0.1447 of a processor, which is slower by half; each request is waited for 10 ms.
    worked = 1.5 / 0.1447 * (5 * orders + 2 * 2 * orders + 8 * redeemed + 7 * entries + 5 * of_time) / 1000
    worked += 1.5 / 0.1447 * (4 * messages + 4 * reminded + 6 * buyers) / 1000 + 1.5 / 0.2894 * 4 * joined / 1000 * 2
    waited = 0.01 * (2 * orders + 2 * orders + 4 * redeemed + 2 * joined + 38 * entries + 2 * of_time)
    waited += 0.01 * (5 * messages + 3 * reminded + 4 * buyers + 730 * 33 * 8 + 365 * 34 * 8 + 730 * 9)
    started = 0.01 * 0.6 * (2 * entries + messages + of_time + reminded + buyers)
    by_hand = {
        "requests": 1.00e-6 * requests,
        "Lambda": 0.0000133334 * 0.25 * (worked + waited + started) + 0.20e-6 * (requests + 2 * entries + messages),
        "six snapshots": 1.75 * 2_628_000 * 0.0000015046 + 0.01 * 0.00014 * (0.25 * 3.1 * orders + 0.5 * joined),
        "DynamoDB": 0.125e-6 * (reads + 149_000) + 0.625e-6 * writes + 0.45 * kept,
        # Twice a week, each item of 1.5 KB by consistent reads of 4 KB, then each entry by reads of half the price.
        "ledger checks": 0.125e-6 * 8.67 * (1.37 * members + (0.366 + 0.183) * entries * months)
        + 8.67 * entries * months * 0.00045 * 1.73 * 0.0000133334,
        "queues": 0.40e-6 * (6 * 5 * 131_400 + 2 * 480 + 2 * entries + 2 * messages),
        "events": 1.00e-6 * entries + entries * 900 / gigabyte * (0.10 + 0.023 * months),
        "e-mail": 0.0001 * (0.5 * orders + redeemed + joined + reminded + buyers),
        "logs": 0.59 * (330 * requests + 2 * 230 * entries) / gigabyte,
        "what there is once": 0.30 * 29 + 0.10 * costs.ALARMS + 3 + 1 + 0.105 + 0.40,
        "secret, read at one call in a hundred": 0.01 * 5e-6 * (requests + 2 * entries + messages),
        "tokens": 6 + 730 * 0.00225,
    }
    assert sum(costs.monthly(members, orders, months=months).values()) == pytest.approx(sum(by_hand.values()), rel=0.05)


def test_the_ledger_grows_and_costs_more_each_year() -> None:
    first, third = (costs.monthly(100_000, 300_000, months=months) for months in (12, 36))
    grown = {part for part in first if third[part] != first[part]}
    assert grown == {"DynamoDB storage", "DynamoDB backup", "event archive", "ledger checks"}
    assert 2.5 < third["DynamoDB storage"] / first["DynamoDB storage"] < 3


def test_whoever_is_told_something_is_on_the_bill() -> None:
    # A member who buys nothing: a reminder for one in twenty, and joining for one in fifty.
    assert costs.monthly(1000, 0)["e-mail"] == pytest.approx((50 + 20) * 0.0001)
    assert costs.monthly(1000, 10)["e-mail"] == pytest.approx((50 + 20 + 5 + 1 + 10) * 0.0001)


def test_what_the_stream_adds_is_said_by_part(capsys: pytest.CaptureFixture[str]) -> None:
    added = costs.of_the_stream()
    assert added["event bus"] == pytest.approx(1)
    assert added["reads"] == pytest.approx(0.625)
    assert added["markers"] == pytest.approx(2.5)
    costs.run_cost(1000, 2000, 0)
    printed = capsys.readouterr().out
    assert "event bus 1.00" in printed
    assert "after another year" in printed


@pytest.mark.stack
def test_the_bill_counts_every_client_of_a_machine(prod: Template) -> None:
    clients = [one.get("AllowedOAuthFlows") for one in prod.properties("AWS::Cognito::UserPoolClient")]
    assert clients.count(["client_credentials"]) == costs.APP_CLIENTS


def test_a_bill_grows_with_the_orders_and_has_no_part_below_nothing() -> None:
    small, large = costs.monthly(1000, 2000), costs.monthly(1000, 20_000)
    assert all(dollars >= 0 for dollars in small.values())
    assert sum(small.values()) < sum(large.values()) < 10 * sum(small.values())


def _counted_in(path: Path) -> Iterator[str]:
    """Names in calls of `count`, and those that are looked up for one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "count":
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)
        if isinstance(node, ast.FunctionDef) and node.name == "amounts":
            texts = {
                one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }
            yield from (text for text in texts if text[:1].isupper() and text.isalpha())


def _redeemed(world: InProcess, path: str) -> None:
    held = ok(world, "POST", f"{path}/redemptions", {"reward_id": "free-coffee"}, headers=keyed())
    ok(world, "POST", f"{path}/redemptions/{held['redemption_id']}/capture")


def _measured(operation: Callable[[], Any]) -> Meter:
    meter, ask = Meter(), botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001

    def metered(client: Any, name: str, params: Mapping[str, Any]) -> Any:
        answer = ask(client, name, params)
        meter.note(name, params, answer)
        return answer

    with patch.object(botocore.client.BaseClient, "_make_api_call", metered):
        operation()
    return meter


def _steps(item: Mapping[str, Any], unit_bytes: int) -> int:
    size = sum(len(name) + len(str(value)) for name, [value] in ((n, v.values()) for n, v in item.items()))
    return max(1, math.ceil(size / unit_bytes))
