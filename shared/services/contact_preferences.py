"""How a member wants to be written to: by which channel, about what, in which time zone."""

from datetime import datetime
from typing import NamedTuple

from shared.caller import Caller
from shared.domain.members.contact_preferences import PreferencesChange, preferring
from shared.domain.members.members import Member, require_active
from shared.services import profiles
from shared.tables import audit, members, programs


class ContactPreferences(NamedTuple):
    """The member whose preferences they are, and their time zone: their own, or else the program's."""

    member: Member
    time_zone: str


def read_preferences(member_id: str, *, caller: Caller, now: datetime) -> ContactPreferences:
    """A member's preferences. Raises MemberNotFoundError."""
    member = members.load_member(caller.authorized_member_id(member_id)).member
    audit.record(caller, "preferences.read", now, member.member_id)
    return _of(member)


def change_preferences(
    member_id: str, change: PreferencesChange, *, caller: Caller, now: datetime
) -> ContactPreferences:
    """Change a member's preferences; what the change leaves out stays.

    Raises MemberNotFoundError, MemberNotActiveError, ConsentRequiredError, and TryAgainError if the profile was changed
    meanwhile.
    """
    before = members.load_member(caller.authorized_member_id(member_id))
    require_active(before.member)
    after = preferring(before.member, change, now=now)
    if after != before.member:
        trail = audit.trail(caller, "preferences.changed", now, after.member_id)
        profiles.save(before, after, actor=caller.actor, now=now, also=trail)
    return _of(after)


def _of(member: Member) -> ContactPreferences:
    return ContactPreferences(member, member.time_zone or programs.load_program().time_zone)
