"""The service on AWS, put together from its parts in `infra/cloud`."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cloud import permissions
from infra.cloud.alarms import Watched, add_alarms
from infra.cloud.api import add_routes, make_api, public_url
from infra.cloud.backups import add_backups
from infra.cloud.deployed import OPTIONS
from infra.cloud.events import add_event_bus
from infra.cloud.failed_records import add_failed_records
from infra.cloud.functions import Builder, Resource
from infra.cloud.identity import add_identity
from infra.cloud.mail import Mail, add_mail, message_ms
from infra.cloud.monitoring import add_dashboard
from infra.cloud.nag import explain
from infra.cloud.options import Options
from infra.cloud.queues import Queues, add_queues
from infra.cloud.tables import Data, add_data
from infra.cloud.triggers import add_mail_feedback, add_queue_workers, add_schedules, add_stream_readers
from infra.cloud.whole_tables import add_whole_tables
from shared.messaging.channels import ANY_SENDER


class LoyaltyStack(Stack):
    """One deployment of the service."""

    def __init__(self, scope: Construct, id_: str, options: Options, **properties: Any) -> None:  # noqa: ANN401
        super().__init__(scope, id_, termination_protection=options.is_kept, **properties)
        self.template_options.metadata = {OPTIONS: options.stated()}
        data, queues = add_data(self, options), add_queues(self)
        backups = add_backups(self, data, options)
        failed_records = add_failed_records(self, options, queues.failed_records)
        bus = add_event_bus(self, options)
        mail, api = add_mail(self, options), make_api(self, options)
        settings = {
            "LOYALTY_TABLE": data.loyalty.table_name,
            "PEOPLE_TABLE": data.people.table_name,
            "IDENTITY_KEY_SECRET_ID": data.identity_secret.secret_arn,
            "DUE_SHARDS": options.shards,
            **{f"{run.upper()}_QUEUE_URL": queue.queue_url for run, queue in queues.runs.items()},
            "WEBHOOK_QUEUE_URL": queues.webhooks.queue_url,
            "MESSAGE_QUEUE_URL": queues.messages.queue_url,
            "MESSAGE_MS": str(message_ms(options)),
            "MAIL_SETTINGS": self.stack_name,
            "SENDER_IDENTITY": mail.lent_identity,
            "TEXT_SENDER": options.text_sender or ANY_SENDER,
            "WEBHOOK_TARGETS": options.webhook_targets,
            "EVENT_BUS": bus.event_bus_name,
            "SENDER_EMAIL": options.sender_email,
            "PUBLIC_URL": public_url(api, options),
            "MESSAGES": options.messages,
        }
        resources = _resources(self, data, queues, failed_records, bus.event_bus_arn, mail)
        builder = Builder(self, options, resources, settings)
        functions, document = builder.all(), builder.document()
        identity = add_identity(self, options, builder, functions["enroll"])
        add_routes(self, api, functions, document, identity, options)
        add_schedules(self, functions, queues, options)
        add_queue_workers(self, functions, queues, options)
        add_stream_readers(self, functions, data, failed_records, options)
        add_mail_feedback(self, functions["mail_feedback"], queues)
        add_whole_tables(self, builder, data, options)
        watched = Watched(functions, identity.token_trigger, identity.link_trigger, api, data, queues, backups)
        topic = add_alarms(self, watched, options)
        add_dashboard(self, watched)
        outputs = {"Url": public_url(api, options), "AlarmTopic": topic.topic_arn, **identity.outputs, **mail.outputs}
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
        explain(self)


def _resources(
    stack: Stack, data: Data, queues: Queues, failed_records: s3.Bucket, bus_arn: str, mail: Mail
) -> dict[str, Resource]:
    """What `permissions` names, as the stack has it."""
    arns = {
        permissions.LOYALTY: data.loyalty.table_arn,
        permissions.HISTORY: f"{data.loyalty.table_arn}/index/history",
        permissions.OF_PARTNERS: f"{data.loyalty.table_arn}/index/partner",
        permissions.DUE: f"{data.loyalty.table_arn}/index/due",
        permissions.STREAM: data.loyalty.table_stream_arn or "",
        permissions.PEOPLE: data.people.table_arn,
        permissions.IDENTITY_SECRET: data.identity_secret.secret_arn,
        **{queue: queues.runs[run].queue_arn for run, queue in permissions.RUN_QUEUES.items()},
        permissions.WEBHOOK_QUEUE: queues.webhooks.queue_arn,
        permissions.MESSAGE_QUEUE: queues.messages.queue_arn,
        permissions.FAILED_RECORDS: failed_records.bucket_arn,
        permissions.FAILED_RECORD: failed_records.arn_for_objects("*"),
        permissions.SCHEDULE_LETTERS: queues.schedule_letters.queue_arn,
        permissions.EVENT_BUS: bus_arn,
        permissions.SENDER: mail.sender_arn,
        permissions.MAIL_SETTINGS: mail.settings_arn,
    }
    only_for_tables = {"StringEquals": {"kms:ViaService": f"dynamodb.{stack.region}.amazonaws.com"}}
    return {
        **{name: Resource(arn, {}) for name, arn in arns.items()},
        permissions.PEOPLE_KEY: Resource(data.people_key.key_arn, only_for_tables),
    }
