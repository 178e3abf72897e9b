"""One simulated world: a shop, its members and machines, from its first day on, all of it drawn from one seed."""

import hashlib
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from infra.simulation import laws, programs, seams
from infra.simulation.backstage import Backstage
from infra.simulation.books import Books, name_of
from infra.simulation.fake_dynamodb import Database, Written
from infra.simulation.faults import WEATHERS, Faults, MachineDiedError
from infra.simulation.judge import Judge, told_by
from infra.simulation.traffic.requests import Request
from infra.simulation.traffic.storefront import Storefront
from infra.tables import LOYALTY, PEOPLE
from shared import runtime
from shared.domain.errors import LoyaltyError
from shared.domain.invariants import Breach, breaches
from shared.domain.telling.events import Event, PartnerEvent
from shared.domain.telling.notifications import Message
from shared.tables import accounts, ledger
from shared.tables import programs as programs_table

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
NESTED_MAX = 2
UNANSWERED_MAX = 12
ANSWERED_KEPT = 40
ROUNDS_MAX = 400
SECONDS_REMEMBERED = 0.5
SKEWS_SECONDS = (0, 0, 0, 0, 2, -2, 40, -90)
"""How machines' clocks differ."""
LEAPS = (
    timedelta(minutes=20),
    timedelta(hours=9),
    timedelta(days=2),
    timedelta(days=11),
    timedelta(days=40),
    timedelta(days=150),
)
FEW_STEPS = 30
JOBS = ("expiry run", "reminders")


class BreachError(Exception):
    """Something that must never happen has happened, and where."""

    def __init__(self, seed: int, world: int, operation: int, details: Sequence[str]) -> None:
        self.seed, self.world, self.operation, self.details = seed, world, operation, tuple(details)
        super().__init__(seed, world, operation, self.details)

    def __str__(self) -> str:
        found = "\n  ".join(self.details)
        return (
            f"seed {self.seed}, world {self.world}, operation {self.operation}:\n  {found}\n"
            f"to see it again: loyalty simulate --seed {self.seed} --world {self.world}"
        )


@dataclass
class Report:
    """What has happened in one or more worlds."""

    worlds: int = 0
    operations: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    sent_twice: int = 0
    digest: int = 0
    """Of everything that was done: the same for the same seed, wherever it runs."""

    def merged(self, other: "Report") -> "Report":
        """Both together."""
        return Report(
            self.worlds + other.worlds,
            self.operations + other.operations,
            self.kinds + other.kinds,
            self.outcomes + other.outcomes,
            self.faults + other.faults,
            self.entries + other.entries,
            self.commits + other.commits,
            self.sent_twice + other.sent_twice,
            self.digest ^ other.digest,
        )


