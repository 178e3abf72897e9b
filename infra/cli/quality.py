"""How good it is: `loyalty simulate` and `loyalty bench`."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from infra.bench import table
from infra.errors import UsageError
from infra.simulation import run

app = typer.Typer()


@app.command()
def simulate(
    seed: Annotated[int, Option(metavar="S", help="The same seed plays the same.")] = 1,
    operations: Annotated[int, Option(metavar="N", min=1, help="How many.")] = 100_000,
    world: Annotated[int | None, Option(metavar="W", help="Play one world of the seed alone.")] = None,
    workers: Annotated[
        int | None, Option(metavar="P", min=1, help="Processes; one for each processor if left out.")
    ] = None,
) -> int:
    """Play a shop under faults, and check every rule of the ledger."""
    return run.simulate(seed, operations, world=world, workers=workers)


@app.command()
def bench(
    only: Annotated[str, Option(metavar="ROWS", help="Such as requests,warm; all if left out.")] = "",
    purchases: Annotated[Path | None, Option(metavar="FILE", help="What the replay's row replays.")] = None,
    fraction: Annotated[float, Option(metavar="F", min=0, max=1, help="Which part of it, such as 0.1.")] = 1.0,
) -> int:
    """Measure speed and cost against their goals. Exits with 1 if a goal is not met."""
    rows = [row.strip() for row in only.split(",")] if only else list(table.ROWS)
    unknown = set(rows) - set(table.ROWS)
    if unknown:
        raise UsageError(f"no rows {', '.join(sorted(unknown))}: there are {', '.join(table.ROWS)}")
    if not fraction:
        raise UsageError("--fraction must be more than 0")
    return table.run(table.Options(rows, purchases, fraction))
