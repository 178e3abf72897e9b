"""Monthly statements of what members earned and spent."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from shared import telemetry
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.program.program import Program
from shared.domain.telling.statements import is_of, statement
from shared.messaging import message_queue, sender
from shared.tables import ledger, programs, statements

STATEMENTS_PER_RUN_MAX = 2000
"""What a run has time for; the next one, an hour later, goes on."""
ENTRIES_PAGE, ENTRIES_PAGES_MAX = 100, 20


def send_due(now: datetime) -> int:
    """Queue last month's statements that were not yet; how many those were. What fails is left for the next run."""
    program = programs.load_program()
    if not program.messages.sends("statement"):
        return 0
    today = local_day(now, program.time_zone)
    month, sent = month_of(today.replace(day=1) - timedelta(days=1)), 0
    for member_id in list(islice(statements.members(month), STATEMENTS_PER_RUN_MAX)):
        try:
            account = sender.settled(member_id, program, now)
            entries = _entries_of(member_id, month, program)
            message_queue.enqueue([statement(account, entries, program, month, today)])
        except Exception:
            telemetry.logger().exception("a statement could not be made", extra={"member_id": member_id})
            continue
        statements.remove(member_id, month)
        sent += 1
    return sent


def _entries_of(member_id: str, month: str, program: Program) -> Iterator[Entry]:
    """A member's entries of a month, newest first, read no further back than needed."""
    before = ledger.SEQUENCE_MAX
    for _ in range(ENTRIES_PAGES_MAX):
        page = ledger.load_history(member_id, ENTRIES_PAGE, before)
        yield from (entry for entry in page if is_of(entry, month, program))
        if len(page) < ENTRIES_PAGE or month_of(local_day(page[-1].recorded_at, program.time_zone)) < month:
            return
        before = page[-1].sequence
