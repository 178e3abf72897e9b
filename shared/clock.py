"""The only place where time enters: everything below a handler is told the instant."""

from collections.abc import Callable
from datetime import UTC, datetime


def _system() -> datetime:
    return datetime.now(UTC)


_source: Callable[[], datetime] = _system


def now() -> datetime:
    """The present instant, in UTC."""
    return _source()


def use(source: Callable[[], datetime]) -> None:
    """Let `source` tell the time instead of the machine: a local server can be moved, a replay follows its file."""
    global _source  # noqa: PLW0603 - one process, one clock
    _source = source
