"""Reading the program, and replacing it by its next version: at once, or when a second operator has agreed."""

from datetime import date, datetime

from shared import request_ids
from shared.caller import Caller
from shared.domain.calendar import local_day
from shared.domain.errors import Fault, InvalidRequestError, ProgramChangedError
from shared.domain.points.reviews import Review
from shared.domain.program.operators import Operators, loosens
from shared.domain.program.program import Program
from shared.domain.telling.templates import template_faults
from shared.services import asking
from shared.services.asking import Asked
from shared.tables import audit, programs, reviews


def read_program() -> Program:
    """The current program."""
    return programs.load_program()


def today(now: datetime) -> date:
    """The program's day at an instant."""
    return local_day(now, programs.load_program().time_zone)


def replace_program(program: Program, version: int, *, caller: Caller, now: datetime) -> Program | Asked:
    """Store a program as the version after `version`, which the operator has read.

    If it lets operators do more alone, or makes their days others, open the review that it waits for, and store
    nothing yet.

    Raises ProgramChangedError if the program names another version, or if `version` is not the current one;
    InvalidRequestError for faulty templates, TryAgainError if another write was in the way.
    """
    if "version" in program.model_fields_set and program.version != version:
        raise ProgramChangedError(
            f"the program names version {program.version}, but the version to replace is {version}"
        )
    if faults := template_faults(program.messages):
        raise InvalidRequestError(*faults)
    programs.load_program.forget()
    before = programs.load_program()
    if version > before.version:  # nobody has read it: whether it lets operators do more cannot be told
        raise ProgramChangedError(f"version {version} is not stored; the current one is {before.version}")
    if before.version == version and _loosens(before, program):
        return _ask(before, program, caller, now)
    trail = audit.trail(caller, "program.replaced", now, version=str(version + 1))
    return programs.replace_program(program, version, trail)


def _ask(before: Program, program: Program, caller: Caller, now: datetime) -> Asked:
    """Ask another operator. Raises InvalidRequestError for another currency, which goes by itself."""
    if program.currency != before.currency:
        raise InvalidRequestError(Fault("/currency", "cannot change together with what operators may do alone"))
    fingerprint = request_ids.fingerprint(program)
    review_id = reviews.id_of("program", str(before.version), fingerprint)
    review = Review(
        review_id=review_id,
        kind="program",
        member_id="",
        requested_by=caller.actor,
        requested_at=now,
        what=f"Replace version {before.version} of the program by one that lets operators do more alone",
        details={
            "version": str(before.version),
            "operators_before": _shown(before.operators),
            "operators_after": _shown(program.operators),
            **_zones(before, program),
        },
        fingerprint=fingerprint,
    )
    trail = audit.trail(caller, "program.requested", now, version=str(before.version + 1), review_id=review_id)
    return asking.ask(review, [programs.propose(review_id, program), *trail])


def _zones(before: Program, after: Program) -> dict[str, str]:
    """Between which time zones the program changes, if it does."""
    if before.time_zone == after.time_zone:
        return {}
    return {"time_zone_before": before.time_zone, "time_zone_after": after.time_zone}


def _loosens(before: Program, after: Program) -> bool:
    return loosens(before.operators, after.operators, other_days=before.time_zone != after.time_zone)


def _shown(terms: Operators | None) -> str:
    return terms.model_dump_json(exclude_none=True) if terms else "{}"
