"""Clients of AWS's services, made by botocore, which ask for no longer than the call in hand may take.

boto3 makes the very same ones, but first imports what is for its resources and file transfers, which nobody here uses:
7 ms of every cold start.
"""

from typing import TYPE_CHECKING, Any

from shared import runtime
from shared.domain.errors import TryAgainError

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session

CONNECT_SECONDS = 2
READ_SECONDS = 5
ATTEMPTS_MAX = 3
ANSWER_SECONDS = 3
"""What is left of a call after its last request: botocore's longest wait before it would send that again, which is two
seconds before the third of `ATTEMPTS_MAX`, and one for the answer."""


def client(service: str, config: "Config | None" = None, *, attempts_max: int = ATTEMPTS_MAX) -> Any:  # noqa: ANN401
    """A new client; the environment names the region, the endpoint and the credentials.

    It sends a request at most `attempts_max` times: once what must not be done twice. It raises TryAgainError if a
    request might not end within the call in hand.
    """
    from botocore.config import Config  # noqa: PLC0415 - importing this module does no work

    retries: Any = {"mode": "standard", "total_max_attempts": attempts_max}
    usual = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)
    made: Any = _session().create_client(service, config=usual.merge(config) if config else usual)
    seconds_max = made.meta.config.connect_timeout + made.meta.config.read_timeout
    name = made.meta.service_model.service_id.hyphenize()
    made.meta.events.register_first(f"before-send.{name}", lambda **_: require_time(seconds_max))
    return made


def require_time(seconds: float | None = None) -> None:
    """Raises TryAgainError unless the call in hand has so many seconds left, and those that its answer takes.

    Unless it is said, it is for a request of a client as all are.
    """
    if seconds is None:
        seconds = CONNECT_SECONDS + READ_SECONDS
    if runtime.seconds_left() < seconds + ANSWER_SECONDS:
        raise TryAgainError("AWS took too long to answer; the same request may be sent again")


@runtime.remembered()
def _session() -> "Session":
    from botocore.session import get_session  # noqa: PLC0415 - importing this module does no work

    from shared.aws.service_descriptions import Descriptions  # noqa: PLC0415

    session = get_session()
    session.register_component("data_loader", Descriptions())
    return session
