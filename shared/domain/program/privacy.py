"""How long members who no longer come are kept."""

from typing import Annotated

from pydantic import Field

from shared.domain.fields import Day, Days, Stored
from shared.domain.program.common import Months


class Privacy(Stored):
    """Members are erased after so many months without an entry, `warning_days` after a warning.

    Entries that time causes do not count. Nobody is warned before `starts_on`, so that those who have been away for
    long are warned as well.
    """

    inactive_months: Months
    starts_on: Day
    warning_days: Annotated[Days, Field(ge=1, le=90)] = 30
