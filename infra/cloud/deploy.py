"""Deployment to AWS: the pinned CDK command line, after a look at whether everything it needs is there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from aws_cdk import App
from botocore.exceptions import BotoCoreError, ClientError

from infra.cloud import deployed, preflight
from infra.cloud.build.asset_folder import ROOT
from infra.cloud.options import OptionError, Options, stack_name
from infra.cloud.preflight import CDK, Finding, Place
from infra.errors import LocalError, UsageError
from infra.machine import environment

NODE_MAJOR_MIN = 22
"""Version 20 gets no corrections since April 2026."""
_PROBE_SECONDS_MAX = 20
STACK_POLICY = Path(__file__).with_name("stack_policy.json")
_IS_QUIET = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"}


def deploy(context: Mapping[str, str], *, only_check: bool = False) -> int:
    """Deploy to the account and region that the shell's AWS settings name; the CDK's exit status.

    What `context` leaves out stays as it was; an empty text makes it what it is if it was never said. Before that, say
    what was found there; with `only_check` that is all. What must never be replaced is protected in production from
    then on. Raises UsageError for options that cannot work, and LocalError, which names everything that
    is missing.
    """
    environment.recall_the_shell()
    session: Any = boto3.Session()
    before = deployed.options_of(session.client, _stack_of(context))
    context = {**before, **context}
    options = _options(context)
    found = [*look(options), *deployed.changes(before, options.stated())]
    print("\n".join(map(str, found)), flush=True)
    if missing := [one.what for one in found if one.weight == "missing"]:
        raise LocalError(f"this cannot be deployed yet: {len(missing)} missing, as said above")
    if only_check:
        return 0
    os.chdir(ROOT)
    command = ["npx", "--yes", CDK, "deploy", "--app", f"{sys.executable} -m infra.app"]
    command += [part for name, value in context.items() for part in ("--context", f"{name}={value}")]
    status = subprocess.run(command, env={**os.environ, **_IS_QUIET}, check=False).returncode  # noqa: S603
    if status == 0 and options.is_kept:
        protect(options.stack)
    return status


def look(options: Options) -> list[Finding]:
    """What this machine and the account have, and what they lack."""
    session = boto3.Session()
    found = [_node(), *preflight.of_this_machine(options)]
    if not session.region_name:
        return [*found, Finding("missing", "no region is named", "export AWS_REGION=eu-central-1, or another")]
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        what = f"AWS takes no credentials of this shell: {error}"
        return [*found, Finding("missing", what, "aws sso login, or export AWS_PROFILE=NAME")]
    region = session.region_name
    found.append(Finding("fine", f"{options.stack} goes to account {account}, region {region}"))
    return [*found, *preflight.of_the_account(options, Place(account, region, session.client))]


def protect(stack: str) -> None:
    """Let no update replace or remove tables, key, secret and user pool, whatever a template says."""
    boto3.client("cloudformation").set_stack_policy(StackName=stack, StackPolicyBody=STACK_POLICY.read_text())


def _stack_of(context: Mapping[str, str]) -> str:
    given = {**_stated(), **{name: value for name, value in context.items() if value}}
    return stack_name(given.get("name", Options.name), given.get("stage", Options.stage))


def _stated() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context


def _options(context: Mapping[str, str]) -> Options:
    os.environ.update(_IS_QUIET)  # the CDK's own process starts here
    try:
        return Options.of(App(context={**_stated(), **context}).node)
    except OptionError as error:
        raise UsageError(str(error)) from error


def node_version() -> str | None:
    """The version of Node.js on this machine, such as v22.11.0; None without it, or without npx."""
    node = shutil.which("node")
    if node is None or shutil.which("npx") is None:
        return None
    probe = subprocess.run(  # noqa: S603
        [node, "--version"], capture_output=True, text=True, check=False, timeout=_PROBE_SECONDS_MAX
    )
    return probe.stdout.strip()


def is_current(node: str) -> bool:
    """Whether a version of Node.js is one that deploys."""
    found = re.match(r"v(\d+)", node)
    return found is not None and int(found[1]) >= NODE_MAJOR_MIN


def _node() -> Finding:
    node = node_version()
    if node and is_current(node):
        return Finding("fine", f"Node.js {node} runs the CDK")
    what = f"Node.js {NODE_MAJOR_MIN} or later, not {node}" if node else f"Node.js {NODE_MAJOR_MIN} or later, with npx"
    return Finding("missing", what, "https://nodejs.org")
