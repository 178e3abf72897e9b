"""A table on AWS is checked with the shell's credentials, and its totals are told to the dashboard."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws

from infra.cli import main
from infra.tools.publish_totals import publish
from shared import runtime
from shared.domain.program.defaults import default_program
from tests.infra.cloud.in_process import REGION, InProcess, make_everything, make_tables
from tests.infra.cloud.stories import enrolled, ordered

CREDENTIALS = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(autouse=True)
def _account() -> Iterator[None]:
    with patch.dict(os.environ, CREDENTIALS), mock_aws():
        yield
    runtime.reset()


def test_the_totals_of_a_table_on_aws_reach_the_dashboards_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    make_tables()
    os.environ.update(make_everything())
    world = InProcess()
    member_id = enrolled(world)
    ordered(world, member_id)
    reply = world.call("GET", f"/v1/members/{member_id}/account")
    held = sum(reply.body[bucket] for bucket in ("balance", "pending", "held"))
    runtime.forget()

    assert main.main(["verify", "--table", "loyalty", "--publish", "cafe-prod"]) == 0

    assert f"{held} points outstanding" in capsys.readouterr().out
    assert _newest("OutstandingPoints") == held > 0


def test_a_liability_is_published_in_whole_units_of_the_currency() -> None:
    rate = default_program().redeeming.points_as_money
    assert rate is not None
    publish("cafe-prod", 100 * rate.points, 1_250, default_program())
    assert _newest("OutstandingLiability") == rate.amount
    assert _newest("OutstandingCredit") == 12.5


def test_a_table_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["verify", "--table", "nowhere"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("loyalty: nowhere cannot be checked: ")


def test_totals_of_this_machine_are_not_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["verify", "--publish", "cafe-prod"]) == 2
    assert "add --table NAME" in capsys.readouterr().err


def _newest(name: str) -> float:
    now = datetime.now(UTC)
    client: Any = boto3.client("cloudwatch", region_name=REGION)
    found = client.get_metric_statistics(
        Namespace="Loyalty",
        MetricName=name,
        Dimensions=[{"Name": "service", "Value": "cafe-prod"}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=60,
        Statistics=["Maximum"],
    )
    return float(found["Datapoints"][-1]["Maximum"])
