"""Every code that a refusal may carry, as the OpenAPI document publishes it: read off the errors themselves."""

from typing import Any, NamedTuple

from shared.api.problems import STATUS
from shared.domain import errors
from shared.domain.errors import LoyaltyError


class Refusal(NamedTuple):
    """A code, the HTTP status that it is answered with, what it means, and whether trying again can help."""

    status: int
    code: str
    meaning: str
    is_retryable: bool


def refusals() -> tuple[Refusal, ...]:
    """Every refusal, by status and code. An error without a code of its own is answered as the one it extends."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, LoyaltyError) and "code" in vars(kind)
    ]
    return tuple(sorted(Refusal(int(STATUS[one.code]), one.code, _meaning(one), one.retryable) for one in kinds))


def code_schema() -> dict[str, Any]:
    """The JSON schema of a problem's `code`: all of them, described as a table in Markdown."""
    listed = refusals()
    rows = [
        f"| {one.status} | `{one.code}` | {one.meaning}{' The same request may be sent again.' * one.is_retryable} |"
        for one in listed
    ]
    table = "\n".join(["| status | code | meaning |", "|---|---|---|", *rows])
    return {
        "type": "string",
        "title": "Code",
        "enum": [one.code for one in listed],
        "description": f"Stable; what clients should go by. Every code, its status and what it means:\n\n{table}",
    }


def _meaning(kind: type[LoyaltyError]) -> str:
    """The first paragraph of an error's docstring."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
