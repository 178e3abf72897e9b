"""`python -m tests.mutation`: what share of a random sample of broken rules the tests notice, and what they miss."""

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutation.mutants import change_of, equivalents, is_wording, mutants
from tests.mutation.runner import ENDLESS, KILLED

ROOT = Path(__file__).parent.parent.parent
GOAL = 0.9
DEVIATIONS = 1.96
"""Of 95 of 100 samples, from the mean."""
MUTATED = (
    "shared/domain/*",
    *(f"shared/tables/{name}.py" for name in ("accounts", "bulk", "ledger", "operation", "stock")),
)
PROVED_BY = (
    "tests/model",
    "tests/functions",
    "tests/shared",
    # The two long random walks take longer than all others of their folder together.
    "--ignore=tests/model/test_every_movement.py",
    "--ignore=tests/model/test_every_point.py",
)
SETTINGS = """
[tool.mutmut]
source_paths = ["shared/"]
only_mutate = {only}
also_copy = ["functions", "infra", "README.md", "cdk.json"]
pytest_add_cli_args_test_selection = {proved_by}
"""


def main() -> int:
    """Print the share and every survivor; 1 if the share is below the goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=150, help="how many are broken (default: 150)")
    parser.add_argument("--seed", type=int, default=1, help="which (default: 1)")
    parser.add_argument("--only", metavar="MODULE", help="a path such as shared/domain/earning/orders.py")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), [options.only] if options.only else MUTATED)
        return measure(Path(folder), options.sample, options.seed)


def prepare(folder: Path, only: Sequence[str]) -> None:
    """Copy what belongs to the project, break it in every way, and learn which test reaches what.

    Raises RuntimeError, with what mutmut said, if a test fails as it is.
    """
    for name in _run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(only=json.dumps(only), proved_by=json.dumps(PROVED_BY)))
    # It has no command that ends here: asked to run what there is not, it ends once all is made.
    told = _run(folder, str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", "none").stdout
    if not (folder / "mutants" / "mutmut-stats.json").exists():
        raise RuntimeError(told[-5_000:])


def measure(folder: Path, size: int, seed: int) -> int:
    """Run the tests against a sample of what `prepare` made, and print what came of it."""
    names = mutants(folder)
    random.Random(seed).shuffle(names)  # noqa: S311 - to be repeated, not to be secret
    sample: list[str] = []
    wordings = 0
    for name in names:
        if len(sample) == size:
            break
        if is_wording(name, folder):
            wordings += 1
        else:
            sample.append(name)
    print(f"{len(names)} mutants; {len(sample)} drawn with seed {seed}; {wordings} that change only words set aside")
    return _report(folder, _verdicts(folder, sample))


def interval(hits: int, size: int) -> tuple[float, float]:
    """Between which shares the true one lies, 95 times of 100 (Wilson's score interval)."""
    share, square = hits / size, DEVIATIONS**2
    middle = share + square / (2 * size)
    half = DEVIATIONS * math.sqrt(share * (1 - share) / size + square / (4 * size**2))
    return (middle - half) / (1 + square / size), (middle + half) / (1 + square / size)


def _verdicts(folder: Path, sample: Sequence[str]) -> dict[str, str]:
    chosen, found = folder / "sample.json", folder / "verdicts.json"
    chosen.write_text(json.dumps(sample), encoding="utf-8")
    plugin = ["-p", "tests.mutation.runner", "--mutants", str(chosen), "--verdicts", str(found)]
    run = _run(folder / "mutants", sys.executable, "-m", "pytest", "--rootdir=.", *plugin, *PROVED_BY, shows=True)
    verdicts: dict[str, str] = json.loads(found.read_text(encoding="utf-8")) if found.exists() else {}
    if len(verdicts) < len(sample):
        raise RuntimeError(run.stdout[-5_000:])
    return verdicts


def _report(folder: Path, verdicts: Mapping[str, str]) -> int:
    known = equivalents()
    missed = {name: change_of(name, folder) for name in sorted(verdicts) if verdicts[name] not in {KILLED, ENDLESS}}
    for name, change in missed.items():
        print(f"\n{name}: {known.get(change, verdicts[name])}\n  - {change.before}\n  + {change.after}")
    equal = sum(change in known for change in missed.values())
    counted, killed = len(verdicts) - equal, len(verdicts) - len(missed)
    low, high = interval(killed, counted)
    endless = list(verdicts.values()).count(ENDLESS)
    print(f"\nkilled {killed} of {counted}: {killed / counted:.1%} (95 % interval {low:.1%} to {high:.1%})")
    print(f"{endless} of them never ended; {equal} more change nothing and do not count")
    return 0 if killed / counted >= GOAL else 1


def _run(folder: Path, *command: str, shows: bool = False) -> "subprocess.CompletedProcess[str]":
    """What a command said; `shows` lets through how far it has come."""
    return subprocess.run(
        command,
        cwd=folder,
        # Hypothesis then knows no deadline, as what is broken may be slow; and nothing is broken yet.
        env={**os.environ, "CI": "1", "MUTANT_UNDER_TEST": ""},
        stdout=subprocess.PIPE,
        stderr=None if shows else subprocess.STDOUT,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
