"""Runs: pages of a hundred, whatever time a call has; nothing is listed twice, and nobody is left out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from shared import runtime
from shared.domain.errors import TryAgainError
from shared.runtime import RunName
from shared.services import runs
from shared.services.runs import LISTED_TOGETHER, MEMBERS_PER_PAGE, PAGES_WAITING_MAX, SECONDS_MIN, Listing, Page, Run

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
FIRST = date(2026, 11, 29)
CALL_SECONDS = 300


class Scene:
    """Lists of members by day and shard, a queue, and a clock that looking and dealing take time of."""

    def __init__(self) -> None:
        self.lists: dict[tuple[date, int], list[str]] = {}
        self.messages: list[str] = []
        self.looks: list[tuple[date, int, str]] = []
        self.dealt: list[str] = []
        self.listed: list[date] = []
        self.counts: list[tuple[int, int]] = []
        self.fails_on: set[str] = set()
        self.seconds = 0.0
        self.look_seconds = self.deal_seconds = 0.0
        self.waits = 0
        self.run = Run(
            "expiry",
            members=self._members,
            deal=self._deal,
            shards=lambda _day: 2,
            listed=self.listed.append,
            dealt=lambda done, failed: self.counts.append((done, failed)),
        )

    def monotonic(self) -> float:
        return self.seconds

    def send(self, run: RunName, bodies: Sequence[str]) -> None:
        assert run == "expiry"
        assert 0 < len(bodies) <= 10
        self.messages += bodies

    def waiting(self, _run: RunName) -> int:
        return self.waits

    def begin(self) -> int:
        with runtime.within(CALL_SECONDS):
            return runs.begin(self.run, Listing(NOW, FIRST, FIRST + timedelta(days=2)))

    def work(self) -> None:
        """One call for each message that waits."""
        taken, self.messages = self.messages, []
        for body in taken:
            with runtime.within(CALL_SECONDS):
                runs.work(body, self.run)

    def take_listings(self) -> list[str]:
        """The messages that ask for more to be listed; the pages stay."""
        taken = [body for body in self.messages if "members" not in json.loads(body)]
        self.messages = [body for body in self.messages if body not in taken]
        return taken

    def pages(self) -> list[Page]:
        return [
            Page(NOW, date.fromisoformat(said["on"]), said["shard"], tuple(said["members"]))
            for said in map(json.loads, self.messages)
            if "members" in said
        ]

    def _members(self, day: date, shard: int, after: str) -> list[str]:
        self.looks.append((day, shard, after))
        self.seconds += self.look_seconds
        return [one for one in self.lists.get((day, shard), []) if one > after][:LISTED_TOGETHER]

    def _deal(self, member_id: str, _page: Page) -> int:
        self.seconds += self.deal_seconds
        if member_id in self.fails_on:
            raise TryAgainError("not now")
        self.dealt.append(member_id)
        return 1


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    with runtime.use(run_queues=made, monotonic=made.monotonic):
        yield made


def members(number: int, letter: str = "m") -> list[str]:
    return [f"{letter}{one:05}" for one in range(number)]


def test_a_run_queues_pages_of_a_hundred_and_notes_how_far_it_has_come(scene: Scene) -> None:
    scene.lists = {(FIRST, 1): members(250), (FIRST + timedelta(days=2), 0): members(1, "z")}
    assert scene.begin() == 4
    assert [len(page.members) for page in scene.pages()] == [100, 100, 50, 1]
    assert scene.listed == [FIRST + timedelta(days=2)]
    scene.work()
    assert scene.dealt == [*members(250), *members(1, "z")]


def test_a_long_shard_goes_on_by_itself_where_the_last_look_ended(scene: Scene) -> None:
    scene.lists = {(FIRST, 0): members(2 * LISTED_TOGETHER + 1), (FIRST, 1): members(3, "z")}
    assert scene.begin() == LISTED_TOGETHER / MEMBERS_PER_PAGE + 1
    assert scene.listed == [FIRST + timedelta(days=2)]
    [rest] = scene.take_listings()
    with runtime.within(CALL_SECONDS):
        runs.work(rest, scene.run)
    ends = [f"m{LISTED_TOGETHER - 1:05}", f"m{2 * LISTED_TOGETHER - 1:05}"]
    assert [after for day, shard, after in scene.looks if (day, shard) == (FIRST, 0)] == ["", *ends]
    listed = [one for page in scene.pages() for one in page.members]
    assert sorted(listed) == [*members(2 * LISTED_TOGETHER + 1), *members(3, "z")]
    assert scene.take_listings() == []


def test_a_listing_whose_time_runs_out_goes_on_in_another_call_from_where_it_was(scene: Scene) -> None:
    everybody = members(5 * LISTED_TOGETHER)
    scene.lists = {(FIRST, 0): everybody, (FIRST + timedelta(days=1), 1): members(3, "z")}
    scene.look_seconds = (CALL_SECONDS - SECONDS_MIN) / 2
    scene.begin()
    calls = 1
    while listings := scene.take_listings():
        for listing in listings:
            with runtime.within(CALL_SECONDS):
                runs.work(listing, scene.run)
            calls += 1
    assert calls == 4
    assert len(scene.looks) == len(set(scene.looks)) == 5 + 1 + 1 + 2 + 2
    assert sorted(one for page in scene.pages() for one in page.members) == [*everybody, *members(3, "z")]
    assert scene.listed == [FIRST + timedelta(days=2)]


def test_whom_a_worker_does_not_reach_in_time_it_hands_back(scene: Scene) -> None:
    scene.lists = {(FIRST, 0): members(MEMBERS_PER_PAGE)}
    scene.begin()
    scene.deal_seconds = (CALL_SECONDS - SECONDS_MIN) / 60
    scene.work()
    assert len(scene.dealt) == 61  # the last is begun with just SECONDS_MIN left
    [rest] = scene.pages()
    assert rest.members == tuple(members(MEMBERS_PER_PAGE)[61:])
    scene.work()
    assert scene.dealt == members(MEMBERS_PER_PAGE)
    assert scene.messages == []


def test_members_who_fail_hold_up_no_others_and_their_page_comes_again(scene: Scene) -> None:
    scene.lists = {(FIRST, 0): members(5)}
    scene.begin()
    scene.fails_on = {"m00001", "m00003"}
    with pytest.raises(TryAgainError, match="2 members"):
        scene.work()
    assert scene.dealt == ["m00000", "m00002", "m00004"]
    assert scene.counts == [(3, 2)]


def test_no_run_begins_while_the_pages_of_earlier_ones_wait(scene: Scene) -> None:
    scene.lists = {(FIRST, 0): members(1)}
    scene.waits = PAGES_WAITING_MAX + 1
    assert scene.begin() == 0
    assert (scene.looks, scene.messages, scene.listed) == ([], [], [])
    scene.waits = PAGES_WAITING_MAX
    assert scene.begin() == 1


def test_a_message_is_worked_off_by_the_run_that_it_names(scene: Scene) -> None:
    scene.lists = {(FIRST, 0): members(1)}
    scene.begin()
    [body] = scene.messages
    runs.work(body, replace(scene.run, name="statements"), scene.run)
    assert scene.dealt == members(1)
    with pytest.raises(StopIteration):
        runs.work(body, replace(scene.run, name="statements"))
