"""Options that several commands have, and how their values are read."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from typer import BadParameter, CallbackParam, Context, Option

from infra.tools.conventions import DayOrder


def url(text: str) -> str:
    """An address as it was given. Raises BadParameter for anything else."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadParameter("must be an address such as http://127.0.0.1:8000")
    return text


def _one_place(context: Context, option: CallbackParam, value: Any) -> Any:  # noqa: ANN401 - as it was read
    if value is not None and (first := context.meta.setdefault("place of the tables", option.name)) != option.name:
        raise BadParameter(f"not allowed with --{first}")
    return value


Endpoint = Annotated[
    str | None, Option(metavar="URL", parser=url, callback=_one_place, help="A DynamoDB that is running already.")
]
Dates = Annotated[
    DayOrder | None, Option("--dates", help="Whether the day or the month stands first, where a file may mean either.")
]
Data = Annotated[Path | None, Option(metavar="DIR", callback=_one_place, help="Tables kept here.")]
Table = Annotated[
    str | None, Option(metavar="NAME", callback=_one_place, help="On AWS, with the shell's credentials and region.")
]
Url = Annotated[str | None, Option("--url", metavar="URL", parser=url, help="The local server, where several run.")]
PeopleTable = Annotated[str | None, Option(metavar="NAME", help="With --table: the table of personal data.")]
IdentitySecret = Annotated[str | None, Option(metavar="ID", help="With --table: what identifiers are hashed by.")]
DueShards = Annotated[int | None, Option(metavar="N", help="With --table: the stack's option due_shards.")]