class World:
    """A world is the `number`th of a seed; it meets the services as `seams.Outside` says."""

    def __init__(self, seed: int, number: int) -> None:
        self.seed, self.number = seed, number
        self.random = Random(f"{seed}/{number}")  # noqa: S311 - the same for the same seed, guards nothing
        self._report = Report(worlds=1)
        self.books = Books()
        self.faults = Faults(self.random, self.random.choice(WEATHERS), self._in_between)
        self.database = Database((LOYALTY, PEOPLE), self.faults.around, self._committed, self._behind)
        self._judge = Judge(self.books)
        self.backstage = Backstage(self.random, self.faults, self.books, self.clock)
        self.storefront = Storefront(
            self.random, lambda: self.now, lambda: self.books.programs[max(self.books.programs)]
        )
        self.now, self._skew = START, timedelta()
        self._depth, self._operation = 0, 0
        self._unanswered: list[Request[Any]] = []
        self._answered: list[Request[Any]] = []
        works = self._usual_works()
        self._works, self._weights = list(works), list(works.values())
        self._digest = hashlib.blake2b(digest_size=8)

    def run(self, operations: int) -> Report:
        """Play so many operations, bring everything to its end, and look at it all. Raises BreachError."""
        with seams.in_place_of_the_world(self):
            try:
                self._play(operations)
            except BreachError:
                raise
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                found = f"{error!r} at {place.filename}:{place.lineno}"
                raise BreachError(self.seed, self.number, self._operation, [found]) from error
        done = self._report
        done.operations, done.commits, done.faults = self._operation, self.books.commits, self.faults.counts
        done.entries = Counter(booked.raw["type"] for booked in self.books.entry_ids.values())
        done.sent_twice = sum(times - 1 for times in self.backstage.sent.values())
        done.digest = int.from_bytes(self._digest.digest(), "big")
        return done

    def _play(self, operations: int) -> None:
        self._open()
        while self._operation < operations:
            self._step()
        self._look_at_everything(self._bring_to_an_end())

    # What the services meet -------------------------------------------------------------------------------------------

    def clock(self) -> datetime:
        """The present, as the machine at work believes it."""
        return self.now + self._skew

    def monotonic(self) -> float:
        """Seconds that machines have run: so many that what they remember grows old now and then."""
        return 10**6 + self._operation * SECONDS_REMEMBERED

    def wait(self, attempt: int) -> None:
        """Backing off takes time, in which others work."""
        self.now += timedelta(seconds=self.random.randrange(attempt + 2))
        if self.random.randrange(4) == 0:
            self._in_between()

    def log_failure(self, message: str) -> None:
        """Something has failed and will be tried again: after a fault, or by a defect."""
        error = sys.exc_info()[1]
        if not isinstance(error, LoyaltyError | ConnectionError):
            self.books.breach(f"{message}: {error!r}")

    def report(self, member_id: str, breaches: Sequence[Breach]) -> None:
        """A service has found a broken invariant."""
        for breach in breaches:
            self.books.breach(f"{member_id}: invariant {breach.invariant}: {breach.detail}")

    def queue(self, bodies: Sequence[str]) -> None:
        """See Backstage."""
        self.backstage.queue(bodies)

    def publish(self, events: Sequence[Event | PartnerEvent]) -> None:
        """See Backstage."""
        self.backstage.publish(events)

    def queue_messages(self, bodies: Sequence[str]) -> None:
        """See Backstage."""
        self.backstage.queue_messages(bodies)

    def send(self, message: Message) -> None:
        """See Backstage."""
        self.backstage.send(message)

    # What the database tells ------------------------------------------------------------------------------------------

    def _committed(self, written: list[Written]) -> None:
        entries = self.books.note(one for one in written if one.table == LOYALTY.name)
        laws.check(self.books, entries)
        self.books.compare()

    def _behind(self) -> int:
        return self.random.randrange(1, 4) if self.faults.strikes("index a moment behind", 100) else 0

    # Operations -------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.faults.is_quiet = True
        programs_table.replace_program(programs.drawn(self.random), 1)
        for job in JOBS:
            self.backstage.schedule(job, self.now)
        self.faults.is_quiet = False

    def _step(self) -> None:
        """One operation: a request sent or sent again, a batch delivered, a run, a leap of the clock."""
        self._operation += 1
        self.now += timedelta(seconds=self.random.choice((0, 1, 5, 60, 600, 3600)))
        with self._at_a_machine():
            kind, outcome = self._do_something()
        self._report.kinds[kind] += 1
        self._report.outcomes[outcome] += 1
        self._digest.update(f"{self._operation} {kind} {outcome}\n".encode())
        self._require_no_breach()

    def _do_something(self) -> tuple[str, str]:
        if len(self._unanswered) >= UNANSWERED_MAX:
            return self._try_again()
        if self.backstage.overdue and self.random.randrange(20) == 0:
            return self._run_job(min(self.backstage.overdue))
        [work] = self.random.choices(self._works, self._weights)
        return work()

    def _usual_works(self) -> dict[Callable[[], tuple[str, str]], int]:
        """What happens next, and how often of a thousand times."""
        return {
            lambda: self._send(self.storefront.ask()): 620,
            self._try_again: 120,
            self._send_again: 80,
            lambda: ("consequences", self.backstage.deliver("consequences")): 60,
            lambda: ("notify", self.backstage.deliver("notify")): 60,
            lambda: ("expiry batch", self.backstage.settle()): 40,
            lambda: ("messages", self.backstage.send_messages()): 60,
            lambda: self._run_job(self.random.choice(JOBS)): 6,
            self._leap: 8,
            self._change_program: 2,
            self._look_at_somebody: 6,
        }

    def _try_again(self) -> tuple[str, str]:
        """Send a request once more that was not answered."""
        if not self._unanswered:
            return self._send(self.storefront.ask())
        return self._send(self._unanswered.pop(self.random.randrange(len(self._unanswered))))

    def _run_job(self, job: str) -> tuple[str, str]:
        return job, self.backstage.schedule(job, self.clock())

    def _in_between(self) -> bool:
        """Run another operation while one waits for the database."""
        if self._depth >= NESTED_MAX or self.faults.is_quiet:
            return False
        before = self._skew
        try:
            self._step_within()
        finally:
            self._skew = before
        return True

    def _step_within(self) -> None:
        self._operation += 1
        with self._at_a_machine():
            if self._unanswered and self.random.randrange(3) == 0:
                kind, outcome = self._send(self._unanswered.pop())
            else:
                kind, outcome = self._do_something()
        self._report.kinds[kind] += 1
        self._report.outcomes[outcome] += 1
        self._digest.update(f"{self._operation} within {kind} {outcome}\n".encode())

    @contextmanager
    def _at_a_machine(self) -> Iterator[None]:
        self._depth += 1
        self._skew = timedelta(seconds=self.random.choice(SKEWS_SECONDS))
        try:
            yield
        finally:
            self._depth -= 1

    def _send(self, request: Request[Any]) -> tuple[str, str]:
        """Send a request, perhaps not for the first time, and judge what comes of it."""
        request.attempts += 1
        if request.attempts == 1 and self.faults.strikes("sent twice at once", 15):
            self._unanswered.append(request)
        before = self.books.commits
        try:
            result = request.call(self.clock())
        except MachineDiedError:
            self._unanswered.append(request)
            if self.random.randrange(4) == 0:
                runtime.forget()
            return request.kind, "died"
        except LoyaltyError as error:
            if error.retryable:
                self._unanswered.append(request)
                return request.kind, "try again"
            self._judge.refused(request, error, before)
            return request.kind, f"refused: {error.code}"
        if self.faults.strikes("answer lost on its way to the caller", 15):
            self._unanswered.append(request)
            return request.kind, "answer lost"
        return request.kind, self._answered_with(request, result, before)

    def _answered_with(self, request: Request[Any], result: Any, before: int) -> str:  # noqa: ANN401
        """Judge a result, and learn from it the first time."""
        told = told_by(result)
        entry_id = self._judge.answered(request, told, before)
        first = request.entry_id is None and request not in self._answered
        if first:
            request.learn(result)
        if request.kind != "read":
            request.entry_id = entry_id or request.entry_id
            if first:
                self._answered = [*self._answered[-ANSWERED_KEPT:], request]
        return "replayed" if told.replayed else "done"

    def _send_again(self) -> tuple[str, str]:
        """Somebody repeats what was answered long ago, or uses its key for something else."""
        if not self._answered:
            return "nothing", "nothing"
        request = self.random.choice(self._answered)
        intruder = self.storefront.intrude(request) if self.random.randrange(3) == 0 else None
        if intruder is not None:
            _, outcome = self._send(intruder)
            if intruder in self._unanswered:
                self._unanswered.remove(intruder)
            return "intruder", outcome
        if request.kind in {"enroll", "agree", "merge", "erase"} or request in self._unanswered:
            return "nothing", "nothing"
        _, outcome = self._send(request)
        return "repeated", outcome

    def _leap(self) -> tuple[str, str]:
        leap = self.random.choice(LEAPS)
        self.now += leap
        self.faults.counts["clock leaps ahead"] += 1
        return "leap", "done"

    def _change_program(self) -> tuple[str, str]:
        try:
            program = programs_table.load_program()
            programs_table.replace_program(programs.changed(program, self.random), program.version)
        except MachineDiedError:
            return "program", "died"
        except LoyaltyError as error:
            return "program", f"refused: {error.code}"
        return "program", "done"

    def _look_at_somebody(self) -> tuple[str, str]:
        tally = self.random.choice(list(self.books.tallies.values()) or [None])
        if tally is not None:
            self._look_at(tally.member_id)
        return "look", "done"

    # The end ----------------------------------------------------------------------------------------------------------

    def _bring_to_an_end(self) -> datetime:
        """Without further faults every request is answered, every delivery made, and everything due is booked.

        Until when that was: days begin elsewhere once a program has moved to another zone, and then a run finds who
        is due a day later.
        """
        self.faults.is_quiet = True
        for _ in range(ROUNDS_MAX):
            if not self._unanswered and not self.backstage.waits:
                break
            self.now += timedelta(minutes=6)
            requests, self._unanswered = self._unanswered, []
            with self._at_a_machine():
                for request in requests:
                    self._send(request)
                self._deliver_some()
            self._require_no_breach()
        else:
            self.books.breach(f"not done after {ROUNDS_MAX} rounds: {len(self._unanswered)} requests")
        self._skew = timedelta()
        until = self.now
        self.now += timedelta(days=1)
        for job in reversed(JOBS):
            self.backstage.schedule(job, self.now)
        for _ in range(ROUNDS_MAX):
            if not self.backstage.waits:
                break
            self._deliver_some()
        self._require_no_breach()
        return until

    def _deliver_some(self) -> None:
        for _ in range(FEW_STEPS):
            self.backstage.deliver("consequences")
            self.backstage.deliver("notify")
            self.backstage.settle()
            self.backstage.send_messages()

    def _look_at_everything(self, until: datetime) -> None:
        books, now = self.books, until.isoformat().replace("+00:00", "Z")
        for member_id, tally in books.tallies.items():
            self._look_at(member_id)
            program = books.programs[max(books.programs)]
            today = until.astimezone(laws.zone_of(program)).date().isoformat()
            if laws.is_late(tally, today, now):
                books.breach(f"{member_id}: an expiry run has left {tally.lots}, {tally.pending}, {tally.holds}")
        for key, entry_id in books.acknowledged.items():
            if key not in books.booked or name_of(books.booked[key]) != entry_id:
                books.breach(f"{entry_id} was acknowledged for {key} and is not there")
        for name, booked in books.entry_ids.items():
            if self.database.peek(LOYALTY.name, booked.key) != booked.item:
                books.breach(f"{name} is gone or changed")
        if untold := self.backstage.untold():
            books.breach(f"nobody was told of {untold}")
        self._require_no_breach()

    def _look_at(self, member_id: str) -> None:
        tally = self.books.tally(member_id)
        item = self.database.peek(LOYALTY.name, (f"MEMBER#{member_id}", "ACCOUNT"))
        if item is None:
            self.books.breach(f"the account of {member_id} is gone")
            return
        found = breaches(accounts.account_of(item), [ledger.entry_of(booked.item) for booked in tally.entries])
        self.report(member_id, found)

    def _require_no_breach(self) -> None:
        if self.books.breaches:
            raise BreachError(self.seed, self.number, self._operation, self.books.breaches[:5])
