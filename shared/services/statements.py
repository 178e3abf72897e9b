"""The statement run: sends monthly statements of what members earned and spent."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared import settings
from shared.domain.calendar import local_day, month_of
from shared.domain.entry import Entry
from shared.domain.program.program import Program
from shared.domain.telling.statements import is_of, statement
from shared.messaging import message_queue, sender
from shared.services import runs
from shared.services.runs import Listing, Page, Run
from shared.tables import ledger, programs, statements

ENTRIES_PAGE, ENTRIES_PAGES_MAX = 100, 20


def begin(now: datetime) -> int:
    """Queue whose statement of last month was not sent yet, page by page; how many pages."""
    program = programs.load_program()
    if not program.messages.sends("statement"):
        return 0
    today = local_day(now, program.time_zone)
    last_month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return runs.begin(RUN, Listing(now, last_month, last_month))


def _state(member_id: str, page: Page) -> int:
    """Queue a member's statement of the month that the page's day begins."""
    program, month = programs.load_program(), month_of(page.on)
    account = sender.settled(member_id, program, page.now)
    today = local_day(page.now, program.time_zone)
    message_queue.enqueue([statement(account, _entries_of(member_id, month, program), program, month, today)])
    statements.remove(member_id, month, page.shard)
    return 1


def _entries_of(member_id: str, month: str, program: Program) -> Iterator[Entry]:
    """A member's entries of a month, newest first, read no further back than needed."""
    before = ledger.SEQUENCE_MAX
    for _ in range(ENTRIES_PAGES_MAX):
        page = ledger.load_history(member_id, ENTRIES_PAGE, before)
        yield from (entry for entry in page if is_of(entry, month, program))
        if len(page) < ENTRIES_PAGE or month_of(local_day(page[-1].recorded_at, program.time_zone)) < month:
            return
        before = page[-1].sequence


RUN = Run(
    "statements",
    members=lambda day, shard, after: statements.members_after(month_of(day), shard, after, runs.LISTED_TOGETHER),
    deal=_state,
    shards=lambda _day: settings.due_shards_read(),
)
