"""`python -m tests.mutation`: what share of a random sample of broken rules the tests notice, and what they miss."""

import argparse
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.mutants import TIMED_OUT, UNTESTED, change_of, equivalents, is_wording, unnoticed, verdicts

ROOT = Path(__file__).parent.parent.parent
GOAL = 0.9
DEVIATIONS = 1.96
"""Of 95 of 100 samples, from the mean."""
MUTATED = ["shared/domain/*", "shared/store.py"]
SETTINGS = """
[tool.mutmut]
source_paths = ["shared/"]
only_mutate = [{only}]
also_copy = ["functions", "infra", "README.md", "cdk.json"]
pytest_add_cli_args_test_selection = ["tests/domain", "tests/functions", "tests/shared"]
# What reads the sources sees what mutmut made of them. The two long random walks take longer than all others together.
pytest_add_cli_args = [
  "-p", "tests.mutation.quickest",
  "--ignore=tests/domain/test_purity.py",
  "--ignore=tests/domain/test_every_movement.py",
  "--ignore=tests/domain/test_every_point.py",
]
# Seconds: long enough for the slowest on a busy machine, short enough for what never ends.
timeout_constant = 30.0
timeout_multiplier = 1.5
"""


def main() -> int:
    """Print the share and every survivor; 1 if the share is below the goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=150, help="how many are broken (default: 150)")
    parser.add_argument("--seed", type=int, default=1, help="which (default: 1)")
    parser.add_argument("--only", metavar="MODULE", help="a path such as shared/domain/earning.py")
    parser.add_argument("--workers", type=int, default=1, help="how many at a time (default: 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), [options.only] if options.only else MUTATED)
        return measure(Path(folder), options.sample, options.seed, options.workers)


def prepare(folder: Path, only: Sequence[str]) -> None:
    """Copy what belongs to the project, break it in every way, and learn which test calls what."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 -- whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(only=", ".join(f'"{path}"' for path in only)))
    # It has no command that stops here: asked for what there is not, it stops once all is made.
    run = _mutmut(folder, ["none"], workers=1, capture=True)
    if not (folder / "mutants" / "mutmut-stats.json").exists():
        raise RuntimeError(run.stdout[-5_000:])


def measure(folder: Path, size: int, seed: int, workers: int) -> int:
    """Run the tests against a sample of what `prepare` made, and print what came of it."""
    names = sorted(verdicts(folder))
    random.Random(seed).shuffle(names)  # noqa: S311 -- repeatable, not secret
    sample: list[str] = []
    wordings = 0
    for name in names:
        if len(sample) == size:
            break
        if is_wording(name, folder):
            wordings += 1
        else:
            sample.append(name)
    _mutmut(folder, sample, workers)
    print(f"{len(names)} mutants; {len(sample)} drawn with seed {seed}; {wordings} that change only words set aside")
    return _report(folder, sample)


def _report(folder: Path, sample: Sequence[str]) -> int:
    codes, known = verdicts(folder), equivalents()
    missed = {name: change_of(name, folder) for name in unnoticed(sample, codes)}
    for name, change in missed.items():
        why = known.get(change) or ("no test calls it" if codes[name] == UNTESTED else "survived")
        print(f"\n{name}: {why}\n  - {change.before}\n  + {change.after}")
    equal = sum(change in known for change in missed.values())
    counted = len(sample) - equal
    killed = len(sample) - len(missed)
    low, high = interval(killed, counted)
    slow = sum(codes[name] in TIMED_OUT for name in sample)
    print(f"\nkilled {killed} of {counted}: {killed / counted:.1%} (95 % interval {low:.1%} to {high:.1%})")
    print(f"{slow} of them ran out of time; {equal} more change nothing and do not count")
    return 0 if killed / counted >= GOAL else 1


def interval(hits: int, size: int) -> tuple[float, float]:
    """Between which shares the true one lies, 95 times of 100 (Wilson's score interval)."""
    share, square = hits / size, DEVIATIONS**2
    middle = share + square / (2 * size)
    half = DEVIATIONS * math.sqrt(share * (1 - share) / size + square / (4 * size**2))
    return (middle - half) / (1 + square / size), (middle + half) / (1 + square / size)


def _mutmut(
    folder: Path, names: Sequence[str], workers: int, *, capture: bool = False
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(workers), *names],
        cwd=folder,
        env={**os.environ, "CI": "1"},  # Hypothesis then knows no deadline: what is broken may be slow
        stdout=subprocess.PIPE if capture else sys.stderr,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
