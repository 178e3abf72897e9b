"""Where MiniStack differs from AWS: all by which a local template is not the cloud's.

Checked with MiniStack 1.5.33. What it lacks and nothing can be done about: it does not throttle, has no time to live
and no point-in-time recovery, asks no key for personal data, knows no conditions on partition keys, asks nobody's right
to set a stream's records aside, forgets a person's attributes and groups when their token is refreshed, and notes
where bounces and complaints are to be told but never tells of any.
What no template can bridge, `stream_readers` does beside it.
"""

import copy
import secrets
from typing import Any

from infra.cloud.identity import SECOND_FACTOR

Template = dict[str, Any]

_UNKNOWN_TYPES = (
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::EventSchemas::Registry",
    "AWS::EventSchemas::Schema",
    "AWS::Events::Archive",
)
"""It does not know stacks inside a stack either, so it gets all as one."""
_SECRET_BYTES = 32
_QUEUE_WORKERS = 2
"""The fewest that Lambda takes for a limit."""


def bridged(template: Template) -> Template:
    """The template as MiniStack can take it."""
    made = copy.deepcopy(template)
    _leave_out_unknown_types(made)
    _leave_out_sums_of_metrics(made)
    _leave_out_layers(made)
    _spell_cors_as_the_api_does(made)
    _leave_time_to_the_scheduler(made)
    _allow_plain_http(made)
    _grant_what_it_asks_for(made)
    _make_the_secret(made)
    _ask_for_no_partition_keys(made)
    _ask_for_no_second_factor(made)
    _leave_streams_to_our_readers(made)
    _work_queues_by_few(made)
    return made


def _leave_out_unknown_types(template: Template) -> None:
    """It refuses a template with a type that it has no code for. Nothing that members see depends on these."""
    resources = template["Resources"]
    for name in [name for name, resource in resources.items() if resource["Type"] in _UNKNOWN_TYPES]:
        del resources[name]
    for resource in resources.values():
        resource.pop("UpdatePolicy", None)  # how CodeDeploy shifts an alias's calls


def _leave_out_sums_of_metrics(template: Template) -> None:
    """It has no alarms on what is worked out of several metrics."""
    for name, alarm in _named(template, "AWS::CloudWatch::Alarm").items():
        if "Metrics" in alarm:
            del template["Resources"][name]


def _leave_out_layers(template: Template) -> None:
    """It runs functions by its own interpreter, for which the layer's wheels are not made; ours has the same pins."""
    for function in _of_type(template, "AWS::Lambda::Function"):
        function.pop("Layers", None)


def _spell_cors_as_the_api_does(template: Template) -> None:
    """It keeps CORS under the template's names, and looks for it under those of the API."""
    for api in _of_type(template, "AWS::ApiGatewayV2::Api"):
        cors = api.get("CorsConfiguration", {})
        api["CorsConfiguration"] = {name[0].lower() + name[1:]: value for name, value in cors.items()}


def _leave_time_to_the_scheduler(template: Template) -> None:
    """It does not fill in the scheduled time; the event it sends when there is no input holds it as well."""
    for schedule in _of_type(template, "AWS::Scheduler::Schedule"):
        schedule["Target"].pop("Input", None)


def _allow_plain_http(template: Template) -> None:
    """It listens on loopback without TLS, which queues, topics and buckets refuse."""
    resources = template["Resources"]
    for name in _named(template, "AWS::SNS::TopicPolicy"):
        del resources[name]
    for type_ in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
        for name, policy in _named(template, type_).items():
            document = policy["PolicyDocument"]
            document["Statement"] = [one for one in document["Statement"] if one["Effect"] == "Allow"]
            if not document["Statement"]:
                del resources[name]
    for resource in resources.values():
        if "DependsOn" in resource:
            needed = resource["DependsOn"]
            names = [needed] if isinstance(needed, str) else needed
            resource["DependsOn"] = [name for name in names if name in resources]


def _grant_what_it_asks_for(template: Template) -> None:
    """It wants an action for messages in batches that AWS does not have, and knows no sender's identity."""
    for statement in _statements(template):
        if statement["Action"] == "sqs:SendMessage":
            statement["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]
        if statement["Action"] == "ses:SendEmail":
            statement["Resource"] = "*"


def _make_the_secret(template: Template) -> None:
    """It generates secrets of any characters, and gives a secret's name where AWS gives its ARN."""
    for name, secret in _named(template, "AWS::SecretsManager::Secret").items():
        secret.pop("GenerateSecretString")
        secret["SecretString"] = secrets.token_hex(_SECRET_BYTES)
        arn = f"arn:aws:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:${{{name}}}-??????"
        for statement in _statements(template):
            if statement["Resource"] == {"Ref": name}:
                statement["Resource"] = {"Fn::Sub": arn}


def _ask_for_no_partition_keys(template: Template) -> None:
    """It does not say which partition keys a request names: a condition that it names some is never met."""
    for statement in _statements(template):
        statement.get("Condition", {}).pop("Null", None)


def _ask_for_no_second_factor(template: Template) -> None:
    """Its sign-in page knows none."""
    for function in _of_type(template, "AWS::Lambda::Function"):
        function.get("Environment", {}).get("Variables", {}).pop(SECOND_FACTOR, None)


def _leave_streams_to_our_readers(template: Template) -> None:
    """It does not hear of single records that fail."""
    for mapping in _of_type(template, "AWS::Lambda::EventSourceMapping"):
        if "StartingPosition" in mapping:
            mapping["Enabled"] = False


def _work_queues_by_few(template: Template) -> None:
    """Each of a queue's workers is a process of this machine, which takes seconds to start."""
    for mapping in _of_type(template, "AWS::Lambda::EventSourceMapping"):
        if "ScalingConfig" in mapping:
            mapping["ScalingConfig"] = {"MaximumConcurrency": _QUEUE_WORKERS}


def _statements(template: Template) -> list[dict[str, Any]]:
    policies = _of_type(template, "AWS::IAM::Policy")
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def _of_type(template: Template, type_: str) -> list[dict[str, Any]]:
    return list(_named(template, type_).values())


def _named(template: Template, type_: str) -> dict[str, dict[str, Any]]:
    resources = template["Resources"].items()
    return {name: resource["Properties"] for name, resource in resources if resource["Type"] == type_}
