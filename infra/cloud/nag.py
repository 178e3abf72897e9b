"""What cdk-nag finds and is meant to be so, each with its reason."""

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from infra import openapi

_EVERYWHERE = {
    "AwsSolutions-L1": "Python 3.13 is the version that the layer's bytecode and wheels are made for",
}
_PAGES = "a browser shows no token of the issuer's: the function looks at the session's cookie"
_EXPECTED: tuple[tuple[str, str, str], ...] = (
    ("IdentityKey", "AwsSolutions-SMG4", "under another key no member would be found by an identifier again"),
    ("StreamDeadLetters", "AwsSolutions-SQS3", "it holds notices of the stream's records that kept failing"),
    ("FailedRecords", "AwsSolutions-S1", "Lambda alone writes there, and whoever sends the records again reads"),
    ("ScheduleDeadLetters", "AwsSolutions-SQS3", "it is a dead-letter queue: of the schedules"),
    ("Api/GET--v1--program", "AwsSolutions-APIG4", "the program is for everybody to read"),
    ("Api/GET--v1--openapi.json", "AwsSolutions-APIG4", "the document is for everybody to read"),
    ("Api/GET--v1--unsubscribe--{token}", "AwsSolutions-APIG4", "everybody who has the link may: it came by e-mail"),
    ("Api/POST--v1--unsubscribe--{token}", "AwsSolutions-APIG4", "one click is all that RFC 8058 allows to ask for"),
    ("Api/GET--v1--changes--undo--{token}", "AwsSolutions-APIG4", "everybody who has the link may: it came by e-mail"),
    ("Api/POST--v1--changes--undo--{token}", "AwsSolutions-APIG4", "everybody who has the link may: it came by e-mail"),
    ("Api/POST--v1--changes--undo", "AwsSolutions-APIG4", "everybody who has the link's token may"),
    *(
        (f"Api/{route.method}{route.path.replace('/', '--')}", "AwsSolutions-APIG4", _PAGES)
        for route in openapi.page_routes()
    ),
    ("NotFound", "AwsSolutions-APIG4", "answers 404 and nothing else"),
    ("Users", "AwsSolutions-COG2", "members choose; the trigger gives operators nothing without a second factor"),
    ("Users", "AwsSolutions-COG8", "the plus plan costs two cents for each member and month: a shop's own choice"),
)


def explain(stack: Stack) -> None:
    """Acknowledge the findings that are meant to be. What a deployment does without has none."""
    for rule, reason in _EVERYWHERE.items():
        acknowledge(stack, rule, reason)
    for path, rule, reason in _EXPECTED:
        found = _find(stack, path)
        if found is not None:
            acknowledge(found, rule, reason)


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept what a rule finds in a construct and below."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def _find(stack: Stack, path: str) -> IConstruct | None:
    found: IConstruct | None = stack
    for name in path.split("/"):
        found = found.node.try_find_child(name) if found else None
    return found
