"""Play random histories of orders that come back beside the clerk: `python -m tests.model --histories 100000`.

Without `--seed` one is drawn anew and printed. A history that fails is printed as short as it can be, and can be played
again as it stands.
"""

import argparse
import secrets
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from tests.model.kept_histories import played

CHUNK = 250
"""Histories that are played by a worker at one go."""


def main() -> int:
    """0: shop and clerk agreed after every step."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = secrets.randbelow(10**9) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    began, done = time.monotonic(), 0
    starts = range(0, arguments.histories, CHUNK)
    ends = [min(start + CHUNK, arguments.histories) for start in starts]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(played, repeat(seed), starts, ends):
            if found is not None:
                pool.shutdown(cancel_futures=True)
                print(found)
                return 1
            done = min(done + CHUNK, arguments.histories)
            seconds = time.monotonic() - began
            print(f"{done:,} histories, {seconds:.0f} s", file=sys.stderr, flush=True)
    print(f"{done:,} histories of seed {seed} in {time.monotonic() - began:.0f} s: shop and clerk agree on every facet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
