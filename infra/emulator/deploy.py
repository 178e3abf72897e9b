"""The same stack on one machine: MiniStack is started, and takes the template that the cloud would get."""

import io
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.app import synthesize
from infra.cloud.deploy import NODE_MAJOR_MIN, is_current, node_version
from infra.cloud.options import OptionError
from infra.cloud.preflight import BOOTSTRAP_PARAMETER
from infra.cloud.stack_resources import Made, outputs_of, resources_of
from infra.cloud.whole_template import whole_template
from infra.emulator import stream_readers
from infra.emulator.gaps import bridged
from infra.emulator.stream_readers import StreamReader
from infra.errors import LocalError, UsageError
from infra.machine import engine, engine_keys
from infra.machine.environment import REGION

ACCOUNT = "000000000000"
ENGINE_SETTINGS: Mapping[str, str] = {
    "AUTH": "true",  # IAM decides, as in the cloud
    # Functions find their engine there, whatever this machine calls itself.
    "MINISTACK_HOST": engine.LOOPBACK,
    # Without the trigger's answer there is no token, as in the cloud.
    "MINISTACK_COGNITO_PRETOKEN_STRICT": "1",
}
_API = "/_aws/execute-api/"
_SIGN_IN = ("/oauth2/", "/login", "/logout", "/.well-known/", f"/{REGION}_")
"""Where people sign in, and the keys of pools: those are found under the pools' ids, which begin with the region."""
_SESSIONS = "ASIA"
"""Functions sign with keys that the emulator has made for their roles."""
DEPLOY_SECONDS_MAX = 180
_POLL_SECONDS = 0.2
_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_BOOTSTRAP_VERSION = "30"
_TEMPLATE_KEY = "template.json"
# Assets are read where they were built: copying their thousands of files takes as long as all the rest.
_WHERE_THEY_LIE = {"aws:cdk:disable-asset-staging": True}
_CAPABILITIES: Any = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_CLIENT = Config(connect_timeout=2, read_timeout=DEPLOY_SECONDS_MAX, retries={"total_max_attempts": 2})


@dataclass(frozen=True)
class Deployment:
    """A running stack: the engine's endpoint, the API's address, what the stack puts out and what it is made of."""

    endpoint: str
    url: str
    outputs: Mapping[str, str]
    resources: Mapping[str, str]
    """Physical ids, by logical ids."""
    stream_readers: Sequence[StreamReader] = ()

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 has a class for each service
        """A client of the engine with every right."""
        return _client(self.endpoint, service)


def deploy_local(context: Mapping[str, str]) -> int:
    """Deploy, say where, and keep it up until Ctrl-C."""
    node = node_version()
    if node and not is_current(node):
        print(f"Node.js {node} will do here; to deploy to AWS takes {NODE_MAJOR_MIN} or later", file=sys.stderr)
    with deployed(context) as deployment:
        print(f"the stack answers at {deployment.url}")
        for name, value in deployment.outputs.items():
            print(f"  {name}: {value}")
        key = engine_keys.key_of(deployment.endpoint)
        print(f"AWS services of this machine: {deployment.endpoint}")
        print(f"  with the access key {key} and the secret {engine_keys.SECRET}\nCtrl-C stops it")
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            print("stopping")
    return 0


@contextmanager
def deployed(context: Mapping[str, str]) -> Iterator[Deployment]:
    """The stack for as long as the block lasts. Raises LocalError when it cannot be deployed."""
    with tempfile.TemporaryDirectory(prefix="loyalty-") as name:
        folder = Path(name)
        try:
            stack = synthesize(folder / "cdk.out", **context, **_WHERE_THEY_LIE)
        except OptionError as error:
            raise UsageError(str(error)) from error
        with _engine(folder) as started:
            _upload(started.endpoint, folder / "cdk.out", stack)
            deployment = _deploy(started.endpoint, stack)
            with stream_readers.reading(deployment.client) as readers:
                yield replace(deployment, stream_readers=readers)


def _engine(folder: Path) -> AbstractContextManager[engine.Engine]:
    return engine.running(
        "ministack",
        folder,
        keep=False,
        settings=ENGINE_SETTINGS,
        services=None,
        published=_SIGN_IN,
        pages=(_API,),
        sessions=_SESSIONS,
    )


def _upload(endpoint: str, assembly: Path, stack: str) -> None:
    """What `cdk bootstrap` leaves in an account, and the assets of one stack."""
    storage = _client(endpoint, "s3")
    storage.create_bucket(Bucket=_BUCKET)
    _client(endpoint, "ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value=_BOOTSTRAP_VERSION, Type="String")
    template = whole_template(assembly, stack)
    storage.put_object(Bucket=_BUCKET, Key=_TEMPLATE_KEY, Body=json.dumps(bridged(template)).encode())
    for asset in json.loads((assembly / f"{stack}.assets.json").read_text())["files"].values():
        if asset["source"]["packaging"] != "zip":
            continue
        content = _zipped(assembly / asset["source"]["path"])
        for destination in asset["destinations"].values():
            storage.put_object(Bucket=_BUCKET, Key=destination["objectKey"], Body=content)


def _deploy(endpoint: str, stack: str) -> Deployment:
    client = _client(endpoint, "cloudformation")
    address = f"{endpoint}/{_BUCKET}/{_TEMPLATE_KEY}"
    client.create_stack(StackName=stack, TemplateURL=address, Capabilities=_CAPABILITIES, OnFailure="DO_NOTHING")
    deadline = time.monotonic() + DEPLOY_SECONDS_MAX
    while time.monotonic() < deadline:
        description = client.describe_stacks(StackName=stack)["Stacks"][0]
        if description["StackStatus"] == "CREATE_COMPLETE":
            return _deployment(endpoint, outputs_of(client, stack), resources_of(client, stack))
        if description["StackStatus"] != "CREATE_IN_PROGRESS":
            break
        time.sleep(_POLL_SECONDS)
    events = client.get_paginator("describe_stack_events").paginate(StackName=stack).build_full_result()["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]
    raise LocalError("the stack was not made: " + ("; ".join(reasons) or "it took too long"))


def _deployment(endpoint: str, outputs: Mapping[str, str], resources: Mapping[str, Made]) -> Deployment:
    [api] = [one.physical_id for one in resources.values() if one.type_ == "AWS::ApiGatewayV2::Api"]
    return Deployment(
        endpoint=endpoint,
        # By path: the name that AWS would give it resolves on few machines.
        url=f"{endpoint}/_aws/execute-api/{api}",
        outputs=outputs,
        resources={name: one.physical_id for name, one in resources.items()},
    )


def _zipped(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return content.getvalue()


def _client(endpoint: str, service: str) -> Any:  # noqa: ANN401
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        config=_CLIENT,
        **engine.credentials(endpoint),
    )
