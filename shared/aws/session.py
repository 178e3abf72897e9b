"""Clients of AWS's services, made by botocore.

boto3 makes the very same ones, but first imports what is for its resources and file transfers, which nobody here uses:
7 ms of every cold start.
"""

from typing import TYPE_CHECKING, Any

from shared import runtime

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session


def client(service: str, config: "Config | None" = None) -> Any:  # noqa: ANN401 - botocore has a class for each service
    """A new client; the environment names the region, the endpoint and the credentials."""
    return _session().create_client(service, config=config)


@runtime.remembered()
def _session() -> "Session":
    from botocore.session import get_session  # noqa: PLC0415 - importing this module does no work

    from shared.aws.service_descriptions import Descriptions  # noqa: PLC0415

    session = get_session()
    session.register_component("data_loader", Descriptions())
    return session
