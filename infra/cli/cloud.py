"""The stack on AWS: `loyalty deploy`, `loyalty smoke`, `loyalty redrive` and `loyalty cost`."""

import sys
from typing import Annotated

import typer
from typer import Argument, Option

from infra.cli.options import url as as_url
from infra.cloud.costs import MONTHS_KEPT, run_cost
from infra.errors import UsageError
from infra.tools.aws_target import client_of
from infra.tools.redrive import KINDS, GivenUp, Kind

app = typer.Typer()


@app.command()
def deploy(
    local: Annotated[bool, Option("--local", help="Into MiniStack, until Ctrl-C.")] = False,
    check: Annotated[bool, Option("--check", help="Only say what is there and what is missing.")] = False,
    context: Annotated[
        list[str] | None, Option("--context", "-c", metavar="NAME=VALUE", help="May be repeated.")
    ] = None,
) -> int:
    """Deploy the stack to AWS, or to an emulator on this machine."""
    if local and check:
        raise UsageError("--check looks at the account on AWS: leave out --local")
    settings = dict(_setting(one) for one in context or ())
    if local:
        from infra.emulator.deploy import deploy_local  # noqa: PLC0415 - the CDK takes a second to load

        return deploy_local(settings)
    from infra.cloud.deploy import deploy as deploy_to_aws  # noqa: PLC0415

    return deploy_to_aws(settings, only_check=check)


@app.command()
def smoke(
    stack: Annotated[str | None, Option(metavar="NAME", help="A stack on AWS, such as loyalty-prod.")] = None,
    url: Annotated[
        str | None, Option(metavar="URL", parser=as_url, help="A service that runs there; its calls alone.")
    ] = None,
    token: Annotated[
        str | None,
        Option(envvar="LOYALTY_TOKEN", metavar="TOKEN", help="For a storefront and, with --url, an operator."),
    ] = None,
) -> int:
    """Have a marked member use a running service, and look at its stack. Exits with 1 if something is not right."""
    if stack and url:
        raise UsageError("--stack has its own address: leave out --url")
    if url and not token:
        raise UsageError("--url needs a token for loyalty/storefront and loyalty/operator: set LOYALTY_TOKEN")
    from infra.tools import smoke_run  # noqa: PLC0415 - asks for AWS's clients

    if stack:
        return smoke_run.of_stack(stack, token)
    return smoke_run.of_url(url, token) if url and token else smoke_run.of_this_machine()


@app.command()
def redrive(
    kind: Annotated[Kind | None, Argument(metavar="[KIND]", help=f"One of {', '.join(KINDS)}; all without.")] = None,
    stack: Annotated[str, Option(metavar="NAME", help="With the shell's credentials and region.")] = "loyalty-prod",
    dry_run: Annotated[bool, Option("--dry-run", help="Say what there is, send nothing.")] = False,
    endpoint: Annotated[
        str | None, Option(metavar="URL", parser=as_url, help="Of an emulator: what `deploy --local` prints.")
    ] = None,
) -> int:
    """Send again what was given up: dead letters, and records of the stream. Exits with 1 if some failed again."""
    with client_of(endpoint, failure=f"{stack} cannot be looked at") as client:
        given_up, kinds = GivenUp(client, stack), [kind] if kind else KINDS
        if dry_run:
            for found in map(given_up.look, kinds):
                print(f"{found.kind}: {found.number}", *(f"  {one}" for one in found.some), sep="\n")
            return 0
        sent = [given_up.send_again(one) for one in kinds]
    for one in sent:
        print(f"{one.kind}: {one.number} sent again")
    failed = [f"{one.kind}: {why}" for one in sent for why in one.failed]
    print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)
    return 1 if failed else 0


@app.command()
def cost(
    members: Annotated[int, Option(metavar="N", min=0)],
    orders_per_month: Annotated[int, Option(metavar="M", min=0, help="Of all members together.")],
    sign_ins: Annotated[int, Option(metavar="P", min=0, help="People who sign in with Cognito in a month.")] = 0,
    months: Annotated[int, Option(metavar="K", min=1, help="How long the ledger has been growing so.")] = MONTHS_KEPT,
) -> int:
    """Print what a month on AWS costs."""
    return run_cost(members, orders_per_month, sign_ins, months)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"--context {text} must be a name and a value, such as stage=prod")
    return name, value
