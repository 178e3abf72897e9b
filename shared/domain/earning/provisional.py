"""Members who have not agreed to the terms yet: what they earn waits, until they consent or their time is over."""

from datetime import datetime, timedelta

from shared.domain.account import Account
from shared.domain.calendar import end_of_day, local_day
from shared.domain.entry import Entry, Piece
from shared.domain.errors import ConsentRequiredError, MemberNotFoundError
from shared.domain.facets import Traits
from shared.domain.ledger import draft, negative
from shared.domain.lots import UNTIL_APPROVED
from shared.domain.points.eligibility import points_for
from shared.domain.points.grants import granted_now
from shared.domain.points.tiers import entered
from shared.domain.program.program import Program


def open_provisional(
    member_id: str, program: Program, *, now: datetime, actor: str, fingerprint: str, traits: Traits | None = None
) -> Entry:
    """The first entry of somebody known by an identifier alone. Raises MemberNotFoundError if the program has no such.

    They have through `provisional_until` to consent.
    """
    terms = program.automatic_enrolment
    if terms is None:
        raise MemberNotFoundError("no member has this identifier, and the program enrolls nobody automatically")
    today = local_day(now, program.time_zone)
    return draft(
        Account(member_id=member_id),
        "provisional",
        occurred_at=now,
        recorded_at=now,
        points=0,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        tier=entered(program.tiers, program.tiers.levels[0], today),
        traits=traits,
        provisional_until=today + timedelta(days=terms.consent_days),
    )


def confirm(
    account: Account,
    program: Program,
    *,
    now: datetime,
    actor: str,
    fingerprint: str,
    traits: Traits | None = None,
    is_new: bool = True,
) -> Entry:
    """A provisional member agrees: what waits becomes available, dated from today.

    The welcome points come, too, if they are new: if they have not been a member before.
    """
    today = local_day(now, program.time_zone)
    waiting = account.pending.get(UNTIL_APPROVED, 0)
    member = account.model_copy(update={"status": "active", "traits": traits or account.traits})
    welcome = points_for(member, program, program.earning.welcome_points) if is_new else 0
    effects = granted_now(member, program, waiting + welcome, today)
    effects["pending"] = {UNTIL_APPROVED: -waiting} if waiting else {}
    return draft(
        account,
        "confirm",
        occurred_at=now,
        recorded_at=now,
        points=welcome,
        program_version=program.version,
        actor=actor,
        fingerprint=fingerprint,
        **effects,
        earned=welcome,
        traits=traits,
        breakdown=(Piece(rule_id="welcome", points=welcome, description="Welcome points"),) if welcome else (),
    )


def lapses_at(account: Account, program: Program) -> datetime | None:
    """The instant at which a provisional member's time to consent is over; None for everybody else."""
    if account.status != "provisional" or account.provisional_until is None:
        return None
    return end_of_day(account.provisional_until, program.time_zone)


def unclaimed(account: Account, program: Program, at: datetime, now: datetime) -> Entry:
    """A provisional member who never agreed: everything is forfeited, what is owed forgiven."""
    return draft(
        account,
        "unclaimed",
        occurred_at=at,
        recorded_at=now,
        points=-(account.balance + account.pending_points - account.debt),
        program_version=program.version,
        lots=negative(account.lots),
        pending=negative(account.pending),
        debt=-account.debt,
        source={"on": str(account.provisional_until)},
    )


def require_consent(account: Account) -> None:
    """Raises ConsentRequiredError for a provisional member."""
    if account.status == "provisional":
        raise ConsentRequiredError(
            "the member has not agreed to the terms: points wait until then, "
            f"at the latest through {account.provisional_until}"
        )
