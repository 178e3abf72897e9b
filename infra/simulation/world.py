"""One simulated world: a shop, its members and machines, from its first day on, all of it drawn from one seed."""

import hashlib
import json
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
from infra.simulation.traffic import Request, Storefront
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
_NAMELESS = frozenset({"arrive", "approve", "reject", "withdraw", "return"})
_OWN = frozenset({"order", "refund", "transfer", "adjust", "reserve", "gift", "payout"})
"""Requests at whose key nobody else's entry can exist; a redemption's next step may have been taken by others."""


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
    """A world is the `number`th of a seed; it meets the functions as `seams.Outside` says."""

    def __init__(self, seed: int, number: int) -> None:
        self.seed, self.number = seed, number
        self.random = Random(f"{seed}/{number}")  # noqa: S311 - the same for the same seed, guards nothing
        self._report = Report(worlds=1)
        self.books = Books()
        self.faults = Faults(self.random, self.random.choice(WEATHERS), self._in_between)
        self.database = Database((LOYALTY, PEOPLE), self.faults.around, self._committed, self._behind)
        self.backstage = Backstage(self.random, self.faults, self.books)
        self.storefront = Storefront(
            self.random, lambda: self.now, lambda: self.books.programs[max(self.books.programs)]
        )
        self.now, self._skew = START, timedelta()
        self._depth, self._operation = 0, 0
        self._unanswered: list[Request] = []
        self._answered: list[Request] = []
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

    # What the functions meet ------------------------------------------------------------------------------------------

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
        """A consumer has failed: by a fault, or by a defect."""
        error = sys.exc_info()[1]
        if not isinstance(error, LoyaltyError | ConnectionError):
            self.books.breach(f"{message}: {error!r}")

    def report(self, member_id: str, breaches: Sequence[Breach]) -> None:
        """A function has found a broken invariant."""
        for breach in breaches:
            self.books.breach(f"{member_id}: invariant {breach.invariant}: {breach.detail}")

    def queue(self, bodies: Sequence[str]) -> None:
        """See Backstage."""
        self.backstage.queue(bodies)

    def publish(self, events: Sequence[Event | PartnerEvent]) -> None:
        """See Backstage."""
        self.backstage.publish(events)

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
            self.backstage.schedule(job, self.now.isoformat())
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
        return job, self.backstage.schedule(job, self.clock().isoformat())

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

    def _send(self, request: Request) -> tuple[str, str]:
        """Send a request, perhaps not for the first time, and judge its answer."""
        request.attempts += 1
        if request.attempts == 1 and self.faults.strikes("sent twice at once", 15):
            self._unanswered.append(request)
        before = self.books.commits
        try:
            answer = seams.call_as(request.claims, request.app, request.call)
        except MachineDiedError:
            self._unanswered.append(request)
            if self.random.randrange(4) == 0:
                runtime.forget()
            return request.kind, "died"
        except LoyaltyError as error:
            return request.kind, self._refused(request, error, before)
        if self.faults.strikes("answer lost on its way to the caller", 15):
            self._unanswered.append(request)
            return request.kind, "answer lost"
        return request.kind, self._judge(request, answer, before)

    def _refused(self, request: Request, error: LoyaltyError, before: int) -> str:
        if error.retryable:
            self._unanswered.append(request)
            return "try again"
        if request.entry_id is not None and not request.intrudes and not self._has_left(request):
            self.books.breach(
                f"{request.kind} was answered with {request.entry_id}, and is refused now: {error.detail}"
            )
        booked = self.books.booked.get(request.key) if request.key else None
        is_own = request.kind in _OWN and not request.intrudes
        if booked is not None and booked.commit <= before and is_own and not self._was_claimed(request):
            self.books.breach(
                f"{request.kind} is booked at {request.key}, and was refused: {error.code} {error.detail}"
            )
        return f"refused: {error.code}"

    def _has_left(self, request: Request) -> bool:
        """Whether the answered entry is on the account of somebody who is gone, and whom this request does not name.

        An identifier is somebody else's by then; a review or gift leads to the member asked, not to the survivor of a
        merge. An order that was claimed is another member's.
        """
        if self._was_claimed(request):
            return True
        owner = (request.entry_id or "").rpartition("-")[0]
        return request.kind in _NAMELESS and self.books.tally(owner).status in {"erased", "lapsed", "merged"}

    def _was_claimed(self, request: Request) -> bool:
        """Whether a request is about an order that was claimed: whose it is has changed, and so has who is answered."""
        return request.key is not None and request.key[0] in self.books.claimed

    def _was_merged(self, request: Request) -> bool:
        """Whether the entry at a request's key is on the account of a member who has been merged since."""
        booked = self.books.booked.get(request.key or ("", ""))
        return booked is not None and self.books.tally(booked.raw["member_id"]).status == "merged"

    def _judge(self, request: Request, answer: Any, before: int) -> str:  # noqa: ANN401
        """Hold an answer against the books, which had `before` commits when the request was sent."""
        body = json.loads(answer.body)
        replayed = answer.headers.get("Idempotency-Replayed") == "true"
        if request.intrudes and not self._was_merged(request) and not self._was_claimed(request):
            self.books.breach(f"{request.kind} at {request.key} with another payload or member was answered: {body}")
        booked = self.books.booked.get(request.key) if request.key else None
        # Of two copies at once, the one that books may be answered after the other, which is told of a replay.
        if replayed is False and booked is not None and booked.commit <= before:
            self.books.breach(f"{request.kind} at {request.key} was booked before, and is answered as booked now")
        self._compare(request, body, replayed=replayed)
        first = request.entry_id is None and request not in self._answered
        if first:
            request.learn(body)
        if request.kind != "read":
            request.entry_id = self._entry_of(request, body) or request.entry_id
            if first:
                self._answered = [*self._answered[-ANSWERED_KEPT:], request]
        return "replayed" if replayed else "done"

    def _entry_of(self, request: Request, body: Any) -> str | None:  # noqa: ANN401
        """The entry that an answer is about, which must exist; for one request it is always the same."""
        entry = body.get("entry") if isinstance(body, dict) else None
        booked = self.books.booked.get(request.key) if request.key else None
        if request.key is not None and booked is None:
            self.books.breach(f"{request.kind} was answered, and nothing is booked at {request.key}: {body}")
            return None
        if entry is None:
            return name_of(booked) if booked else None
        known = self.books.entry_ids.get(entry["entry_id"])
        is_other = booked is not None and known is not booked and not self._was_claimed(request)
        if known is None or is_other:
            self.books.breach(
                f"the entry {entry['entry_id']} was answered for {request.key}; it has another key or does not exist"
            )
            return None
        balance = self.books.tally(known.raw["member_id"]).balances[entry["sequence"]]
        if (entry["balance_after"], entry["points"]) != (balance, known.raw["points"]):
            self.books.breach(
                f"{entry['entry_id']} was told with the balance {entry['balance_after']}, it was {balance}"
            )
        if booked is not None and known is not booked:
            # The order has been claimed since: its replay shows where it is now, and the first entry stays.
            return str(entry["entry_id"])
        if request.entry_id not in {None, entry["entry_id"]}:
            self.books.breach(f"{request.kind} was answered with {request.entry_id} and {entry['entry_id']}")
        if request.key is not None:
            self.books.acknowledged[request.key] = entry["entry_id"]
        return str(entry["entry_id"])

    def _compare(self, request: Request, body: Any, *, replayed: bool) -> None:  # noqa: ANN401
        """An answer's account adds up, and is the one that was just written."""
        told = body.get("account") if request.kind != "read" else body
        if not isinstance(told, dict):
            return
        expiring = sum(lot["points"] for lot in told["expiring"])
        if expiring != told["balance"] or min(told["balance"], told["pending"], told["held"], told["debt"]) < 0:
            self.books.breach(f"an account was told that does not add up: {told}")
        if replayed or request.kind == "read" or told["pool"] is not None:
            return
        tally, booked = self.books.tally(told["member_id"]), self.books.booked.get(request.key or ("", ""))
        if booked is None or booked.commit != tally.entries[-1].commit:
            return  # another operation came between the write and the answer
        sums = (tally.balance, sum(tally.pending.values()), tally.held, tally.debt)
        if (said := (told["balance"], told["pending"], told["held"], told["debt"])) != sums:
            self.books.breach(f"{told['member_id']} was told {said} after {request.kind}, the sums are {sums}")

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
            self.backstage.schedule(job, self.now.isoformat())
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
