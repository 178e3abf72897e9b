"""The days under which accounts may stand in the index of what is due."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta

Between = Callable[[date, date], Iterable[date]]


def use(between_: Between | None) -> None:
    """Ask `between_` which days of a span to look at: one machine knows where anybody stands. None: at every one again.

    Leaving out a day under which nobody stood when a run began is safe: the next run begins a month before its end.
    """
    global _between  # noqa: PLW0603 - one process, one index
    _between = between_


def between(first: date, last: date) -> Iterable[date]:
    """The days from the first to the last, both included, that a run has to look at."""
    return (_between or _every)(first, last)


_between: Between | None = None


def _every(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=count) for count in range((last - first).days + 1))
