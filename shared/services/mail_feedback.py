"""What became of e-mails: a bounce or a complaint switches the channel off, until the address changes.

To be told of it again changes nothing.
"""

from collections.abc import Collection
from datetime import datetime

from shared import telemetry
from shared.domain.calendar import local_day
from shared.domain.errors import MemberNotFoundError
from shared.domain.members.contact_preferences import SUPPRESSIONS, suppressed
from shared.domain.members.members import mail_address
from shared.tables import members as people
from shared.tables import programs


def suppress(member_id: str, kind: str, addresses: Collection[str], now: datetime) -> bool:
    """Switch e-mail off, for a kind of SUPPRESSIONS, if one of the addresses is the member's of today; whether it is.

    Addresses are in lower case, as the mail service has them. Raises TryAgainError if the profile was being changed.
    """
    try:
        before = people.load_member(member_id)
    except MemberNotFoundError:
        return False
    if (mail_address(before.member.email or "") or "").lower() not in addresses:
        return False
    today = local_day(now, programs.load_program().time_zone)
    after = suppressed(before.member, "email", SUPPRESSIONS[kind], today)
    if after != before.member:
        people.save(before, after)
        telemetry.count(EmailsSuppressed=1)
    return True
