"""What an operation's outcome is to its caller."""

from datetime import datetime
from http import HTTPStatus

from shared.api.answers import Answer, json_answer
from shared.api.schemas import booked_answer
from shared.tables import operation, programs


def booked(outcome: operation.Outcome, now: datetime, status: HTTPStatus = HTTPStatus.CREATED) -> Answer:
    """The entry and the first account beside it: `status` when it was booked now, or 200 and a mark."""
    return json_answer(
        booked_answer(outcome.entry, outcome.accounts[0], programs.load_program(), now, outcome.accounts[1:]),
        HTTPStatus.OK if outcome.replayed else status,
        replayed=outcome.replayed,
    )
