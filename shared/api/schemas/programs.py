"""The program as it is answered."""

from shared.api.answers import Answer, json_answer
from shared.domain.program.program import Program

NOTHING: frozenset[str] = frozenset()


def program_answer(program: Program, *, without: frozenset[str] = NOTHING) -> Answer:
    """A program without some of its sections. Its version is the ETag, which a change names in If-Match."""
    return json_answer(program, headers={"ETag": f'"{program.version}"'}, without=without)
