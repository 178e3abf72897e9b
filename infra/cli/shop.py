"""Looking at the local server, and calling it: `loyalty env`, `api`, `members`, `member`, `clock` and `mailbox`."""

import json
import re
import secrets
import shlex
import sys
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table as Grid
from typer import Argument, BadParameter, Option

from infra.cli.options import Url
from infra.errors import LocalError, UsageError
from infra.local.api_calls import Answer, LocalApi
from infra.local.tokens import Issuer
from infra.machine import server_registry
from infra.tools import member_list
from infra.tools.aws_target import Named, clock_of, named_tables
from shared.caller import MEMBER, OPERATOR, STOREFRONT

ENTRIES_SHOWN_MAX = 100
MEMBERS_SHOWN_MAX = 100
_SHOP = (STOREFRONT, OPERATOR)
_STEP = re.compile(r"\+(\d{1,5})([dhwm])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_IDENTIFIERS = ("external_id", "email", "phone", "card_number")

app = typer.Typer()


@app.command()
def env(url: Url = None) -> int:
    """Print variables for the shell: the local server's address, tokens, a member.

    Use it so: eval "$(loyalty env)"
    """
    server = server_registry.require(url)
    issuer, member = Issuer.of_this_user(), _called(LocalApi(server.url), "GET", "/_local")["sample_member"]
    variables = {
        server_registry.URL_VARIABLE: server.url,
        "api": server.url,
        "json": "Content-Type: application/json",
        "shop": f"Authorization: Bearer {issuer.token([STOREFRONT])}",
        "ops": f"Authorization: Bearer {issuer.token([OPERATOR])}",
    }
    if member:
        variables |= {"me": member, "own": f"Authorization: Bearer {issuer.token([MEMBER], member)}"}
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


@app.command()
def api(
    method: Annotated[str, Argument(metavar="METHOD", help="Such as GET or POST.")],
    path: Annotated[str, Argument(metavar="PATH", help="Such as /v1/members/lookup.")],
    data: Annotated[str | None, Option("-d", "--data", metavar="JSON", help="The body; - reads it from stdin.")] = None,
    member: Annotated[str | None, Option(metavar="MEMBER_ID", help="Call as this member; `me` is them.")] = None,
    key: Annotated[str | None, Option(metavar="KEY", help="The Idempotency-Key; a new one if left out.")] = None,
    url: Url = None,
) -> int:
    """Call the local server, with a token and a key by itself. Exits with 1 for a refusal.

    The token is a storefront's and an operator's, or with --member that member's.
    """
    try:
        body = None if data is None else json.loads(sys.stdin.read() if data == "-" else data)
    except ValueError as error:
        raise UsageError(f"--data is not JSON: {error}") from error
    found = LocalApi(server_registry.require(url).url)
    scopes = [MEMBER] if member else [*_SHOP]
    place = path if path.startswith("/") else f"/{path}"
    answer = found.call(method.upper(), place, body, scopes=scopes, member_id=member, key=key or secrets.token_hex(8))
    print(f"{found.url}: {answer.status} {_replayed(answer)}".rstrip(), file=sys.stderr)
    if isinstance(answer.body, str):
        print(answer.body)
    elif answer.body is not None:
        Console().print_json(data=answer.body)
    return 1 if answer.status >= HTTPStatus.BAD_REQUEST else 0


@app.command()
def members(
    name: Annotated[str | None, Argument(metavar="NAME", help="A word of the name; all members if left out.")] = None,
    url: Url = None,
) -> int:
    """List members of the local server, or those of a name."""
    server = server_registry.require(url)
    if name:
        path = f"/v1/members/search?limit={MEMBERS_SHOWN_MAX}"
        found = _called(LocalApi(server.url), "POST", path, {"name": name})["items"]
    else:
        with named_tables(Named(server.endpoint)) as tables:
            found = member_list.members(tables.loyalty, MEMBERS_SHOWN_MAX)
    grid = Grid("member", "external id", "name", "e-mail", "status", title=server.url)
    grid.columns[0].no_wrap = True
    for one in found:
        grid.add_row(*(str(one[field] or "") for field in ("member_id", "external_id", "name", "email", "status")))
    Console().print(grid)
    return 0


@app.command()
def member(
    who: Annotated[str, Argument(metavar="WHO", help="A member's id, external id, e-mail, phone or card.")],
    url: Url = None,
) -> int:
    """Show a member: who, what, and how it came about."""
    found = LocalApi(server_registry.require(url).url)
    one = _find(found, who)
    path = f"/v1/members/{one['member_id']}"
    account = _called(found, "GET", f"{path}/account")
    entries = _called(found, "GET", f"{path}/entries?limit={ENTRIES_SHOWN_MAX}")["items"]
    console = Console()
    named = ", ".join(str(one[field]) for field in ("name", *_IDENTIFIERS) if one.get(field))
    console.print(f"{one['member_id']}  {named}  ({one['status']}, {found.url})", highlight=False, markup=False)
    tier = account["tier"]["name"]
    amounts = ", ".join(f"{name} {account[name]}" for name in ("balance", "pending", "held", "debt"))
    console.print(f"{amounts}, tier {tier}, as of {account['as_of']}", highlight=False, markup=False)
    grid = Grid("when", "what", "points", "balance", "of")
    grid.columns[2].justify = grid.columns[3].justify = "right"
    for entry in entries:
        of = ", ".join(f"{name} {value}" for name, value in entry["source"].items())
        row = (entry["occurred_at"], entry["type"], f"{entry['points']:+}", str(entry["balance_after"]), of)
        grid.add_row(*row)
    console.print(grid)
    return 0


@app.command()
def clock(
    to: Annotated[
        str | None, Argument(metavar="WHEN", help="+30d, +2w, +6h, +90m, or an instant; to read it, leave it out.")
    ] = None,
    url: Url = None,
) -> int:
    """Read the local server's clock, or move it forward."""
    server = server_registry.require(url)
    if to is None:
        print(f"{clock_of(server).isoformat()} at {server.url}")
        return 0
    moved = _called(LocalApi(server.url), "POST", "/_local/clock", {"now": _instant(to, clock_of(server))})
    print(f"{moved['now']} at {server.url}; on the way {moved['reminder_runs']} runs of reminders")
    return 0


@app.command()
def mailbox(
    who: Annotated[str | None, Argument(metavar="WHO", help="One member's; all if left out.")] = None,
    url: Url = None,
) -> int:
    """Show what the local server has sent.

    The newest comes last.
    """
    found = LocalApi(server_registry.require(url).url)
    query = f"?member_id={_find(found, who)['member_id']}" if who else ""
    for message in _called(found, "GET", f"/_local/mailbox{query}")["messages"]:
        print(f"-- {message['channel']} to {message['to']}: {message['kind']}")
        print("\n".join(filter(None, (message.get("subject"), message["text"]))))
    return 0


def _instant(text: str, now: datetime) -> str:
    step = _STEP.fullmatch(text)
    if step:
        return (now + timedelta(seconds=int(step[1]) * _SECONDS[step[2]])).astimezone(UTC).isoformat()
    if text.startswith("+"):
        raise BadParameter("must be a step such as +30d, +2w, +6h or +90m, or an instant")
    return text


def _find(found: LocalApi, who: str) -> dict[str, Any]:
    """A member by their id or any identifier. Raises UsageError if it is nobody's."""
    answer = found.call("GET", f"/v1/members/{quote(who, safe='')}", scopes=_SHOP)
    for kind in _IDENTIFIERS:
        if answer.status == HTTPStatus.OK:
            return dict(answer.body)
        answer = found.call("POST", "/v1/members/lookup", {kind: who}, scopes=_SHOP)
    if answer.status == HTTPStatus.OK:
        return dict(answer.body)
    raise UsageError(f"{found.url} has nobody called {who}: `loyalty members` lists who there is")


def _called(found: LocalApi, method: str, path: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401
    """What a call answers. Raises LocalError for a refusal."""
    answer = found.call(method, path, body, scopes=() if path.startswith("/_local") else _SHOP)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise LocalError(f"{found.url} refused it, {answer.body['code']}: {answer.body['detail']}")
    return dict(answer.body)


def _replayed(answer: Answer) -> str:
    replayed = any(name.lower() == "idempotency-replayed" for name in answer.headers)
    return "(a replay)" if replayed else ""
