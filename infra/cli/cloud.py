"""The stack on AWS: `loyalty deploy` and `loyalty cost`."""

from typing import Annotated

import typer
from typer import Option

from infra.cloud.costs import MONTHS_KEPT, run_cost
from infra.errors import UsageError

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
