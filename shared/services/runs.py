"""Runs: whose turn it is, from a schedule to workers, a page at a time.

A schedule lists members, and puts pages of them on the run's queue. A worker deals with the members of a page. Both
look at the time that is left of their call: a listing goes on in a message from where it was, and the rest of a page
is handed back. So no call is ever too long, however many members are due, and work is in proportion to those alone.
Whatever is delivered twice has to find nothing left to do.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

from shared import runtime, settings, telemetry
from shared.aws import sqs
from shared.domain.errors import LoyaltyError, TryAgainError
from shared.runtime import RunName
from shared.tables import due_index

MEMBERS_PER_PAGE = 100
LISTED_TOGETHER = sqs.BATCH * MEMBERS_PER_PAGE
"""Members that one look at a list finds, at most: the pages of one request to the queue."""
PAGES_WAITING_MAX = 1000
"""While more pages of earlier runs wait, no other run begins: it would list the same members again."""
SECONDS_MIN = 30
"""With less time left of a call, nothing more is begun."""


class Listing(NamedTuple):
    """What a run has still to list: the days from `on` to `through`, the first of them from a shard on.

    The run deals with members as of its instant `now`.
    """

    now: datetime
    on: date
    through: date
    shard: int = 0


class Rest(NamedTuple):
    """What is still to be listed of one shard of a day's list: the members after `after`."""

    now: datetime
    on: date
    shard: int
    after: str = ""


class Page(NamedTuple):
    """Members to deal with, as of the run's instant: some of those that a shard of a day's list has."""

    now: datetime
    on: date
    shard: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What is particular to a run.

    `members` are those of a shard of a day's list that follow a member, in order, at most LISTED_TOGETHER. `deal` deals
    with one member, and says how much that was. `shards` is how many parts a day's list has. `days` are those of a span
    that have a list. `listed` notes through which day a run has listed all. `dealt` is told of a page how much was
    done, and how many members failed.
    """

    name: RunName
    members: Callable[[date, int, str], Sequence[str]]
    deal: Callable[[str, Page], int]
    shards: Callable[[date], int]
    days: Callable[[date, date], Iterable[date]] = due_index.every_day
    listed: Callable[[date], None] = lambda _through: None
    dealt: Callable[[int, int], None] = lambda _done, _failed: None


def run_over_due_accounts(
    name: RunName,
    noted: str,
    deal: Callable[[str, Page], int],
    dealt: Callable[[int, int], None] = lambda _done, _failed: None,
) -> Run:
    """A run over the accounts that are due; it notes how far it has come under the name `noted`."""
    return Run(
        name,
        members=lambda day, shard, after: due_index.due_after(day, shard, after, LISTED_TOGETHER),
        deal=deal,
        shards=lambda _day: settings.due_shards_read(),
        days=due_index.between,
        listed=lambda through: due_index.note_listed(noted, through),
        dealt=dealt,
    )


def begin(run: Run, listing: Listing) -> int:
    """Begin a run, and count the pages that it has queued; none if many of earlier runs still wait."""
    if _waiting(run.name) > PAGES_WAITING_MAX:
        telemetry.logger().warning(
            "a run was skipped: the pages of earlier runs are still queued", extra={"run": run.name}
        )
        return 0
    return _list(run, listing)


def work(body: str, *among: Run) -> None:
    """Do what a message of a run's queue asks for. Raises TryAgainError if members of a page have failed."""
    said = json.loads(body)
    run = next(run for run in among if run.name == said.get("run", among[0].name))
    task = _task(said)
    if isinstance(task, Listing):
        _list(run, task)
    elif isinstance(task, Rest):
        _list_rest(run, task)
    else:
        _deal(run, task)


def _list(run: Run, listing: Listing) -> int:
    """Look at each shard once, and count the pages. A shard with more goes on by itself, side by side with others."""
    queued = 0
    for place in _places(run, listing):
        if runtime.seconds_left() < SECONDS_MIN:
            _send(run.name, [_body(run, place)])
            return queued
        members = run.members(place.on, place.shard, "")
        queued += _queue_pages(run, place, members)
        if len(members) == LISTED_TOGETHER:
            _send(run.name, [_body(run, Rest(place.now, place.on, place.shard, members[-1]))])
    run.listed(listing.through)
    return queued


def _list_rest(run: Run, rest: Rest) -> None:
    while runtime.seconds_left() >= SECONDS_MIN:
        members = run.members(rest.on, rest.shard, rest.after)
        _queue_pages(run, rest, members)
        if len(members) < LISTED_TOGETHER:
            return
        rest = rest._replace(after=members[-1])
    _send(run.name, [_body(run, rest)])


def _places(run: Run, listing: Listing) -> Iterator[Listing]:
    """Each shard of each day that is still to be listed."""
    for day in run.days(listing.on, listing.through):
        for shard in range(run.shards(day)):
            if (day, shard) >= (listing.on, listing.shard):
                yield listing._replace(on=day, shard=shard)


def _queue_pages(run: Run, place: Listing | Rest, members: Sequence[str]) -> int:
    pages = [
        Page(place.now, place.on, place.shard, tuple(members[start : start + MEMBERS_PER_PAGE]))
        for start in range(0, len(members), MEMBERS_PER_PAGE)
    ]
    if pages:
        _send(run.name, [_body(run, page) for page in pages])
    return len(pages)


def _deal(run: Run, page: Page) -> None:
    """Deal with each member of a page; those for whom there is no time left are handed back."""
    done, failed = 0, 0
    for number, member_id in enumerate(page.members):
        if runtime.seconds_left() < SECONDS_MIN:
            _send(run.name, [_body(run, page._replace(members=page.members[number:]))])
            break
        extra = {"run": run.name, "member_id": member_id}
        try:
            done += run.deal(member_id, page)
        except LoyaltyError as error:
            failed += 1
            telemetry.logger().warning("a run could not deal with a member", extra={**extra, "code": error.code})
        except Exception:
            failed += 1
            telemetry.logger().exception("a run failed over a member", extra=extra)
    run.dealt(done, failed)
    if failed:
        raise TryAgainError(f"{failed} members of a page could not be dealt with")


# Messages. A release before this one asked for a whole shard of a day by `on`, `shard` and `now`, of the expiry run
# alone: each message has these, so that what one release has queued another understands.


def _body(run: Run, task: Listing | Rest | Page) -> str:
    body: dict[str, Any] = {"run": run.name, "now": task.now.isoformat(), "on": task.on.isoformat()}
    body["shard"] = task.shard
    if isinstance(task, Listing):
        return json.dumps({**body, "through": task.through.isoformat()})
    return json.dumps({**body, **({"members": task.members} if isinstance(task, Page) else {"after": task.after})})


def _task(said: Mapping[str, Any]) -> Listing | Rest | Page:
    now, on, shard = datetime.fromisoformat(said["now"]), date.fromisoformat(said["on"]), int(said["shard"])
    if "members" in said:
        return Page(now, on, shard, tuple(said["members"]))
    if "through" in said:
        return Listing(now, on, date.fromisoformat(said["through"]), shard)
    return Rest(now, on, shard, said.get("after", ""))


def _send(run: RunName, bodies: Sequence[str]) -> None:
    queues = runtime.replaced.get("run_queues")
    if queues is None:
        _queue(run).send(bodies)
    else:
        queues.send(run, bodies)


def _waiting(run: RunName) -> int:
    queues = runtime.replaced.get("run_queues")
    return _queue(run).waiting() if queues is None else queues.waiting(run)


def _queue(run: RunName) -> sqs.Queue:
    return sqs.Queue(partial(settings.run_queue_url, run))
