"""Reports on the whole ledger: `loyalty lake`."""

import secrets
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from infra.analytics import packages
from infra.cli.options import Data, DueShards, Endpoint, IdentitySecret, PeopleTable, Table
from infra.tools.aws_target import Named, named_tables

_SECRET_BYTES = 32

app = typer.Typer()


@app.command()
def lake(
    folder: Annotated[Path, Argument(metavar="DIRECTORY", help="Where to write the tables.")],
    endpoint: Endpoint = None,
    data: Data = None,
    table: Table = None,
    people_table: PeopleTable = None,
    identity_secret: IdentitySecret = None,
    due_shards: DueShards = None,
) -> int:
    """Write the ledger and its accounts as Parquet files, without personal data, for any engine of SQL."""
    packages.require()
    from infra.analytics.lake import write  # noqa: PLC0415 - needs what was just required

    named = Named(endpoint, data, table, people_table, identity_secret, due_shards)
    with named_tables(named, must_exist=True) as tables:
        # Nobody keeps the secret: what stands for an order or for a member who is gone leads nowhere.
        written = write(tables.client, tables.loyalty, folder, tables.now, secret=secrets.token_bytes(_SECRET_BYTES))
    rows = ", ".join(f"{written.rows.get(name, 0):,} {name}" for name in ("accounts", "entries", "movements"))
    print(f"{folder}: {rows}, as of {written.as_of.isoformat()}")
    return 0
