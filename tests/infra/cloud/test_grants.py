"""Each function is granted what its code does: nothing missing, nothing unused."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest
from moto import mock_aws

from infra.cloud.build.function_code import function_names
from infra.cloud.permissions import IDENTITY_SECRET, MESSAGE_QUEUE, NEEDS, RUN_QUEUES, WEBHOOK_QUEUE, Grant
from shared import runtime
from tests.infra.cloud.in_process import REGION, InProcess, Use, database, make_everything
from tests.infra.cloud.stories import STORIES, prepare

TAKEN = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
BY_AWS = frozenset(
    {
        # DynamoDB and Lambda ask for these in the function's name; moto does not.
        ("kms:Decrypt", "people-key"),
        ("ses:SendEmail", "mail-settings"),
        *((action, queue) for action in TAKEN for queue in (*RUN_QUEUES.values(), MESSAGE_QUEUE, WEBHOOK_QUEUE)),
        ("sqs:SendMessage", "schedule-dead-letters"),
        ("s3:ListBucket", "failed-records"),
        ("s3:PutObject", "failed-records/*"),
        ("dynamodb:DescribeStream", "loyalty/stream"),
        ("dynamodb:GetRecords", "loyalty/stream"),
        ("dynamodb:GetShardIterator", "loyalty/stream"),
        ("dynamodb:ListStreams", "*"),
    }
)


@pytest.fixture(scope="module")
def told() -> Iterator[InProcess]:
    """A world in which all stories have been told."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(), database():
        for name, value in {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }.items():
            patch.setenv(name, value)
        for name, value in make_everything().items():
            patch.setenv(name, value)
        world = InProcess()
        with world.noting():
            prepare(world)
            for story in STORIES.values():
                story(world)
        yield world
        runtime.reset()


def test_every_function_has_its_entry_and_its_story() -> None:
    assert set(NEEDS) == set(STORIES) == set(function_names())


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(NEEDS))
def test_nothing_that_a_function_does_is_missing_from_its_grants(function: str, told: InProcess) -> None:
    done = {use for use in told.uses if use.function == function}
    assert {use for use in done if not any(_is_allowed(use, grant) for grant in NEEDS[function].grants)} == set()


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(NEEDS))
def test_no_action_is_granted_that_a_function_does_not_use(function: str, told: InProcess) -> None:
    used = {(use.action, use.on) for use in told.uses if use.function == function}
    granted = {(action, grant.on) for grant in NEEDS[function].grants for action in grant.actions}
    assert granted - used - BY_AWS == set()


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(NEEDS))
def test_no_keys_are_granted_that_a_function_does_not_use(function: str, told: InProcess) -> None:
    unused = {
        (grant.actions, pattern)
        for grant in NEEDS[function].grants
        for pattern in grant.keys
        if not any(
            use.function == function and _is_allowed(use, Grant(grant.actions, grant.on, (pattern,)))
            for use in told.uses
        )
    }
    assert not unused


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(NEEDS))
def test_a_function_is_given_the_settings_that_it_reads(function: str, told: InProcess) -> None:
    read = {name for reader, name in told.settings_read if reader == function}
    if any(use.function == function and use.on == IDENTITY_SECRET for use in told.uses):
        read.add("IDENTITY_KEY_SECRET_ID")
    assert read == set(NEEDS[function].settings)


def test_what_names_no_resource_says_why() -> None:
    grants = [grant for needs in NEEDS.values() for grant in needs.grants]
    assert all(grant.reason for grant in grants if grant.on == "*")
    assert not any("*" in action for grant in grants for action in grant.actions)
    # One reads one item of an index, when a shop changes its currency; no function may read a table through.
    assert [grant.on for grant in grants if "dynamodb:Scan" in grant.actions and grant.reason] == [
        "loyalty/index/history"
    ]
    assert not any("dynamodb:Scan" in grant.actions and not grant.reason for grant in grants)


def _is_allowed(use: Use, grant: Grant) -> bool:
    fits = not grant.keys or any(fnmatchcase(use.key, pattern) for pattern in grant.keys)
    return use.action in grant.actions and use.on == grant.on and fits
