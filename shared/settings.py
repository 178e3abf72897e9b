"""What the environment tells a function. Read when first needed; a missing name is an error, never an empty string."""

import os
from typing import Any

from shared import runtime
from shared.aws import answers, session

SECRET_SECONDS = 2


class MissingSettingError(RuntimeError):
    """The environment lacks a name that this function cannot work without."""


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise MissingSettingError(f"the environment variable {name} is not set")
    return value


def _secret(secret_id: str) -> str:
    from botocore.config import Config  # noqa: PLC0415 - only this setting needs it

    secrets = session.client("secretsmanager", Config(connect_timeout=SECRET_SECONDS, read_timeout=SECRET_SECONDS))
    answer: Any = answers.ask(lambda: secrets.get_secret_value(SecretId=secret_id))
    secret: str = answer["SecretString"]
    return secret


def is_snapshot() -> bool:
    """Whether Lambda is about to keep this process as a snapshot, and starts from it whenever it is called."""
    return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def function() -> str:
    """Which function this process is: the name of its file."""
    return _required("FUNCTION")


@runtime.remembered()
def loyalty_table() -> str:
    """Name of the pseudonymous table: accounts, entries, the program."""
    return _required("LOYALTY_TABLE")


@runtime.remembered()
def people_table() -> str:
    """Name of the table of personal data."""
    return _required("PEOPLE_TABLE")


@runtime.remembered()
def identity_key() -> bytes:
    """Secret under which identifiers are hashed, at least 32 bytes, given as hexadecimal digits.

    In the cloud it is in Secrets Manager, read once by each execution environment, so that no console shows it.
    """
    secret_id = os.environ.get("IDENTITY_KEY_SECRET_ID")
    return bytes.fromhex(_secret(secret_id) if secret_id else _required("IDENTITY_KEY"))


@runtime.remembered()
def due_shards() -> int:
    """Over how many partitions what is due, waits, is to be stated or is a partner's is spread when it is written."""
    return int(_required("DUE_SHARDS").split("/")[0])


@runtime.remembered()
def due_shards_read() -> int:
    """In how many partitions that is looked for: `8/32` says that items may still be there from when it was spread over
    32.
    """
    return max(map(int, _required("DUE_SHARDS").split("/")))


def run_queue_url(run: runtime.RunName) -> str:
    """Queue that carries the pages of a run."""
    return _required(f"{run.upper()}_QUEUE_URL")


@runtime.remembered()
def webhook_queue_url() -> str:
    """Queue of deliveries to webhooks."""
    return _required("WEBHOOK_QUEUE_URL")


@runtime.remembered()
def message_queue_url() -> str:
    """Queue of messages to members."""
    return _required("MESSAGE_QUEUE_URL")


@runtime.remembered()
def message_ms() -> int:
    """How long a process takes for a message at least, so that all together keep to the mail service's rate."""
    return int(_required("MESSAGE_MS"))


@runtime.remembered()
def mail_settings() -> str:
    """The configuration set of SES by which bounces and complaints are heard of."""
    return _required("MAIL_SETTINGS")


@runtime.remembered()
def sender_identity() -> str:
    """The ARN of another account's identity that lets this one send; `-`: the sender is this account's own."""
    return _required("SENDER_IDENTITY")


@runtime.remembered()
def text_sender() -> str:
    """Number or name that text messages come from; `-`, and AWS takes one that the account has."""
    return _required("TEXT_SENDER")


@runtime.remembered()
def webhook_targets() -> str:
    """Where webhooks may lead: `public` for the public internet by HTTPS, `anywhere` on a developer's machine."""
    return _required("WEBHOOK_TARGETS")


@runtime.remembered()
def event_bus() -> str:
    """Bus that domain events are published on."""
    return _required("EVENT_BUS")


@runtime.remembered()
def public_url() -> str:
    """Where the API is reached from outside: links in messages begin with it."""
    return _required("PUBLIC_URL")


def public_address(path: str) -> str:
    """A path's address, as it is reached from outside."""
    return f"{public_url().rstrip('/')}{path}"


def is_encrypted() -> bool:
    """Whether it is reached by HTTPS, as everywhere but on a developer's machine."""
    return public_url().startswith("https://")


@runtime.remembered()
def messages() -> str:
    """`send`, or `dry_run`: then nobody is written to, and the log says what would have been sent."""
    return _required("MESSAGES")


@runtime.remembered()
def sender_email() -> str:
    """Address that e-mails are sent from; verified in SES."""
    return _required("SENDER_EMAIL")
