"""What long runs of random play have in common: how many, by whom, from which seed, and a failure made short."""

import argparse
import secrets
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

_Play = TypeVar("_Play")


class Run(NamedTuple):
    """How much is played, by how many processes, from which seed."""

    number: int
    workers: int
    seed: int


def asked_for(program: str, description: str | None, what: str) -> Run:
    """The run that the command line asks for. Without `--seed` one is drawn anew; it is printed either way."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument(f"--{what}", dest="number", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = secrets.randbelow(10**9) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    return Run(given.number, given.workers, seed)


def shortest(play: _Play, smaller: Callable[[_Play], Iterable[_Play]], fails: Callable[[_Play], object]) -> _Play:
    """A play that fails, with as little in it as can be found by leaving things out."""
    tried = True
    while tried:
        tried = False
        for less in smaller(play):
            if fails(less):
                play, tried = less, True
                break
    return play
