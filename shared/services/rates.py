"""Watching rates: what is done more often than the program's limits is booked all the same, and opens a review.

The ledger's stream counts, so that no call waits for it. One review is opened for what one does in one period.
"""

from datetime import datetime

from shared.domain.entry import Entry
from shared.domain.points.rates import Counted, cause_of, counted, is_watched, review_of
from shared.services import asking
from shared.tables import keys, ledger, programs, rate_counts, reviews


def watch(entry: Entry, now: datetime) -> None:
    """Count what the program wants counted, and open a review of what is too much. Raises TryAgainError."""
    program = programs.load_program()
    if is_watched(entry, program):
        for one in counted(entry, program, _store_of(entry)):
            _count(one, entry.entry_id, now)


def _count(one: Counted, entry_id: str, now: datetime) -> None:
    if rate_counts.load(one) <= one.rate.times:
        rate_counts.add(one, entry_id, now)
    if rate_counts.load(one) > one.rate.times:
        _open(one, now)


def _open(one: Counted, now: datetime) -> None:
    """Open the review, unless it exists."""
    review_id = reviews.id_of("rate", *cause_of(one))
    if reviews.find(review_id) is None:
        asking.open_once(review_of(one, review_id, rate_counts.evidence(one), now))


def _store_of(entry: Entry) -> str | None:
    """The store of an entry; of a refund, that of its order."""
    if entry.type != "refund":
        return entry.source.get("store_id")
    earned = ledger.load_entry(keys.of("earn", order_id=entry.source["order_id"]))
    return earned.source.get("store_id") if earned else None
