"""Which addresses a webhook may lead to: those of the public internet, looked up anew for each connection."""

import socket
from typing import NamedTuple

from shared import settings
from shared.domain.errors import Fault, InvalidRequestError
from shared.domain.telling.webhooks import host_and_port, is_public


class ForbiddenAddressError(Exception):
    """The address leads to where no webhook may, or nowhere."""


class Target(NamedTuple):
    """Where to connect: an address that was looked up and found allowed, so that no later answer can change it."""

    address: str
    port: int
    host: str
    is_tls: bool


def resolve(url: str) -> Target:
    """Look up where a URL leads. Raises ForbiddenAddressError unless every address of its host is allowed."""
    host, port = host_and_port(url)
    is_tls = url.startswith("https:")
    anywhere = settings.webhook_targets() == "anywhere"
    if not (is_tls or anywhere):
        raise ForbiddenAddressError("must be an HTTPS address, such as https://shop.example/loyalty")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ForbiddenAddressError(f"the host {host} cannot be looked up") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not (anywhere or all(is_public(address) for address in addresses)):
        raise ForbiddenAddressError(f"the host {host} is not one of the public internet")
    return Target(addresses[0], port, host, is_tls)


def require_public(url: str) -> None:
    """Raises InvalidRequestError if a webhook may not lead there."""
    try:
        resolve(url)
    except ForbiddenAddressError as error:
        raise InvalidRequestError(Fault("/url", str(error))) from error
