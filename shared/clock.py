"""The only place where time enters: everything below a handler is told the instant."""

from datetime import UTC, datetime

from shared import runtime


def now() -> datetime:
    """The present instant, in UTC: the machine's, unless its clock was replaced."""
    return runtime.replaced.get("clock", _system)()


def _system() -> datetime:
    return datetime.now(UTC)
