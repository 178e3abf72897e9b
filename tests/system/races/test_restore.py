"""A restore of a real engine's table to the middle of traffic, each item as it was at a slightly different moment."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.bench.world import World, open_world
from infra.cli import main
from infra.machine import engine
from infra.tables import LOYALTY
from shared import runtime
from tests.system.races.traffic import PROGRAM, Traffic

THREADS, EACH = 8, 20
SPREAD_MS = 120
"""So much earlier or later than the moment an item may have been read."""
RESTORED = "restored"

Versions = Mapping[tuple[str, str], list[tuple[int, Any]]]


@pytest.mark.slow
def test_a_table_restored_to_the_middle_of_traffic_is_made_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_world() as world:
        world.use_program(**PROGRAM)
        Traffic(world, pairs=3, seed=7).run(THREADS, EACH)
        restore(world, Random(7))  # noqa: S311 - guards nothing
        on_aws, withdrawn = ["--table", RESTORED], tmp_path / "withdrawn.jsonl"
        monkeypatch.setenv("LOYALTY_TABLE", RESTORED)
        runtime.reset()

        assert main.main(["verify", *on_aws]) == 1
        capsys.readouterr()
        assert main.main(["rebuild", *on_aws, "--due-shards", "1", "--withdraw", str(withdrawn), "--dry-run"]) == 0
        planned = capsys.readouterr().out
        assert main.main(["verify", *on_aws]) == 1
        capsys.readouterr()
        assert main.main(["rebuild", *on_aws, "--due-shards", "1", "--withdraw", str(withdrawn)]) == 0
        done = capsys.readouterr().out
        assert main.main(["verify", *on_aws]) == 0

        assert planned.replace("would be ", "") == done
        assert "put right: " in done
        kept = withdrawn.read_text() if withdrawn.exists() else ""
        assert kept.count("\n") == done.count("\nwithdrawn: ")
        assert main.main(["rebuild", *on_aws, "--due-shards", "1"]) == 0
        assert "0 put right, 0 entries lost, 0 withdrawn, 0 left" in capsys.readouterr().out


def restore(world: World, random: Random) -> None:
    """Make another table of what the ledger's was at about a moment in the middle of its writes."""
    versions = _versions(world)
    moments = sorted(when for of_item in versions.values() for when, _ in of_item)
    moment = moments[len(moments) // 2]
    request = engine.create_table_request(LOYALTY) | {"TableName": RESTORED}
    world.client.create_table(**request)
    for of_item in versions.values():
        until = moment + random.randint(-SPREAD_MS, SPREAD_MS)
        item = next((item for when, item in reversed(of_item) if when <= until), None)
        if item is not None:
            world.client.put_item(TableName=RESTORED, Item=item)


def _versions(world: World) -> Versions:
    """Every version of every item with its time in milliseconds, from the table's stream."""
    client, arn = engine.streams_client(world.endpoint), engine.stream_arn(world.endpoint)
    [shard] = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = client.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    page = client.get_records(ShardIterator=iterator["ShardIterator"])
    versions: dict[tuple[str, str], list[tuple[int, Any]]] = defaultdict(list)
    while page["Records"]:
        for record in page["Records"]:
            change: Any = record["dynamodb"]
            key = (change["Keys"]["pk"]["S"], change["Keys"]["sk"]["S"])
            # MiniStack's numbers begin with the time.
            versions[key].append((int(change["SequenceNumber"][:20]), change.get("NewImage")))
        page = client.get_records(ShardIterator=page["NextShardIterator"])
    return versions
