"""What botocore reads of the services that it speaks to."""

from botocore.loaders import Loader

ENDPOINT_RULES = "endpoint-rule-set-1"


class Descriptions(Loader):
    """Everything but the rules of endpoints: a client without them keeps the one address that it was made with.

    With them it works out the same address anew for every request, and reads them first.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """The services that have such a description."""
        return [] if type_name == ENDPOINT_RULES else super().list_available_services(type_name)
