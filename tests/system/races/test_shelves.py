"""A limited reward under many hands: as many are given as there are, whatever is put back and offered meanwhile."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.bench.world import Reply, World, open_world, unique
from infra.tables import LOYALTY
from infra.tools.verify import check
from shared.domain.spending import shelves
from shared.tables import client, keys, stock

pytestmark = pytest.mark.slow

PIECES, MEMBERS, AT_ONCE = 40, 64, 16
TRIES_MAX = 20


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A shop with a reward of so few pieces that all of them are fought for."""
    monkeypatch.setattr(shelves, "SHELVED_FROM", PIECES)
    with open_world() as opened:
        mug = {"reward_id": "mug", "name": "Mug", "kind": "product", "sku": "MUG", "points": 1, "stock": PIECES}
        opened.use_program(redeeming={"rewards": [mug]})
        yield opened


def test_all_pieces_are_given_once_by_whomever_they_are_taken_and_put_back_at_once(world: World) -> None:
    members = [world.enroll() for _ in range(MEMBERS)]
    held: list[tuple[str, str]] = []
    codes = Counter[str]()

    def reach(member: str) -> None:
        """Take one and, half of the time, put it back and take one again."""
        redemption = take(world, member)
        if redemption and random.random() < 0.5:  # noqa: S311 - any half will do
            path = f"/v1/members/{member}/redemptions/{redemption}/cancel"
            assert persistent(world, path, {}, unique("cancel")).status == 200
            codes["put back"] += 1
            redemption = take(world, member)
        if redemption:
            held.append((member, redemption))
        codes["held" if redemption else "refused"] += 1

    with ThreadPoolExecutor(AT_ONCE) as hands:
        list(hands.map(reach, members))

    # Whoever was refused while a piece was on its way back finds it afterwards.
    given = len(held) + sum(take(world, world.enroll()) is not None for _ in range(PIECES - len(held) + 2))
    assert given == PIECES
    assert codes["put back"] > 0
    assert stock.stock_taken(["mug"]) == {"mug": PIECES}
    assert len([number for number in range(shelves.SHELVES) if _is_there(number)]) == shelves.SHELVES
    assert check(world.client, LOYALTY.name).violations == []


def take(world: World, member: str) -> str | None:
    """A piece; None if none is left."""
    reply = persistent(world, f"/v1/members/{member}/redemptions", {"reward_id": "mug"}, unique("mug"))
    if reply.status == 201:
        return str(reply.body["redemption_id"])
    assert reply.body["code"] == "reward_unavailable", reply.body
    return None


def persistent(world: World, path: str, body: dict[str, str], key: str) -> Reply:
    """An answer other than to try again."""
    for _ in range(TRIES_MAX):
        reply = world.call("redeem", "POST", path, body, key=key)
        if reply.status != 503:
            return reply
    raise AssertionError(reply.body)


def _is_there(number: int) -> bool:
    return client.get(LOYALTY.name, keys.shelf_key("mug", number)) is not None
