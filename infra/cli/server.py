"""The local server: `loyalty dev`, and `token` for those who call it."""

from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from pydantic import TypeAdapter, ValidationError
from typer import BadParameter, Option

from infra.cli.options import Url
from infra.cli.options import url as as_url
from infra.errors import UsageError
from infra.local import dev as development
from infra.local.activity import Form
from infra.local.api_calls import LocalApi
from infra.local.tokens import Issuer
from infra.machine import engine, server_registry
from infra.machine.server_registry import Server
from shared.caller import MEMBER, OPERATOR, PARTNER, STOREFRONT
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
    quiet: Annotated[bool, Option("--quiet", help="Say where it is, and nothing of what happens then.")] = False,
    as_json: Annotated[bool, Option("--json", help="Say what happens as JSON, an object a line.")] = False,
    verbose: Annotated[bool, Option("--verbose", help="Show answers, whole paths and ids, too.")] = False,
    endpoint: Annotated[
        str | None, Option(metavar="URL", parser=as_url, help="A DynamoDB that is running already.")
    ] = None,
) -> int:
    """Serve everything on this machine."""
    if database and endpoint:
        raise UsageError("--engine is not allowed with --endpoint: the database there runs already")
    if quiet and (as_json or verbose):
        raise UsageError("--quiet says nothing: leave out --json and --verbose")
    form: Form = "quiet" if quiet else "json" if as_json else "lines"
    kind = database or "ministack"
    development.dev(development.Options(port, now, data, kind, endpoint, empty, form, is_verbose=verbose))
    return 0


@app.command()
def token(
    scope: Annotated[list[str], Option(help="storefront, member, operator or partner; may be repeated.")],
    member: Annotated[str | None, Option(metavar="MEMBER_ID", help="The member whose own token it is.")] = None,
    partner_id: Annotated[str | None, Option(metavar="PARTNER_ID", help="The partner whose own token it is.")] = None,
    subject: Annotated[
        str | None, Option("--as", metavar="NAME", help="Who calls: two operators need two names.")
    ] = None,
    url: Url = None,
) -> int:
    """Print an access token for the local server."""
    scope = [one if "/" in one else f"loyalty/{one}" for one in scope]
    if unknown := sorted(set(scope) - {STOREFRONT, MEMBER, OPERATOR, PARTNER}):
        known = "storefront, member, operator and partner"
        raise UsageError(
            f"there is no scope {', '.join(unknown)}: known are {known}, each also with loyalty/ before it"
        )
    if MEMBER in scope and not member:
        raise UsageError(f"a token for {MEMBER} is some member's: add --member MEMBER_ID")
    if PARTNER in scope and not partner_id:
        raise UsageError(f"a token for {PARTNER} is some partner's: add --partner-id PARTNER_ID")
    _require_known(server_registry.find(url), member, partner_id)
    print(Issuer.of_this_user().token(scope, member, subject, partner_id))
    return 0


def _require_known(server: Server | None, member_id: str | None, partner_id: str | None) -> None:
    """Raises UsageError for whom the server does not know. Without a server nobody can tell."""
    named = {"members": member_id, "partners": partner_id}
    for what, id_ in named.items():
        if server and id_:
            path = f"/v1/{what}/{quote(id_, safe='')}"
            if LocalApi(server.url).call("GET", path, scopes=[OPERATOR]).status == HTTPStatus.NOT_FOUND:
                where = "`loyalty members` lists them" if what == "members" else "GET /v1/program/whole lists them"
                raise UsageError(f"{server.url} has no {what.removesuffix('s')} {id_}: {where}")
