"""Whom a smoke test visits: a stack on AWS, an address, or the server that runs on this machine."""

from datetime import UTC, datetime

from infra.errors import LocalError
from infra.local.tokens import Issuer
from infra.machine import server_registry
from infra.tools.aws_target import client_of, clock_of
from infra.tools.smoke import Api, Report, visit
from infra.tools.smoke_stack import Stack, erase_by_function, look, storefront_token
from shared.caller import OPERATOR, STOREFRONT


def of_stack(name: str, token: str | None) -> int:
    """Visit a stack in the account and region that the shell names, and look at it; 1 if something is not right."""
    report = Report()
    with client_of(None, failure=f"{name} cannot be looked at") as client, report.step("the stack"):
        stack = Stack.of(name, client)
        with report.step("a token"):
            api = Api(stack.outputs["Url"], token or storefront_token(stack))
            visit(api, report, datetime.now(UTC), erase_by_function(stack))
        look(stack, report)
    return ended(report)


def of_url(url: str, token: str) -> int:
    """Visit a service by a token for storefronts and operators; 1 if something is not right."""
    report = Report()
    visit(Api(url, token), report, datetime.now(UTC))
    return ended(report)


def of_this_machine() -> int:
    """Visit the local server, by its clock. Raises LocalError if none runs."""
    server = server_registry.find()
    if server is None:
        raise LocalError("no local server runs: start `loyalty dev`, or name --stack or --url")
    report = Report()
    visit(Api(server.url, Issuer.of_this_user().token([STOREFRONT, OPERATOR])), report, clock_of(server))
    return ended(report)


def ended(report: Report) -> int:
    """Say what failed; the exit status."""
    for what in report.failed:
        report.say(f"-> {what}")
    report.say("everything is as it should be" if not report.failed else f"{len(report.failed)} not as it should be")
    return 1 if report.failed else 0
