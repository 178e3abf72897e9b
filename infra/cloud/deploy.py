"""Deployment to AWS: the pinned CDK command line, after a look at whether everything it needs is there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.cloud.build.asset_folder import ROOT
from infra.errors import LocalError
from infra.machine import environment

CDK = "aws-cdk@2.1148.1"
"""The command line. Version 3 cannot read what this version of the library writes."""
NODE_MAJOR_MIN = 20
_BOOTSTRAP_STACK = "CDKToolkit"
_PROBE_SECONDS_MAX = 20
_IS_QUIET = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"}


def deploy(context: Mapping[str, str]) -> int:
    """Deploy to the account and region that the shell's AWS settings name; the CDK's exit status.

    Raises LocalError, which names everything that is missing.
    """
    environment.recall_the_shell()
    missing = [*_missing_programs(), *_missing_account()]
    if missing:
        raise LocalError("this cannot be deployed yet:\n  " + "\n  ".join(missing))
    os.chdir(ROOT)
    command = ["npx", "--yes", CDK, "deploy", "--app", f"{sys.executable} -m infra.app"]
    command += [part for name, value in context.items() for part in ("--context", f"{name}={value}")]
    return subprocess.run(command, env={**os.environ, **_IS_QUIET}, check=False).returncode  # noqa: S603


def _missing_programs() -> list[str]:
    node = shutil.which("node")
    if node is None or shutil.which("npx") is None:
        return [f"Node.js {NODE_MAJOR_MIN} or later, with npx: https://nodejs.org"]
    probe = subprocess.run(  # noqa: S603
        [node, "--version"], capture_output=True, text=True, check=False, timeout=_PROBE_SECONDS_MAX
    )
    found = re.match(r"v(\d+)", probe.stdout)
    if found is None or int(found[1]) < NODE_MAJOR_MIN:
        return [f"Node.js {NODE_MAJOR_MIN} or later, not {probe.stdout.strip()}"]
    return []


def _missing_account() -> list[str]:
    session = boto3.Session()
    if not session.region_name:
        return ["a region: set AWS_REGION, or the region of your AWS profile"]
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        return [f"credentials that AWS takes ({error}): run `aws sso login`, or set AWS_PROFILE"]
    try:
        session.client("cloudformation").describe_stacks(StackName=_BOOTSTRAP_STACK)
    except (BotoCoreError, ClientError):
        return [f"the CDK's own stack in this region: npx {CDK} bootstrap aws://{account}/{session.region_name}"]
    return []
