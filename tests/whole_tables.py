"""Work on the tables that the environment names, by this process alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from infra.analytics import lake, lake_queries
from infra.tools import exporter, importer, parts
from infra.tools import rebuild as rebuilding
from shared import settings
from shared.tables import client


def bring_in(path: Path, now: datetime) -> importer.Result:
    """Import a file."""
    with parts.unkept(now) as run:
        return importer.bring_in(path, run, dry_run=False)


def export(folder: Path, now: datetime) -> exporter.Exported:
    """Export to a folder."""
    with parts.unkept(now) as run:
        return exporter.export(client.client(), settings.loyalty_table(), folder, run)


def rebuild(now: datetime, *, writes: bool = True, withdrawn_to: Path | None = None) -> rebuilding.Report:
    """Make the table whole, or say what would be done."""
    with parts.unkept(now) as run:
        return rebuilding.rebuild(
            client.client(), settings.loyalty_table(), run, writes=writes, withdrawn_to=withdrawn_to
        )


def write_lake(folder: Path, now: datetime, *, segments: int = 1, secret: bytes | None = None) -> Mapping[str, int]:
    """Write a lake by so many segments, with pseudonyms under a secret of its own unless one is given."""
    with parts.unkept(now) as run:
        run.once("segments", lambda: segments)
        if secret:
            run.once("secret", secret.hex)
        return lake.write(client.client(), settings.loyalty_table(), folder, run)


@contextmanager
def opened_lake(folder: Path, now: datetime) -> Iterator[lake_queries.Lake]:
    """A lake that is written, and open."""
    write_lake(folder, now)
    with lake_queries.opened(folder) as found:
        yield found
