"""Structured logs and metrics, made when first needed. Ids and counts only: personal data never goes here."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared import correlation, runtime
from shared.domain.invariants import Breach

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

NAMESPACE = "Loyalty"
"""Under which CloudWatch keeps the metrics, by the dimension `service`: the name of the stack, which Powertools reads
from POWERTOOLS_SERVICE_NAME. Two stacks in one account count apart.
"""


def logger() -> "Logger":
    """The function's log."""
    return _current().logger()


def report(member_id: str, breaches: Sequence[Breach]) -> None:
    """Log and count the invariants that an account breaks. Any breach raises an alarm."""
    _current().report(member_id, breaches)


def count(**amounts: int) -> None:
    """Write counts to the log as CloudWatch reads metrics from it, by name.

    Each call has a set of its own: the functions of a local server run side by side.
    """
    _current().count(**amounts)


def run_metric(work: str) -> str:
    """Under which good runs of a scheduled work are counted."""
    return f"{work.capitalize()}Runs"


class _Powertools:
    def logger(self) -> "Logger":
        return _logger()

    def report(self, member_id: str, breaches: Sequence[Breach]) -> None:
        for breach in breaches:
            extra = {"member_id": member_id, "invariant": breach.invariant, "detail": breach.detail}
            logger().error("an invariant is broken", extra=extra)
        if breaches:
            count(InvariantViolations=len(breaches))

    def count(self, **amounts: int) -> None:
        from aws_lambda_powertools.metrics import EphemeralMetrics  # noqa: PLC0415 - costs a cold start its import

        metrics = EphemeralMetrics(namespace=NAMESPACE)
        for name, amount in amounts.items():
            metrics.add_metric(name=name, unit="Count", value=amount)
        metrics.flush_metrics()


_powertools = _Powertools()


def _current() -> runtime.Telemetry:
    return runtime.replaced.get("telemetry", _powertools)


@runtime.remembered()
def _logger() -> "Logger":
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - as above

    made = Logger()
    made.addFilter(_name_request)
    return made


def _name_request(record: logging.LogRecord) -> bool:
    """Let a line of the log name the request for which it is written."""
    if request_id := correlation.request_id():
        record.request_id = request_id
    return True
