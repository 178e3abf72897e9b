"""The birthday run: books the points of the birthdays since the last one.

Members are listed by their birthday in the table of personal data, written with their profiles. Work follows whose
birthday it is. A run that fails is run again, and finds what is booked.
"""

from datetime import date, datetime, timedelta

from shared.domain.calendar import local_day
from shared.domain.earning.anniversaries import Occurrence, birthday_pays, birthdays_on, celebrate_birthday
from shared.domain.errors import InvalidStateError, MemberNotActiveError
from shared.domain.program.program import Program
from shared.services import runs
from shared.services.runs import Listing, Page, Run
from shared.tables import accounts, due_index, keys, member_search, operation, programs
from shared.tables.operation import Decision, Situation

CATCH_UP_DAYS_MAX = 60
"""For how many missed days birthdays are made up for."""
NOTED = "BIRTHDAYS"
"""Under which name the run notes how far it has come."""


def begin(now: datetime) -> int:
    """Queue whose birthday it was on each day since the last run, today included, page by page; how many pages."""
    program = programs.load_program()
    today = local_day(now, program.time_zone)
    first = _first_day(due_index.load_day(NOTED), today)
    if first > today:
        return 0
    if program.celebrations is None or program.celebrations.birthday is None:
        due_index.note_day(NOTED, today)
        return 0
    return runs.begin(RUN, Listing(now, first, today))


def _first_day(last: date | None, today: date) -> date:
    """The first day that no run has dealt with; the first run deals with today alone."""
    return today if last is None else max(last + timedelta(days=1), today - timedelta(days=CATCH_UP_DAYS_MAX))


def _celebrate(member_id: str, page: Page) -> int:
    """Book a member's birthday: 1, or 0 if it does not pay, is booked, or is theirs no more since it was listed."""
    known_since = member_search.known_since(birthdays_on(page.on)[page.shard], member_id)
    if known_since is None:
        return 0
    try:
        return int(_is_booked(member_id, Occurrence(page.on, known_since), programs.load_program(), page.now))
    except MemberNotActiveError:
        return 0


def _is_booked(member_id: str, birthday: Occurrence, program: Program, now: datetime) -> bool:
    """Whether this has booked the birthday; it has not if that does not pay, or was booked before."""
    if not birthday_pays(accounts.load_account(member_id).account, program, birthday):
        return False

    def congratulate(situation: Situation) -> Decision:
        if not birthday_pays(situation.account, situation.program, birthday):
            raise InvalidStateError("the birthday does not pay any more")
        return Decision([celebrate_birthday(situation.account, situation.program, birthday, now=situation.now)])

    key = keys.of("birthday", member_id=member_id, year=str(birthday.day.year))
    return not operation.run([member_id], congratulate, key=key, fingerprint="", now=now).replayed


RUN = Run(
    "birthdays",
    members=lambda day, shard, after: member_search.born_after(birthdays_on(day)[shard], after, runs.LISTED_TOGETHER),
    deal=_celebrate,
    shards=lambda day: len(birthdays_on(day)),
    listed=lambda through: due_index.note_listed(NOTED, through),
)
