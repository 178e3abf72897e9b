"""The functions: one for each file, all made in the same way, each allowed what its row in `permissions` says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import AssetHashType, Duration, RemovalPolicy, Stack
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cloud.build.function_code import (
    HANDLER,
    WHOLE_TABLES_HANDLER,
    document_folder,
    function_folder,
    function_names,
    whole_tables_folder,
)
from infra.cloud.build.layer import layer_folder
from infra.cloud.nag import acknowledge
from infra.cloud.options import OptionError, Options
from infra.cloud.permissions import EVERYTHING, FAILED_RECORD, NEEDS, Grant, Needs

LOG_RETENTION = {"dev": logs.RetentionDays.ONE_WEEK, "prod": logs.RetentionDays.THREE_MONTHS}
CANARIES = ("earn", "redeem")
"""Functions in production whose new version gets a tenth of the calls for five minutes, and goes back if it fails: a
mistake in them becomes ledger entries.
"""
CODEDEPLOY_POLICY = (
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]"
)
SMALL_MEMORY_MB, SMALL_SECONDS_MAX = 128, 5
PROCESSOR_MB, LAMBDA_MAX = 1769, Duration.minutes(15)
"""With so much memory a function has a whole processor; longer than that no function runs."""
ANYBODY = "anybody"
"""Answers every route that asks for no token, and what no route takes."""
RESERVED_AT_ONCE = {ANYBODY: 20, "member_pages": 20, "till_pages": 20, "document": 5}
"""Calls at once of what anybody may call, in production: no more, so that no flood takes what tills need of the
account's concurrency, and no less. The rest of the account must be left a hundred; a new one has ten in all.
"""
TILL = ("account", "earn", "redeem")
"""Somebody stands at a till while these are called."""
STREAM_READERS = ("consequences", "notify")


def reserved_at_once(options: Options) -> Mapping[str, int]:
    """Calls at once that functions have for themselves, and no more; the others share what is left of the account's."""
    of_till = dict.fromkeys(TILL, options.till_calls_reserved) if options.till_calls_reserved else {}
    return {**(RESERVED_AT_ONCE if options.is_kept else {}), **of_till}


@dataclass(frozen=True)
class Resource:
    """Something that functions are granted actions on; `conditions` go with every such grant."""

    arn: str
    conditions: Mapping[str, Any]


@dataclass(frozen=True)
class Release:
    """How a new version takes over from the one before: a tenth of the calls first, and none if it fails."""

    group: codedeploy.LambdaDeploymentGroup
    version: lambda_.Version


@dataclass(frozen=True)
class Function:
    """A function, and what callers call: a version with a snapshot where there is one."""

    function: lambda_.Function
    entrance: lambda_.IFunction
    role: iam.Role
    release: Release | None = None


