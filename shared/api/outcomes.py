"""What an operation's outcome is to its caller."""

from http import HTTPStatus

from shared.api.answers import Answer, json_answer
from shared.api.schemas import booked_answer
from shared.tables import operation


def booked(outcome: operation.Outcome, status: HTTPStatus = HTTPStatus.CREATED) -> Answer:
    """The entry and the first account beside it: `status` when it was booked now, or 200 and a mark."""
    account, *others = outcome.accounts
    return json_answer(
        booked_answer(outcome.entry, account, outcome.program, outcome.now, others),
        HTTPStatus.OK if outcome.replayed else status,
        replayed=outcome.replayed,
    )
