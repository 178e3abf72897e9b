"""The sender of e-mails, and where it is told what became of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import Arn, ArnFormat, Aws, CfnCondition, Fn, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.cloud.options import WORKERS_MIN, Options
from shared.messaging.channels import OWN_SENDER

BOUNCES = "bounce"
MESSAGE_MS = 150
"""What a message takes that nobody holds up: its reads, its marker before and after, and the mail service's answer."""


@dataclass(frozen=True)
class Mail:
    """What sending needs a right to: the address, and the settings that go with it."""

    sender_arn: str
    settings_arn: str
    lent_identity: str = OWN_SENDER
    """The sender's ARN as the functions have to name it, where it is another account's."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """DNS records without which SES does not send, or others do not believe that it is us."""


def workers_max(options: Options) -> int:
    """How many processes send at once: as few as keep up with the mail service's rate."""
    wanted = math.ceil(options.mail_per_second * MESSAGE_MS / 1000)
    return max(wanted, WORKERS_MIN)


def message_ms(options: Options) -> int:
    """How long each of them takes for a message at least, so that all together keep to the rate."""
    return math.ceil(workers_max(options) * 1000 / options.mail_per_second)


def add_mail(scope: Construct, options: Options) -> Mail:
    """The sender; its bounces and complaints go on the account's own bus, the only one that SES knows."""
    stack = Stack.of(scope)
    settings = ses.ConfigurationSet(scope, "MailSettings", configuration_set_name=stack.stack_name)
    settings.add_event_destination(
        "Feedback",
        destination=ses.EventDestination.event_bus(events.EventBus.from_event_bus_name(scope, "AwsBus", "default")),
        events=[ses.EmailSendingEvent.BOUNCE, ses.EmailSendingEvent.COMPLAINT],
    )
    settings_arn = stack.format_arn(service="ses", resource="configuration-set", resource_name=stack.stack_name)
    if options.sender_identity_arn:
        return Mail(options.sender_identity_arn, settings_arn, _lent(scope, options.sender_identity_arn))
    if options.sender_domain:
        return _of_domain(scope, options.sender_domain, settings, settings_arn)
    sender = ses.EmailIdentity(
        scope, "Sender", identity=ses.Identity.email(options.sender_email), configuration_set=settings
    )
    return Mail(sender.email_identity_arn, settings_arn)


def _lent(scope: Construct, identity_arn: str) -> str:
    """Nothing that has to be named if the account that the stack goes to is the identity's own."""
    owner = Arn.split(identity_arn, ArnFormat.SLASH_RESOURCE_NAME).account or ""
    own = CfnCondition(scope, "SenderIsOwn", expression=Fn.condition_equals(owner, Aws.ACCOUNT_ID))
    return Fn.condition_if(own.logical_id, OWN_SENDER, identity_arn).to_string()


def _of_domain(scope: Construct, domain: str, settings: ses.ConfigurationSet, settings_arn: str) -> Mail:
    """The domain signs what it sends (DKIM), and bounces go to a name below it: receivers see one sender throughout."""
    bounces = f"{BOUNCES}.{domain}"
    identity = ses.EmailIdentity(
        scope,
        "SenderDomain",
        identity=ses.Identity.domain(domain),
        configuration_set=settings,
        mail_from_domain=bounces,
    )
    # Others in the account may send from it by now.
    identity.apply_removal_policy(RemovalPolicy.RETAIN)
    region = Stack.of(scope).region
    records = {f"Dkim{number}": f"{one.name} CNAME {one.value}" for number, one in enumerate(identity.dkim_records, 1)}
    return Mail(
        identity.email_identity_arn,
        settings_arn,
        outputs={
            **records,
            "MailFromMx": f"{bounces} MX 10 feedback-smtp.{region}.amazonses.com",
            "MailFromSpf": f"{bounces} TXT v=spf1 include:amazonses.com ~all",
        },
    )
