"""The environment that functions see on one machine."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.machine import engine_keys, folders
from infra.tables import LOYALTY, PEOPLE

REGION = "us-east-1"
_IDENTITY_KEY_BYTES = 32
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_forgotten: dict[str, str] = {}
_NO_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def forget_the_shell() -> None:
    """Take the shell's AWS settings and proxies out of this process's environment, until somebody recalls them.

    What runs on one machine then reaches no account, and is found on this machine.
    """
    _forgotten.clear()
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower() in _PROXIES:
            _forgotten[name] = os.environ.pop(name)
    os.environ.update(_NO_FILES)


def recall_the_shell() -> None:
    """Put back what was taken out last, for work on the account that it names."""
    for name in _NO_FILES:
        os.environ.pop(name, None)
    os.environ.update(_forgotten)


@contextmanager
def restored() -> Iterator[None]:
    """Whatever the block does to this process's environment, afterwards it is what it was."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def variables(endpoint: str, folder: Path) -> dict[str, str]:
    """This process's environment, and all that the functions need to work against `endpoint`.

    What they need for queues, messages and events is not among it: a server puts its own in the place of those.

    `folder` keeps the key under which identifiers are hashed: it belongs to the data, in which nobody is found without.
    """
    return {
        "POWERTOOLS_LOG_LEVEL": "WARNING",
        **os.environ,
        **_NO_FILES,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": engine_keys.key_of(endpoint),
        "AWS_SECRET_ACCESS_KEY": engine_keys.SECRET,
        "POWERTOOLS_SERVICE_NAME": "loyalty",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "LOYALTY_TABLE": LOYALTY.name,
        "PEOPLE_TABLE": PEOPLE.name,
        "IDENTITY_KEY": folders.create_once(folder / "identity-key", _new_identity_key).decode(),
        "DUE_SHARDS": "1",
        "WEBHOOK_TARGETS": "anywhere",
    }


def _new_identity_key() -> bytes:
    return secrets.token_hex(_IDENTITY_KEY_BYTES).encode()
