"""Questions to the lake: each a file of SQL, asked of DuckDB here, and written for Athena from the same text.

A question names its values as `$to_at`; instants are UTC, without a zone.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.analytics.columns import TABLES
from infra.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FOLDER, VIEWS = (Path(__file__).with_name(name) for name in ("queries", "views"))

Value = datetime | date | int
Answer = list[Mapping[str, Any]]
"""The rows, each by the names of its columns."""


def names() -> list[str]:
    """Every question that there is."""
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


def text(name: str) -> str:
    """The SQL of a question."""
    return FOLDER.joinpath(f"{name}.sql").read_text(encoding="utf-8")


def views() -> Mapping[str, str]:
    """What several questions take from the tables in the same way: the SQL of each, by its name there."""
    return {path.stem: path.read_text(encoding="utf-8") for path in VIEWS.glob("*.sql")}


class Lake:
    """A lake that is open."""

    def __init__(self, database: "DuckDBPyConnection") -> None:
        self._database = database

    def ask(self, name: str, **values: Value) -> Answer:
        """The answer to a question."""
        done = self._database.execute(text(name), {key: _plain(value) for key, value in values.items()})
        columns = [column[0] for column in done.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in done.fetchall()]

    def ask_one(self, name: str, **values: Value) -> Mapping[str, Any]:
        """The one row that answers a question."""
        [row] = self.ask(name, **values)
        return row


@contextmanager
def opened(folder: Path) -> Iterator[Lake]:
    """The lake in a folder. Raises UsageError if there is none."""
    import duckdb  # noqa: PLC0415 - an extra

    if not (folder / "about").is_dir():
        raise UsageError(f"there is no lake in {folder}: `loyalty lake {folder}` writes one")
    with duckdb.connect() as database:
        for name, columns in TABLES.items():
            if any((folder / name).glob("*.parquet")):
                files = str(folder / name / "*.parquet").replace("'", "''")
                database.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}')")  # noqa: S608
            else:
                types = ", ".join(f"{one} {column.type}" for one, column in columns.items())
                database.execute(f"CREATE TABLE {name} ({types})")
        for name, view in views().items():
            database.execute(f"CREATE VIEW {name} AS {view}")
        yield Lake(database)


def for_athena(name: str, **values: Value) -> str:
    """A question as Athena is asked it, with values and views in it. Raises UsageError for a value that it lacks."""
    import sqlglot  # noqa: PLC0415 - an extra
    from sqlglot import exp  # noqa: PLC0415

    known = views()

    def filled(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and node.name in known:
            body = sqlglot.parse_one(known[node.name], read="duckdb")
            return exp.Subquery(this=body, alias=exp.TableAlias(this=exp.to_identifier(node.alias_or_name)))
        if not isinstance(node, exp.Parameter | exp.Placeholder):
            return node
        value = values.get(node.name)
        if value is None:
            raise UsageError(f"the question {name} needs the value {node.name}")
        return sqlglot.parse_one(_literal(value), read="duckdb")

    parsed = sqlglot.parse_one(text(name), read="duckdb")
    return parsed.transform(filled).sql(dialect="athena", pretty=True)


def _plain(value: Value) -> Value:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _literal(value: Value) -> str:
    plain = _plain(value)
    if isinstance(plain, datetime):
        return f"TIMESTAMP '{plain.isoformat(sep=' ')}'"
    return f"DATE '{plain}'" if isinstance(plain, date) else str(plain)
