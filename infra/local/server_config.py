"""What the process that watches over the server, and the server's own, must agree on."""

from pathlib import Path

from pydantic import AwareDatetime, BaseModel

from infra.local.activity import Form

UNSEEDED = "unseeded"
"""A file of this name in the server's folder says that the tables are new, and have yet to get their members."""
UNANNOUNCED = "unannounced"
"""Likewise: nobody was told yet where the server is."""


class ServerConfig(BaseModel):
    """What a server reads when it starts.

    `descriptor` is the listening socket, which outlives every reload; what else must outlive one is in `folder`.
    """

    pid: int
    url: str
    descriptor: int
    endpoint: str
    folder: Path
    start: AwareDatetime | None
    form: Form = "lines"
    is_verbose: bool = False
