"""The command line: `loyalty <command>`.

A command's module is imported once somebody calls it: to list what there is needs none of what the commands need.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command, get_group

from infra.errors import LocalError, UsageError
from infra.machine import environment

COMMANDS = (
    ("server", "dev", "Serve everything on this machine."),
    ("server", "token", "Print an access token for the local server."),
    ("shop", "env", "Print variables for the shell: the local server's address, tokens, a member."),
    ("shop", "api", "Call the local server, with a token and a key by itself."),
    ("shop", "members", "List members of the local server, or those of a name."),
    ("shop", "member", "Show a member: who, what, and how it came about."),
    ("shop", "clock", "Read the local server's clock, or move it forward."),
    ("shop", "mailbox", "Show what the local server has sent."),
    ("program", "program", "Check a program's file, or store it on the local server."),
    ("program", "messages", "Look at what members would be sent."),
    ("bulk", "import", "Bring members, points, store credit and tiers in from another program."),
    ("bulk", "export", "Write members, points, store credit and tiers to files that import reads."),
    ("bulk", "catch-up", "Book what time has done to every account."),
    ("tables", "replay", "Book a file of past purchases and returns, up to now."),
    ("tables", "verify", "Check every account against its ledger."),
    ("tables", "rebuild", "Repair a restored table from its ledger."),
    ("tables", "campaign", "Compare the members that a campaign treated with those held out."),
    (
        "reports",
        "lake",
        "Write the ledger and its accounts as Parquet files, without personal data, for any engine of SQL.",
    ),
    ("reports", "statement", "Print what a month came to in points and in money, as an accountant needs it."),
    ("reports", "insights", "Print who orders, how often and for how much, and what is expected of them."),
    ("cloud", "deploy", "Deploy the stack to AWS, or to an emulator on this machine."),
    ("cloud", "smoke", "Have a marked member use a running service, and look at its stack."),
    ("cloud", "redrive", "Send again what was given up: dead letters, and records of the stream."),
    ("cloud", "cost", "Print what a month on AWS costs."),
    ("quality", "simulate", "Play a shop under faults, and check every rule of the ledger."),
    ("quality", "bench", "Measure speed and cost against their goals."),
    ("documents", "openapi", "Print the OpenAPI document."),
    ("documents", "sbom", "Print what ships to Lambda, with hashes, as a CycloneDX document."),
)
"""The module of each command, its name, and the first line of its help."""
_CANNOT_WORK, _INTERRUPTED = 2, 130

app = typer.Typer(name="loyalty", help="A loyalty program, on one machine and on AWS.")


class _Unloaded(TyperCommand):
    """A command of which only the name and the line of help are known."""

    def __init__(self, module: str, name: str, text: str) -> None:
        super().__init__(name, help=text, rich_help_panel=module.capitalize())
        self._place = module, name

    def make_context(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - Typer's own
        """The context of the command itself, from its module."""
        module, name = self._place
        app = import_module(f"infra.cli.{module}").app
        return get_group(app).commands[name].make_context(*arguments, **named)


def _version(is_asked: bool) -> None:
    if is_asked:
        print(f"loyalty {version('loyalty-functions')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _list(
    context: typer.Context,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Without a command, list the commands."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(_CANNOT_WORK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The exit status: 0, 1 when it failed or found something wrong, 2 for a call that cannot work.

    After Ctrl-C it is 130, as shells have it.
    """
    environment.forget_the_shell()
    group = get_command(app)
    assert isinstance(group, TyperGroup)  # noqa: S101 - as what has a callback is
    for row in COMMANDS:
        group.add_command(_Unloaded(*row))
    try:
        status: int = group.main(arguments, prog_name="loyalty", standalone_mode=False)
    except TyperException as error:
        print(f"loyalty: {error.format_message()}", file=sys.stderr)
        return error.exit_code
    except LocalError as error:
        print(f"loyalty: {error}", file=sys.stderr)
        return _CANNOT_WORK if isinstance(error, UsageError) else 1
    if status == _INTERRUPTED:
        print("loyalty: stopped", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
