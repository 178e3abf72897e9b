"""Play random histories of orders that come back beside the clerk: `python -m tests.model --histories 100000`.

Without `--seed` one is drawn anew and printed. A history that fails is printed as short as it can be, and can be played
again as it stands.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from tests.model.kept_histories import played
from tests.model.long_runs import asked_for

CHUNK = 250
"""Histories that are played by a worker at one go."""


def main() -> int:
    """0: shop and clerk agreed after every step."""
    number, workers, seed = asked_for("tests.model", __doc__, "histories")
    began, done = time.monotonic(), 0
    starts = range(0, number, CHUNK)
    ends = [min(start + CHUNK, number) for start in starts]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(played, repeat(seed), starts, ends):
            if found is not None:
                pool.shutdown(cancel_futures=True)
                print(found)
                return 1
            done = min(done + CHUNK, number)
            seconds = time.monotonic() - began
            print(f"{done:,} histories, {seconds:.0f} s", file=sys.stderr, flush=True)
    print(f"{done:,} histories of seed {seed} in {time.monotonic() - began:.0f} s: shop and clerk agree on every facet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
