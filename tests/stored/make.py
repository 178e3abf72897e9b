"""Makes a folder of what this release stores: `python -m tests.stored.make [FOLDER]`.

Whoever releases keeps the folder, and later releases are tested with it: what they find in a table was written by
releases before them. A folder that is there is never made again, for then nothing would tell that an item is not read
any more; the next release's goes beside it, as `tests/data/stored-NEXT`.

The story has fixed instants, and what the service draws at random (the letters of referral codes, the ends of the keys
of operators' traces) comes from a fixed seed here. So two runs of one release make the same files.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from infra.tools import verify
from shared import runtime, settings
from shared.domain.entry_types import ENTRY_TYPES
from shared.tables import client
from tests.functions import shop
from tests.stored import replaying, story, tables

ITEMS_MAX = 420
"""Moto copies the whole table with every transaction."""
SEED = 7


def make(folder: Path) -> int:
    """Play the story, and write what it leaves to a new folder; how many items."""
    assert not folder.exists(), f"{folder} is there, and is kept as it is"
    drawn = Random(SEED)  # noqa: S311 - the same for every run is what is wanted
    with tables.opened():
        told = story.Story()
        runtime.use(random=drawn, monotonic=lambda: told.now.timestamp())  # noqa: PLW0108 - `now` moves
        told.play()
        about = _about(told)
        till = shop.Shop()
        till.now = told.now
        requests = [_lasting(till, request) for request in told.requests]
        items = tables.dump(folder, requests, about)
    assert items <= ITEMS_MAX, f"{items} items are more than moto is quick with"
    return items


def _about(told: story.Story) -> dict[str, Any]:
    """What is said of the folder. Fails if the story left something wrong, or no entry of some type."""
    shop.check_every_account()
    report = verify.check(client.client(), settings.loyalty_table())
    assert report.violations == []
    types = list(ENTRY_TYPES)
    written = {item["type"]["S"] for item in shop.stored(settings.loyalty_table()) if "type" in item}
    assert not set(types) - written, f"the story has no entries of {sorted(set(types) - written)}"
    counted = {"accounts": report.accounts, "entries": report.entries, "outstanding": report.outstanding}
    return {"ends_at": told.now.isoformat(), "verified": counted, "entry_types": types}


def _lasting(till: shop.Shop, request: Mapping[str, Any]) -> dict[str, Any]:
    """A request with what of its answer is said for ever. Fails if it is not answered as a replay now."""
    with till.writing_nothing():
        again = replaying.send_again(till, request)
    assert again.replayed, (request, again.body)
    return {**request, "answer": replaying.lasting(request["answer"], again.body)}


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else tables.DATA / "stored"
    print(f"{make(chosen)} items in {chosen}")
