"""One deployed stack for all tests: the real template in MiniStack, IAM switched on, asked over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.emulator.deploy import deployed
from tests.infra.cloud.stories import prepare
from tests.system.e2e.issuer import AUDIENCE, Provider, serving
from tests.system.e2e.world import Deployed

ORIGIN = "https://shop.example"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture(scope="session")
def world(provider: Provider) -> Iterator[Deployed]:
    """The deployed stack, with the program that the stories need."""
    context = {
        "issuer": provider.url,
        "audiences": AUDIENCE,
        "allowed_origins": ORIGIN,
        "webhook_targets": "anywhere",
    }
    with deployed(context) as deployment, Deployed(deployment, provider) as world:
        prepare(world)
        world.note_runs()
        yield world