class Builder:
    """Makes functions of one deployment: `resources` by the names that grants use, `settings` by environment names."""

    def __init__(
        self, scope: Construct, options: Options, resources: Mapping[str, Resource], settings: Mapping[str, str]
    ) -> None:
        self._scope = scope
        self._options = options
        self._resources = resources
        self._settings = settings
        self._layer = lambda_.LayerVersion(
            scope,
            "Packages",
            code=_code(layer_folder()),
            compatible_architectures=[lambda_.Architecture.ARM_64],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            description="What the functions import, at hashed versions",
        )

    def all(self) -> dict[str, Function]:
        """Every function in `functions/`. Raises OptionError for one that does not say what it needs."""
        names = function_names()
        if undeclared := set(names) - set(NEEDS):
            raise OptionError(f"say in infra/cloud/permissions.py what these need: {', '.join(sorted(undeclared))}")
        return {name: self._function(name, NEEDS[name]) for name in names}

    def document(self) -> Function:
        """The function that answers with the OpenAPI document; it needs nothing."""
        return self._made(
            "document",
            code=_code(document_folder()),
            memory_size=SMALL_MEMORY_MB,
            timeout=Duration.seconds(SMALL_SECONDS_MAX),
        )

    def inline(self, name: str, code: lambda_.Code, environment: Mapping[str, str]) -> Function:
        """A function of a few lines, which are in the template."""
        return self._made(
            name,
            code=code,
            handler="index.handler",
            environment=dict(environment),
            memory_size=SMALL_MEMORY_MB,
            timeout=Duration.seconds(SMALL_SECONDS_MAX),
        )

    def whole_tables(self, name: str, environment: Mapping[str, str]) -> Function:
        """The function that works on parts of whole tables, and puts together what they come to."""
        return self._made(
            name,
            code=_code(whole_tables_folder()),
            handler=WHOLE_TABLES_HANDLER,
            layers=[self._layer],
            environment={"POWERTOOLS_SERVICE_NAME": Stack.of(self._scope).stack_name, **environment},
            memory_size=PROCESSOR_MB,
            timeout=LAMBDA_MAX,
        )

    def _function(self, name: str, needs: Needs) -> Function:
        made = self._made(
            name,
            code=_code(function_folder(name)),
            handler=HANDLER,
            layers=[self._layer],
            memory_size=self._options.stream_memory_mb if name in STREAM_READERS else needs.memory_mb,
            timeout=Duration.seconds(needs.seconds_max),
            environment={
                "FUNCTION": name,
                "POWERTOOLS_SERVICE_NAME": Stack.of(self._scope).stack_name,
                "PYDANTIC_DISABLE_PLUGINS": "__all__",  # there are none, and looking for them takes 6 ms of every start
                **{setting: self._settings[setting] for setting in needs.settings},
            },
            is_snapshot=needs.is_snapshot and self._options.stage == "prod",
        )
        for grant in needs.grants:
            made.role.add_to_policy(self._statement(grant))
            if grant.but:
                made.role.add_to_policy(
                    iam.PolicyStatement(effect=iam.Effect.DENY, actions=list(grant.actions), resources=[grant.but])
                )
            if grant.on == EVERYTHING:
                acknowledge(made.role, "AwsSolutions-IAM5[Resource::*]", grant.reason)
            if grant.on == FAILED_RECORD:
                joined = Stack.of(self._scope).resolve(self._resources[grant.on].arn)
                bucket = joined["Fn::Join"][1][0]["Fn::GetAtt"][0]
                acknowledge(made.role, f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/*]", grant.reason)
        return made

    def _made(
        self,
        name: str,
        *,
        handler: str | None = None,
        is_snapshot: bool = False,
        **properties: Any,  # noqa: ANN401 - the CDK's own
    ) -> Function:
        full_name = f"{Stack.of(self._scope).stack_name}-{name}"
        group = logs.LogGroup(
            self._scope,
            f"{name}-log",
            log_group_name=f"/aws/lambda/{full_name}",
            retention=LOG_RETENTION[self._options.stage],
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = self._role(name, group)
        function = lambda_.Function(
            self._scope,
            name,
            function_name=full_name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler or f"{name}.handler",
            role=role,
            reserved_concurrent_executions=reserved_at_once(self._options).get(name),
            log_group=group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Lambda's own lines about calls that went well say what the metrics say, and cost more than the function.
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            # What went before stays, so that calls can go back to it.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if is_snapshot else None,
            **properties,
        )
        if not is_snapshot:
            return Function(function, function, role)
        version = function.current_version
        live = lambda_.Alias(self._scope, f"{name}-live", alias_name="live", version=version)
        release = Release(self._canary(name, live), version) if name in CANARIES else None
        return Function(function, live, role, release)

    def _canary(self, name: str, live: lambda_.Alias) -> codedeploy.LambdaDeploymentGroup:
        group = codedeploy.LambdaDeploymentGroup(
            self._scope,
            f"{name}-canary",
            alias=live,
            deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
        )
        acknowledge(group, CODEDEPLOY_POLICY, "AWS's own policy of what CodeDeploy needs to shift calls")
        return group

    def _role(self, name: str, group: logs.LogGroup) -> iam.Role:
        role = iam.Role(
            self._scope,
            f"{name}-role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What the function {name} may do",
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.log_group_arn])
        )
        return role

    def _statement(self, grant: Grant) -> iam.PolicyStatement:
        resource = Resource("*", {}) if grant.on == EVERYTHING else self._resources[grant.on]
        keys = _only_for(grant.keys) if grant.keys else {}
        return iam.PolicyStatement(
            actions=list(grant.actions), resources=[resource.arn], conditions={**resource.conditions, **keys}
        )


def _only_for(keys: Sequence[str]) -> dict[str, Any]:
    """The condition that a request names partition keys, and only such as these: of none, all would be true."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def _code(folder: Path) -> lambda_.Code:
    # The folder is named after what it was made from: nothing has to be read again to tell whether it changed.
    return lambda_.Code.from_asset(str(folder), asset_hash=folder.name, asset_hash_type=AssetHashType.CUSTOM)
