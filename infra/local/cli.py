"""The command line: `loyalty <command>`."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from infra import openapi
from infra.costs import run_cost
from infra.local import dev, engine, environment
from infra.local.errors import LocalError, UsageError
from infra.local.tokens import Issuer
from shared.domain.fields import Instant
from shared.http import MEMBER

_PORT_MAX = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The exit status: 0, 1 when it failed or found something wrong, 2 for a call that cannot work."""
    parsed = _parser().parse_args(arguments)
    if not parsed.on_aws:
        environment.forget_the_shell()
    try:
        status: int = parsed.command(parsed)
    except LocalError as error:
        print(f"loyalty: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loyalty", description="A loyalty programme, on one machine and on AWS.")
    parser.set_defaults(on_aws=False)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_dev(commands.add_parser("dev", help="serve everything on this machine"))
    _add_replay(commands.add_parser("replay", help="book a file of past purchases"))
    _add_verify(commands.add_parser("verify", help="check every account against its ledger"))
    _add_token(commands.add_parser("token", help="print an access token for the local server"))
    _add_deploy(commands.add_parser("deploy", help="deploy the stack to AWS, or to an emulator on this machine"))
    _add_cost(commands.add_parser("cost", help="print what a month on AWS costs"))
    commands.add_parser("openapi", help="print the OpenAPI document").set_defaults(command=_openapi)
    return parser


def _add_dev(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=0, help="where to listen; a free port if left out")
    parser.add_argument("--now", type=_instant, help="start the clock here, such as 2027-03-05T12:00:00Z")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep state here between starts")
    database = parser.add_mutually_exclusive_group()
    database.add_argument("--engine", choices=get_args(engine.Kind), default="ministack", help="the database to start")
    database.add_argument("--endpoint", type=_url, metavar="URL", help="a DynamoDB that is running already")
    parser.set_defaults(command=_dev)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV with a header, or the CDNOW text format")
    _add_tables(parser)
    parser.set_defaults(command=_replay)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    _add_tables(parser)
    parser.set_defaults(command=_verify)


def _add_tables(parser: argparse.ArgumentParser) -> None:
    tables = parser.add_mutually_exclusive_group()
    tables.add_argument("--endpoint", type=_url, metavar="URL", help="a DynamoDB that is running already")
    tables.add_argument("--data", type=Path, metavar="DIR", help="tables kept here")


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scope", action="append", required=True, dest="scopes", help="such as loyalty/storefront; may be repeated"
    )
    parser.add_argument("--member", metavar="MEMBER_ID", help="the member whose own token it is")
    parser.set_defaults(command=_token)


def _add_deploy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local", action="store_false", dest="on_aws", help="into MiniStack, until Ctrl-C")
    parser.add_argument("--context", "-c", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    parser.set_defaults(command=_deploy, on_aws=True)


def _add_cost(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=int, required=True, metavar="N")
    parser.add_argument("--orders-per-month", type=int, required=True, metavar="M", help="of all members together")
    parser.set_defaults(command=_cost)


def _dev(parsed: argparse.Namespace) -> int:
    dev.dev(dev.Options(parsed.port, parsed.now, parsed.data, parsed.engine, parsed.endpoint))
    return 0


def _replay(parsed: argparse.Namespace) -> int:
    from infra.local.commands import run_replay  # noqa: PLC0415 - it loads the functions, which others do without

    return run_replay(parsed.file, parsed.endpoint, parsed.data)


def _verify(parsed: argparse.Namespace) -> int:
    from infra.local.commands import run_verify  # noqa: PLC0415

    return run_verify(parsed.endpoint, parsed.data)


def _token(parsed: argparse.Namespace) -> int:
    if MEMBER in parsed.scopes and not parsed.member:
        raise UsageError(f"a token for {MEMBER} is some member's: add --member MEMBER_ID")
    print(Issuer.of_this_user().token(parsed.scopes, parsed.member))
    return 0


def _deploy(parsed: argparse.Namespace) -> int:
    # Others do without the CDK, which takes a second to load.
    if parsed.on_aws:
        from infra.deploy import deploy  # noqa: PLC0415

        return deploy(dict(parsed.context))
    from infra.deploy_local import deploy_local  # noqa: PLC0415

    return deploy_local(dict(parsed.context))


def _cost(parsed: argparse.Namespace) -> int:
    if parsed.members < 0 or parsed.orders_per_month < 0:
        raise UsageError("there are no fewer than 0 members and orders")
    return run_cost(parsed.members, parsed.orders_per_month)


def _openapi(_parsed: argparse.Namespace) -> int:
    print(json.dumps(openapi.document(), indent=2))
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _PORT_MAX:
        raise argparse.ArgumentTypeError(f"a port lies between 0 and {_PORT_MAX}")
    return port


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("must be a name and a value, such as stage=prod")
    return name, value


def _instant(text: str) -> datetime:
    try:
        instant: datetime = TypeAdapter(Instant).validate_python(text)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise argparse.ArgumentTypeError(message) from error
    return instant


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError("must be an address such as http://127.0.0.1:8000")
    return text


if __name__ == "__main__":
    sys.exit(main())
