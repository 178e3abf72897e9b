"""The sender of e-mails, and where it is told what became of them."""

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.cloud.options import Options


@dataclass(frozen=True)
class Mail:
    """What sending needs a right to: the address, and the settings that go with it."""

    sender_arn: str
    settings_arn: str


def add_mail(scope: Construct, options: Options) -> Mail:
    """The sender; its bounces and complaints go on the account's own bus, the only one that SES knows."""
    stack = Stack.of(scope)
    settings = ses.ConfigurationSet(scope, "MailSettings", configuration_set_name=stack.stack_name)
    settings.add_event_destination(
        "Feedback",
        destination=ses.EventDestination.event_bus(events.EventBus.from_event_bus_name(scope, "AwsBus", "default")),
        events=[ses.EmailSendingEvent.BOUNCE, ses.EmailSendingEvent.COMPLAINT],
    )
    sender = ses.EmailIdentity(
        scope, "Sender", identity=ses.Identity.email(options.sender_email), configuration_set=settings
    )
    settings_arn = stack.format_arn(service="ses", resource="configuration-set", resource_name=stack.stack_name)
    return Mail(sender.email_identity_arn, settings_arn)
