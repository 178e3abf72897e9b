"""How commands work on whole tables: by parts, with their progress on stderr."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Annotated

from rich.console import Console
from rich.progress import Progress
from typer import Option

from infra.tools import parts, segments
from infra.tools.aws_target import Tables
from infra.tools.parts import Run

Workers = Annotated[int | None, Option(metavar="N", min=1, help="Processes; one for each processor if left out.")]
Resume = Annotated[bool, Option("--resume", help="Go on where the same command was stopped, as of its instant.")]


@contextmanager
def running(
    command: str, tables: Tables, of: Iterable[str] = (), *, workers: int | None, resume: bool
) -> Iterator[tuple[Run, Progress]]:
    """A run of a command on tables, and on what `of` tells apart, for as long as the block lasts."""
    named = [*segments.identity(tables.client, tables.loyalty), *of]
    count = workers or parts.processors()
    with (
        Progress(console=Console(stderr=True)) as progress,
        parts.begun(command, named, tables.now, workers=count, resume=resume) as run,
    ):
        yield run, progress


@contextmanager
def running_unkept(now: datetime, workers: int | None = None) -> Iterator[Run]:
    """A run that begins anew each time, for as long as the block lasts."""
    with (
        Progress(console=Console(stderr=True)) as progress,
        parts.unkept(now, counting(progress, "accounts"), workers=workers or parts.processors()) as run,
    ):
        yield run


def counting(progress: Progress, what: str) -> parts.Tell:
    """What is told how much more was done, and shows it."""
    return partial(progress.advance, progress.add_task(what, total=None))
