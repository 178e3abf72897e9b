"""Starting work on whole tables in the cloud, and following it: `infra/cloud/whole_tables.py` deploys what does it."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from infra.cloud.stack_resources import outputs_of
from infra.errors import LocalError
from infra.tools.aws_target import client_of
from infra.tools.cloud_run import ARN
from infra.tools.verify import Report, Violation

POLL_SECONDS = 2.0
Show = Callable[[int, int], None]
"""Is shown how many parts are finished, of how many that there are so far."""


class CloudReport(NamedTuple):
    """What was found: the first violation of each invariant, and how many there are."""

    first: Report
    violations: int
    currency: str


def verify(stack: str, endpoint: str | None, show: Show, pause: float = POLL_SECONDS) -> CloudReport:
    """Have every account of a stack's ledger checked, and follow it. Raises LocalError if it cannot, or if parts fail.

    `endpoint` is that of an emulator, if it is one's stack.
    """
    with client_of(endpoint, failure=f"{stack} cannot be checked") as client:
        found = _followed(client("stepfunctions"), _machine(client("cloudformation"), stack), show, pause)
    violations = [Violation(*one) for one in found["first"]["violations"]]
    first = Report(**{**found["first"], "violations": violations})
    return CloudReport(first, found["violations"], found["currency"])


def _machine(client: Any, stack: str) -> str:  # noqa: ANN401 - boto3 has a class for each service
    machine = outputs_of(client, stack).get(ARN)
    if machine is None:
        raise LocalError(f"{stack} has nothing that works on whole tables: deploy it again")
    return machine


def _followed(client: Any, machine: str, show: Show, pause: float) -> dict[str, Any]:  # noqa: ANN401 - as above
    started = client.start_execution(stateMachineArn=machine, input=json.dumps({"command": "verify"}))["executionArn"]
    while (said := client.describe_execution(executionArn=started))["status"] == "RUNNING":
        show(*_finished(client, started))
        time.sleep(pause)
    show(*_finished(client, started))
    if said["status"] != "SUCCEEDED":
        raise LocalError(f"the check ended as {said['status']}: {said.get('cause') or said.get('error') or started}")
    done = json.loads(said["output"])
    if "failed" in done:
        raise LocalError(done["failed"])
    report: dict[str, Any] = done["report"]
    return report


def _finished(client: Any, execution: str) -> tuple[int, int]:  # noqa: ANN401 - as above
    """How many parts of all stages so far are finished, and how many there are."""
    runs = client.list_map_runs(executionArn=execution)["mapRuns"]
    counts = [client.describe_map_run(mapRunArn=one["mapRunArn"])["itemCounts"] for one in runs]
    return sum(one["succeeded"] + one["failed"] for one in counts), sum(one["total"] for one in counts)
