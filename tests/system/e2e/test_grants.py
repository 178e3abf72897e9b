"""Each action that a function is granted is needed: without it, the function's story fails in the deployed stack."""

from collections.abc import Iterator

import pytest

from infra.cloud.permissions import LOYALTY, MESSAGE_QUEUE, NEEDS, RUN_QUEUES, WEBHOOK_QUEUE
from tests.infra.cloud.stories import STORIES, ok
from tests.infra.cloud.test_grants import BY_AWS
from tests.system.e2e.world import Deployed


@pytest.fixture(scope="module", autouse=True)
def no_follower(world: Deployed) -> Iterator[None]:
    """It would at times do first what a story is to see another function do."""
    with world.no_stream_to("consequences"):
        yield


UNSEEN = {
    "messages": {("sqs:ChangeMessageVisibility", MESSAGE_QUEUE)},
    "webhook_deliveries": {("sqs:ChangeMessageVisibility", WEBHOOK_QUEUE)},
    "notify": {("dynamodb:UpdateItem", LOYALTY), ("sqs:SendMessage", RUN_QUEUES["reminders"])},
}
"""Without it a message merely comes again too soon, which no story waits for, or nobody is reminded, whose day does not
come while a story is told. That it is used is seen in `tests/infra/cloud/test_grants.py`."""


def _granted(function: str) -> list[tuple[str, str]]:
    granted = {(action, grant.on) for grant in NEEDS[function].grants for action in grant.actions}
    return sorted(granted - BY_AWS - UNSEEN.get(function, set()))


@pytest.mark.parametrize("function", sorted(NEEDS))
def test_a_function_fails_without_any_one_of_its_actions(world: Deployed, function: str) -> None:
    STORIES[function](world)
    needless = []
    for action, resource in _granted(function):
        with world.without(function, action, world.arn_of(resource)):
            if not _fails(world, function):
                needless.append((action, resource))
        world.delete_webhooks()
    assert not needless


def test_a_function_that_is_denied_writes_nothing(world: Deployed) -> None:
    with world.without("program", "dynamodb:PutItem"):
        before = ok(world, "GET", "/v1/program", scope=None)
        with pytest.raises(AssertionError, match="AccessDenied"):
            STORIES["program"](world)
        assert ok(world, "GET", "/v1/program", scope=None) == before


def _fails(world: Deployed, function: str) -> bool:
    """Whether its story does; if not at once then started anew, without what it was given before."""
    for start in (lambda _: None, world.start_anew):
        start(function)
        try:
            STORIES[function](world)
        except AssertionError:
            return True
    return False
