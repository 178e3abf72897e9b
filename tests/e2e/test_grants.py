"""Each action that a function is granted is needed: without it, the function's story fails in the deployed stack."""

import pytest

from infra.cloud.needs import NEEDS
from tests.e2e.world import Deployed
from tests.infra.cloud.stories import STORIES, ok
from tests.infra.cloud.test_grants import BY_AWS


def _granted(function: str) -> list[tuple[str, str]]:
    granted = {(action, grant.on) for grant in NEEDS[function].grants for action in grant.actions}
    # Last what lets a story use up what it found prepared.
    return sorted(granted - BY_AWS, key=lambda one: (one[0] == "sqs:SendMessage", one))


@pytest.mark.parametrize("function", sorted(NEEDS))
def test_a_function_fails_without_any_one_of_its_actions(world: Deployed, function: str) -> None:
    needless = []
    for action, resource in _granted(function):
        with world.without(function, action, world.arn_of(resource)):
            try:
                STORIES[function](world)
            except AssertionError:
                continue
            needless.append((action, resource))
    assert not needless
    STORIES[function](world)


def test_a_function_that_is_denied_writes_nothing(world: Deployed) -> None:
    with world.without("program", "dynamodb:PutItem"):
        before = ok(world, "GET", "/v1/program", scope=None)
        with pytest.raises(AssertionError, match="AccessDenied"):
            STORIES["program"](world)
        assert ok(world, "GET", "/v1/program", scope=None) == before
