"""The local server: `loyalty dev`, and `token` for those who call it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from typer import BadParameter, Option

from infra.cli.options import url
from infra.errors import UsageError
from infra.local import dev as server
from infra.local.tokens import Issuer
from infra.machine import engine
from shared.caller import MEMBER, PARTNER
from shared.domain.fields import Instant

_PORT_MAX = 65535

app = typer.Typer()


def _instant(text: str) -> datetime:
    try:
        instant: datetime = TypeAdapter(Instant).validate_python(text)
    except ValidationError as error:
        raise BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    return instant


@app.command()
def dev(
    port: Annotated[int, Option(min=0, max=_PORT_MAX, help="Where to listen; 0 takes a free port.")] = 0,
    now: Annotated[
        datetime | None,
        Option(metavar="INSTANT", parser=_instant, help="Start the clock here, such as 2027-03-05T12:00:00Z."),
    ] = None,
    data: Annotated[Path | None, Option(metavar="DIR", help="Keep state here between starts.")] = None,
    empty: Annotated[bool, Option("--empty", help="Begin without example members.")] = False,
    database: Annotated[
        engine.Kind | None, Option("--engine", help="The database to start; ministack if left out.")
    ] = None,
    endpoint: Annotated[
        str | None, Option(metavar="URL", parser=url, help="A DynamoDB that is running already.")
    ] = None,
) -> int:
    """Serve everything on this machine."""
    if database and endpoint:
        raise UsageError("--engine is not allowed with --endpoint: the database there runs already")
    server.dev(server.Options(port, now, data, database or "ministack", endpoint, empty))
    return 0


@app.command()
def token(
    scope: Annotated[list[str], Option(help="Such as loyalty/storefront; may be repeated.")],
    member: Annotated[str | None, Option(metavar="MEMBER_ID", help="The member whose own token it is.")] = None,
    partner_id: Annotated[str | None, Option(metavar="PARTNER_ID", help="The partner whose own token it is.")] = None,
    subject: Annotated[
        str | None, Option("--as", metavar="NAME", help="Who calls: two operators need two names.")
    ] = None,
) -> int:
    """Print an access token for the local server."""
    if MEMBER in scope and not member:
        raise UsageError(f"a token for {MEMBER} is some member's: add --member MEMBER_ID")
    if PARTNER in scope and not partner_id:
        raise UsageError(f"a token for {PARTNER} is some partner's: add --partner-id PARTNER_ID")
    print(Issuer.of_this_user().token(scope, member, subject, partner_id))
    return 0
