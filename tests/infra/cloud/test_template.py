"""What the template must say, whatever else it says."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template as Synthesized

from infra import openapi
from infra.bench.cold_start import EVERYDAY, MACHINE
from infra.cloud import token_trigger
from infra.cloud.build.bytecode import runtime_python
from infra.cloud.build.function_code import WHOLE_TABLES_HANDLER, function_folder, whole_tables_folder
from infra.cloud.build.layer import layer_folder
from infra.cloud.failed_records import KEPT_DAYS
from infra.cloud.identity import user_pool
from infra.cloud.mail import add_mail
from infra.cloud.options import Options
from infra.cloud.permissions import NEEDS
from shared.messaging.channels import OWN_SENDER
from shared.tables import announced
from tests.infra.cloud.conftest import SHOP, Template

pytestmark = pytest.mark.stack

RESOURCES_QUOTA, RESOURCES_MAX = 500, 400
PARAMETERS_QUOTA = 200
PHYSICAL_NAMES = {
    "AWS::ApiGatewayV2::Api": ("Name",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::Cognito::UserPoolDomain": ("Domain",),
    "AWS::EventSchemas::Registry": ("RegistryName",),
    "AWS::Events::Archive": ("ArchiveName",),
    "AWS::Events::EventBus": ("Name",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::SES::ConfigurationSet": ("Name",),
    "AWS::StepFunctions::StateMachine": ("StateMachineName",),
}
"""Names that no other of its kind in the account and region may have."""
NAMED_WITHIN_SOMETHING = {
    ("AWS::ApiGatewayV2::Authorizer", "Name"),
    ("AWS::ApiGatewayV2::Stage", "StageName"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::CodeDeploy::DeploymentGroup", "DeploymentConfigName"),
    ("AWS::Cognito::UserPoolGroup", "GroupName"),
    ("AWS::Cognito::UserPoolResourceServer", "Name"),
    ("AWS::EventSchemas::Schema", "SchemaName"),
    ("AWS::IAM::Policy", "PolicyName"),
    ("AWS::Lambda::Alias", "Name"),
    ("AWS::SNS::Topic", "DisplayName"),
}
LAYER_MB_MAX = 60
"""Unpacked, of the 250 that Lambda allows for it and a function together."""
SYNTHESIS_SECONDS_MAX = 60
_STARTED = "import shared.start, sys; print(sys.modules['botocore'].__file__)"


def test_there_is_room_for_more_in_the_stack_and_in_each_inside_it(prod: Template) -> None:
    for name, resources in prod.apart().items():
        print(f"{name}: {len(resources)} of {RESOURCES_QUOTA} resources")
        assert len(resources) < RESOURCES_MAX


def test_alarms_take_no_room_from_functions_but_those_that_a_release_waits_for(prod: Template) -> None:
    alarms = {
        name: [one["Properties"]["AlarmName"] for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
        for name, resources in prod.apart().items()
    }
    [(own, kept)] = [(name, found) for name, found in alarms.items() if ".nested." not in name]
    assert kept == ["loyalty-prod/earn-release", "loyalty-prod/redeem-release"]
    assert any(len(found) > len(kept) for name, found in alarms.items() if name != own)


def test_a_stack_inside_has_no_more_parameters_than_cloudformation_takes(prod: Template) -> None:
    for path in prod.paths:
        assert len(json.loads(path.read_text()).get("Parameters", {})) < PARAMETERS_QUOTA


def test_two_shops_share_an_account_because_everything_is_named_after_its_stack(prod: Template, dev: Template) -> None:
    for template, stack in ((prod, "loyalty-prod"), (dev, f"{SHOP}-dev")):
        names = [
            (resource["Type"], value)
            for resource in template.resources.values()
            for name, value in resource["Properties"].items()
            if name in PHYSICAL_NAMES.get(resource["Type"], ())
        ]
        assert {type_ for type_, _ in names} >= {"AWS::Lambda::Function", "AWS::CloudWatch::Alarm"}
        assert [one for one in names if stack not in json.dumps(one[1])] == []
    assert "loyalty-dev" not in dev.path.read_text()


def test_whoever_has_a_name_has_it_by_a_property_that_is_looked_at(prod: Template) -> None:
    named = {
        (resource["Type"], name)
        for resource in prod.resources.values()
        for name, value in resource["Properties"].items()
        if name.endswith("Name") and isinstance(value, str)
    }
    known = {(type_, name) for type_, names in PHYSICAL_NAMES.items() for name in names}
    assert named - known <= NAMED_WITHIN_SOMETHING


def test_one_permission_lets_the_api_call_a_function(prod: Template) -> None:
    callers = [
        json.dumps(one["FunctionName"])
        for one in prod.properties("AWS::Lambda::Permission")
        if one["Principal"] == "apigateway.amazonaws.com"
    ]
    assert len(callers) == len(set(callers)) == len({*openapi.http_functions(), *openapi.page_functions(), "document"})


def test_tables_are_backed_up_protected_and_outlive_the_stack(prod: Template) -> None:
    tables = prod.of("AWS::DynamoDB::Table")
    assert len(tables) == 2
    for table in tables:
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["Properties"]["DeletionProtectionEnabled"]
        assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]


def test_personal_data_is_encrypted_under_a_key_of_its_own(prod: Template) -> None:
    keys = [
        table.get("SSESpecification", {}).get("KMSMasterKeyId") for table in prod.properties("AWS::DynamoDB::Table")
    ]
    assert sum(key is not None for key in keys) == 1
    [key] = prod.of("AWS::KMS::Key")
    assert key["Properties"]["EnableKeyRotation"]
    assert key["DeletionPolicy"] == "Retain"
    [secret] = prod.of("AWS::SecretsManager::Secret")
    assert secret["DeletionPolicy"] == "Retain"


def test_routes_and_scopes_are_those_of_the_document_and_of_the_pages(prod: Template) -> None:
    routes = {route["RouteKey"]: route for route in prod.properties("AWS::ApiGatewayV2::Route")}
    known = (*openapi.routes(), *openapi.page_routes())
    documented = {f"{route.method} {route.path}": route.scopes for route in known}
    assert set(routes) == {*documented, f"GET {openapi.DOCUMENT_PATH}", "$default"}
    for key, scopes in documented.items():
        assert routes[key].get("AuthorizationScopes", []) == sorted(scopes)
        assert routes[key]["AuthorizationType"] == ("JWT" if scopes else "NONE")


def test_every_route_and_the_stage_are_throttled_and_logged(prod: Template) -> None:
    [stage] = prod.properties("AWS::ApiGatewayV2::Stage")
    keys = {route["RouteKey"] for route in prod.properties("AWS::ApiGatewayV2::Route")}
    assert set(stage["RouteSettings"]) == keys - {"$default"}
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert "sourceIp" not in json.dumps(logged)
    # Which storefront, partner or page floods the others.
    assert logged["clientId"] == "$context.authorizer.claims.client_id"


def test_functions_are_granted_what_is_declared_and_their_own_log(prod: Template) -> None:
    for name, needs in NEEDS.items():
        role = f"{name.replace('_', '')}role"
        [policy] = [one for key, one in prod.resources.items() if key.startswith(f"{role}DefaultPolicy")]
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        granted = sorted(action for one in statements if one["Effect"] == "Allow" for action in _listed(one["Action"]))
        declared = [action for grant in needs.grants for action in grant.actions]
        assert granted == sorted([*declared, "logs:CreateLogStream", "logs:PutLogEvents"])


def test_nothing_but_what_says_why_is_granted_on_everything(prod: Template) -> None:
    excused = {action for needs in NEEDS.values() for grant in needs.grants if grant.reason for action in grant.actions}
    for policy in prod.properties("AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Resource"] != "*" or set(_listed(statement["Action"])) <= excused


def test_partition_keys_are_demanded_wherever_they_are_limited(prod: Template) -> None:
    limited = [one["Condition"] for one in _allowed(prod) if "ForAllValues:StringLike" in one.get("Condition", {})]
    assert len(limited) > 50
    for condition in limited:
        assert condition["Null"] == {"dynamodb:LeadingKeys": "false"}


def test_text_messages_reach_phones_and_no_topic(prod: Template) -> None:
    publishing = [
        (one["Effect"], one["Resource"])
        for policy in prod.properties("AWS::IAM::Policy")
        for one in policy["PolicyDocument"]["Statement"]
        if "sns:Publish" in _listed(one["Action"])
    ]
    assert sorted(publishing) == [("Allow", "*"), ("Deny", "arn:aws:sns:*:*:*")]


def test_what_anybody_may_call_has_limits_below_the_tills_and_concurrency_of_its_own(prod: Template) -> None:
    [stage] = prod.properties("AWS::ApiGatewayV2::Stage")
    limits, at_till = stage["RouteSettings"], stage["RouteSettings"]["POST /v1/members/{member_id}/earn"]
    resources = prod.resources
    reserved = {
        one["FunctionName"].rsplit("-", 1)[1]: one["ReservedConcurrentExecutions"]
        for one in prod.properties("AWS::Lambda::Function")
        if "ReservedConcurrentExecutions" in one
    }
    assert reserved == {"anybody": 20, "member_pages": 20, "till_pages": 20, "document": 5}
    for route in prod.properties("AWS::ApiGatewayV2::Route"):
        if route["AuthorizationType"] != "NONE":
            continue
        own = limits.get(route["RouteKey"], stage["DefaultRouteSettings"])
        assert own["ThrottlingRateLimit"] < at_till["ThrottlingRateLimit"]
        assert own["ThrottlingBurstLimit"] < at_till["ThrottlingBurstLimit"]
        integration = resources[route["Target"]["Fn::Join"][1][1]["Ref"]]["Properties"]
        uri = integration["IntegrationUri"]
        called = resources[uri["Ref"]]["Properties"]["FunctionName"]["Ref"] if "Ref" in uri else uri["Fn::GetAtt"][0]
        assert resources[called]["Properties"]["FunctionName"].rsplit("-", 1)[1] in reserved


def test_an_operator_needs_a_second_factor(prod: Template) -> None:
    [pool] = prod.properties("AWS::Cognito::UserPool")
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    trigger = prod.resources[pool["LambdaConfig"]["PreTokenGenerationConfig"]["LambdaArn"]["Fn::GetAtt"][0]]
    assert trigger["Properties"]["Environment"]["Variables"] == {"SECOND_FACTOR": "required"}
    assert trigger["Properties"]["Code"]["ZipFile"] == Path(token_trigger.__file__).read_text()


def test_a_name_of_ones_own_closes_the_address_of_aws(prod: Template, dev: Template) -> None:
    [open_], [closed] = prod.properties("AWS::ApiGatewayV2::Api"), dev.properties("AWS::ApiGatewayV2::Api")
    assert not open_["DisableExecuteApiEndpoint"]
    assert closed["DisableExecuteApiEndpoint"]
    [mapping] = dev.properties("AWS::ApiGatewayV2::ApiMapping")
    [name] = dev.properties("AWS::ApiGatewayV2::DomainName")
    assert name["DomainName"] == "loyalty.shop.example"
    assert name["DomainNameConfigurations"][0]["CertificateArn"].endswith("certificate/1")
    urls = {
        one.get("Environment", {}).get("Variables", {}).get("PUBLIC_URL")
        for one in dev.properties("AWS::Lambda::Function")
    }
    assert urls - {None} == {"https://loyalty.shop.example"}
    assert mapping["DomainName"]


def _allowed(template: Template) -> list[Mapping[str, Any]]:
    policies = template.properties("AWS::IAM::Policy")
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]


def test_whoever_is_waited_for_starts_from_a_snapshot_in_production(prod: Template, dev: Template) -> None:
    started = {
        one["FunctionName"].rsplit("-", 1)[1] for one in prod.properties("AWS::Lambda::Function") if "SnapStart" in one
    }
    assert started == {name for name, needs in NEEDS.items() if needs.is_snapshot}
    assert not any("SnapStart" in one for one in dev.properties("AWS::Lambda::Function"))


def test_webhooks_lead_to_the_internet_alone_unless_told_otherwise(prod: Template, dev: Template) -> None:
    for template in (prod, dev):
        variables = [
            function.get("Environment", {}).get("Variables", {})
            for function in template.properties("AWS::Lambda::Function")
        ]
        assert [one["WEBHOOK_TARGETS"] for one in variables if "WEBHOOK_TARGETS" in one] == ["public", "public"]


def test_another_issuer_takes_the_place_of_the_user_pool(dev: Template) -> None:
    assert dev.of("AWS::Cognito::UserPool") == []
    [authorizer] = dev.properties("AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"] == {"Issuer": "https://login.example", "Audience": ["loyalty", "till"]}


def test_any_number_of_partners_sign_in_by_one_client_that_the_api_accepts(prod: Template) -> None:
    shared = {name: one["Properties"] for name, one in prod.resources.items() if name.startswith("UsersPartners")}
    [(name, client)] = shared.items()
    assert client["ExplicitAuthFlows"] == ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    assert "AllowedOAuthFlows" not in client
    [authorizer] = prod.properties("AWS::ApiGatewayV2::Authorizer")
    assert {"Ref": name} in authorizer["JwtConfiguration"]["Audience"]


def test_nobody_who_signs_in_may_say_which_member_or_partner_they_are(prod: Template) -> None:
    clients = prod.properties("AWS::Cognito::UserPoolClient")
    of_machines = [one for one in clients if one.get("AllowedOAuthFlows") == ["client_credentials"]]
    assert [one["WriteAttributes"] for one in clients if one not in of_machines] == [["email"]] * 3


def test_invitations_and_codes_go_by_ses_where_there_is_a_verified_identity() -> None:
    identity = "arn:aws:ses:us-east-1:123456789012:identity/shop.example"
    sent: dict[str | None, Any] = {}
    for arn in (None, identity):
        stack = Stack(App(), "users")
        user_pool(stack, Options(sender_email="club@shop.example", sender_identity_arn=arn))
        [pool] = Synthesized.from_stack(stack).find_resources("AWS::Cognito::UserPool").values()
        sent[arn] = pool["Properties"].get("EmailConfiguration")
    by_ses = {"EmailSendingAccount": "DEVELOPER", "From": "club@shop.example", "SourceArn": identity}
    assert sent == {None: None, identity: by_ses}


def test_functions_name_an_identity_that_is_another_accounts(tmp_path: Path) -> None:
    identity = "arn:aws:ses:us-east-1:210987654321:identity/shop.example"
    stack = Stack(App(outdir=str(tmp_path)), "sender")
    mail = add_mail(stack, Options(sender_email="club@shop.example", sender_identity_arn=identity))
    assert mail.sender_arn == identity
    [(condition, found)] = Synthesized.from_stack(stack).to_json()["Conditions"].items()
    assert found == {"Fn::Equals": ["210987654321", {"Ref": "AWS::AccountId"}]}
    assert stack.resolve(mail.lent_identity) == {"Fn::If": [condition, OWN_SENDER, identity]}
    assert add_mail(Stack(App(), "own"), Options()).lent_identity == OWN_SENDER


def test_pages_of_the_shop_and_no_others_may_call(prod: Template, dev: Template) -> None:
    [api] = dev.properties("AWS::ApiGatewayV2::Api")
    assert api["CorsConfiguration"]["AllowOrigins"] == ["https://shop.example"]
    assert "CorsConfiguration" not in prod.properties("AWS::ApiGatewayV2::Api")[0]


def test_the_layer_is_small() -> None:
    size = sum(path.stat().st_size for path in layer_folder().rglob("*") if path.is_file())
    assert size < LAYER_MB_MAX * 1024 * 1024


@pytest.mark.skipif(runtime_python() is None, reason="only the runtime's own Python imports the layer")
@pytest.mark.parametrize("function", EVERYDAY)
def test_what_is_deployed_starts_with_nothing_but_its_layer(function: str) -> None:
    layer = layer_folder(MACHINE) / "python"
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "FUNCTION": function,
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "PYTHONPATH": os.pathsep.join(map(str, (function_folder(function), layer))),
    }
    command = [str(runtime_python()), "-P", "-c", _STARTED]
    started = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert Path(started.stdout.strip()).is_relative_to(layer)


@pytest.mark.skipif(runtime_python() is None, reason="only the runtime's own Python imports the layer")
def test_work_on_whole_tables_starts_with_nothing_but_its_layer() -> None:
    module, _, name = WHOLE_TABLES_HANDLER.rpartition(".")
    places = (whole_tables_folder(), layer_folder(MACHINE) / "python")
    command = [
        str(runtime_python()),
        "-P",
        "-c",
        f"import {module} as it, sys; print(it.{name}, 'duckdb' in sys.modules)",
    ]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, places))}
    started = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert started.stdout.endswith("False\n"), started.stderr


def test_whoever_works_on_whole_tables_reads_the_ledger_and_writes_nothing_of_it(prod: Template) -> None:
    [policy] = [one for key, one in prod.resources.items() if key.startswith("wholetablesroleDefaultPolicy")]
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    granted = {action for one in statements for action in _listed(one["Action"])}
    assert granted == {
        *("dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"),
        *("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
        *("logs:CreateLogStream", "logs:PutLogEvents"),
    }


@pytest.mark.parametrize("stage", ["prod", "dev"])
def test_cfn_lint_finds_nothing(stage: str, request: pytest.FixtureRequest) -> None:
    # W3005: the CDK also writes down dependencies that a reference implies.
    paths = map(str, request.getfixturevalue(stage).paths)
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SYNTHESIS_SECONDS_MAX)
    assert done.returncode == 0, done.stdout


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_records_that_keep_failing_are_kept_whole_encrypted_and_for_a_time(prod: Template) -> None:
    buckets = {name: one for name, one in prod.resources.items() if one["Type"] == "AWS::S3::Bucket"}
    for bucket in buckets.values():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    [name] = [name for name in buckets if name.startswith("FailedRecords")]
    kept = buckets[name]["Properties"]
    assert [rule["ExpirationInDays"] for rule in kept["LifecycleConfiguration"]["Rules"]] == [KEPT_DAYS]
    assert timedelta(days=KEPT_DAYS) < announced.KEPT, "what is sent again is not announced again"
    policies = prod.properties("AWS::S3::BucketPolicy")
    assert len(policies) == len(buckets)
    for policy in policies:
        [statement] = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    mappings = [one for one in prod.properties("AWS::Lambda::EventSourceMapping") if "StartingPosition" in one]
    assert len(mappings) == 2
    for mapping in mappings:
        assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [name, "Arn"]}}}


def test_each_record_that_is_set_aside_is_noted_where_an_alarm_looks(prod: Template) -> None:
    [bucket] = [one for one in prod.of("AWS::S3::Bucket") if "NotificationConfiguration" in one["Properties"]]
    [told] = bucket["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    [queue, _] = told["Queue"]["Fn::GetAtt"]
    assert queue.startswith("StreamDeadLetters")
    policies = {name: one for name, one in prod.resources.items() if one["Type"] == "AWS::SQS::QueuePolicy"}
    [policy] = [name for name, one in policies.items() if {"Ref": queue} in one["Properties"]["Queues"]]
    assert policy in bucket["DependsOn"]
    allowed = [
        one
        for one in policies[policy]["Properties"]["PolicyDocument"]["Statement"]
        if one["Effect"] == "Allow" and one["Principal"] == {"Service": "s3.amazonaws.com"}
    ]
    assert [(one["Action"], one["Condition"]) for one in allowed] == [
        ("sqs:SendMessage", {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}})
    ]


def test_messages_are_sent_by_as_many_workers_as_the_mail_services_rate_takes(prod: Template) -> None:
    [queue] = [name for name in prod.resources if name.startswith("MessageQueue") and len(name) == 20]
    [mapping] = [
        one
        for one in prod.properties("AWS::Lambda::EventSourceMapping")
        if one["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]}
    ]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 3}
    [function] = [one for one in prod.properties("AWS::Lambda::Function") if one["FunctionName"].endswith("-messages")]
    settings = function["Environment"]["Variables"]
    assert (settings["MESSAGE_MS"], settings["MAIL_SETTINGS"], settings["TEXT_SENDER"]) == ("215", "loyalty-prod", "-")
