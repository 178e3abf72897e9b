"""The environment that functions see on one machine."""

import os
import secrets
from pathlib import Path

from infra.local import folders
from infra.tables import LOYALTY, PEOPLE

REGION = "us-east-1"
_IDENTITY_KEY_BYTES = 32
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def variables(endpoint: str, folder: Path) -> dict[str, str]:
    """This process's environment, with all that the functions need to work against `endpoint`.

    `folder` keeps the key under which identifiers are hashed: it belongs to the data, which is unreadable without.
    None of the shell's own AWS settings is passed on, so nothing here ever reaches an account.
    """
    inherited = {name: value for name, value in os.environ.items() if _harmless(name)}
    return {
        "POWERTOOLS_LOG_LEVEL": "WARNING",
        **inherited,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "loyalty",
        "POWERTOOLS_METRICS_NAMESPACE": "Loyalty",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "LOYALTY_TABLE": LOYALTY.name,
        "PEOPLE_TABLE": PEOPLE.name,
        "IDENTITY_KEY": _identity_key(folder),
        "DUE_SHARDS": "2",
        "EXPIRY_QUEUE_URL": "in-process",
        "EVENT_BUS": "mailbox",
        "SENDER_EMAIL": "loyalty@shop.example",
    }


def _harmless(name: str) -> bool:
    # A proxy has no part in talking to one's own machine.
    return not name.startswith("AWS_") and name.lower() not in _PROXIES


def _identity_key(folder: Path) -> str:
    return folders.create_once(folder / "identity-key", _new_identity_key).decode()


def _new_identity_key() -> bytes:
    return secrets.token_hex(_IDENTITY_KEY_BYTES).encode()
