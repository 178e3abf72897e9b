"""What the program shows to shopping agents, by the Universal Commerce Protocol."""

from typing import Annotated

from pydantic import StringConstraints

from shared.domain.fields import Stored, Text

Claim = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=128,
        pattern=r"^[a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9_])?)+$",
    ),
]
"""A reverse domain name, such as com.example.rewards."""


class Agents(Stored):
    """Under which claim the membership is known to agents, and what its points are called there.

    Where the program gives store credit, that is named as well, and counted in the minor units of its currency.
    """

    claim: Claim
    currency_name: Text
    currency_code: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z0-9_-]{2,16}$")]
    credit_name: Text = "Store credit"
