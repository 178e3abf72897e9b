"""Reading the program, and replacing it by its next version."""

from datetime import datetime

from shared.caller import Caller
from shared.domain.errors import InvalidRequestError, ProgramChangedError
from shared.domain.program.program import Program
from shared.domain.telling.templates import template_faults
from shared.tables import audit, programs


def read_program() -> Program:
    """The current program."""
    return programs.load_program()


def replace_program(program: Program, version: int, *, caller: Caller, now: datetime) -> Program:
    """Store a program as the version after `version`, which the operator has read.

    Raises ProgramChangedError if the program names another version, or if `version` is not the current one;
    InvalidRequestError for faulty templates, TryAgainError if another write was in the way.
    """
    if "version" in program.model_fields_set and program.version != version:
        raise ProgramChangedError(
            f"the program names version {program.version}, but the version to replace is {version}"
        )
    if faults := template_faults(program.messages):
        raise InvalidRequestError(*faults)
    trail = audit.trail(caller, "program.replaced", now, version=str(version + 1))
    return programs.replace_program(program, version, trail)
