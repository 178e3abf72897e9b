"""What Checkov finds and is meant to be so, each with its reason.

Checkov pins its own versions of packages that are ours too, so it lives in an environment of its own, which `.ci/run`
makes of `infra/requirements-checkov.txt`. It reads nothing but templates.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"


class Expected(NamedTuple):
    """A check that may fail for resources that look like this, and why."""

    check: str
    resources: str
    reason: str


EXPECTED = (
    Expected("CKV_AWS_119", "AWS::DynamoDB::Table.Loyalty*", "the ledger names nobody: a key of AWS's own will do"),
    Expected(
        "CKV_AWS_149",
        "AWS::SecretsManager::Secret.IdentityKey*",
        "a key of our own would be one more without which no member is found by an identifier again",
    ),
    Expected("CKV_AWS_27", "AWS::SQS::Queue.*", "SQS encrypts with a key of its own, and messages hold ids"),
    Expected("CKV_AWS_26", "AWS::SNS::Topic.Alarms*", "alarms say what fails, and nothing of members"),
    Expected("CKV_AWS_158", "AWS::Logs::LogGroup.*", "CloudWatch encrypts with a key of its own, and logs name nobody"),
    Expected(
        "CKV_AWS_116",
        "AWS::Lambda::Function.*",
        "callers hear what failed; queues, streams and schedules have dead letters of their own",
    ),
    Expected(
        "CKV_AWS_117",
        "AWS::Lambda::Function.*",
        "functions reach AWS and, for webhooks, the internet: a VPC would cost a way out and hide nothing",
    ),
    Expected(
        "CKV_AWS_115", "AWS::Lambda::Function.*", "what anybody may call is kept from what tills need of the rest"
    ),
    Expected("CKV_AWS_173", "AWS::Lambda::Function.*", "settings are names of resources; no secret is among them"),
    Expected(
        "CKV_AWS_18", "AWS::S3::Bucket.FailedRecords*", "`loyalty redrive` alone reads it: a log would say no more"
    ),
    Expected(
        "CKV_AWS_21", "AWS::S3::Bucket.FailedRecords*", "each object is written once, and is gone when it is gone"
    ),
    Expected("CKV_AWS_18", "AWS::S3::Bucket.Runs*", "the runs alone write and read there"),
    Expected("CKV_AWS_21", "AWS::S3::Bucket.Runs*", "what a run leaves is of no use once the run has ended"),
    Expected("CKV_AWS_111", "AWS::IAM::Policy.messagesrole*", "a phone number is no resource; topics are denied"),
)


def command(template: Path) -> list[str]:
    """How Checkov is asked about a template, without asking its maker for anything."""
    given = ["--file", str(template), "--framework", "cloudformation"]
    return [str(CHECKOV), *given, "--skip-download", "--compact", "--quiet", "--output", "json"]


def unexplained(answer: Mapping[str, Any]) -> list[str]:
    """What fails without a reason. Raises ValueError for an answer about a template that was not read."""
    if answer["summary"]["parsing_errors"] or not answer["summary"]["passed"]:
        raise ValueError(f"Checkov could not read the template: {answer['summary']}")
    return [
        f"{check} {resource}"
        for check, resource in _failed(answer)
        if not any(check == one.check and fnmatchcase(resource, one.resources) for one in EXPECTED)
    ]


def needless(answers: Iterable[Mapping[str, Any]]) -> list[Expected]:
    """Reasons for what fails nowhere any more."""
    failed = [one for answer in answers for one in _failed(answer)]
    return [
        one
        for one in EXPECTED
        if not any(check == one.check and fnmatchcase(resource, one.resources) for check, resource in failed)
    ]


def _failed(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(one["check_id"], one["resource"]) for one in answer["results"]["failed_checks"]]
