"""Schedule in: books the points of the birthdays since its last run."""

from datetime import datetime
from typing import Any

from shared.services import birthdays


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    """Answer the schedule (`{"time": ...}`): how many birthdays were booked. Raises IncompleteError."""
    return {"birthdays": birthdays.celebrate(datetime.fromisoformat(event["time"]))}
