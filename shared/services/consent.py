"""A member's consent: agreeing to the terms, and saying by which means they want to hear offers."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared import request_ids, runtime
from shared.caller import Caller
from shared.domain.calendar import local_day
from shared.domain.fields import Day, Flag, Record, Reference, Requested
from shared.domain.members.members import (
    Consent,
    Marketing,
    Member,
    consenting,
    new_referral_code,
    require_active,
    require_staying,
)
from shared.domain.points.eligibility import require_age
from shared.services import enrolment, profiles
from shared.tables import members, programs


class Agreement(Record):
    """The terms that a member agrees to, and by which means they want to hear offers."""

    terms_version: Reference
    marketing: Requested[Marketing] = Marketing()
    channel: Annotated[Reference | None, Field(description="where that was said, such as web or till")] = None
    age_confirmed: Flag = False
    birth_date: Day | None = None


def agree(member_id: str, agreement: Agreement, *, caller: Caller, now: datetime) -> Member:
    """Record a member's consent. A provisional member becomes a member, and the points that waited become available.

    Raises MemberNotFoundError, MemberNotActiveError, NotEligibleError for a provisional member who is too young, and
    TryAgainError if the profile was changed meanwhile.
    """
    before = members.load_member(caller.authorized_member_id(member_id))
    given = Consent(terms_version=agreement.terms_version, marketing=agreement.marketing)
    after = consenting(before.member, given, now=now, channel=agreement.channel)
    require_staying(before.member)
    if before.member.status == "provisional":
        return _join(before, after, agreement, caller, now)
    require_active(before.member)
    if after != before.member:
        profiles.save(before, after, actor=caller.actor, now=now)
    return after


def _join(
    before: members.StoredMember, consented: Member, agreement: Agreement, caller: Caller, now: datetime
) -> Member:
    program = programs.load_program()
    today = local_day(now, program.time_zone)
    require_age(program, today, is_confirmed=agreement.age_confirmed, born_on=agreement.birth_date)
    code = new_referral_code(None, runtime.random().choice)
    active = consented.model_copy(update={"status": "active", "referral_code": code})
    after = enrolment.newcomer(active, program, fingerprints=())
    fingerprint = request_ids.fingerprint(agreement)
    enrolment.confirmed(before, after, actor=caller.actor, fingerprint=fingerprint, now=now)
    return after
