"""Structured logs and metrics, made when first needed. Ids and counts only: personal data never goes here."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics


@cache
def logger() -> "Logger":
    """The function's log."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - costs a cold start its import

    return Logger()


@cache
def metrics() -> "Metrics":
    """The function's metrics, as CloudWatch reads them from the log."""
    from aws_lambda_powertools import Metrics  # noqa: PLC0415

    return Metrics()


def count(**amounts: int) -> None:
    """Add to metrics, by name, and write them out."""
    for name, amount in amounts.items():
        metrics().add_metric(name=name, unit="Count", value=amount)
    metrics().flush_metrics()
