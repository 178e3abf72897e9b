"""A shop's own endpoint, told by the deployed stack: of what happened, signed, and again after a failure."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.infra.cloud.stories import CAMPAIGN, OPERATOR, enrolled, keyed, ok, ordered
from tests.infra.receiver import Receiver, receiving
from tests.system.e2e.world import Deployed, eventually


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@contextmanager
def _registered(world: Deployed, receiver: Receiver) -> Iterator[Any]:
    """The endpoint as the answer to its registration describes it, secret included."""
    made = ok(world, "POST", "/v1/webhooks", {"url": receiver.url}, 201, scope=OPERATOR, headers=keyed())
    # It remembers the endpoints for half a minute, for which nobody wants to wait.
    world.start_anew("notify")
    try:
        yield made
    finally:
        ok(world, "DELETE", f"/v1/webhooks/{made['webhook_id']}", scope=OPERATOR)


def test_an_endpoint_is_told_of_what_happened_and_can_verify_it(world: Deployed, receiver: Receiver) -> None:
    with _registered(world, receiver) as made:
        member_id = enrolled(world)
        ordered(world, member_id, total=4250)
        eventually(lambda: set(receiver.types_about(member_id)) == {"member.enrolled", "points.earned"})
    verifier = Webhook(made["secret"])
    events = {body["type"]: body["data"] for body in (verifier.verify(*_swapped(one)) for one in receiver.got)}
    assert events["member.enrolled"]["sequence"] == 1
    earned = events["points.earned"]
    assert (earned["member_id"], earned["sequence"], earned["points"]) == (
        member_id,
        2,
        42 + CAMPAIGN["effect"]["points"],
    )

    headers, body = receiver.about(member_id)[0]
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body.replace(member_id, "somebody-else"), headers)


def test_what_an_endpoint_failed_to_take_comes_again(world: Deployed, receiver: Receiver) -> None:
    receiver.status = 500
    with _registered(world, receiver) as made:
        path = f"/v1/webhooks/{made['webhook_id']}"
        member_id = enrolled(world)
        eventually(lambda: receiver.about(member_id))
        receiver.status = 200
        eventually(lambda: len(receiver.about(member_id)) == 2)
        tries = eventually(lambda: _tries_if(world, path, 2))
        assert ok(world, "GET", path, scope=OPERATOR)["failing_since"] is None
    assert [(one["attempt"], one["status"]) for one in tries] == [(2, 200), (1, 500)]
    (first, body), (second, same_body) = receiver.about(member_id)
    assert (first["webhook-id"], body) == (second["webhook-id"], same_body)
    assert json.loads(body)["type"] == "member.enrolled"


def _swapped(received: tuple[dict[str, str], str]) -> tuple[str, dict[str, str]]:
    headers, body = received
    return body, headers


def _tries_if(world: Deployed, path: str, count: int) -> Any:
    """The tries, the newest first, once there are so many."""
    tries = ok(world, "GET", f"{path}/deliveries", scope=OPERATOR)["items"]
    return tries if len(tries) == count else None
