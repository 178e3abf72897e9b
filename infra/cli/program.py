"""A program and its messages: `loyalty program` and `loyalty messages`."""

import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from infra.cli.options import Url
from infra.local.api_calls import LocalApi
from infra.machine import server_registry
from infra.tools import message_preview, program_file
from shared.caller import OPERATOR

_PATH = "/v1/program"

app = typer.Typer()
program = typer.Typer(help="Check a program's file, or store it on the local server.")
messages = typer.Typer(help="Look at what members would be sent.")
app.add_typer(program, name="program")
app.add_typer(messages, name="messages")


@program.command()
def check(
    file: Annotated[Path, Argument(metavar="FILE", help="The program as PUT /v1/program takes it.")],
    strict: Annotated[bool, Option("--strict", help="Fail on a warning too.")] = False,
) -> int:
    """Name every fault, and warn of what is legal but unwise. Exits with 1 if there is a fault."""
    text = program_file.load(file)
    faults = program_file.faults(text)
    for fault in faults:
        print(f"fault at {fault.pointer or 'the whole'}: {fault.detail}")
    if faults:
        print(f"{file}: {len(faults)} faults; advice comes once there are none")
        return 1
    unwise = program_file.counsel(text)
    for one in unwise:
        print(f"warning at {one.pointer}: {one.text}")
    print(f"{file}: no faults, {len(unwise)} warnings")
    return 1 if strict and unwise else 0


@program.command()
def put(
    file: Annotated[Path, Argument(metavar="FILE", help="The program as PUT /v1/program takes it.")],
    url: Url = None,
) -> int:
    """Store it on the running local server. Exits with 1 if the server refuses it."""
    api = LocalApi(server_registry.require(url).url)
    text = program_file.load(file)
    version = next(value for name, value in api.call("GET", _PATH).headers.items() if name.lower() == "etag")
    if isinstance(text, dict):
        text.pop("version", None)
    answer = api.call("PUT", _PATH, text, scopes=[OPERATOR], headers={"If-Match": version})
    if answer.status >= HTTPStatus.BAD_REQUEST:
        return _refused(answer.body)
    print(_answered(api.url, answer.body, is_waiting=answer.status == HTTPStatus.ACCEPTED))
    return 0


@program.command()
def get(url: Url = None) -> int:
    """Print the whole program of the running local server: what to change, and to put back."""
    answer = LocalApi(server_registry.require(url).url).call("GET", f"{_PATH}/whole", scopes=[OPERATOR])
    print(json.dumps(answer.body, indent=2, ensure_ascii=False))
    return 0


@messages.command()
def dry_run(
    to: Annotated[Path, Option(metavar="FILE", help="One message on each line, as JSON.")],
    program: Annotated[Path | None, Option(metavar="FILE", help="The built-in program if left out.")] = None,
    locale: Annotated[str | None, Option(metavar="TAG", help="Such as de-AT; the program's if left out.")] = None,
) -> int:
    """Write every message of a program to a file; nobody is sent anything."""
    print(f"{message_preview.write_messages(to, program, locale)} messages written to {to}")
    return 0


def _answered(url: str, stored: dict[str, Any], *, is_waiting: bool) -> str:
    if is_waiting:
        return f"{url} keeps its program until another operator approves the review {stored['review_id']}"
    return f"{url} has version {stored['version']} of the program"


def _refused(problem: dict[str, Any]) -> int:
    faults = problem.get("errors", ())
    print(f"refused, {problem['code']}{'' if faults else ': ' + problem['detail']}", file=sys.stderr)
    for fault in faults:
        print(f"fault at {fault['pointer'] or 'the whole'}: {fault['detail']}", file=sys.stderr)
    return 1
