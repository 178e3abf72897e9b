"""Ledger stream in: what one member's entry means for others, and for what is kept about a person."""

from typing import Any

from shared import batches, clock
from shared.batches import Record
from shared.services import consequences
from shared.tables import ledger


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer a batch of the ledger's stream, each record failing alone."""
    return batches.from_stream(event, _draw)


def _draw(record: Record) -> None:
    if (entry := ledger.booked(record, "follow")) is not None:
        consequences.draw(entry, clock.now())
