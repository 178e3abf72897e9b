"""What AWS's failures mean to whoever asked: wait and try again, or a mistake of ours, which nothing hides."""

from collections.abc import Callable, Collection
from typing import Any, NoReturn, TypeVar

from shared.domain.errors import TryAgainError

_Answer = TypeVar("_Answer")

WAIT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Why a part of a transaction may be refused and be taken a moment later."""
_WAIT_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IdempotentParameterMismatchException",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Failures that pass, though they are answered with 400: credentials that are about to be replaced, requests that came
too fast or took too long, and a token of a transaction that DynamoDB mistakes for another's."""
_WAIT_STATUSES = frozenset({408, 429})
_STATUS_OF_SERVERS = 500


class RefusedError(Exception):
    """A service will not do what was asked for, however often it is asked; `code` is what it calls the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class LostAnswerError(Exception):
    """A request was sent, and no answer came: what was asked for may have been done."""


def ask(request: Callable[[], _Answer]) -> _Answer:
    """A request's answer. Raises TryAgainError if AWS does not answer, or asks to wait.

    Then a write may have happened all the same. Any other failure is raised as it is.
    """
    try:
        return request()
    except Exception as error:
        refuse(error)


def ask_once(request: Callable[[], object], for_good: Collection[str]) -> None:
    """Ask for what must not be done twice, by a client that sends a request once.

    Raises RefusedError if the answer's code is one of those `for_good`, LostAnswerError, and TryAgainError if nothing
    was done and another try may succeed. Any other failure is raised as it is.
    """
    from botocore.exceptions import ClientError, HTTPClientError  # noqa: PLC0415 - as below
    from botocore.exceptions import ConnectionError as NotConnectedError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        request()
    except ClientError as error:
        if (code := error.response["Error"]["Code"]) in for_good:
            raise RefusedError(code) from error
        refuse(error)
    except NotConnectedError as error:
        refuse(error)
    except (HTTPClientError, ResponseParserError) as error:
        raise LostAnswerError from error


def refuse(error: Exception) -> NoReturn:
    """Raises TryAgainError for a failure that passes, and any other failure as it is."""
    from botocore.exceptions import ClientError, HTTPClientError  # noqa: PLC0415 - only failures need them
    from botocore.exceptions import ConnectionError as LostConnectionError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    if isinstance(error, LostConnectionError | HTTPClientError | ResponseParserError):
        raise TryAgainError("a service of AWS did not answer; the same request may be sent again") from error
    if isinstance(error, ClientError) and _passes(error.response):
        raise TryAgainError(f"a service of AWS asks to wait: {error.response['Error']['Code']}") from error
    raise error


def _passes(response: Any) -> bool:  # noqa: ANN401 - botocore's own answer
    """Whether a failure passes. A failing server names it as it likes: some answer with a page of HTML."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reasons = response.get("CancellationReasons", [])
    return (
        status >= _STATUS_OF_SERVERS
        or status in _WAIT_STATUSES
        or response["Error"]["Code"] in _WAIT_CODES
        or any(reason.get("Code") in WAIT_REASONS for reason in reasons)
    )
