"""Let a coalition try to beat the oracle of value: `python -m tests.model.coalition --steps 100000`.

Without `--seed` one is drawn anew and printed. A plot that succeeds is printed as short as it can be, and can be played
again as it stands.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context

from tests.model.coalition.players import played
from tests.model.long_runs import asked_for

CHUNK = 20
"""Plots that are played by a worker at one go."""


def main() -> int:
    """0: no coalition had more than it may have."""
    number, workers, seed = asked_for("tests.model.coalition", __doc__, "steps")
    began, done = time.monotonic(), 0
    starts = count(step=CHUNK * workers)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while done < number:
            first = next(starts)
            chunks = range(first, first + CHUNK * workers, CHUNK)
            ends = (start + CHUNK for start in chunks)
            for steps, found in pool.map(partial(played, seed), chunks, ends):
                done += steps
                if found is not None:
                    print(found)
                    return 1
            print(f"{done:,} steps, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"{done:,} steps of seed {seed} in {time.monotonic() - began:.0f} s: nobody has what is not theirs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
