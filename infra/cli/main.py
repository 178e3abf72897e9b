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
from infra.cloud.costs import run_cost
from infra.errors import LocalError, UsageError
from infra.local import dev
from infra.local.tokens import Issuer
from infra.machine import engine, environment
from shared.caller import MEMBER, PARTNER
from shared.domain.fields import Instant

_PORT_MAX = 65535
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The exit status: 0, 1 when it failed or found something wrong, 2 for a call that cannot work.

    After Ctrl-C it is 130, as shells have it.
    """
    parsed = _parser().parse_args(arguments)
    if not (parsed.on_aws or getattr(parsed, "table", None)):
        environment.forget_the_shell()
    try:
        status: int = parsed.command(parsed)
    except LocalError as error:
        print(f"loyalty: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("loyalty: stopped", file=sys.stderr)
        return _INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loyalty", description="A loyalty programme, on one machine and on AWS.")
    parser.set_defaults(on_aws=False)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_dev(commands.add_parser("dev", help="serve everything on this machine"))
    _add_replay(commands.add_parser("replay", help="book a file of past purchases"))
    _add_import(commands.add_parser("import", help="bring members, points and tiers in from another programme"))
    _add_export(commands.add_parser("export", help="write members, points and tiers as import reads them"))
    _add_catch_up(
        commands.add_parser("catch-up", help="book what time has done to every account, and when it is due next")
    )
    _add_simulate(commands.add_parser("simulate", help="play the whole with faults, and check every rule of the books"))
    _add_verify(commands.add_parser("verify", help="check every account against its ledger"))
    _add_rebuild(commands.add_parser("rebuild", help="make a restored table whole from its ledger; nobody may write"))
    _add_campaign(commands.add_parser("campaign", help="compare whom a campaign treated with those held out"))
    _add_program(commands.add_parser("program", help="check a program's file, or store it on the local server"))
    _add_token(commands.add_parser("token", help="print an access token for the local server"))
    _add_messages(commands.add_parser("messages", help="look at what members would be told"))
    _add_deploy(commands.add_parser("deploy", help="deploy the stack to AWS, or to an emulator on this machine"))
    _add_bench(commands.add_parser("bench", help="measure speed and cost against their goals, in a checkout"))
    _add_cost(commands.add_parser("cost", help="print what a month on AWS costs"))
    commands.add_parser("openapi", help="print the OpenAPI document").set_defaults(command=_openapi)
    bill = commands.add_parser("sbom", help="print what ships to Lambda, with hashes, as a CycloneDX document")
    bill.set_defaults(command=_sbom)
    return parser


def _add_dev(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=0, help="where to listen; a free port if left out")
    parser.add_argument("--now", type=_instant, help="start the clock here, such as 2027-03-05T12:00:00Z")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep state here between starts")
    parser.add_argument("--empty", action="store_true", help="begin without example members")
    database = parser.add_mutually_exclusive_group()
    database.add_argument("--engine", choices=get_args(engine.Kind), default="ministack", help="the database to start")
    database.add_argument("--endpoint", type=_url, metavar="URL", help="a DynamoDB that is running already")
    parser.set_defaults(command=_dev)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV with a header, or the CDNOW text format")
    _add_tables(parser)
    parser.set_defaults(command=_replay)


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, metavar="FILE", nargs="+", help="CSV of members, of points or of tiers")
    parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    _add_whole_tables(parser)
    parser.set_defaults(command=_import)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIRECTORY", help="where to write the three files")
    _add_whole_tables(parser)
    parser.set_defaults(command=_export)


def _add_catch_up(parser: argparse.ArgumentParser) -> None:
    _add_whole_tables(parser)
    parser.set_defaults(command=_catch_up)


def _add_whole_tables(parser: argparse.ArgumentParser) -> None:
    """Both tables: those of this machine, or on AWS, where it takes more to name them."""
    _add_tables(parser).add_argument("--table", metavar="NAME", help="on AWS, with the shell's credentials and region")
    parser.add_argument("--people-table", metavar="NAME", help="with --table: the table of personal data")
    parser.add_argument("--identity-secret", metavar="ID", help="with --table: what identifiers are hashed by")
    parser.add_argument("--due-shards", type=int, metavar="N", help="with --table: as the functions have DUE_SHARDS")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    _add_tables(parser).add_argument("--table", metavar="NAME", help="on AWS, with the shell's credentials and region")
    parser.add_argument("--publish", action="store_true", help="with --table: tell the dashboard the totals")
    parser.set_defaults(command=_verify)


def _add_rebuild(parser: argparse.ArgumentParser) -> None:
    _add_tables(parser).add_argument("--table", metavar="NAME", help="on AWS, with the shell's credentials and region")
    parser.add_argument("--due-shards", type=int, metavar="N", help="with --table: as the functions have DUE_SHARDS")
    parser.add_argument("--withdraw", type=Path, metavar="FILE", help="move entries beyond a missing one to this file")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, write nothing")
    parser.set_defaults(command=_rebuild)


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed plays the same (default 1)")
    parser.add_argument("--operations", type=int, default=100_000, metavar="N", help="how many (default 100000)")
    parser.add_argument("--world", type=int, metavar="W", help="play one world of the seed alone")
    parser.add_argument("--workers", type=int, metavar="P", help="processes; one for each processor if left out")
    parser.set_defaults(command=_simulate)


def _add_campaign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("campaign_id", metavar="CAMPAIGN_ID")
    _add_tables(parser)
    parser.set_defaults(command=_campaign)


def _add_program(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="action")
    check = actions.add_parser("check", help="name every fault, and warn of what is legal but unwise")
    check.add_argument("file", type=Path, metavar="FILE", help="the program as PUT /v1/program takes it")
    check.add_argument("--strict", action="store_true", help="fail on a warning too")
    check.set_defaults(command=_check_program)
    put = actions.add_parser("put", help="store it on the running local server")
    put.add_argument("file", type=Path, metavar="FILE")
    put.set_defaults(command=_put_program)


def _add_tables(parser: argparse.ArgumentParser) -> "argparse._MutuallyExclusiveGroup":
    tables = parser.add_mutually_exclusive_group()
    tables.add_argument("--endpoint", type=_url, metavar="URL", help="a DynamoDB that is running already")
    tables.add_argument("--data", type=Path, metavar="DIR", help="tables kept here")
    return tables


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scope", action="append", required=True, dest="scopes", help="such as loyalty/storefront; may be repeated"
    )
    parser.add_argument("--member", metavar="MEMBER_ID", help="the member whose own token it is")
    parser.add_argument("--partner-id", metavar="PARTNER_ID", help="the partner whose own token it is")
    parser.add_argument("--as", dest="subject", metavar="NAME", help="who calls: two operators need two names")
    parser.set_defaults(command=_token)


def _add_messages(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(required=True, metavar="what")
    dry_run = what.add_parser("dry-run", help="write every message of a program to a file; nobody is told anything")
    dry_run.add_argument("--to", type=Path, required=True, metavar="FILE", help="one message on each line, as JSON")
    dry_run.add_argument("--program", type=Path, metavar="FILE", help="the built-in program if left out")
    dry_run.add_argument("--locale", metavar="TAG", help="such as de-AT; the program's language if left out")
    dry_run.set_defaults(command=_dry_run)


def _add_deploy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local", action="store_false", dest="on_aws", help="into MiniStack, until Ctrl-C")
    parser.add_argument("--context", "-c", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    parser.set_defaults(command=_deploy, on_aws=True)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", type=_names, default=[], metavar="ROWS", help="such as requests,warm")
    parser.add_argument("--purchases", type=Path, metavar="FILE", help="what the replay's row replays")
    parser.add_argument("--fraction", type=_share, default=1.0, metavar="F", help="which part of it, such as 0.1")
    parser.set_defaults(command=_bench)


def _add_cost(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", type=int, required=True, metavar="N")
    parser.add_argument("--orders-per-month", type=int, required=True, metavar="M", help="of all members together")
    parser.add_argument(
        "--sign-ins", type=int, default=0, metavar="P", help="people who sign in with Cognito in a month"
    )
    parser.set_defaults(command=_cost)


def _dev(parsed: argparse.Namespace) -> int:
    dev.dev(dev.Options(parsed.port, parsed.now, parsed.data, parsed.engine, parsed.endpoint, parsed.empty))
    return 0


def _replay(parsed: argparse.Namespace) -> int:
    from infra.cli.commands import run_replay  # noqa: PLC0415 - it loads the functions, which others do without

    return run_replay(parsed.file, parsed.endpoint, parsed.data)


def _import(parsed: argparse.Namespace) -> int:
    from infra.cli.bulk_commands import run_import  # noqa: PLC0415

    return run_import(parsed.files, parsed, dry_run=parsed.dry_run)


def _export(parsed: argparse.Namespace) -> int:
    from infra.cli.bulk_commands import run_export  # noqa: PLC0415

    return run_export(parsed.folder, parsed)


def _catch_up(parsed: argparse.Namespace) -> int:
    from infra.cli.bulk_commands import run_catch_up  # noqa: PLC0415

    return run_catch_up(parsed)


def _verify(parsed: argparse.Namespace) -> int:
    from infra.cli.commands import run_verify, run_verify_on_aws  # noqa: PLC0415

    if parsed.table:
        return run_verify_on_aws(parsed.table, publishes=parsed.publish)
    if parsed.publish:
        raise UsageError("totals are published for a table on AWS: add --table NAME")
    return run_verify(parsed.endpoint, parsed.data)


def _rebuild(parsed: argparse.Namespace) -> int:
    from infra.cli.rebuild_command import run_rebuild  # noqa: PLC0415

    return run_rebuild(parsed)


def _simulate(parsed: argparse.Namespace) -> int:
    from infra.simulation.run import simulate  # noqa: PLC0415

    if parsed.operations < 1 or (parsed.workers or 1) < 1:
        raise UsageError("simulate at least one operation with at least one process")
    return simulate(parsed.seed, parsed.operations, world=parsed.world, workers=parsed.workers)


def _campaign(parsed: argparse.Namespace) -> int:
    from infra.cli.commands import run_campaign  # noqa: PLC0415

    return run_campaign(parsed.campaign_id, parsed.endpoint, parsed.data)


def _check_program(parsed: argparse.Namespace) -> int:
    from infra.cli.program_commands import run_check  # noqa: PLC0415

    return run_check(parsed.file, strict=parsed.strict)


def _put_program(parsed: argparse.Namespace) -> int:
    from infra.cli.program_commands import run_put  # noqa: PLC0415

    return run_put(parsed.file)


def _token(parsed: argparse.Namespace) -> int:
    if MEMBER in parsed.scopes and not parsed.member:
        raise UsageError(f"a token for {MEMBER} is some member's: add --member MEMBER_ID")
    if PARTNER in parsed.scopes and not parsed.partner_id:
        raise UsageError(f"a token for {PARTNER} is some partner's: add --partner-id PARTNER_ID")
    print(Issuer.of_this_user().token(parsed.scopes, parsed.member, parsed.subject, parsed.partner_id))
    return 0


def _dry_run(parsed: argparse.Namespace) -> int:
    from infra.tools.message_preview import write_messages  # noqa: PLC0415

    print(f"{write_messages(parsed.to, parsed.program, parsed.locale)} messages written to {parsed.to}")
    return 0


def _deploy(parsed: argparse.Namespace) -> int:
    # Others do without the CDK, which takes a second to load.
    if parsed.on_aws:
        from infra.cloud.deploy import deploy  # noqa: PLC0415

        return deploy(dict(parsed.context))
    from infra.emulator.deploy import deploy_local  # noqa: PLC0415

    return deploy_local(dict(parsed.context))


def _bench(parsed: argparse.Namespace) -> int:
    try:
        from infra.bench import table  # noqa: PLC0415 - measuring is no part of what is installed
    except ImportError as error:
        raise UsageError(f"measuring needs a checkout with its tests and their packages: {error}") from error
    unknown = set(parsed.only) - set(table.ROWS)
    if unknown:
        raise UsageError(f"no rows {', '.join(sorted(unknown))}: there are {', '.join(table.ROWS)}")
    return table.run(table.Options(parsed.only or list(table.ROWS), parsed.purchases, parsed.fraction))


def _cost(parsed: argparse.Namespace) -> int:
    if min(parsed.members, parsed.orders_per_month, parsed.sign_ins) < 0:
        raise UsageError("there are no fewer than 0 members, orders and sign-ins")
    return run_cost(parsed.members, parsed.orders_per_month, parsed.sign_ins)


def _openapi(_parsed: argparse.Namespace) -> int:
    print(json.dumps(openapi.document(), indent=2))
    return 0


def _sbom(_parsed: argparse.Namespace) -> int:
    from infra.supply_chain import bill_of_materials  # noqa: PLC0415 - others do without its library

    print(bill_of_materials.document(bill_of_materials.PINS.read_text(encoding="utf-8")))
    return 0


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _PORT_MAX:
        raise argparse.ArgumentTypeError(f"a port lies between 0 and {_PORT_MAX}")
    return port


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError("lies between 0 and 1")
    return share


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
