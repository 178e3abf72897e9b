"""What functions use besides tables, made by boto3 wherever its clients lead: on an emulator, or in a test."""

from datetime import datetime

import boto3

from infra.cloud.permissions import LOYALTY, MESSAGE_QUEUE, PEOPLE, RUN_QUEUES, WEBHOOK_QUEUE
from shared.messaging.channels import ANY_SENDER, OWN_SENDER
from shared.services import birthdays
from shared.tables import due_index

SENDER_ADDRESS = "loyalty@shop.example"


def make_resources() -> dict[str, str]:
    """Make queues, an event bus, a sender of e-mail and a secret; the settings that lead there and to the tables."""
    queues = {
        name: boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        for name in (*RUN_QUEUES.values(), WEBHOOK_QUEUE, MESSAGE_QUEUE)
    }
    boto3.client("events").create_event_bus(Name="loyalty")
    boto3.client("sesv2").create_configuration_set(ConfigurationSetName="loyalty")
    boto3.client("ses").verify_email_identity(EmailAddress=SENDER_ADDRESS)
    secret = boto3.client("secretsmanager").create_secret(Name="identity", SecretString="00" * 32)
    return {
        "LOYALTY_TABLE": LOYALTY,
        "PEOPLE_TABLE": PEOPLE,
        "DUE_SHARDS": "4",
        **{f"{run.upper()}_QUEUE_URL": queues[name] for run, name in RUN_QUEUES.items()},
        "WEBHOOK_QUEUE_URL": queues[WEBHOOK_QUEUE],
        "MESSAGE_QUEUE_URL": queues[MESSAGE_QUEUE],
        "MESSAGE_MS": "0",
        "MAIL_SETTINGS": "loyalty",
        "SENDER_IDENTITY": OWN_SENDER,
        "TEXT_SENDER": ANY_SENDER,
        "WEBHOOK_TARGETS": "anywhere",
        "PUBLIC_URL": "https://loyalty.example",
        "MESSAGES": "send",
        "EVENT_BUS": "loyalty",
        "SENDER_EMAIL": SENDER_ADDRESS,
        "IDENTITY_KEY_SECRET_ID": secret["ARN"],
    }


def note_runs(at: datetime) -> None:
    """Let the schedules have run on a day: a first run would look over a year back."""
    for run in (due_index.EXPIRY_RUN, due_index.REMINDER_RUN, birthdays.NOTED):
        item = {"pk": {"S": "SCHEDULE"}, "sk": {"S": run}, "on": {"S": at.date().isoformat()}}
        boto3.client("dynamodb").put_item(TableName=LOYALTY, Item=item)
